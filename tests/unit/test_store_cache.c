/* What of the journal stays in the page cache: what waits, as far as memory goes, and no more than that. */
#include "store/journal.h"
#include "store_history.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB     (1u << 20)
#define LETTER  (20u << 10)
#define BATCH   32
#define NEWEST  (32u * MIB) /* stays anyhow */
#define SLACK   (3u * MIB)  /* of steps, and of what stands around the payload */
#define BACKLOG (40u * MIB / LETTER)

static struct segment_io real;
static uint64_t released;
static size_t prefetched;
static long pages;

static int noting_fadvise(int fd, off_t offset, off_t size, int advice)
{
    if (advice == POSIX_FADV_DONTNEED)
        released += (uint64_t)size;
    prefetched += advice == POSIX_FADV_WILLNEED;
    return real.fadvise(fd, offset, size, advice);
}

static long small_machine(int name)
{
    return name == _SC_PHYS_PAGES ? pages : real.sysconf(name);
}

struct mailing {
    struct bench bench;
    uint64_t numbers[BACKLOG + BATCH];
    size_t count;
    uint8_t bytes[LETTER];
};

static int begin(void **state)
{
    struct mailing *mailing = calloc(1, sizeof *mailing);
    real = segment_io;
    segment_io.fadvise = noting_fadvise;
    segment_io.sysconf = small_machine;
    pages = real.sysconf(_SC_PHYS_PAGES);
    bench_open(&mailing->bench, "journal");
    mailing->bench.config.segment_size = 12 * MIB;
    bench_shut(&mailing->bench);
    reopen(&mailing->bench);
    released = prefetched = 0;
    *state = mailing;
    return 0;
}

static int end(void **state)
{
    struct mailing *mailing = *state;
    segment_io = real;
    bench_close(&mailing->bench);
    free(mailing);
    return 0;
}

static void send_batch(struct mailing *mailing, enum store_state state)
{
    struct letter letters[BATCH];
    struct waited waited[BATCH] = {0};
    for (size_t i = 0; i < BATCH; i++) {
        letter_init(&letters[i], &mailing->bench, "", mailing->bytes, LETTER);
        letters[i].deliveries[0].state = state;
        store_admit(mailing->bench.store, &letters[i].admission, on_waited, &waited[i]);
    }
    for (size_t i = 0; i < BATCH; i++) {
        assert_int_equal(wait_for(&mailing->bench, &waited[i]), 0);
        mailing->numbers[mailing->count++] = letters[i].deliveries[0].number;
        letter_fini(&letters[i]);
    }
}

static void fill(struct mailing *mailing)
{
    while (mailing->count < BACKLOG)
        send_batch(mailing, STORE_WAITING);
}

/* All that was sent and is not settled yet is delivered. */
static void deliver(struct mailing *mailing)
{
    while (mailing->count) {
        struct store_settlement settlements[BATCH];
        struct waited waited[BATCH] = {0};
        size_t count = mailing->count < BATCH ? mailing->count : BATCH;
        for (size_t i = 0; i < count; i++) {
            settlements[i] = (struct store_settlement){.number = mailing->numbers[--mailing->count],
                                                       .state = STORE_DELIVERED,
                                                       .rule = "",
                                                       .reason = "",
                                                       .receipt = ""};
            store_settle(mailing->bench.store, &settlements[i], on_waited, &waited[i]);
        }
        for (size_t i = 0; i < count; i++)
            assert_int_equal(wait_for(&mailing->bench, &waited[i]), 0);
    }
}

/* Sent and delivered at once; how much was written, about. */
static uint64_t pass_through(struct mailing *mailing, uint64_t bytes)
{
    uint64_t written = 0;
    for (; written < bytes; written += (uint64_t)BATCH * LETTER) {
        send_batch(mailing, STORE_SENDING);
        deliver(mailing);
    }
    return written;
}

static void claim_some(struct mailing *mailing)
{
    struct store_claimed claimed[BATCH];
    struct store_claim request = {.agreement = "isa",
                                  .service = "out",
                                  .now = 1,
                                  .limit = BATCH,
                                  .payload_room = (size_t)BATCH * STORE_SMALL,
                                  .claimed = claimed};
    assert_int_equal(claim(&mailing->bench, &request), 0);
    assert_int_equal(request.count, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        assert_non_null(claimed[i].payload);
        free(claimed[i].payload);
        store_message_free(claimed[i].message);
    }
}

static void what_has_gone_on_leaves_the_cache(void **state)
{
    struct mailing *mailing = *state;
    uint64_t written = pass_through(mailing, NEWEST + 8 * MIB);
    assert_in_range(released, written - NEWEST - SLACK, written - NEWEST + SLACK);
}

static void what_waits_stays_cached_and_is_claimed_without_the_disk(void **state)
{
    struct mailing *mailing = *state;
    fill(mailing);
    assert_int_equal(released, 0);
    claim_some(mailing);
    assert_int_equal(prefetched, 0);
    bench_shut(&mailing->bench);
    reopen(&mailing->bench);
    claim_some(mailing); /* nobody knows what is cached now */
    assert_true(prefetched > 0);
}

/* Twice as fast as something is written, until nothing of it is left. */
static void what_waited_leaves_the_cache_when_it_is_gone(void **state)
{
    struct mailing *mailing = *state;
    fill(mailing);
    deliver(mailing);
    assert_in_range(released, 0, SLACK);
    uint64_t written = pass_through(mailing, 4 * MIB);
    assert_in_range(released, 2 * written - SLACK, 2 * written + SLACK);
    written += pass_through(mailing, 16 * MIB);
    uint64_t all = written + (uint64_t)BACKLOG * LETTER;
    assert_in_range(released, all - NEWEST - SLACK, all - NEWEST + SLACK);
}

static void what_waits_gets_no_more_than_a_share_of_memory(void **state)
{
    struct mailing *mailing = *state;
    pages = (long)(CACHED_SHARE * 4 * MIB) / real.sysconf(_SC_PAGESIZE);
    bench_shut(&mailing->bench);
    reopen(&mailing->bench);
    released = 0;
    fill(mailing);
    uint64_t all = (uint64_t)BACKLOG * LETTER;
    assert_in_range(released, all - NEWEST - 4 * MIB - SLACK, all - NEWEST - 4 * MIB + SLACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_gone_on_leaves_the_cache, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_stays_cached_and_is_claimed_without_the_disk, begin, end),
        cmocka_unit_test_setup_teardown(what_waited_leaves_the_cache_when_it_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_gets_no_more_than_a_share_of_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
