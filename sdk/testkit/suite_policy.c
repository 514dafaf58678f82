/* The policy suite. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite_private.h"

#define CANCEL_GRACE 5000 /* as the host's: after that it ends the process */
#define MEMORY_MOST  60

struct bar {
    const struct accord_policy_suite *suite;
    const struct accord_policy *policy;
    struct testpolicy *test;
    bool expects_failure;
};

static int64_t patience(const struct bar *bar)
{
    return bar->suite->patience ? bar->suite->patience : 30000;
}

/* ---- opening ---- */

static bool try_open(struct bar *bar, const struct accord_pair *options)
{
    const struct accord_policy_suite *suite = bar->suite;
    struct testpolicy *test = bar->test = testpolicy_new(suite->plugin);
    testhost_patience(test->host, suite->loop_patience ? suite->loop_patience : 2000);
    if (suite->setup)
        test->setup = *suite->setup;
    if (suite->wall)
        testhost_set_wall(test->host, suite->wall);
    if (testpolicy_open(test, options ? options : suite->options) >= 0)
        return true;
    if (!bar->expects_failure)
        suite_complain("it does not open: %s", test->why);
    testpolicy_free(test);
    bar->test = NULL;
    return false;
}

static void begin(struct bar *bar, const struct accord_pair *options)
{
    if (!try_open(bar, options))
        suite_give_up();
}

static void end(struct bar *bar)
{
    testpolicy_close(bar->test);
    for (int i = 0; i < 5; i++)
        testhost_one_turn(bar->test->host, 1);
    testpolicy_free(bar->test);
    bar->test = NULL;
}

/* ---- asking ---- */

static bool reads_payload(const struct bar *bar, const struct testsuite_question *q)
{
    return q->envelope && bar->policy->flags & ACCORD_READS_PAYLOAD;
}

/* Cases outlive their test: an answer that comes too late must find something. They are reachable until the end. */
static struct accord_case *new_case(void)
{
    static struct kept {
        struct kept *next;
        struct accord_case c;
    } * all;
    struct kept *kept = testkit_alloc(sizeof *kept);
    kept->next = all;
    all = kept;
    return &kept->c;
}

static struct accord_case *ask(struct bar *bar, const struct testsuite_question *q)
{
    struct accord_case *c = new_case();
    if (q->envelope)
        testpolicy_ask(bar->test, c, q->question, bar->test->setup.services[q->service], q->envelope);
    else
        testpolicy_ask_session(bar->test, c, q->question, bar->test->setup.links[q->link], q->facts);
    return c;
}

static bool settle(struct bar *bar, struct accord_case *c, const struct testsuite_question *q, size_t piece)
{
    bool good = reads_payload(bar, q) && !c->answers
                    ? testpolicy_feed(c, q->payload, (size_t)q->envelope->size, piece)
                    : testpolicy_settle(c, patience(bar));
    if (!good)
        suite_complain("%s: it did not answer%s", q->name,
                       reads_payload(bar, q) ? " once it had the whole payload" : " in time");
    return good;
}

static void is_expected(const struct testsuite_question *q, const struct accord_case *c, const char *how)
{
    if (c->answer != q->answer)
        suite_complain("%s%s: the answer is %d (%s: %s), not %d", q->name, how, (int)c->answer, c->rule,
                       c->reason, (int)q->answer);
    else if (q->answer != ACCORD_ALLOW && q->rule && strcmp(q->rule, c->rule) != 0)
        suite_complain("%s%s: the rule is %s, not %s", q->name, how, c->rule, q->rule);
}

/* ---- what it says about itself ---- */

static void the_descriptor_is_whole(void *arg)
{
    const struct bar *bar = arg;
    const struct accord_plugin *p = bar->suite->plugin;
    const struct accord_policy *policy = bar->policy;
    bool reads = policy->flags & ACCORD_READS_PAYLOAD;
    if (p->size != sizeof *p || p->abi_major != ACCORD_ABI_MAJOR || p->abi_minor > ACCORD_ABI_MINOR)
        suite_complain("the descriptor is of another ABI: size %u, %u.%u", p->size, p->abi_major,
                       p->abi_minor);
    if (p->kind != ACCORD_POLICY || !p->name || !*p->name || !p->version || !p->summary)
        suite_complain("the descriptor says no policy, or has no name, version or summary");
    if (policy->size != sizeof *policy)
        suite_complain("the policy's size is %u, not %zu", policy->size, sizeof *policy);
    if (!policy->open || !policy->close || (policy->asks && !policy->judge))
        suite_complain("open, close or judge is missing");
    if (reads && (!policy->payload || !policy->cancel))
        suite_complain("it reads payload, but payload or cancel is missing");
    if (!policy->asks && !policy->profile)
        suite_complain("it answers no question and compiles no profile");
    for (const struct accord_option *o = policy->options.table; o && o->name; o++)
        if (!o->help || !*o->help || o->offset >= policy->options.size)
            suite_complain("option %s has no help or lies outside of its struct", o->name);
}

static void check_survives_any_legal_values(void *arg)
{
    struct bar *bar = arg;
    if (!bar->policy->check)
        suite_not_run("it has no `check`");
    begin(bar, NULL);
    for (unsigned seed = 1; seed <= 500; seed++) {
        struct testoptions *random = testoptions_random(&bar->policy->options, NULL, seed);
        struct accord_policy_setup setup = bar->test->setup;
        char why[ACCORD_REASON_MAX] = "";
        setup.options = testoptions_struct(random);
        snprintf(testkit_watched, TESTKIT_WATCHED, "check");
        suite_note("with random options of seed %u", seed);
        int result = bar->policy->check(&setup, why, sizeof why);
        if (result > 0 || (result < 0 && !*why))
            suite_complain("check returned %d for random options (seed %u) and said \"%.80s\"", result, seed,
                           why);
        testoptions_free(random);
    }
    *testkit_watched = 0;
    suite_note("%s", "");
}

static void it_opens_and_closes(void *arg)
{
    struct bar *bar = arg;
    for (int i = 0; i < 3; i++) {
        begin(bar, NULL);
        end(bar);
    }
}

/* ---- questions ---- */

static void each_question_has_its_answer(void *arg)
{
    struct bar *bar = arg;
    for (size_t i = 0; i < bar->suite->question_count; i++) {
        const struct testsuite_question *q = &bar->suite->questions[i];
        begin(bar, q->options);
        struct accord_case *c = ask(bar, q);
        if (settle(bar, c, q, ACCORD_PIECE_MAX))
            is_expected(q, c, "");
        end(bar);
    }
}

static bool same(const struct accord_case *a, const struct accord_case *b)
{
    return a->answer == b->answer && !strcmp(a->rule, b->rule) && !strcmp(a->reason, b->reason) &&
           a->key_count == b->key_count && !memcmp(a->keys, b->keys, sizeof a->keys);
}

static void pieces_change_nothing(struct bar *bar, const struct testsuite_question *q)
{
    static const size_t pieces[] = {ACCORD_PIECE_MAX, 1, 2, 7, 64, 4093};
    struct accord_case *first = NULL;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (q->envelope->size > 100000 && pieces[i] < 64)
            continue; /* a minute would not do */
        begin(bar, q->options);
        struct accord_case *c = ask(bar, q);
        if (settle(bar, c, q, pieces[i]) && first && !same(first, c))
            suite_complain(
                "%s: the verdict depends on the size of the pieces: with %zu bytes it is %d %s: %s", q->name,
                pieces[i], (int)c->answer, c->rule, c->reason);
        first = first ? first : c;
        end(bar);
    }
}

static void the_size_of_pieces_changes_nothing(void *arg)
{
    struct bar *bar = arg;
    if (!(bar->policy->flags & ACCORD_READS_PAYLOAD))
        suite_not_run("it reads no payload");
    for (size_t i = 0; i < bar->suite->question_count; i++)
        if (reads_payload(bar, &bar->suite->questions[i]))
            pieces_change_nothing(bar, &bar->suite->questions[i]);
}

/* Many at a time, their payloads interleaved. */
static void questions_do_not_disturb_each_other(void *arg)
{
    struct bar *bar = arg;
    size_t count = bar->suite->question_count;
    struct accord_case **cases = testkit_alloc((count + 1) * sizeof *cases);
    begin(bar, NULL);
    for (size_t i = 0; i < count; i++)
        if (!bar->suite->questions[i].options)
            cases[i] = ask(bar, &bar->suite->questions[i]);
    for (size_t i = count; i-- > 0;) {
        const struct testsuite_question *q = &bar->suite->questions[i];
        if (cases[i] && reads_payload(bar, q) && q->envelope->size > 10)
            testpolicy_payload(cases[i], q->payload, 5, false);
    }
    for (size_t i = count; i-- > 0;) {
        struct testsuite_question q = bar->suite->questions[i];
        struct accord_envelope rest;
        if (cases[i] && reads_payload(bar, &q) && q.envelope->size > 10) {
            rest = *q.envelope;
            rest.size -= 5;
            q.envelope = &rest;
            q.payload = (const char *)q.payload + 5;
        }
        if (cases[i] && settle(bar, cases[i], &q, 50))
            is_expected(&q, cases[i], " (among others)");
    }
    end(bar);
    free(cases);
}

static void given_up(struct bar *bar, const struct testsuite_question *q, int64_t after, bool by_close)
{
    begin(bar, q->options);
    struct accord_case *c = ask(bar, q);
    if (after > 0 && reads_payload(bar, q) && !c->answers && after < q->envelope->size)
        testpolicy_payload(c, q->payload, (size_t)after, false);
    if (!by_close) {
        testpolicy_cancel(c);
        if (!testpolicy_settle(c, CANCEL_GRACE))
            suite_complain("%s: cancelled after %lld bytes, it was not answered within %d ms", q->name,
                           (long long)after, CANCEL_GRACE);
        if (c->answers && c->state && !by_close)
            c->state = NULL; /* what it held must be freed, which the check for leaks sees */
    }
    end(bar);
}

static void questions_may_be_given_up_in_any_state(void *arg)
{
    static const int64_t points[] = {0, 1, 9, 40, 200};
    struct bar *bar = arg;
    for (size_t i = 0; i < bar->suite->question_count; i++)
        for (size_t j = 0; j < 2 * (sizeof points / sizeof *points) && !suite_complained(); j++)
            given_up(bar, &bar->suite->questions[i], points[j / 2], j % 2);
}

/* ---- odd facts and payloads ---- */

static void answered_somehow(struct bar *bar, const struct testsuite_question *q)
{
    struct accord_case *c = ask(bar, q);
    settle(bar, c, q, 1000);
}

static void odd_facts(struct bar *bar, const struct testsuite_question *q)
{
    static const char *const odd[] = {"", "\xff\xfe", "%s%n%d", ",", "-1", "99999999999999999999", NULL};
    static char long_value[20000];
    struct accord_pair facts[64];
    size_t count = 0;
    memset(long_value, 'x', sizeof long_value - 1);
    while (q->facts[count].name && count < 62)
        count++;
    for (size_t at = 0; at < count; at++)
        for (size_t how = 0; how < sizeof odd / sizeof *odd + 1; how++) {
            const char *value = how < sizeof odd / sizeof *odd ? odd[how] : long_value;
            size_t to = 0;
            for (size_t i = 0; i < count; i++)
                if (i != at || value)
                    facts[to++] = (struct accord_pair){q->facts[i].name, i == at ? value : q->facts[i].value};
            facts[to] = (struct accord_pair){NULL, NULL};
            struct testsuite_question other = *q;
            other.facts = facts;
            answered_somehow(bar, &other);
        }
}

static void odd_payloads(struct bar *bar, const struct testsuite_question *q)
{
    size_t size = (size_t)q->envelope->size;
    unsigned seed = (unsigned)size;
    for (unsigned round = 0; round < 60; round++) {
        char *payload = malloc(size + 1);
        memcpy(payload, q->payload, size);
        size_t cut = size;
        for (unsigned change = 0; change <= round % 4 && size; change++) {
            seed = seed * 1664525u + 1013904223u;
            payload[(seed >> 8) % size] = (char)(seed >> 3);
        }
        if (round % 3 == 0)
            cut = round * size / 60;
        struct testsuite_question other = *q;
        struct accord_envelope envelope = *q->envelope;
        envelope.size = (int64_t)cut;
        other.envelope = &envelope;
        other.payload = payload;
        answered_somehow(bar, &other);
        free(payload);
    }
}

static void odd_input_has_one_answer(void *arg)
{
    struct bar *bar = arg;
    begin(bar, NULL);
    for (size_t i = 0; i < bar->suite->question_count; i++) {
        const struct testsuite_question *q = &bar->suite->questions[i];
        if (q->facts)
            odd_facts(bar, q);
        else if (reads_payload(bar, q))
            odd_payloads(bar, q);
    }
    end(bar);
}

/* ---- the session profile ---- */

static void the_profile_is_the_same_each_time(void *arg)
{
    struct bar *bar = arg;
    if (!bar->policy->profile)
        suite_not_run("it has no say in sessions");
    begin(bar, NULL);
    if (!bar->test->setup.link_count)
        suite_not_run("the suite's setup has no link");
    for (size_t link = 0; link < bar->test->setup.link_count; link++) {
        char first[sizeof bar->test->profile] = "";
        for (int i = 0; i < 4; i++) {
            if (i == 2) {
                end(bar);
                begin(bar, NULL);
            }
            if (testpolicy_profile(bar->test, bar->test->setup.links[link]) < 0)
                suite_complain("there is no profile of link %s: %s", bar->test->setup.links[link]->name,
                               bar->test->why);
            else if (i && strcmp(first, bar->test->profile) != 0)
                suite_complain("the profile of link %s changes, though nothing else did",
                               bar->test->setup.links[link]->name);
            memcpy(first, bar->test->profile, sizeof first);
        }
    }
    end(bar);
}

/* ---- faults ---- */

static void one_round(struct bar *bar)
{
    bar->expects_failure = true;
    if (!try_open(bar, NULL))
        return;
    for (size_t i = 0; i < bar->suite->question_count; i++) {
        const struct testsuite_question *q = &bar->suite->questions[i];
        struct accord_case *c = ask(bar, q);
        if (!c->answers && reads_payload(bar, q))
            testpolicy_feed(c, q->payload, (size_t)q->envelope->size, 100);
        if (!c->answers)
            testpolicy_cancel(c);
        if (!testpolicy_settle(c, CANCEL_GRACE))
            suite_complain("%s: it was not answered", q->name);
        if (c->answer == ACCORD_ALLOW && q->answer == ACCORD_DENY && !q->options)
            suite_complain("%s: allowed, which is denied when all is well", q->name);
    }
    end(bar);
}

static void memory_may_fail(void *arg)
{
    struct bar *bar = arg;
    if (bar->suite->flags & TESTSUITE_NO_FAULTS)
        suite_not_run("the suite says that it does not survive this");
    if (!testmemory_works())
        suite_not_run("the program is not linked for it (accord/testkit/memory.h)");
    for (unsigned long n = 1; n <= MEMORY_MOST && !suite_complained(); n++) {
        testmemory_reset();
        testmemory_fail(n);
        suite_note("after its allocation %lu had failed", n);
        one_round(bar);
        if (testmemory_held())
            suite_complain("%zu block(s) of memory were left", testmemory_held());
        if (suite_complained())
            suite_complain("... when its allocation %lu had failed", n);
        if (!testmemory_failed())
            break;
    }
    testmemory_reset();
}

static void calls_of_the_host_may_fail(void *arg)
{
    static const enum testhost_call calls[] = {TESTHOST_TIMER, TESTHOST_WATCH, TESTHOST_WORK};
    struct bar *bar = arg;
    if (bar->suite->flags & TESTSUITE_NO_FAULTS)
        suite_not_run("the suite says that it does not survive this");
    for (size_t i = 0; i < 12; i++) {
        begin(bar, NULL);
        testhost_fail(bar->test->host, calls[i / 4], 1 + (unsigned)i % 4);
        for (size_t j = 0; j < bar->suite->question_count; j++)
            if (!bar->suite->questions[j].options)
                answered_somehow(bar, &bar->suite->questions[j]);
        end(bar);
    }
}

/* ---- the suite ---- */

static void around(void *suite, void (*run)(void *suite))
{
    testmemory_reset();
    size_t before = suite_descriptors();
    run(suite);
    struct bar *bar = suite;
    if (bar->test)
        end(bar);
    size_t after = suite_descriptors();
    if (after > before)
        suite_complain("%zu descriptor(s) left open", after - before);
    suite_check_memory();
}

struct testsuite_results *accord_policy_suite_results(const struct accord_policy_suite *suite)
{
    static const struct suite_case cases[] = {
        {"the descriptor is whole", the_descriptor_is_whole},
        {"check survives any legal values", check_survives_any_legal_values},
        {"it opens and closes", it_opens_and_closes},
        {"each question has its answer", each_question_has_its_answer},
        {"the size of pieces changes nothing", the_size_of_pieces_changes_nothing},
        {"questions do not disturb each other", questions_do_not_disturb_each_other},
        {"questions may be given up in any state", questions_may_be_given_up_in_any_state},
        {"odd input has one answer", odd_input_has_one_answer},
        {"the profile is the same each time", the_profile_is_the_same_each_time},
        {"calls of the host may fail", calls_of_the_host_may_fail},
        {"memory may fail", memory_may_fail},
    };
    struct bar bar = {.suite = suite, .policy = suite->plugin->policy};
    return suite_run(cases, sizeof cases / sizeof *cases, &bar, around,
                     suite->case_patience ? suite->case_patience : 120000);
}

int accord_policy_suite(const struct accord_policy_suite *suite)
{
    return suite_print(suite->plugin->name, accord_policy_suite_results(suite));
}
