/* The connector suite: host calls and memory that fail, one after the other. */
#include <stdio.h>
#include <string.h>

#include "suite_private.h"

#define FAIL_MOST 8  /* the first so many of each call */
#define AT_A_TIME 10 /* allocations of a case, so that none takes long; six cases of them */

static bool settled(void *arg)
{
    const struct bench *bench = arg;
    for (const struct accord_delivery *at = bench->host->deliveries; at; at = at->next)
        if (!at->finished)
            return false;
    const struct accord_offer *offer = testhost_offer(bench->host, 0);
    return !offer || offer->done || offer->aborted;
}

/* Some of everything; nothing must work, but everything that is begun must end. */
static void a_bit_of_everything(struct bench *bench)
{
    char name[64];
    struct accord_delivery *delivery[2] = {NULL, NULL};
    for (int i = 0; bench->sends >= 0 && i < 2; i++)
        delivery[i] = bench_deliver(bench, bench_name(bench, name), 3000);
    if (bench->receives >= 0 && bench->suite->give)
        bench_give(bench, bench_name(bench, name), 3000);
    bench_run(bench, 500);
    testhost_within(bench->host, settled, bench, bench_patience(bench) / 4);
    for (int i = 0; i < 2; i++)
        if (delivery[i] && !delivery[i]->finished)
            testhost_cancel(bench->host, delivery[i]);
    bench_run(bench, 500);
}

static void may_fail(const struct bench *bench)
{
    if (bench->suite->flags & TESTSUITE_NO_FAULTS)
        suite_not_run("the suite says that it does not survive this");
}

static void a_call_of_the_host_may_fail(struct bench *bench, enum testhost_call call, const char *name)
{
    may_fail(bench);
    for (unsigned n = 1; n <= FAIL_MOST && !suite_complained(); n++) {
        bench_begin(bench);
        unsigned before = testhost_calls(bench->host, call);
        testhost_fail(bench->host, call, n);
        suite_note("after call %u of %s had failed", n, name);
        a_bit_of_everything(bench);
        bool came = testhost_calls(bench->host, call) - before >= n;
        bench_end(bench);
        if (suite_complained())
            suite_complain("... when call %u of %s had failed", n, name);
        if (!came)
            break;
    }
}

#define CALL_MAY_FAIL(function, call, name)                                                                  \
    static void function(void *arg)                                                                          \
    {                                                                                                        \
        a_call_of_the_host_may_fail(arg, call, name);                                                        \
    }
CALL_MAY_FAIL(timer_may_fail, TESTHOST_TIMER, "timer")
CALL_MAY_FAIL(watch_may_fail, TESTHOST_WATCH, "watch")
CALL_MAY_FAIL(work_may_fail, TESTHOST_WORK, "work")
CALL_MAY_FAIL(dial_may_fail, TESTHOST_DIAL, "dial")
CALL_MAY_FAIL(dial_later_may_fail, TESTHOST_DIALED, "dial (later)")
CALL_MAY_FAIL(report_may_fail, TESTHOST_REPORT, "report")
CALL_MAY_FAIL(secret_may_fail, TESTHOST_SECRET, "secret")
CALL_MAY_FAIL(offer_may_fail, TESTHOST_OFFER, "offer")
CALL_MAY_FAIL(offer_write_may_fail, TESTHOST_WRITE, "offer_write")
CALL_MAY_FAIL(advance_may_fail, TESTHOST_ADVANCE, "advance")

static void memory_may_fail(struct bench *bench, unsigned long first)
{
    may_fail(bench);
    if (!testmemory_works())
        suite_not_run("the program is not linked for it (accord/testkit/memory.h)");
    for (unsigned long n = first; n < first + AT_A_TIME && !suite_complained(); n++) {
        testmemory_reset();
        testmemory_fail(n);
        suite_note("after its allocation %lu had failed", n);
        bench->expects_failure = true;
        if (bench_try_open(bench) >= 0) {
            testhost_start(bench->host);
            a_bit_of_everything(bench);
            bench_end(bench);
        }
        bool came = testmemory_failed();
        if (testmemory_held())
            suite_complain("%zu block(s) of memory were left", testmemory_held());
        if (suite_complained())
            suite_complain("... when its allocation %lu had failed", n);
        if (!came)
            break;
    }
    testmemory_reset();
}

#define MEMORY_MAY_FAIL(function, part)                                                                      \
    static void function(void *arg)                                                                          \
    {                                                                                                        \
        memory_may_fail(arg, (part)*AT_A_TIME + 1);                                                          \
    }
MEMORY_MAY_FAIL(memory_may_fail_0, 0)
MEMORY_MAY_FAIL(memory_may_fail_1, 1)
MEMORY_MAY_FAIL(memory_may_fail_2, 2)
MEMORY_MAY_FAIL(memory_may_fail_3, 3)
MEMORY_MAY_FAIL(memory_may_fail_4, 4)
MEMORY_MAY_FAIL(memory_may_fail_5, 5)

const struct suite_case suite_faults[] = {
    {"memory may fail: 1 to 10", memory_may_fail_0},
    {"memory may fail: 11 to 20", memory_may_fail_1},
    {"memory may fail: 21 to 30", memory_may_fail_2},
    {"memory may fail: 31 to 40", memory_may_fail_3},
    {"memory may fail: 41 to 50", memory_may_fail_4},
    {"memory may fail: 51 to 60", memory_may_fail_5},
    {"calls of the host may fail: timer", timer_may_fail},
    {"calls of the host may fail: watch", watch_may_fail},
    {"calls of the host may fail: work", work_may_fail},
    {"calls of the host may fail: dial", dial_may_fail},
    {"calls of the host may fail: dial, later", dial_later_may_fail},
    {"calls of the host may fail: report", report_may_fail},
    {"calls of the host may fail: secret", secret_may_fail},
    {"calls of the host may fail: offer", offer_may_fail},
    {"calls of the host may fail: offer_write", offer_write_may_fail},
    {"calls of the host may fail: advance", advance_may_fail},
};
const size_t suite_faults_count = sizeof suite_faults / sizeof *suite_faults;
