/* The journal read again: after a close, a cut, a flipped bit, a lost or spoilt index. */
#include "journal_files.h"
#include "store/crc.h"
#include "store/record.h"
#include "store/segment.h"
#include "store_calls.h"
#include "util/text.h"

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

#define STEPS 36

/* One acknowledged verb, alone in its group, and where the journal stood then. */
struct step {
    uint64_t start, end;
    char id[ACCORD_ID_MAX]; /* of the message that it admitted, or settled */
    size_t size;            /* of the payload; 0 for a settlement */
    bool settles;
};

struct history {
    struct bench bench;
    struct step steps[STEPS];
    uint8_t *payload;
    char copy[160];
};

static void step_admit(struct history *history, struct step *step, size_t i)
{
    static const size_t sizes[] = {10, 3000, 200000, 0, 700, 400000, 1, 131072};
    struct letter letter;
    step->size = sizes[i % 8];
    char source[16], key[32];
    const char *keys[] = {key};
    snprintf(source, sizeof source, "source-%zu", i);
    snprintf(key, sizeof key, "isa\x1f%zu", i);
    letter_init(&letter, &history->bench, source, history->payload, step->size);
    letter.admission.cursor = source;
    letter.admission.keys = keys;
    letter.admission.key_count = 1;
    assert_int_equal(admit(&history->bench, &letter), 0);
    memcpy(step->id, letter.id.text, ACCORD_ID_MAX);
    letter_fini(&letter);
}

static void step_settle(struct history *history, struct step *step, const struct step *admitted)
{
    struct store_message *message;
    step->settles = true;
    memcpy(step->id, admitted->id, ACCORD_ID_MAX);
    assert_int_equal(get(&history->bench, admitted->id, &message), 0);
    assert_int_equal(settle(&history->bench, message->deliveries[0].number, STORE_DELIVERED), 0);
    store_message_free(message);
}

/* Every third step settles the message that the step before admitted. */
static int make_history(void **state)
{
    struct history *history = calloc(1, sizeof *history);
    history->payload = malloc(400000);
    for (size_t i = 0; i < 400000; i++)
        history->payload[i] = (uint8_t)(i * 37 + (i >> 9));
    bench_open(&history->bench, "journal");
    for (size_t i = 0; i < STEPS; i++) {
        struct step *step = &history->steps[i];
        step->start = journal_end(history->bench.folder);
        if (i % 3 == 2)
            step_settle(history, step, step - 1);
        else
            step_admit(history, step, i);
        step->end = journal_end(history->bench.folder);
    }
    bench_shut(&history->bench);
    snprintf(history->copy, sizeof history->copy, "%s-copy", history->bench.folder);
    *state = history;
    return 0;
}

static int drop_history(void **state)
{
    struct history *history = *state;
    folder_remove(history->bench.folder);
    free(history->payload);
    free(history);
    return 0;
}

/* A bench on a fresh copy of the history's folder; not open yet. */
static struct bench copy_of(struct history *history)
{
    struct bench bench = history->bench;
    copy_folder(history->bench.folder, history->copy);
    text_copy(bench.folder, sizeof bench.folder, history->copy);
    return bench;
}

static void reopen(struct bench *bench)
{
    struct reason why = {""};
    bench->config.folder = bench->folder;
    if (bench_reopen(bench, &why))
        fail_msg("store_open: %s", why.text);
}

static bool payload_intact(struct history *history, struct bench *bench, const struct step *step)
{
    uint8_t *back = malloc(step->size + 1);
    size_t got;
    bool intact = read_payload(bench, step->id, 0, back, step->size + 1, &got) == 0 && got == step->size &&
                  !memcmp(back, history->payload, step->size);
    free(back);
    return intact;
}

static void expect_done(struct history *history, struct bench *bench, const struct step *step)
{
    if (step->settles)
        assert_int_equal(state_of(bench, step->id, 0), STORE_DELIVERED);
    else
        assert_true(payload_intact(history, bench, step));
}

static void expect_not_done(struct bench *bench, const struct step *step)
{
    struct store_message *message;
    int result = get(bench, step->id, &message);
    if (!step->settles)
        assert_int_equal(result, ACCORD_ENOENT);
    else if (!result)
        assert_int_equal(message->deliveries[0].state, STORE_WAITING);
    store_message_free(message);
}

static void expect_all(struct history *history, struct bench *bench)
{
    for (size_t i = 0; i < STEPS; i++)
        expect_done(history, bench, &history->steps[i]);
    assert_int_equal(verify_chains(bench), STEPS);
}

/* The store must be able to go on. */
static void expect_usable(struct bench *bench)
{
    char id[ACCORD_ID_MAX];
    uint64_t number = admit_small(bench, "afterwards", id);
    assert_int_equal(settle(bench, number, STORE_DELIVERED), 0);
    assert_int_equal(state_of(bench, id, 0), STORE_DELIVERED);
}

/* ---- the index ---- */

static void a_closed_store_comes_back(void **state)
{
    struct history *history = *state;
    struct bench bench = copy_of(history);
    struct store_cursor cursor = {.route = "site/plans"};
    struct waited waited = {0};
    reopen(&bench);
    assert_false(bench.recovery.fresh);
    assert_int_equal(bench.recovery.damaged_records, 0);
    assert_int_equal(bench.recovery.messages, 24);
    assert_int_equal(bench.recovery.open_deliveries, 12);
    expect_all(history, &bench);
    store_cursor(bench.store, &cursor, on_waited, &waited);
    wait_for(&bench, &waited);
    assert_string_equal(cursor.value, "source-34");
    expect_usable(&bench);
    bench_close(&bench);
}

static void expect_rebuilt(struct history *history, struct bench *bench)
{
    const char *keys[] = {"isa\x1f"
                          "7"};
    struct letter letter;
    struct store_counts request = {0};
    reopen(bench);
    assert_int_equal(bench->recovery.messages, 24);
    assert_int_equal(bench->recovery.open_deliveries, 12);
    assert_int_equal(bench->recovery.damaged_records, 0);
    expect_all(history, bench);
    letter_init(&letter, bench, "source-4", history->payload, history->steps[4].size);
    letter.admission.duplicate_horizon = INT64_MAX / 4;
    assert_int_equal(admit(bench, &letter), 0);
    assert_true(letter.admission.repeat);
    assert_string_equal(letter.admission.repeated, history->steps[4].id);
    letter_fini(&letter);
    letter_init(&letter, bench, "new", "new", 3);
    letter.admission.keys = keys;
    letter.admission.key_count = 1;
    assert_int_equal(admit(bench, &letter), ACCORD_EEXIST);
    letter_fini(&letter);
    assert_int_equal(counts(bench, &request), 0);
    assert_int_equal(request.rows[0].states[STORE_DELIVERED], 12);
    assert_int_equal(request.rows[0].states[STORE_WAITING], 12);
    free(request.rows);
    expect_usable(bench);
    bench_close(bench);
}

static void a_deleted_index_is_made_anew(void **state)
{
    struct bench bench = copy_of(*state);
    delete_index(bench.folder);
    expect_rebuilt(*state, &bench);
}

static void a_spoilt_index_is_made_anew(void **state)
{
    static const struct {
        off_t offset;
        size_t size;
    } spoils[] = {{0, 100}, {0, 16}, {4096, 4096}, {20480, 8192}, {96, 4}, {5000, 3000}};
    struct history *history = *state;
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        struct bench bench = copy_of(history);
        char path[PATH_MAX], garbage[8192];
        memset(garbage, 0x5a, sizeof garbage);
        snprintf(path, sizeof path, "%s/index.sqlite", bench.folder);
        int fd = open(path, O_WRONLY);
        assert_int_equal(pwrite(fd, garbage, spoils[i].size, spoils[i].offset), spoils[i].size);
        close(fd);
        expect_rebuilt(history, &bench);
    }
}

static void an_empty_or_foreign_index_is_made_anew(void **state)
{
    struct history *history = *state;
    for (int i = 0; i < 2; i++) {
        struct bench bench = copy_of(history);
        char path[PATH_MAX];
        delete_index(bench.folder);
        snprintf(path, sizeof path, "%s/index.sqlite", bench.folder);
        FILE *file = fopen(path, "w");
        if (i)
            fputs("this is no database, and it is longer than a header of one hundred bytes has to be, by "
                  "some\n",
                  file);
        fclose(file);
        expect_rebuilt(history, &bench);
    }
}

/* As after a power cut that took what SQLite had not synced: the journal fills it up. */
static void an_older_index_is_filled_up(void **state)
{
    struct bench bench;
    char ids[80][ACCORD_ID_MAX], older[160], path[PATH_MAX], old[PATH_MAX];
    (void)state;
    bench_open(&bench, "journal");
    for (int i = 0; i < 5; i++)
        admit_small(&bench, "x", ids[i]);
    bench_shut(&bench);
    snprintf(older, sizeof older, "%s-older", bench.folder);
    copy_folder(bench.folder, older);
    reopen(&bench);
    for (int i = 5; i < 80; i++)
        admit_small(&bench, "x", ids[i]);
    bench_shut(&bench);
    delete_index(bench.folder);
    snprintf(path, sizeof path, "%s/index.sqlite", bench.folder);
    snprintf(old, sizeof old, "%s/index.sqlite", older);
    assert_int_equal(rename(old, path), 0);
    reopen(&bench);
    assert_int_equal(bench.recovery.messages, 80);
    for (int i = 0; i < 80; i++)
        assert_int_equal(state_of(&bench, ids[i], 0), STORE_WAITING);
    assert_int_equal(verify_chains(&bench), 80);
    folder_remove(older);
    bench_close(&bench);
}

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

static void a_delivery_whose_message_is_lost_ends_dead(void **state)
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
    assert_int_equal(request.count, 2);
    assert_int_equal(claimed[0].delivery.number, numbers[0]);
    assert_int_equal(claimed[1].delivery.number, numbers[2]);
    store_message_free(claimed[0].message);
    store_message_free(claimed[1].message);
    assert_int_equal(settle(&bench, numbers[1], STORE_DELIVERED), ACCORD_ESTATE);
    bench_close(&bench);
}

/* ---- states and leases ---- */

static void what_was_being_sent_waits_again(void **state)
{
    struct bench bench;
    struct store_claimed claimed[2];
    char id[ACCORD_ID_MAX];
    (void)state;
    bench_open(&bench, "journal");
    uint64_t number = admit_small(&bench, "x", id);
    struct store_claim request = {.agreement = "isa", .now = 1, .limit = 1, .claimed = claimed};
    assert_int_equal(claim(&bench, &request), 0);
    store_message_free(claimed[0].message);
    assert_int_equal(settle(&bench, number, STORE_WAITING), 0);
    assert_int_equal(claim(&bench, &request), 0);
    store_message_free(claimed[0].message);
    assert_int_equal(state_of(&bench, id, 0), STORE_SENDING);
    bench_shut(&bench);
    reopen(&bench);
    assert_int_equal(state_of(&bench, id, 0), STORE_WAITING);
    assert_int_equal(claim(&bench, &request), 0);
    assert_int_equal(request.count, 1);
    assert_int_equal(claimed[0].delivery.attempts, 1);
    store_message_free(claimed[0].message);
    bench_close(&bench);
}

static void an_older_epoch_may_look_but_not_write(void **state)
{
    struct bench bench;
    char id[ACCORD_ID_MAX];
    struct letter letter;
    (void)state;
    bench_open(&bench, "journal");
    bench_shut(&bench);
    bench.config.epoch = 3;
    reopen(&bench);
    uint64_t number = admit_small(&bench, "x", id);
    bench_shut(&bench);
    bench.config.epoch = 2;
    for (int i = 0; i < 2; i++) {
        reopen(&bench);
        letter_init(&letter, &bench, "y", "y", 1);
        assert_int_equal(admit(&bench, &letter), ACCORD_ESTATE);
        letter_fini(&letter);
        assert_int_equal(settle(&bench, number, STORE_DELIVERED), ACCORD_ESTATE);
        assert_int_equal(audit(&bench, "host", "agent-start"), ACCORD_ESTATE);
        assert_int_equal(state_of(&bench, id, 0), STORE_WAITING);
        bench_shut(&bench);
        delete_index(bench.folder);
    }
    bench.config.epoch = 3;
    reopen(&bench);
    assert_int_equal(settle(&bench, number, STORE_DELIVERED), 0);
    bench_close(&bench);
}

static void one_process_has_the_folder(void **state)
{
    struct bench bench;
    struct store *second;
    struct reason why = {""};
    (void)state;
    bench_open(&bench, "journal");
    assert_int_equal(store_open(&second, &bench.loop, &bench.config, NULL, &why), ACCORD_EBUSY);
    assert_non_null(strstr(why.text, "another process"));
    expect_usable(&bench);
    bench_close(&bench);
}

static void a_journal_of_another_format_is_not_touched(void **state)
{
    struct bench bench;
    struct reason why = {""};
    char path[PATH_MAX];
    uint8_t head[28];
    (void)state;
    bench_open(&bench, "journal");
    bench_shut(&bench);
    segment_path(bench.folder, 1, path, sizeof path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    head[16] = 2;
    /* CRC32C of the changed head, as the file would have it. */
    uint32_t crc = crc32c(0, head, 24);
    memcpy(head + 24, &crc, 4);
    assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
    close(fd);
    assert_int_equal(bench_reopen(&bench, &why), ACCORD_ENOTSUP);
    assert_non_null(strstr(why.text, "format 2"));
    folder_remove(bench.folder);
}

static void trail_positions_hold_across_a_restart(void **state)
{
    struct bench bench;
    struct buf lines = {0};
    struct store_trail trail = {.limit = 3, .lines = &lines};
    struct waited waited = {0}, again = {0}, more = {0};
    (void)state;
    bench_open(&bench, "journal");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(audit(&bench, "host", "agent-start"), 0);
    store_trail(bench.store, &trail, on_waited, &waited);
    assert_int_equal(wait_for(&bench, &waited), 0);
    assert_int_equal(trail.count, 3);
    bench_shut(&bench);
    reopen(&bench);
    buf_clear(&lines);
    trail.limit = 10;
    store_trail(bench.store, &trail, on_waited, &again);
    assert_int_equal(wait_for(&bench, &again), 0);
    assert_int_equal(trail.count, 2);
    assert_non_null(strstr(buf_string(&lines), "\"accord.sequence\":4,"));
    assert_int_equal(audit(&bench, "host", "agent-stop"), 0);
    buf_clear(&lines);
    store_trail(bench.store, &trail, on_waited, &more);
    assert_int_equal(wait_for(&bench, &more), 0);
    assert_int_equal(trail.count, 1);
    assert_non_null(strstr(buf_string(&lines), "agent-stop"));
    buf_fini(&lines);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_store_comes_back),
        cmocka_unit_test(a_deleted_index_is_made_anew),
        cmocka_unit_test(a_spoilt_index_is_made_anew),
        cmocka_unit_test(an_empty_or_foreign_index_is_made_anew),
        cmocka_unit_test(an_older_index_is_filled_up),
        cmocka_unit_test(a_cut_loses_only_what_was_behind_it),
        cmocka_unit_test(a_group_with_any_page_missing_never_was),
        cmocka_unit_test(a_flipped_bit_loses_only_the_record_it_hit),
        cmocka_unit_test(damage_is_counted_and_set_aside),
        cmocka_unit_test(the_index_vouches_for_the_last_group),
        cmocka_unit_test(one_damaged_record_spares_the_others_of_its_group),
        cmocka_unit_test(a_delivery_whose_message_is_lost_ends_dead),
        cmocka_unit_test(what_was_being_sent_waits_again),
        cmocka_unit_test(an_older_epoch_may_look_but_not_write),
        cmocka_unit_test(one_process_has_the_folder),
        cmocka_unit_test(a_journal_of_another_format_is_not_touched),
        cmocka_unit_test(trail_positions_hold_across_a_restart),
    };
    return cmocka_run_group_tests(tests, make_history, drop_history);
}
