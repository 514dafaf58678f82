/* What receiving over SFTP keeps in memory and in its cursor: bounded, in order, and whatever names a partner has. */
#include "connectors/sftp/found.h"
#include "connectors/sftp/mark.h"
#include "connectors/sftp/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY (86400 * INT64_C(1000))

static struct found *made(const char *path, uint32_t modified)
{
    struct found *found = found_new(path, 5, modified, true);
    assert_non_null(found);
    return found;
}

static void expect_next(struct queue *queue, const char *path)
{
    struct found *found = queue_next(queue);
    assert_non_null(found);
    assert_string_equal(found->path, path);
    free(found);
}

static void files_come_by_time_and_then_by_path(void **state)
{
    (void)state;
    struct queue queue = {0};
    const char *paths[] = {"d", "b", "a/x", "c"};
    const uint32_t times[] = {7, 3, 7, 3};
    for (int i = 0; i < 4; i++)
        queue_add(&queue, made(paths[i], times[i]));
    queue_sort(&queue);
    expect_next(&queue, "b");
    expect_next(&queue, "c");
    expect_next(&queue, "a/x");
    expect_next(&queue, "d");
    assert_null(queue_next(&queue));
    assert_false(queue.more);
}

static void a_hundred_thousand_files_leave_the_oldest(void **state)
{
    (void)state;
    struct queue queue = {0};
    char path[32];
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t mixed = i * 2654435761u % 1000003;
        snprintf(path, sizeof path, "f%u", mixed);
        queue_add(&queue, made(path, mixed));
    }
    assert_true(queue.more);
    assert_int_equal(queue.count, QUEUE_MOST);
    queue_sort(&queue);
    uint32_t before = 0;
    for (struct found *found; (found = queue_next(&queue)); free(found)) {
        assert_true(found->modified >= before);
        before = found->modified;
    }
    assert_true(before < 200000); /* of those up to a million */
}

static void long_paths_have_a_limit_of_their_own(void **state)
{
    (void)state;
    struct queue queue = {0};
    char path[2048];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        path[0] = (char)('a' + i % 26);
        queue_add(&queue, made(path, i));
    }
    assert_true(queue.bytes <= QUEUE_BYTES && queue.more);
    queue_sort(&queue);
    queue_fini(&queue);
}

static void paths_that_are_gone_are_forgotten(void **state)
{
    (void)state;
    struct seen_table table = {0};
    for (uint64_t key = 1; key <= 1000; key++)
        seen_add(&table, key * 64)->pass = (uint32_t)(1 + key % 2);
    seen_find(&table, 2 * 64)->state = SEEN_BUSY;
    assert_null(seen_find(&table, 63));
    seen_sweep(&table, 2);
    assert_int_equal(table.count, 501);
    assert_non_null(seen_find(&table, 64));
    assert_null(seen_find(&table, 4 * 64));
    assert_non_null(seen_find(&table, 2 * 64)); /* busy */
    seen_fini(&table);
}

static void paths_have_a_bound(void **state)
{
    (void)state;
    struct seen_table table = {0};
    for (uint64_t key = 1; key <= SEEN_MOST; key++)
        assert_non_null(seen_add(&table, key));
    assert_null(seen_add(&table, SEEN_MOST + 1));
    assert_non_null(seen_find(&table, SEEN_MOST));
    seen_fini(&table);
}

static void cursor_names_what_was_taken(void **state)
{
    (void)state;
    struct mark mark = {0}, read;
    char text[ACCORD_CURSOR_MAX], path[32];
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "file %u", i);
        struct found *found = made(path, 5000000 + i);
        assert_false(mark_has(&mark, found, DAY));
        mark_add(&mark, found);
        mark_write(&mark, text);
        assert_true(mark_read(&read, text));
        assert_true(mark_has(&read, found, DAY));
        free(found);
    }
    assert_true(strlen(text) > 400);
    struct found *newest = made("file 99", 5000099), *lost = made("file 3", 5000003),
                 *old = made("x", 5000099 - 86401);
    assert_false(mark_has(&read, lost, DAY)); /* it is offered again, and known as a repeat */
    assert_true(mark_has(&read, lost, 1000)); /* further back than that */
    assert_true(mark_has(&read, old, DAY));
    mark_remove(&read, newest);
    assert_false(mark_has(&read, newest, DAY));
    mark_write(&read, text);
    assert_true(mark_read(&mark, text));
    free(newest), free(lost), free(old);
}

static void a_cursor_that_is_none_of_ours_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"2 1",
                                      "1",
                                      "1 ",
                                      "1 x",
                                      "1 5 short",
                                      "1 5 AAAAAAAAAAA ",
                                      "1 99999999999",
                                      "1 5 AAAAAAAAA\n0",
                                      "1 5  AAAAAAAAAAA",
                                      "1 -1"};
    struct mark mark;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(mark_read(&mark, bad[i]));
        assert_false(mark.any);
    }
    assert_true(mark_read(&mark, ""));
    assert_true(mark_read(&mark, "1 5 AAAAAAAAAAA"));
}

static void names_become_lines_of_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"plain.xml", "plain.xml"},   {"a\nb\x7f", "a?b?"},    {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xff\xfe", "??"},           {"\xc0\xaf", "??"},      {"\xed\xa0\x80", "???"},
        {"\xc2\x85", "??"}, /* a control character */
        {"\xf4\x90\x80\x80", "????"}, {"cut\xe2\x82", "cut??"}};
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        found_text(cases[i][0], text, sizeof text);
        assert_string_equal(text, cases[i][1]);
    }
    found_text("the end of it is what counts: \xc3\xa9nd", text, 4);
    assert_string_equal(text, "nd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_by_time_and_then_by_path),
        cmocka_unit_test(a_hundred_thousand_files_leave_the_oldest),
        cmocka_unit_test(long_paths_have_a_limit_of_their_own),
        cmocka_unit_test(paths_that_are_gone_are_forgotten),
        cmocka_unit_test(paths_have_a_bound),
        cmocka_unit_test(cursor_names_what_was_taken),
        cmocka_unit_test(a_cursor_that_is_none_of_ours_is_told),
        cmocka_unit_test(names_become_lines_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
