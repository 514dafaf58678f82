/* The fake host for policies. */
#include <accord/testkit/options.h>
#include <accord/testkit/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_private.h"

/* The module's instance is that of the host, which has the clocks and the log. */
static const struct accord_policy *policy_of(const struct testpolicy *test)
{
    return test->plugin->policy;
}

/* ---- the module's calls ---- */

static bool callable(struct testpolicy *test, const char *what)
{
    return testhost_callable(test->host, what, true);
}

static void check_keys(struct accord_case *c, const struct accord_verdict *verdict)
{
    struct testhost *host = c->test->host;
    if (verdict->key_count && verdict->answer != ACCORD_ALLOW)
        testhost_complain(host, "an answer that is not allow has unique keys");
    if (verdict->key_count > ACCORD_KEYS_MAX)
        testhost_complain(host, "an answer has %zu unique keys: at most %d", verdict->key_count,
                          ACCORD_KEYS_MAX);
    for (size_t i = 0; i < verdict->key_count && i < ACCORD_KEYS_MAX; i++) {
        const char *key = verdict->keys[i];
        if (!key || !*key || strlen(key) >= ACCORD_KEY_MAX)
            testhost_complain(host, "unique key %zu is empty or longer than %d bytes", i, ACCORD_KEY_MAX - 1);
        snprintf(c->keys[i], sizeof c->keys[i], "%s", key ? key : "");
        c->key_count = i + 1;
    }
}

static void check_words(struct accord_case *c, const struct accord_verdict *verdict)
{
    struct testhost *host = c->test->host;
    const char *rule = verdict->rule ? verdict->rule : "", *reason = verdict->reason ? verdict->reason : "";
    if (verdict->answer != ACCORD_ALLOW && (!*rule || !*reason))
        testhost_complain(host, "%s without a rule or a reason: nobody could say why",
                          verdict->answer == ACCORD_DENY ? "deny" : "defer");
    if (strlen(rule) >= ACCORD_RULE_MAX || strlen(reason) >= ACCORD_REASON_MAX || strchr(reason, '\n'))
        testhost_complain(host, "the rule or the reason is too long, or has more than one line: %.60s", rule);
    snprintf(c->rule, sizeof c->rule, "%s", rule);
    snprintf(c->reason, sizeof c->reason, "%s", reason);
}

/* Only those that are not answered are in the list: the others may be gone, they are the caller's. */
static void forget(struct testpolicy *test, const struct accord_case *c)
{
    struct accord_case **at = &test->cases;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
}

static void do_answer(struct accord_case *c, const struct accord_verdict *verdict)
{
    struct testhost *host = c->test->host;
    if (!callable(c->test, "answer"))
        return;
    if (c->answers++) {
        testhost_complain(host, "a question was answered twice");
        return;
    }
    forget(c->test, c);
    if ((unsigned)verdict->answer > ACCORD_DEFER)
        testhost_complain(host, "answer %d is none", (int)verdict->answer);
    if (verdict->wait < 0 || verdict->good_for < 0)
        testhost_complain(host, "an answer with a negative time");
    c->answer = verdict->answer;
    c->wait = verdict->wait;
    c->good_for = verdict->good_for;
    check_words(c, verdict);
    check_keys(c, verdict);
}

static void do_pull(struct accord_case *c, int64_t bytes)
{
    struct testhost *host = c->test->host;
    if (!callable(c->test, "pull"))
        return;
    if (c->answers)
        testhost_complain(host, "pull after the answer");
    else if (bytes <= 0)
        testhost_complain(host, "pull of %lld bytes", (long long)bytes);
    else if (!(policy_of(c->test)->flags & ACCORD_READS_PAYLOAD) || !c->inquiry.envelope)
        testhost_complain(host, "pull, where there is no payload: a session's question, or without "
                                "ACCORD_READS_PAYLOAD");
    else
        c->credit += bytes;
}

/* ---- life ---- */

struct testpolicy *testpolicy_new(const struct accord_plugin *plugin)
{
    struct testpolicy *test = testkit_alloc(sizeof *test);
    test->plugin = plugin;
    test->host = testhost_new(NULL, TESTHOST_VIRTUAL_CLOCK);
    test->host->phase = TESTHOST_CLOSED;
    test->table = (struct accord_policy_host){
        .size = sizeof test->table, .base = &testhost_base_table, .answer = do_answer, .pull = do_pull};
    test->setup = (struct accord_policy_setup){
        .agreement = "agreement", .module = plugin->name, .in_force_until = INT64_MAX};
    return test;
}

static int fill(struct testpolicy *test, const struct accord_pair *written)
{
    testoptions_free(test->options);
    test->why[0] = 0;
    test->options = testoptions_new(&policy_of(test)->options, written, test->why, sizeof test->why);
    if (!test->options)
        return ACCORD_EINVAL;
    test->setup.options = testoptions_struct(test->options);
    return 0;
}

static int check(struct testpolicy *test)
{
    int result = 0;
    if (policy_of(test)->check)
        INTO_PLUGIN(test->host, "check",
                    result = policy_of(test)->check(&test->setup, test->why, sizeof test->why));
    return result;
}

int testpolicy_check(struct testpolicy *test, const struct accord_pair *options)
{
    int result = fill(test, options);
    return result ? result : check(test);
}

int testpolicy_open_struct(struct testpolicy *test, const void *options)
{
    const struct accord_policy *policy = policy_of(test);
    test->setup.options = options;
    test->why[0] = 0;
    int result = check(test);
    if (result < 0)
        return result;
    size_t room = (policy->state_size + 16) / 16 * 16;
    test->state = aligned_alloc(16, room);
    memset(test->state, 0, room);
    test->host->phase = TESTHOST_STARTED;
    INTO_PLUGIN(test->host, "open",
                result = policy->open(test->state, &test->host->instance, &test->table, &test->setup,
                                      test->why, sizeof test->why));
    if (result >= 0)
        return result;
    if (test->host->timers || test->host->watches || test->host->works)
        testhost_complain(test->host, "open failed and left a timer, a watch or a thread behind");
    test->host->phase = TESTHOST_CLOSED;
    free(test->state);
    test->state = NULL;
    return result;
}

int testpolicy_open(struct testpolicy *test, const struct accord_pair *options)
{
    int result = fill(test, options);
    return result ? result : testpolicy_open_struct(test, test->setup.options);
}

void testpolicy_close(struct testpolicy *test)
{
    if (!test->state)
        return;
    test->host->phase = TESTHOST_CLOSING;
    INTO_PLUGIN(test->host, "close", policy_of(test)->close(test->state));
    for (const struct accord_case *c = test->cases; c; c = c->next)
        testhost_complain(test->host, "close left a question without an answer");
    testhost_check_loop(test->host);
    test->cases = NULL;
    free(test->state);
    test->state = NULL;
}

void testpolicy_free(struct testpolicy *test)
{
    testpolicy_close(test);
    testoptions_free(test->options);
    testhost_free(test->host);
    free(test);
}

/* ---- questions ---- */

static void judge(struct testpolicy *test, struct accord_case *c)
{
    c->test = test;
    c->next = test->cases;
    test->cases = c;
    c->inquiry.handle = c;
    c->inquiry.state = &c->state;
    if (!(policy_of(test)->asks & ACCORD_ASKS(c->inquiry.question)))
        do_answer(c, &(struct accord_verdict){.answer = ACCORD_ALLOW}); /* as the host does */
    else
        INTO_PLUGIN(test->host, "judge", policy_of(test)->judge(test->state, &c->inquiry));
}

static const struct accord_policy_link *link_of(const struct testpolicy *test, const char *name)
{
    for (size_t i = 0; name && i < test->setup.link_count; i++)
        if (strcmp(test->setup.links[i]->name, name) == 0)
            return test->setup.links[i];
    return test->setup.link_count ? test->setup.links[0] : NULL;
}

void testpolicy_ask(struct testpolicy *test, struct accord_case *c, enum accord_question question,
                    const struct accord_policy_service *service, const struct accord_envelope *envelope)
{
    forget(test, c);
    memset(c, 0, sizeof *c);
    c->inquiry.question = question;
    c->inquiry.service = service;
    c->inquiry.envelope = envelope;
    c->inquiry.link = link_of(test, service ? service->link : NULL);
    judge(test, c);
}

void testpolicy_ask_session(struct testpolicy *test, struct accord_case *c, enum accord_question question,
                            const struct accord_policy_link *link, const struct accord_pair *facts)
{
    forget(test, c);
    memset(c, 0, sizeof *c);
    c->inquiry.question = question;
    c->inquiry.link = link;
    c->inquiry.facts = facts;
    while (facts[c->inquiry.fact_count].name)
        c->inquiry.fact_count++;
    judge(test, c);
}

bool testpolicy_payload(struct accord_case *c, const void *bytes, size_t size, bool last)
{
    if (c->answers)
        return true;
    if ((int64_t)size > c->credit)
        return false;
    c->credit -= (int64_t)size;
    /* A block of exactly this size, gone after the call: the address sanitizer sees who keeps or overreads it. */
    uint8_t *copy = testkit_alloc(size);
    if (size)
        memcpy(copy, bytes, size);
    INTO_PLUGIN(c->test->host, "payload",
                policy_of(c->test)->payload(c->test->state, &c->inquiry, copy, size, last));
    free(copy);
    return true;
}

static bool can_go_on(void *arg)
{
    const struct accord_case *c = arg;
    return c->answers || c->credit > 0;
}

bool testpolicy_feed(struct accord_case *c, const void *bytes, size_t size, size_t piece)
{
    size_t at = 0;
    while (!c->answers) {
        if (!testhost_within(c->test->host, can_go_on, c, 10000))
            return false;
        size_t next = size - at < piece ? size - at : piece;
        if ((int64_t)next > c->credit)
            next = (size_t)c->credit;
        testpolicy_payload(c, (const char *)bytes + at, next, at + next == size);
        at += next;
        if (at == size)
            return testpolicy_settle(c, 10000);
    }
    return true;
}

void testpolicy_cancel(struct accord_case *c)
{
    const struct accord_policy *policy = policy_of(c->test);
    c->cancelled = true;
    if (!c->answers && policy->cancel)
        INTO_PLUGIN(c->test->host, "cancel", policy->cancel(c->test->state, &c->inquiry));
}

static bool is_answered(void *arg)
{
    const struct accord_case *c = arg;
    return c->answers;
}

bool testpolicy_settle(struct accord_case *c, int64_t ms)
{
    return testhost_within(c->test->host, is_answered, c, ms);
}

/* ---- the session profile ---- */

static int put(void *arg, const char *name, const char *value)
{
    struct testpolicy *test = arg;
    char start[128];
    if (!name || !*name || !value) {
        testhost_complain(test->host, "a profile has a name or a value that is empty or NULL");
        return ACCORD_EINVAL;
    }
    snprintf(start, sizeof start, "%s=", name);
    for (const char *line = test->profile; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, start, strlen(start)) == 0) {
            testhost_complain(test->host, "the profile gives %s twice", name);
            return ACCORD_EEXIST;
        }
    size_t used = strlen(test->profile);
    if (snprintf(test->profile + used, sizeof test->profile - used, "%s%s\n", start, value) >=
        (int)(sizeof test->profile - used))
        return ACCORD_ELIMIT;
    return 0;
}

int testpolicy_profile(struct testpolicy *test, const struct accord_policy_link *link)
{
    const struct accord_profile_sink sink = {.arg = test, .put = put};
    int result = 0;
    test->profile[0] = test->why[0] = 0;
    if (policy_of(test)->profile)
        INTO_PLUGIN(test->host, "profile",
                    result = policy_of(test)->profile(test->state, link, &sink, test->why, sizeof test->why));
    return result;
}
