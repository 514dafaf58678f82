/* The store while its index cannot be written: it answers from memory and from what is there, whatever has been done. */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal_files.h"
#include "store/segment.h"
#include "store_calls.h"
#include "util/clock.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* ---- SQLite on a disk that refuses ---- */

static sqlite3_vfs *real_vfs, vfs;
static int refusal; /* SQLITE_FULL, SQLITE_IOERR_WRITE; 0: none */
static unsigned refused;

/* Of each kind of file: the database is locked, its log is not. */
static struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods ours;
} kinds[4];

static int refuse_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    int kind = 0;
    while (file->pMethods != &kinds[kind].ours)
        kind++;
    refused += refusal != 0;
    return refusal ? refusal : kinds[kind].real->xWrite(file, bytes, size, offset);
}

static int open_file(sqlite3_vfs *of, const char *name, sqlite3_file *file, int flags, int *opened)
{
    (void)of;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, opened), kind = 0;
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    while (kinds[kind].real && kinds[kind].real != file->pMethods)
        kind++;
    kinds[kind].real = file->pMethods;
    kinds[kind].ours = *file->pMethods;
    kinds[kind].ours.xWrite = refuse_write;
    file->pMethods = &kinds[kind].ours;
    return rc;
}

static int use_refusing(void **state)
{
    (void)state;
    refusal = 0;
    refused = 0;
    if (real_vfs)
        return 0;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "refusing";
    vfs.pNext = NULL;
    vfs.xOpen = open_file;
    return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK ? 0 : -1;
}

/* ---- what is asked ---- */

#define STORED 40
#define FRESH  20

struct world {
    struct bench bench;
    char ids[STORED + FRESH][ACCORD_ID_MAX];
    uint64_t numbers[STORED + FRESH];
};

static void admit_some(struct world *world, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        world->numbers[i] = admit_small(&world->bench, "", world->ids[i]);
}

static void flush(struct world *world)
{
    struct reason why = {""};
    bench_shut(&world->bench);
    if (bench_reopen(&world->bench, &why))
        fail_msg("%s", why.text);
}

/* Pages of seven, so that they end within what is in the file, in memory, and between them. */
static void expect_list(struct world *world, size_t count)
{
    struct store_message *found[7];
    char before[ACCORD_ID_MAX] = "";
    size_t at = count;
    for (;;) {
        struct store_scan page = {.before = before[0] ? before : NULL, .limit = 7, .found = found};
        assert_int_equal(scan(&world->bench, &page), 0);
        for (size_t i = 0; i < page.count; i++) {
            assert_true(!before[0] || strcmp(found[i]->id, before) < 0);
            at--;
            memcpy(before, found[i]->id, sizeof before);
            store_message_free(found[i]);
        }
        if (page.count < 7)
            break;
    }
    assert_int_equal(at, 0);
}

static struct store_count expect_counts(struct world *world, uint64_t messages)
{
    struct store_counts all;
    assert_int_equal(counts(&world->bench, &all), 0);
    assert_int_equal(all.messages, messages);
    assert_int_equal(all.count, 1);
    struct store_count row = all.rows[0];
    free(all.rows);
    return row;
}

static size_t listed(struct world *world, int state)
{
    struct store_message *found[STORED + FRESH];
    struct store_scan page = {.state = state, .limit = STORED + FRESH, .found = found};
    assert_int_equal(scan(&world->bench, &page), 0);
    for (size_t i = 0; i < page.count; i++)
        store_message_free(found[i]);
    return page.count;
}

static void retain_all(struct world *world)
{
    struct store_retention everything = {.now = clock_wall(),
                                         .settled_before = INT64_MAX / 128,
                                         .seen_before = clock_wall() - 1000000,
                                         .keys_before = clock_wall() - 1000000,
                                         .trail_position = UINT64_MAX};
    assert_int_equal(retain(&world->bench, &everything), 0);
}

static void one_round(int error, bool ahead)
{
    struct world world = {0};
    bench_open(&world.bench, "journal");
    admit_some(&world, 0, STORED);
    assert_int_equal(settle(&world.bench, world.numbers[0], STORE_DELIVERED), 0);
    flush(&world);
    refusal = error;
    admit_some(&world, STORED, STORED + FRESH);
    assert_int_equal(settle(&world.bench, world.numbers[1], STORE_DEAD), 0);
    assert_int_equal(settle(&world.bench, world.numbers[STORED], STORE_DEAD), 0);
    if (ahead) { /* changes rows of the file, within a transaction that cannot be kept */
        struct store_move hold = {
            .agreement = "isa", .from = STORE_WAITING, .to = STORE_HELD, .reason = "disabled"};
        assert_int_equal(move(&world.bench, &hold), 0);
        assert_int_equal(hold.moved, STORED + FRESH - 3);
    }
    for (int i = 0; i < 200; i++) { /* a flush is tried, and fails, more than once */
        assert_int_equal(audit(&world.bench, "host", "x"), 0);
        if (i % 50 == 0)
            retain_all(&world);
    }
    assert_true(refused > 0);
    expect_list(&world, STORED + FRESH);
    struct store_count row = expect_counts(&world, STORED + FRESH);
    assert_int_equal(row.states[STORE_DELIVERED], 1);
    assert_int_equal(row.states[STORE_DEAD], 2);
    assert_int_equal(row.states[ahead ? STORE_HELD : STORE_WAITING], STORED + FRESH - 3);
    assert_true(row.oldest > 0);
    assert_int_equal(listed(&world, STORE_DEAD), 2);
    assert_int_equal(listed(&world, STORE_DELIVERED), 1);
    assert_int_equal(state_of(&world.bench, world.ids[STORED], 0), STORE_DEAD);
    refusal = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(audit(&world.bench, "host", "x"), 0);
    retain_all(&world);
    expect_counts(&world, STORED + FRESH - 1); /* what is settled is forgotten now, and no earlier */
    flush(&world);
    assert_int_equal(world.bench.recovery.damaged_records, 0);
    assert_int_equal(listed(&world, STORE_DEAD), 2);
    assert_int_equal(listed(&world, 0), STORED + FRESH - 1);
    bench_close(&world.bench);
}

static void lists_and_counts_are_whole_while_the_disk_is_full(void **state)
{
    (void)state;
    one_round(SQLITE_FULL, false);
}

static void so_they_are_when_rows_of_the_file_have_changed(void **state)
{
    (void)state;
    one_round(SQLITE_FULL, true);
}

static void so_they_are_when_the_disk_refuses(void **state)
{
    (void)state;
    one_round(SQLITE_IOERR_WRITE, false);
    one_round(SQLITE_IOERR_WRITE, true);
}

/* A round that began before the disk was full: what it forgot is in a transaction that is lost. */
static void a_retention_round_that_meets_a_full_disk_hides_nothing(void **state)
{
    struct world world = {0};
    (void)state;
    bench_open(&world.bench, "journal");
    admit_some(&world, 0, STORED + FRESH);
    for (size_t i = 0; i < STORED; i++)
        assert_int_equal(settle(&world.bench, world.numbers[i], STORE_DELIVERED), 0);
    flush(&world);
    retain_all(&world);
    expect_counts(&world, FRESH);
    refusal = SQLITE_FULL;
    for (int i = 0; i < 100; i++)
        assert_int_equal(audit(&world.bench, "host", "x"), 0);
    assert_int_equal(listed(&world, STORE_WAITING), FRESH);
    expect_counts(&world, FRESH);
    refusal = 0;
    flush(&world);
    expect_counts(&world, FRESH);
    bench_close(&world.bench);
}

/* ---- a disk without room for another file of the journal ---- */

static int refuse_room(int fd, int mode, off_t offset, off_t size)
{
    (void)fd, (void)mode, (void)offset, (void)size;
    errno = ENOSPC;
    return -1;
}

#define SMALL (64 << 10)

static void fill_up_to(struct bench *bench, uint64_t offset)
{
    char chain[32];
    uint32_t file = POSITION_SEGMENT(journal_end(bench->folder));
    bool beyond = POSITION_OFFSET(journal_end(bench->folder)) > offset; /* in the next file, then */
    for (int i = 0; POSITION_OFFSET(journal_end(bench->folder)) < offset ||
                    (beyond && POSITION_SEGMENT(journal_end(bench->folder)) == file);
         i++) {
        snprintf(chain, sizeof chain, "agreement-%02d", i % 40); /* forty agreements have a trail */
        assert_int_equal(audit(bench, chain, "something-that-takes-its-time-to-say"), 0);
    }
}

static size_t count_segments(const char *folder)
{
    char path[PATH_MAX];
    size_t count = 0;
    for (uint32_t number = last_segment(folder, path, sizeof path); number; number--) {
        segment_path(folder, number, path, sizeof path);
        count += access(path, F_OK) == 0;
    }
    return count;
}

static void retention_makes_room_where_little_is_left(void **state)
{
    static const uint8_t payload[20000];
    struct bench bench;
    struct segment_io real = segment_io;
    (void)state;
    bench_open(&bench, "journal");
    bench_shut(&bench);
    bench.config.segment_size = SMALL;
    assert_int_equal(bench_reopen(&bench, NULL), 0);
    fill_up_to(&bench, SMALL / 2);
    for (int i = 0; i < 80; i++) { /* the first file has a megabyte */
        struct letter letter;
        letter_init(&letter, &bench, "", payload, sizeof payload);
        assert_int_equal(admit(&bench, &letter), 0);
        assert_int_equal(settle(&bench, letter.deliveries[0].number, STORE_DELIVERED), 0);
        letter_fini(&letter);
    }
    fill_up_to(&bench, SMALL - (15 << 10));
    assert_true(POSITION_OFFSET(journal_end(bench.folder)) < SMALL - (12 << 10));
    size_t before = count_segments(bench.folder);
    assert_true(before > 5);
    segment_io.fallocate = refuse_room;
    struct store_retention everything = {.now = clock_wall(),
                                         .settled_before = INT64_MAX / 128,
                                         .seen_before = clock_wall(),
                                         .keys_before = clock_wall(),
                                         .trail_position = UINT64_MAX};
    for (int i = 0; i < 100; i++)
        retain(&bench, &everything);
    assert_true(count_segments(bench.folder) < before);
    segment_io = real;
    bench_shut(&bench);
    assert_int_equal(bench_reopen(&bench, NULL), 0);
    assert_int_equal(bench.recovery.damaged_records, 0);
    bench_close(&bench);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, use_refusing)
    const struct CMUnitTest tests[] = {
        T(lists_and_counts_are_whole_while_the_disk_is_full),
        T(so_they_are_when_rows_of_the_file_have_changed),
        T(so_they_are_when_the_disk_refuses),
        T(a_retention_round_that_meets_a_full_disk_hides_nothing),
        T(retention_makes_room_where_little_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
