/* accord/testkit/policy.h: a host that stands in for the guard and inspect processes: opens one policy module with
 * options as written in a file, asks it questions, hands it payload and keeps the answers. It complains about every
 * breach of the contract in accord/policy.h: two answers, none at `close`, a deny without its rule, payload asked for
 * that cannot be. Time stands still unless a test moves it.
 *
 *     struct testpolicy *t = testpolicy_new(&accord_plugin);
 *     const struct accord_pair options[] = {{"limit", "10 MB"}, {0}};
 *     if (testpolicy_open(t, options) < 0)
 *         puts(t->why);
 *     struct accord_case c;
 *     testpolicy_ask(t, &c, ACCORD_ASK_OUT, &service, &envelope);
 *     testpolicy_payload(&c, bytes, size, true);
 *     assert(c.answers == 1 && c.answer == ACCORD_DENY);
 *     testpolicy_close(t);
 *     assert(testhost_complaints(t->host) == 0);
 *     testpolicy_free(t);
 *
 * Log, clocks, timers, watches and work are those of the fake host `t->host` (accord/testkit/host.h):
 * testhost_advance(t->host, ms), testhost_logged(t->host, event), testhost_fail(t->host, TESTHOST_TIMER, n).
 */
#ifndef ACCORD_TESTKIT_POLICY_H
#define ACCORD_TESTKIT_POLICY_H

#include <accord/testkit/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct testpolicy;

/* One question and its answer. The caller's; stays where it is until it is answered. */
struct accord_case {
    struct testpolicy *test;
    struct accord_case *next;
    struct accord_inquiry inquiry;
    void *state; /* the module's pointer */
    int answers;
    bool cancelled;
    int64_t credit; /* asked for and not handed over yet */
    enum accord_answer answer;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
    char keys[ACCORD_KEYS_MAX][ACCORD_KEY_MAX];
    size_t key_count;
    int64_t wait, good_for;
};

struct testpolicy {
    const struct accord_plugin *plugin;
    struct accord_policy_setup setup; /* fill in before opening; at first an agreement that is in force for ever */
    struct testhost *host;
    void *state;
    char profile[8192]; /* "name=value\n" for each put() of testpolicy_profile */
    char why[ACCORD_REASON_MAX];

    struct accord_policy_host table; /* the rest is the kit's own */
    struct testoptions *options;
    struct accord_case *cases;
    bool closing;
};

struct testpolicy *testpolicy_new(const struct accord_plugin *);
/* Closes when still open. */
void testpolicy_free(struct testpolicy *);
/* What the module's `check` and `open` say; `options` ends with a NULL name; NULL: defaults. Options that cannot be are
 * ACCORD_EINVAL as well. */
int testpolicy_check(struct testpolicy *, const struct accord_pair *options);
int testpolicy_open(struct testpolicy *, const struct accord_pair *options);
/* The same with a struct of the test's own. */
int testpolicy_open_struct(struct testpolicy *, const void *options);
/* May be opened again afterwards. */
void testpolicy_close(struct testpolicy *);

/* Begin a question, about a message or about a session (`facts` end with a NULL name): answered when c->answers is 1,
 * or else waiting for payload or time. Everything handed over must live until it is answered. The link of a message
 * is that which its service names, or the first. */
void testpolicy_ask(struct testpolicy *, struct accord_case *c, enum accord_question,
                    const struct accord_policy_service *, const struct accord_envelope *);
void testpolicy_ask_session(struct testpolicy *, struct accord_case *c, enum accord_question,
                            const struct accord_policy_link *, const struct accord_pair *facts);
/* Hands over payload within what was asked for; false when the module asked for less. After the answer: nothing. */
bool testpolicy_payload(struct accord_case *, const void *bytes, size_t size, bool last);
/* The whole payload in pieces of at most `piece`, as the module asks for it, until it has answered; false: it stopped
 * asking and did not answer. */
bool testpolicy_feed(struct accord_case *, const void *bytes, size_t size, size_t piece);
void testpolicy_cancel(struct accord_case *);
/* Lets virtual time pass until it is answered; false: not within `ms` of it. */
bool testpolicy_settle(struct accord_case *, int64_t ms);
/* Compiles the session profile of a link into t->profile. */
int testpolicy_profile(struct testpolicy *, const struct accord_policy_link *);

#ifdef __cplusplus
}
#endif
#endif
