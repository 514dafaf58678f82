#include "hub/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/trail.h"
#include "store/store.h"

/* ---- version ---- */

static void verb_version(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    char sdk[32];
    snprintf(sdk, sizeof sdk, "%d.%d", ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR);
    answer_row(answer, "version", CELLS({"program", "accordd"}, {"version", ACCORD_VERSION}, {"sdk", sdk}));
    answer_end(answer, ANSWER_OK, "%s", "");
}

/* ---- audit heads ---- */

struct heads {
    struct answer *answer;
    struct store_heads verb;
};

static void heads_exported(void *arg)
{
    struct heads *heads = arg;
    for (size_t i = 0; i < heads->verb.count; i++) {
        char sequence[24], hash[DIGEST_HEX];
        snprintf(sequence, sizeof sequence, "%" PRIu64, heads->verb.rows[i].head.sequence);
        hex_encode(hash, heads->verb.rows[i].head.hash, DIGEST_SIZE);
        answer_row(heads->answer, "heads",
                   CELLS({"chain", heads->verb.rows[i].chain}, {"sequence", sequence}, {"hash", hash}));
    }
    free(heads->verb.rows);
    answer_end(heads->answer, ANSWER_OK, "%s", "");
    free(heads);
}

/* The heads are told when the files have caught up with them. */
static void heads_read(void *arg, int result)
{
    struct heads *heads = arg;
    if (!result)
        result = trail_exported(heads->answer->hub, heads_exported, heads);
    if (!result)
        return;
    free(heads->verb.rows);
    answer_end(heads->answer, ANSWER_NO, "the store could not be read");
    free(heads);
}

static void verb_audit_heads(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    struct heads *heads = calloc(1, sizeof *heads);
    if (!heads) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    heads->answer = answer;
    store_heads(answer->hub->store, &heads->verb, heads_read, heads);
}

/* ---- the table ---- */

static const struct verb {
    const char *name;
    bool changes; /* audited */
    void (*run)(struct answer *, const struct wire_COMMAND *);
} verbs[] = {
    {"status", false, verb_status},
    {"agreements", false, verb_agreements},
    {"suspend", true, verb_suspend},
    {"resume", true, verb_resume},
    {"reload", true, verb_reload},
    {"switch", false, verb_switch}, /* audited by itself */
    {"messages", false, verb_messages},
    {"show", false, verb_show},
    {"explain", false, verb_explain},
    {"metrics", false, verb_metrics},
    {"backup", true, verb_backup},
    {"key rotate", true, verb_key_rotate},
    {"retry", false, verb_retry},
    {"discard", false, verb_discard}, /* audited with what they decide */
    {"quarantine release", false, verb_quarantine_release},
    {"quarantine discard", false, verb_quarantine_discard},
    {"probe", false, verb_probe}, /* audited by itself */
    {"version", false, verb_version},
    {"audit-heads", false, verb_audit_heads},
    {"audit export", true, verb_audit_heads}, /* the command copies the files up to them */
};

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

void verb_run(struct control_client *client, const struct wire_COMMAND *m)
{
    struct answer *answer = answer_new(client);
    if (!answer)
        return;
    const struct verb *verb = verb_find(m->verb);
    if (answer->hub->stopping) {
        answer_end(answer, ANSWER_NO, "the agent is stopping");
        return;
    }
    if (m->version != WIRE_VERSION || !verb) {
        answer_end(answer, ANSWER_USAGE,
                   "the agent does not know '%.64s'; is this command of another version?", m->verb);
        return;
    }
    if (verb->changes) {
        struct audit_event event = {
            .action = AUDIT_COMMAND, .outcome = AUDIT_SUCCESS, .user = client->user, .reason = verb->name};
        trail_event(answer->hub, &event);
    }
    verb->run(answer, m);
}
