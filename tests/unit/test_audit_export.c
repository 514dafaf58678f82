/* The export: every line once, in the file of its day, whatever moment the process dies at. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "audit/export.h"
#include "trail.h"
#include "util/log.h"

#include <cmocka.h> /* last: its fail() is a macro */

static struct export *open_export(void (*fault)(const char *))
{
    struct export *export = NULL;
    struct reason why = {0};
    if (export_open(&export, &(struct export_config){.folder = trail_folder, .fault = fault}, &why))
        fail_msg("%s", why.text);
    return export;
}

static void append(struct export *export, const struct buf *lines, uint64_t position)
{
    struct reason why = {0};
    if (export_append(export, lines->data, lines->size, position, &why))
        fail_msg("%s", why.text);
}

static void assert_file(const char *below, const void *bytes, size_t size)
{
    struct buf file = trail_file(below);
    if (file.size != size || memcmp(file.data, bytes, size) != 0)
        fail_msg("%s has %zu bytes, not the %zu expected:\n%.*s", below, file.size, size, (int)file.size,
                 file.data ? (char *)file.data : "");
    buf_fini(&file);
}

static void lines_go_to_their_chain_and_day(void **state)
{
    (void)state;
    struct buf host = {0}, monday = {0}, tuesday = {0}, all = {0};
    struct audit_head host_head = {0}, head = {0};
    trail_add(&host, "host", &host_head, NOON);
    trail_add(&monday, "cbp-isa", &head, NOON + DAY / 2 - 1);
    trail_add(&tuesday, "cbp-isa", &head, NOON + DAY / 2);
    buf_put(&all, host.data, host.size);
    buf_put(&all, monday.data, monday.size);
    buf_put(&all, tuesday.data, tuesday.size);
    struct export *export = open_export(NULL);
    assert_int_equal(export_position(export), 0);
    append(export, &all, 42);
    assert_int_equal(export_position(export), 42);
    assert_int_equal(export_unreadable(export), 0);
    export_close(export);
    assert_file("host/2025-03-14.jsonl", host.data, host.size);
    assert_file("cbp-isa/2025-03-14.jsonl", monday.data, monday.size);
    assert_file("cbp-isa/2025-03-15.jsonl", tuesday.data, tuesday.size);
    export = open_export(NULL);
    assert_int_equal(export_position(export), 42);
    export_close(export);
    buf_fini(&host);
    buf_fini(&monday);
    buf_fini(&tuesday);
    buf_fini(&all);
}

static void lines_that_are_there_are_not_written_twice(void **state)
{
    (void)state;
    struct buf first = {0}, all = {0};
    struct audit_head head = {0};
    for (int i = 0; i < 5; i++)
        trail_add(&all, "cbp-isa", &head, NOON);
    buf_put(&first, all.data, all.size);
    for (int i = 0; i < 5; i++)
        trail_add(&all, "cbp-isa", &head, NOON);
    struct export *export = open_export(NULL);
    append(export, &first, 5);
    append(export, &first, 5);
    append(export, &all, 10);
    export_close(export);
    export = open_export(NULL);
    append(export, &all, 10);
    export_close(export);
    assert_file("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    buf_fini(&first);
    buf_fini(&all);
}

static void die(const char *point)
{
    if (!strcmp(point, "export"))
        kill(getpid(), SIGKILL);
}

/* Between the data and the position: the lines are there, the position does not say so. */
static void a_kill_between_data_and_position_writes_nothing_twice(void **state)
{
    (void)state;
    struct buf first = {0}, second = {0}, all = {0}, third = {0};
    struct audit_head head = {0};
    for (int i = 0; i < 3; i++)
        trail_add(&first, "cbp-isa", &head, NOON);
    for (int i = 0; i < 6; i++)
        trail_add(&second, "cbp-isa", &head, NOON + (i % 2) * DAY);
    for (int i = 0; i < 2; i++)
        trail_add(&third, "cbp-isa", &head, NOON + DAY);
    struct export *export = open_export(NULL);
    append(export, &first, 3);
    export_close(export);
    pid_t child = fork();
    if (child == 0) {
        export_append(open_export(die), second.data, second.size, 9, NULL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct buf before = trail_file("cbp-isa/2025-03-15.jsonl");
    assert_true(before.size > 0);

    /* Offered again in two parts, with another death in between. */
    export = open_export(NULL);
    assert_int_equal(export_position(export), 3);
    size_t half = 0;
    for (int lines = 0; lines < 3; half++)
        lines += second.data[half] == '\n';
    assert_int_equal(export_append(export, second.data, half, 6, NULL), 0);
    export_close(export);
    export = open_export(NULL);
    assert_int_equal(export_position(export), 6);
    assert_int_equal(export_append(export, second.data + half, second.size - half, 9, NULL), 0);
    append(export, &third, 11);
    export_close(export);

    struct buf day1 = trail_file("cbp-isa/2025-03-14.jsonl"), day2 = trail_file("cbp-isa/2025-03-15.jsonl");
    assert_int_equal(day1.size + day2.size, first.size + second.size + third.size);
    assert_int_equal(day2.size, before.size + third.size);
    buf_fini(&before);
    buf_fini(&day1);
    buf_fini(&day2);
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&third);
    buf_fini(&all);
}

/* Cut at every byte of what the position does not count: the result is always the same. */
static void a_half_line_is_cut_off_wherever_it_ends(void **state)
{
    (void)state;
    struct buf first = {0}, all = {0};
    struct audit_head head = {0};
    trail_add(&all, "cbp-isa", &head, NOON);
    buf_put(&first, all.data, all.size);
    trail_add(&all, "cbp-isa", &head, NOON);
    trail_add(&all, "cbp-isa", &head, NOON);
    struct export *export = open_export(NULL);
    append(export, &first, 1);
    export_close(export);
    struct buf position = trail_file("export.position");
    for (size_t size = first.size; size <= all.size; size += 37) {
        trail_write("cbp-isa/2025-03-14.jsonl", all.data, size);
        trail_write("export.position", position.data, position.size);
        export = open_export(NULL);
        append(export, &all, 3);
        export_close(export);
        assert_file("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    }
    buf_fini(&position);
    buf_fini(&first);
    buf_fini(&all);
}

/* A file that the position does not name yet: the first ever, or that of a new day. */
static void a_half_line_in_a_new_file_is_cut_off(void **state)
{
    (void)state;
    struct buf all = {0};
    struct audit_head head = {0};
    char path[128];
    trail_add(&all, "cbp-isa", &head, NOON);
    trail_add(&all, "cbp-isa", &head, NOON);
    snprintf(path, sizeof path, "%s/cbp-isa", trail_folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t size = 1; size < all.size; size += 61) {
        char position[128];
        trail_write("cbp-isa/2025-03-14.jsonl", all.data, size);
        snprintf(position, sizeof position, "%s/export.position", trail_folder);
        unlink(position);
        struct export *export = open_export(NULL);
        append(export, &all, 2);
        export_close(export);
        assert_file("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    }
    buf_fini(&all);
}

/* Evidence of a change is for the verifier to name: the export must not tidy it away. */
static void a_changed_line_of_the_past_is_left_alone(void **state)
{
    (void)state;
    struct buf all = {0}, more = {0};
    struct audit_head head = {0};
    trail_add(&all, "cbp-isa", &head, NOON);
    trail_add(&more, "cbp-isa", &head, NOON + DAY);
    struct export *export = open_export(NULL);
    append(export, &all, 1);
    append(export, &more, 2);
    export_close(export);
    all.data[20] ^= 1;
    trail_write("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    export_close(open_export(NULL));
    assert_file("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    buf_fini(&all);
    buf_fini(&more);
}

static void an_unsealed_line_is_set_aside_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct buf all = {0}, good = {0};
    struct audit_head head = {0};
    trail_add(&good, "cbp-isa", &head, NOON);
    buf_text(&all, "nonsense\n");
    buf_put(&all, good.data, good.size);
    struct export *export = open_export(NULL);
    append(export, &all, 2);
    assert_int_equal(export_unreadable(export), 1);
    export_close(export);
    assert_file("unreadable.txt", "nonsense\n", 9);
    assert_file("cbp-isa/2025-03-14.jsonl", good.data, good.size);
    buf_fini(&all);
    buf_fini(&good);
}

static void a_broken_position_is_refused_with_what_to_do(void **state)
{
    (void)state;
    const char *broken[] = {"", "accord-audit-export 2\nposition 1\n", "accord-audit-export 1\nposition x\n",
                            "accord-audit-export 1\nposition 1\nchain ../x 1 2025-03-14 5\n",
                            "accord-audit-export 1\nposition 1\nchain x 1 2025-03-14 -5\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct export *export = NULL;
        struct reason why;
        trail_write("export.position", broken[i], strlen(broken[i]));
        assert_int_equal(export_open(&export, &(struct export_config){.folder = trail_folder}, &why),
                         ACCORD_EFORMAT);
        assert_non_null(strstr(why.text, "remove it"));
    }
}

/* A full disk, played by the file size limit: the call fails, nothing counts, and it goes on afterwards. */
static void a_full_disk_fails_the_batch_and_the_next_try_is_whole(void **state)
{
    (void)state;
    struct buf first = {0}, all = {0};
    struct audit_head head = {0};
    struct reason why;
    trail_add(&all, "cbp-isa", &head, NOON);
    buf_put(&first, all.data, all.size);
    for (int i = 0; i < 50; i++)
        trail_add(&all, "cbp-isa", &head, NOON);
    struct export *export = open_export(NULL);
    append(export, &first, 1);
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){.rlim_cur = first.size + 1000, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int result = export_append(export, all.data, all.size, 51, &why);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_true(result < 0);
    assert_int_equal(export_position(export), 1);
    assert_file("cbp-isa/2025-03-14.jsonl", first.data, first.size);
    append(export, &all, 51);
    export_close(export);
    assert_file("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    buf_fini(&first);
    buf_fini(&all);
}

/* The lines are safe, but the position cannot be written: they must be neither lost nor doubled. */
static void a_position_that_cannot_be_written_loses_nothing(void **state)
{
    (void)state;
    struct buf first = {0}, all = {0};
    struct audit_head head = {0};
    char blocker[128];
    trail_add(&all, "cbp-isa", &head, NOON);
    buf_put(&first, all.data, all.size);
    trail_add(&all, "cbp-isa", &head, NOON);
    struct export *export = open_export(NULL);
    append(export, &first, 1);
    snprintf(blocker, sizeof blocker, "%s/export.position.new", trail_folder);
    assert_int_equal(mkdir(blocker, 0700), 0);
    assert_true(export_append(export, all.data, all.size, 2, NULL) < 0);
    assert_int_equal(rmdir(blocker), 0);
    append(export, &all, 2);
    assert_int_equal(export_position(export), 2);
    export_close(export);
    assert_file("cbp-isa/2025-03-14.jsonl", all.data, all.size);
    buf_fini(&first);
    buf_fini(&all);
}

/* 300 days in one batch: more files than are kept open at a time. */
static void many_days_in_one_batch(void **state)
{
    (void)state;
    struct buf all = {0};
    struct audit_head head = {0};
    for (int i = 0; i < 300; i++)
        trail_add(&all, "cbp-isa", &head, NOON + i * DAY);
    struct export *export = open_export(NULL);
    append(export, &all, 300);
    export_close(export);
    export = open_export(NULL);
    append(export, &all, 300);
    export_close(export);
    struct buf last = trail_file("cbp-isa/2026-01-07.jsonl");
    assert_true(last.size > 0);
    assert_memory_equal(last.data, all.data + all.size - last.size, last.size);
    buf_fini(&last);
    buf_fini(&all);
}

/* By turns, two chains' lines: more pieces of each file than one call of the system takes. */
static void lines_of_two_chains_by_turns(void **state)
{
    (void)state;
    struct buf chains[2] = {0}, all = {0};
    struct audit_head heads[2] = {0};
    for (int i = 0; i < 5000; i++) {
        struct buf *lines = &chains[i % 2];
        size_t before = lines->size;
        trail_add(lines, i % 2 ? "west" : "east", &heads[i % 2], NOON);
        buf_put(&all, lines->data + before, lines->size - before);
    }
    struct export *export = open_export(NULL);
    all.size--; /* the last newline is not given, and stands in the file all the same */
    append(export, &all, 5000);
    assert_int_equal(export_unreadable(export), 0);
    export_close(export);
    assert_file("east/2025-03-14.jsonl", chains[0].data, chains[0].size);
    assert_file("west/2025-03-14.jsonl", chains[1].data, chains[1].size);
    buf_fini(&chains[0]);
    buf_fini(&chains[1]);
    buf_fini(&all);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, trail_folder_make, trail_folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(lines_go_to_their_chain_and_day),
        in_folder(lines_that_are_there_are_not_written_twice),
        in_folder(a_kill_between_data_and_position_writes_nothing_twice),
        in_folder(a_half_line_is_cut_off_wherever_it_ends),
        in_folder(a_half_line_in_a_new_file_is_cut_off),
        in_folder(a_changed_line_of_the_past_is_left_alone),
        in_folder(an_unsealed_line_is_set_aside_and_the_rest_goes_on),
        in_folder(a_broken_position_is_refused_with_what_to_do),
        in_folder(a_full_disk_fails_the_batch_and_the_next_try_is_whole),
        in_folder(a_position_that_cannot_be_written_loses_nothing),
        in_folder(many_days_in_one_batch),
        in_folder(lines_of_two_chains_by_turns),
    };
    log_setup("test", ACCORD_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
