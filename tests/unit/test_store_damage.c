/* The journal cut, torn and with flipped bits: it loses what was hit and no more. */
#include "journal_files.h"
#include "store/front.h"
#include "store/journal.h"
#include "store/segment.h"
#include "store_history.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- cuts ---- */

static void check_cut(struct history *history, uint64_t cut, bool with_index)
{
    struct bench bench = copy_of(history);
    char path[PATH_MAX];
    size_t survivors = 0;
    assert_int_equal(last_segment(bench.folder, path, sizeof path), POSITION_SEGMENT(cut));
    truncate_at(path, POSITION_OFFSET(cut));
    if (!with_index)
        delete_index(bench.folder);
    reopen(&bench);
    for (size_t i = 0; i < STEPS; i++) {
        if (history->steps[i].end <= cut) {
            expect_done(history, &bench, &history->steps[i]);
            survivors++;
        } else {
            expect_not_done(&bench, &history->steps[i]);
        }
    }
    assert_int_equal(verify_chains(&bench), survivors);
    assert_int_equal(bench.recovery.damaged_records, 0); /* a torn end is no damage */
    expect_usable(&bench);
    bench_shut(&bench);
    reopen(&bench); /* what was written behind the cut is there, too */
    assert_int_equal(verify_chains(&bench), survivors + 2);
    bench_close(&bench);
}

static void a_cut_loses_only_what_was_behind_it(void **state)
{
    struct history *history = *state;
    char path[PATH_MAX];
    uint32_t last = last_segment(history->bench.folder, path, sizeof path);
    uint64_t end = journal_end(history->bench.folder);
    size_t cuts = 0;
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &history->steps[i];
        if (POSITION_SEGMENT(step->end) != last)
            continue;
        uint64_t start = POSITION_SEGMENT(step->start) == last ? step->start : POSITION(last, SEGMENT_DATA);
        uint64_t places[] = {start + 1,      start + 41,    (start + step->end) / 2,
                             step->end - 60, step->end - 9, step->end};
        for (size_t j = 0; j < sizeof places / sizeof *places; j++)
            check_cut(history, places[j], (i + j) % 2);
        cuts += sizeof places / sizeof *places;
    }
    check_cut(history, POSITION(last, 0), true);
    check_cut(history, POSITION(last, 100), true);
    check_cut(history, end, true);
    assert_true(cuts >= 20);
}

/* ---- power cuts: what was written and not synced may be on the disk in any part ---- */

static void zero_range(const char *path, uint64_t from, uint64_t to)
{
    uint8_t *zeros = calloc(1, to - from);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, to - from, (off_t)from), to - from);
    close(fd);
    free(zeros);
}

/* The last message has most of its payload in groups of its own, unsynced, before the group that admits it.
 */
static void a_group_with_any_page_missing_never_was(void **state)
{
    struct history *history = *state;
    struct bench bench;
    struct step steps[6];
    char path[PATH_MAX];
    bench_open(&bench, "journal");
    struct bench kept = history->bench;
    for (size_t i = 0; i < 6; i++) {
        struct letter letter;
        steps[i] = (struct step){.start = journal_end(bench.folder), .size = i < 5 ? i * 700 : 400000};
        letter_init(&letter, &bench, "", history->payload, steps[i].size);
        assert_int_equal(admit(&bench, &letter), 0);
        memcpy(steps[i].id, letter.id.text, ACCORD_ID_MAX);
        steps[i].end = journal_end(bench.folder);
        letter_fini(&letter);
    }
    bench_shut(&bench);
    delete_index(bench.folder);
    history->bench = bench;
    uint64_t end = POSITION_OFFSET(steps[5].end);
    segment_path(bench.folder, 1, path, sizeof path);
    zero_range(path, end, end + 256); /* the end that closing wrote */
    for (uint64_t at = POSITION_OFFSET(steps[5].start); at < end; at = (at / 4096 + 1) * 4096) {
        struct store_message *message;
        struct bench copy = copy_of(history);
        uint64_t page_end = (at / 4096 + 1) * 4096;
        segment_path(copy.folder, 1, path, sizeof path);
        zero_range(path, at, page_end < end ? page_end : end);
        reopen(&copy);
        for (size_t i = 0; i < 5; i++)
            assert_true(payload_intact(history, &copy, &steps[i]));
        assert_int_equal(get(&copy, steps[5].id, &message), ACCORD_ENOENT);
        assert_int_equal(verify_chains(&copy), 5);
        expect_usable(&copy);
        bench_shut(&copy);
        reopen(&copy);
        assert_int_equal(get(&copy, steps[5].id, &message), ACCORD_ENOENT);
        assert_int_equal(verify_chains(&copy), 7);
        bench_close(&copy);
    }
    folder_remove(bench.folder);
    history->bench = kept;
}

/* ---- flipped bits ---- */

static bool hit(const struct step *step, uint64_t position)
{
    return position >= step->start && position < step->end;
}

/* Everything but the verb that was hit, and what depended on it. */
static void check_flip(struct history *history, uint64_t position, unsigned bit, bool with_index)
{
    struct bench bench = copy_of(history);
    struct stat st;
    char path[PATH_MAX];
    const char *lost = "";
    segment_path(bench.folder, POSITION_SEGMENT(position), path, sizeof path);
    flip_bit(path, POSITION_OFFSET(position), bit);
    if (!with_index)
        delete_index(bench.folder);
    reopen(&bench);
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &history->steps[i];
        if (hit(step, position))
            lost = step->id;
        else if (strcmp(step->id, lost))
            expect_done(history, &bench, step);
    }
    if (bench.recovery.damaged_records) {
        snprintf(path, sizeof path, "%s/damaged", bench.folder);
        assert_int_equal(stat(path, &st), 0);
        assert_true(bench.recovery.damaged_bytes > 0);
        bench_shut(&bench);
        reopen(&bench); /* told once */
        assert_int_equal(bench.recovery.damaged_records, 0);
    }
    expect_usable(&bench);
    bench_close(&bench);
}

static void a_flipped_bit_loses_only_the_record_it_hit(void **state)
{
    struct history *history = *state;
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &history->steps[i];
        uint64_t start = POSITION_SEGMENT(step->start) == POSITION_SEGMENT(step->end)
                             ? step->start
                             : POSITION(POSITION_SEGMENT(step->end), SEGMENT_DATA);
        uint64_t size = step->end - start;
        check_flip(history, start + (i * 7919) % size, (unsigned)i % 8, i % 2);
        check_flip(history, start + (i * 104729 + 5) % size, (unsigned)(i + 3) % 8, (i + 1) % 2);
        check_flip(history, step->end - 50, 1, i % 2); /* in the commit record */
    }
}

static void damage_is_counted_and_set_aside(void **state)
{
    struct history *history = *state;
    static const int types[] = {RECORD_PIECE, RECORD_ADMISSION, RECORD_SETTLEMENT, RECORD_AUDIT,
                                RECORD_COMMIT};
    for (size_t i = 0; i < 2 * sizeof types / sizeof *types; i++) {
        struct bench bench = copy_of(history);
        char path[PATH_MAX];
        uint64_t position;
        uint32_t size;
        assert_true(find_record(bench.folder, types[i / 2], 3, &position, &size));
        segment_path(bench.folder, POSITION_SEGMENT(position), path, sizeof path);
        flip_bit(path, POSITION_OFFSET(position) + RECORD_HEAD + size / 2, 4);
        if (i % 2)
            delete_index(bench.folder);
        reopen(&bench);
        assert_int_equal(bench.recovery.damaged_records, 1);
        assert_int_equal(bench.recovery.damaged_bytes, record_span(size));
        expect_usable(&bench);
        bench_close(&bench);
    }
}

/* Nothing follows the last group, and it is damaged: the index, which never runs ahead, says that it was
 * synced. */
static void the_index_vouches_for_the_last_group(void **state)
{
    struct history *history = *state;
    struct bench bench = copy_of(history);
    char path[PATH_MAX];
    uint64_t position, end = history->steps[STEPS - 1].end;
    uint32_t size;
    assert_true(find_record(bench.folder, RECORD_SETTLEMENT, 11, &position, &size));
    assert_false(find_record(bench.folder, RECORD_SETTLEMENT, 12, &(uint64_t){0}, &(uint32_t){0}));
    segment_path(bench.folder, POSITION_SEGMENT(position), path, sizeof path);
    flip_bit(path, POSITION_OFFSET(position) + RECORD_HEAD + size / 2, 4);
    zero_range(path, POSITION_OFFSET(end), POSITION_OFFSET(end) + 256);
    reopen(&bench);
    assert_int_equal(bench.recovery.damaged_records, 1);
    assert_int_equal(bench.recovery.damaged_bytes, record_span(size));
    expect_all(history, &bench);
    expect_usable(&bench);
    bench_close(&bench);
}

static void one_damaged_record_spares_the_others_of_its_group(void **state)
{
    struct bench bench;
    struct letter letters[8];
    struct waited waited[8] = {0};
    struct store_message *message;
    uint64_t position;
    uint32_t size;
    char path[PATH_MAX];
    (void)state;
    bench_open(&bench, "journal");
    for (size_t i = 0; i < 8; i++)
        letter_init(&letters[i], &bench, "", "x", 1);
    for (size_t i = 0; i < 8; i++)
        store_admit(bench.store, &letters[i].admission, on_waited, &waited[i]);
    assert_int_equal(wait_for(&bench, &waited[7]), 0);
    bench_shut(&bench);
    delete_index(bench.folder);
    assert_true(find_record(bench.folder, RECORD_ADMISSION, 4, &position, &size));
    segment_path(bench.folder, 1, path, sizeof path);
    flip_bit(path, POSITION_OFFSET(position) + RECORD_HEAD + 3, 0);
    reopen(&bench);
    assert_int_equal(bench.recovery.messages, 7);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(get(&bench, letters[i].id.text, &message), i == 4 ? ACCORD_ENOENT : 0);
        store_message_free(message);
        letter_fini(&letters[i]);
    }
    bench_close(&bench);
}

static void a_delivery_whose_message_is_lost_is_claimed_to_be_ended(void **state)
{
    struct bench bench;
    struct store_claimed claimed[4];
    uint64_t position, numbers[3];
    uint32_t size;
    char path[PATH_MAX];
    (void)state;
    bench_open(&bench, "journal");
    for (size_t i = 0; i < 3; i++)
        numbers[i] = admit_small(&bench, "x", NULL);
    bench_shut(&bench);
    assert_true(find_record(bench.folder, RECORD_ADMISSION, 1, &position, &size));
    segment_path(bench.folder, 1, path, sizeof path);
    flip_bit(path, POSITION_OFFSET(position) + RECORD_HEAD + 3, 0);
    reopen(&bench);
    assert_int_equal(bench.recovery.damaged_records, 1);
    struct store_claim request = {.agreement = "isa", .now = 1, .limit = 4, .claimed = claimed};
    assert_int_equal(claim(&bench, &request), 0);
    assert_int_equal(request.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(claimed[i].delivery.number, numbers[i]);
        assert_string_equal(claimed[i].delivery.agreement, "isa");
        assert_string_equal(claimed[i].delivery.service, "out");
        assert_int_equal(claimed[i].message == NULL, i == 1);
        store_message_free(claimed[i].message);
    }
    assert_true(claimed[1].size > 0);
    assert_int_equal(settle(&bench, numbers[1], STORE_DEAD), 0);
    request = (struct store_claim){.agreement = "isa", .now = 1, .limit = 4, .claimed = claimed};
    assert_int_equal(claim(&bench, &request), 0);
    assert_int_equal(request.count, 0);
    bench_close(&bench);
}

/* Nothing goes on upon an index that is seen to be damaged: the store must be opened again, which makes it anew. */
static void an_index_that_is_damaged_while_it_is_used_ends_the_store_and_is_made_anew(void **state)
{
    struct bench bench;
    char id[ACCORD_ID_MAX], path[256];
    (void)state;
    bench_open(&bench, "journal");
    uint64_t number = admit_small(&bench, "x", id);
    struct journal *journal = bench.store->state; /* its thread has nothing to do */
    journal->index.corrupt = true;
    assert_int_equal(settle(&bench, number, STORE_DELIVERED), ACCORD_EIO);
    assert_true(store_failed(bench.store) && store_lost_index(bench.store));
    snprintf(path, sizeof path, "%s/index.sqlite", bench.folder);
    assert_int_not_equal(access(path, F_OK), 0); /* also for one that is started in its place */
    bench_shut(&bench);
    assert_int_equal(bench_reopen(&bench, NULL), 0);
    assert_int_equal(bench.recovery.lost_messages, 0);
    assert_int_equal(state_of(&bench, id, 0), STORE_WAITING);
    assert_int_equal(settle(&bench, number, STORE_DELIVERED), 0);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_loses_only_what_was_behind_it),
        cmocka_unit_test(a_group_with_any_page_missing_never_was),
        cmocka_unit_test(a_flipped_bit_loses_only_the_record_it_hit),
        cmocka_unit_test(damage_is_counted_and_set_aside),
        cmocka_unit_test(the_index_vouches_for_the_last_group),
        cmocka_unit_test(one_damaged_record_spares_the_others_of_its_group),
        cmocka_unit_test(a_delivery_whose_message_is_lost_is_claimed_to_be_ended),
        cmocka_unit_test(an_index_that_is_damaged_while_it_is_used_ends_the_store_and_is_made_anew),
    };
    return cmocka_run_group_tests(tests, make_history, drop_history);
}
