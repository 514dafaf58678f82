/* Policy `gate`: reads payload, lets messages pass whose bytes have no 'x', and sessions whose fact gate.mode is "safe".
 * It does everything right, unless `gate_is` says what it does wrong (wrong.h).
 */
#include <accord/plugin.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wrong.h"

#define WRONG(what) (gate_is == GATE_##what)

enum gate_wrong gate_is;

struct options {
    const char *forbidden;
};

static const struct accord_option table[] = {
    {"forbidden", ACCORD_TEXT, 0, offsetof(struct options, forbidden), "x", 0, 0, NULL,
     "No message has these."},
    {0},
};

struct open_case {
    struct open_case *next;
    const struct accord_inquiry *inquiry;
    int64_t seen;
    bool bad;
    char key[64];
};

struct gate {
    const struct accord_policy_host *host;
    struct accord_instance *instance;
    const struct options *options;
    struct open_case *cases;
    char *word;
    unsigned profiles;
    bool bad;
};

/* ---- answers ---- */

static void answer(struct gate *gate, const struct accord_inquiry *inquiry, enum accord_answer what,
                   const char *rule, const char *reason, const char *key)
{
    struct accord_case *handle = inquiry->handle;
    bool keyed = key && (what == ACCORD_ALLOW || WRONG(KEYS_ON_DENY));
    if (WRONG(ANSWERS_WRONGLY))
        what = ACCORD_ALLOW;
    const struct accord_verdict verdict = {.answer = what,
                                           .rule = WRONG(NO_RULE) ? "" : rule,
                                           .reason = reason,
                                           .keys = &key,
                                           .key_count = keyed};
    if (WRONG(NEVER_ANSWERS))
        return;
    gate->host->answer(handle, &verdict);
    if (WRONG(ANSWERS_TWICE))
        gate->host->answer(handle, &verdict);
    if (WRONG(PULLS_AFTER) && inquiry->envelope)
        gate->host->pull(handle, 1);
}

static struct open_case *take(struct gate *gate, const struct accord_inquiry *inquiry)
{
    struct open_case **at = &gate->cases;
    while (*at && *at != *inquiry->state)
        at = &(*at)->next;
    struct open_case *open = *at;
    if (open)
        *at = open->next;
    *inquiry->state = NULL;
    return open;
}

static void end(struct gate *gate, const struct accord_inquiry *inquiry, enum accord_answer what,
                const char *rule, const char *reason)
{
    struct open_case *open = take(gate, inquiry);
    char key[64];
    snprintf(key, sizeof key, "%s", open ? open->key : "none");
    if (!WRONG(LEAKS))
        free(open);
    answer(gate, inquiry, what, rule, reason, key);
}

/* ---- questions ---- */

static void judge_session(struct gate *gate, const struct accord_inquiry *inquiry)
{
    const char *mode = NULL;
    for (size_t i = 0; i < inquiry->fact_count; i++)
        if (strcmp(inquiry->facts[i].name, "gate.mode") == 0)
            mode = inquiry->facts[i].value;
    if (WRONG(CRASHES) && *(const volatile char *)mode == '!')
        return;
    if (mode && strcmp(mode, "safe") == 0)
        answer(gate, inquiry, ACCORD_ALLOW, "", "", NULL);
    else
        answer(gate, inquiry, ACCORD_DENY, "gate.mode", "the session is not safe", NULL);
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct gate *gate = state;
    if (WRONG(BLOCKS))
        usleep(400000);
    while (WRONG(HANGS))
        usleep(1000);
    if (!inquiry->envelope) {
        judge_session(gate, inquiry);
        return;
    }
    gate->bad = false;
    struct open_case *open = malloc(sizeof *open);
    if (!open) {
        answer(gate, inquiry, WRONG(ALLOWS_WITHOUT_MEMORY) ? ACCORD_ALLOW : ACCORD_DEFER, "gate.memory",
               "out of memory", NULL);
        return;
    }
    *open = (struct open_case){.next = gate->cases, .inquiry = inquiry};
    snprintf(open->key, sizeof open->key, "name:%s", inquiry->envelope->name);
    gate->cases = open;
    *inquiry->state = open;
    gate->host->pull(inquiry->handle, WRONG(PULLS_ONCE) ? 20 : ACCORD_PIECE_MAX);
}

static void payload(void *state, const struct accord_inquiry *inquiry, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct gate *gate = state;
    struct open_case *open = *inquiry->state;
    for (size_t i = 0; i < size; i++)
        open->bad |= strchr(gate->options->forbidden, bytes[i]) != NULL && bytes[i];
    if (WRONG(SHARES_STATE))
        open->bad = gate->bad |= open->bad;
    if (WRONG(PIECES_MATTER) && size < 3)
        open->bad = false;
    open->seen += (int64_t)size;
    if (!last && !open->bad) {
        if (size && !WRONG(PULLS_ONCE))
            gate->host->pull(inquiry->handle, (int64_t)size);
        return;
    }
    if (open->bad)
        end(gate, inquiry, ACCORD_DENY, "gate.forbidden", "there is a byte that is forbidden");
    else
        end(gate, inquiry, ACCORD_ALLOW, "", "");
}

static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    if (!WRONG(IGNORES_CANCEL))
        end(state, inquiry, ACCORD_DEFER, "gate.canceled", "given up");
}

static int profile(void *state, const struct accord_policy_link *link, const struct accord_profile_sink *sink,
                   char *why, size_t room)
{
    struct gate *gate = state;
    char mode[32] = "safe";
    (void)link;
    (void)why;
    (void)room;
    if (WRONG(PROFILE_CHANGES))
        snprintf(mode, sizeof mode, "safe%u", gate->profiles++);
    if (WRONG(PROFILE_TWICE))
        sink->put(sink->arg, "gate.mode", mode);
    return sink->put(sink->arg, "gate.mode", mode);
}

/* ---- life ---- */

static int check(const struct accord_policy_setup *setup, char *why, size_t room)
{
    const struct options *options = setup->options;
    if (WRONG(CHECK_CRASHES) && strlen(options->forbidden) > 100)
        abort();
    if (options->forbidden[0])
        return 0;
    snprintf(why, room, "forbidden is empty");
    return ACCORD_EINVAL;
}

static void gate_close(void *state)
{
    struct gate *gate = state;
    while (gate->cases && !WRONG(IGNORES_CLOSE))
        end(gate, gate->cases->inquiry, ACCORD_DEFER, "gate.stopped", "stopped");
    while (gate->cases) {
        struct open_case *open = gate->cases;
        gate->cases = open->next;
        free(open);
    }
    free(gate->word);
}

static int gate_open(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                     const struct accord_policy_setup *setup, char *why, size_t room)
{
    struct gate *gate = state;
    *gate = (struct gate){.host = host, .instance = instance, .options = setup->options};
    gate->word = strdup("word");
    char *more = gate->word ? malloc(10) : NULL;
    if (!more) {
        if (!WRONG(OPEN_LEAKS))
            free(gate->word);
        snprintf(why, room, "out of memory");
        return ACCORD_ENOMEM;
    }
    free(more);
    if (WRONG(DESCRIPTOR) && open("/dev/null", O_RDONLY) < 0)
        return ACCORD_EIO;
    return 0;
}

static const struct accord_policy policy = {
    .size = sizeof policy,
    .flags = ACCORD_READS_PAYLOAD,
    .asks = ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {table, sizeof(struct options)},
    .check = check,
    .state_size = sizeof(struct gate),
    .open = gate_open,
    .close = gate_close,
    .judge = judge,
    .payload = payload,
    .cancel = cancel,
    .profile = profile,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "gate",
    .version = "0.1",
    .summary = "Right, unless it is wrong on purpose.",
    .policy = &policy,
};
