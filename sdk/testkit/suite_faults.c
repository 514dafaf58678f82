/* The connector suite: host calls and memory that fail, one after the other. */
#include <stdio.h>
#include <string.h>

#include "suite_private.h"

#define FAIL_MOST   8  /* the first so many of each call */
#define MEMORY_MOST 60 /* the first so many allocations */

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

static void calls_of_the_host_may_fail(void *arg)
{
    static const char *const names[] = {"timer",  "watch",  "work",  "dial",        "dial (later)",
                                        "report", "secret", "offer", "offer_write", "advance"};
    struct bench *bench = arg;
    may_fail(bench);
    for (enum testhost_call call = 0; call < TESTHOST_CALLS && !suite_complained(); call++)
        for (unsigned n = 1; n <= FAIL_MOST && !suite_complained(); n++) {
            bench_begin(bench);
            unsigned before = testhost_calls(bench->host, call);
            testhost_fail(bench->host, call, n);
            suite_note("after call %u of %s had failed", n, names[call]);
            a_bit_of_everything(bench);
            bool came = testhost_calls(bench->host, call) - before >= n;
            bench_end(bench);
            if (suite_complained())
                suite_complain("... when call %u of %s had failed", n, names[call]);
            if (!came)
                break;
        }
}

static void memory_may_fail(void *arg)
{
    struct bench *bench = arg;
    may_fail(bench);
    if (!testmemory_works())
        suite_not_run("the program is not linked for it (accord/testkit/memory.h)");
    for (unsigned long n = 1; n <= MEMORY_MOST && !suite_complained(); n++) {
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

const struct suite_case suite_faults[] = {
    {"calls of the host may fail", calls_of_the_host_may_fail},
    {"memory may fail", memory_may_fail},
};
const size_t suite_faults_count = sizeof suite_faults / sizeof *suite_faults;
