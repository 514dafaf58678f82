/* The journal read again: after a close, a lost or spoilt index, by another epoch. */
#include "journal_files.h"
#include "store/crc.h"
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Shared with the child that is killed. */
struct told {
    char waiting[ACCORD_ID_MAX], sending[ACCORD_ID_MAX], delivered[ACCORD_ID_MAX];
    volatile bool told; /* all was acknowledged */
};

static void admit_as_sending(struct bench *bench, const char *source_id, char id[ACCORD_ID_MAX],
                             uint64_t *number)
{
    struct letter letter;
    letter_init(&letter, bench, source_id, source_id, strlen(source_id));
    letter.deliveries[0].state = STORE_SENDING;
    assert_int_equal(admit(bench, &letter), 0);
    memcpy(id, letter.id.text, ACCORD_ID_MAX);
    *number = letter.deliveries[0].number;
    letter_fini(&letter);
}

static struct told *being_told;

static void killed_before_the_index_is_written(const char *point)
{
    if (!strcmp(point, "index") && being_told->told)
        raise(SIGKILL);
}

/* The index is written in a pause, or before something is forgotten: until then nothing of this is in its file. */
static void be_killed(struct bench *bench, struct told *told)
{
    uint64_t number;
    being_told = told;
    bench->config.fault = killed_before_the_index_is_written;
    if (bench_reopen(bench, NULL))
        _exit(1);
    admit_small(bench, "waiting", told->waiting);
    admit_as_sending(bench, "sending", told->sending, &number);
    admit_as_sending(bench, "delivered", told->delivered, &number);
    if (settle(bench, number, STORE_DELIVERED))
        _exit(1);
    told->told = true;
    struct store_retention all = {.settled_before = INT64_MAX};
    retain(bench, &all);
    _exit(1);
}

static void what_the_index_had_not_got_yet_is_there_after_a_kill(void **state)
{
    struct bench bench;
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct letter again;
    int status;
    (void)state;
    bench_open(&bench, "journal");
    bench_shut(&bench);
    pid_t child = fork();
    if (!child)
        be_killed(&bench, told);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(told->told);
    reopen(&bench);
    assert_int_equal(state_of(&bench, told->waiting, 0), STORE_WAITING);
    assert_int_equal(state_of(&bench, told->sending, 0), STORE_WAITING);
    assert_int_equal(state_of(&bench, told->delivered, 0), STORE_DELIVERED);
    letter_init(&again, &bench, "sending", "sending", 7);
    again.admission.duplicate_horizon = (int64_t)3600 * 1000000;
    assert_int_equal(admit(&bench, &again), 0);
    assert_true(again.admission.repeat);
    assert_string_equal(again.admission.repeated, told->sending);
    letter_fini(&again);
    bench_close(&bench);
    munmap(told, sizeof *told);
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
    head[16] = SEGMENT_VERSION + 1;
    /* CRC32C of the changed head, as the file would have it. */
    uint32_t crc = crc32c(0, head, 24);
    memcpy(head + 24, &crc, 4);
    assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
    close(fd);
    assert_int_equal(bench_reopen(&bench, &why), ACCORD_ENOTSUP);
    assert_non_null(strstr(why.text, "format 4"));
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
        cmocka_unit_test(what_was_being_sent_waits_again),
        cmocka_unit_test(what_the_index_had_not_got_yet_is_there_after_a_kill),
        cmocka_unit_test(an_older_epoch_may_look_but_not_write),
        cmocka_unit_test(one_process_has_the_folder),
        cmocka_unit_test(a_journal_of_another_format_is_not_touched),
        cmocka_unit_test(trail_positions_hold_across_a_restart),
    };
    return cmocka_run_group_tests(tests, make_history, drop_history);
}
