#include "guard_modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

#include <cmocka.h> /* last: it defines fail() */

/* What a module does with a question: option `does`.
 *   allow, deny, defer   at once
 *   good-N, wait-N       allows for N milliseconds; defers for as long
 *   later                allows, on a timer
 *   keys                 allows with two unique keys; bad-keys: with one that is too long
 *   read                 pulls `pull` bytes at a time, allows after the last
 *   read-deny            the same, and denies when it sees an 'x'
 *   hold                 answers when cancelled; deaf: never; twice: too often; pull: where it may not */
struct puppet_options {
    const char *does;
    int64_t pull;
    struct accord_list profile; /* names */
};

struct puppet {
    struct accord_instance *self;
    const struct accord_policy_host *host;
    const struct puppet_options *options;
    struct accord_case *held;
    bool closed;
};

static void say(struct puppet *p, const char *event, const char *text)
{
    if (p->closed)
        log_event(ACCORD_ERROR, "called-after-close", NULL, "%s %s", event, text);
    else
        p->host->base->log(p->self, ACCORD_INFO, event, text);
}

static void answer(struct puppet *p, struct accord_case *handle, enum accord_answer given)
{
    p->held = p->held == handle ? NULL : p->held;
    p->host->answer(handle,
                    &(struct accord_verdict){.answer = given, .rule = "puppet.rule", .reason = "said so"});
}

static void answer_for(struct puppet *p, struct accord_case *handle, bool allow, const char *number)
{
    struct accord_verdict verdict = {.answer = allow ? ACCORD_ALLOW : ACCORD_DEFER,
                                     .rule = "puppet.rule",
                                     .reason = "said so",
                                     .wait = allow ? 0 : strtoll(number, NULL, 10),
                                     .good_for = allow ? strtoll(number, NULL, 10) : 0};
    p->held = NULL;
    p->host->answer(handle, &verdict);
}

static void on_timer(void *arg)
{
    struct puppet *p = arg;
    answer(p, p->held, ACCORD_ALLOW);
}

static void answer_keys(struct puppet *p, struct accord_case *handle, bool sound)
{
    char control[200];
    memset(control, '7', sizeof control);
    control[sound ? 9 : sizeof control - 1] = 0;
    const char *keys[] = {control, "second"};
    p->held = NULL;
    p->host->answer(handle, &(struct accord_verdict){.answer = ACCORD_ALLOW, .keys = keys, .key_count = 2});
}

static void judge(void *state, const struct accord_inquiry *asked)
{
    struct puppet *p = state;
    const char *does = p->options->does;
    char text[256];
    snprintf(text, sizeof text, "%d %s %s %s %s", (int)asked->question, asked->link->name,
             asked->service ? asked->service->name : "-", asked->envelope ? asked->envelope->name : "-",
             asked->fact_count ? asked->facts[0].value : "-");
    say(p, "judge", text);
    *asked->state = p;
    p->held = asked->handle;
    if (!strcmp(does, "allow") || !strcmp(does, "twice"))
        answer(p, asked->handle, ACCORD_ALLOW);
    else if (!strcmp(does, "deny"))
        answer(p, asked->handle, ACCORD_DENY);
    else if (!strcmp(does, "defer"))
        answer(p, asked->handle, ACCORD_DEFER);
    else if (!strncmp(does, "good-", 5) || !strncmp(does, "wait-", 5))
        answer_for(p, asked->handle, *does == 'g', does + 5);
    else if (!strcmp(does, "later"))
        p->host->base->timer(p->self, 0, on_timer, p);
    else if (!strcmp(does, "keys") || !strcmp(does, "bad-keys"))
        answer_keys(p, asked->handle, !strcmp(does, "keys"));
    else if (!strncmp(does, "read", 4) || !strcmp(does, "pull"))
        p->host->pull(asked->handle, p->options->pull);
}

static void judge_twice(void *state, const struct accord_inquiry *asked)
{
    struct puppet *p = state;
    struct accord_case *handle = asked->handle;
    judge(state, asked);
    if (!strcmp(p->options->does, "twice"))
        answer(p, handle, ACCORD_ALLOW);
}

static void payload(void *state, const struct accord_inquiry *asked, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct puppet *p = state;
    char text[256];
    snprintf(text, sizeof text, "%.*s%s", (int)size, (const char *)bytes, last ? " last" : "");
    say(p, "payload", text);
    if (*asked->state != p)
        say(p, "state", "is not mine");
    if (!strcmp(p->options->does, "read-deny") && memchr(bytes, 'x', size))
        answer(p, asked->handle, ACCORD_DENY);
    else if (last)
        answer(p, asked->handle, ACCORD_ALLOW);
    else if (!strncmp(p->options->does, "read", 4))
        p->host->pull(asked->handle, p->options->pull);
}

static void cancel(void *state, const struct accord_inquiry *asked)
{
    struct puppet *p = state;
    say(p, "cancel", "never mind");
    if (strcmp(p->options->does, "deaf"))
        answer(p, asked->handle, ACCORD_DEFER);
}

static int open_puppet(void *state, struct accord_instance *self, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    struct puppet *p = state;
    *p = (struct puppet){.self = self, .host = host, .options = setup->options};
    if (!strcmp(p->options->does, "fail")) {
        snprintf(why, why_size, "cannot be");
        return ACCORD_EINVAL;
    }
    return setup->link_count == 2 && setup->service_count == 2 && setup->in_force_until == 2000
               ? 0
               : ACCORD_EINVAL;
}

static void close_puppet(void *state)
{
    struct puppet *p = state;
    if (p->held && strcmp(p->options->does, "deaf"))
        answer(p, p->held, ACCORD_DEFER);
    p->closed = true;
}

static int profile(void *state, const struct accord_policy_link *link, const struct accord_profile_sink *sink,
                   char *why, size_t why_size)
{
    struct puppet *p = state;
    for (size_t i = 0; i < p->options->profile.count; i++) {
        if (!strcmp(p->options->profile.items[i], "fail")) {
            snprintf(why, why_size, "no profile for %s", link->name);
            return ACCORD_EINVAL;
        }
        sink->put(sink->arg, p->options->profile.items[i], link->connector);
    }
    return 0;
}

static const struct accord_option option_table[] = {
    {.name = "does",
     .kind = ACCORD_TEXT,
     .offset = offsetof(struct puppet_options, does),
     .fallback = "allow"},
    {.name = "pull", .kind = ACCORD_SIZE, .offset = offsetof(struct puppet_options, pull), .fallback = "10"},
    {.name = "profile", .kind = ACCORD_LIST, .offset = offsetof(struct puppet_options, profile)},
    {0},
};

#define PUPPET(which, asked)                                                                                 \
    static const struct accord_policy which = {                                                              \
        .size = sizeof which,                                                                                \
        .asks = asked,                                                                                       \
        .options = {option_table, sizeof(struct puppet_options)},                                            \
        .state_size = sizeof(struct puppet),                                                                 \
        .open = open_puppet,                                                                                 \
        .close = close_puppet,                                                                               \
        .judge = judge_twice,                                                                                \
        .cancel = cancel,                                                                                    \
        .profile = profile,                                                                                  \
    }
PUPPET(first_policy,
       ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT));
PUPPET(second_policy, ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_OUT));

/* Those of the inspect process; the second is older and lacks `profile`. */
#define READER(which, bytes)                                                                                 \
    static const struct accord_policy which = {                                                              \
        .size = bytes,                                                                                       \
        .flags = ACCORD_READS_PAYLOAD,                                                                       \
        .asks = ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),                                    \
        .options = {option_table, sizeof(struct puppet_options)},                                            \
        .state_size = sizeof(struct puppet),                                                                 \
        .open = open_puppet,                                                                                 \
        .close = close_puppet,                                                                               \
        .judge = judge_twice,                                                                                \
        .payload = payload,                                                                                  \
        .cancel = cancel,                                                                                    \
        .profile = profile,                                                                                  \
    }
READER(first_reader, sizeof(struct accord_policy));
READER(second_reader, offsetof(struct accord_policy, profile));

#define PLUGIN(which)                                                                                        \
    {                                                                                                        \
        .size = sizeof(struct accord_plugin), .kind = ACCORD_POLICY, .name = #which, .policy = &which        \
    }
static const struct accord_plugin plugins[] = {PLUGIN(first_policy), PLUGIN(second_policy),
                                               PLUGIN(first_reader), PLUGIN(second_reader)};

int module_load(void *arg, const char *name, const char *sha256, const struct accord_plugin **out,
                char rule[ACCORD_RULE_MAX], struct reason *why)
{
    (void)arg, (void)sha256, (void)rule, (void)why;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(plugins[i].name, name) == 0)
            *out = &plugins[i];
    return 0;
}
