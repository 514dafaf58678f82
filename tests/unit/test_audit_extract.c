/* Copying a trail that is being written: up to one moment's head, whole lines, as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/extract.h"
#include "trail.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define RECORDS 6 /* three on each of two days */

static struct audit_head heads[RECORDS + 1]; /* after so many records */
static size_t ends[RECORDS + 1];             /* of each record, in its day's file */
static struct extract_summary summary;
static struct reason why;

static void make_day(const char *below, size_t from, size_t to, const char *more)
{
    struct buf lines = {0};
    for (size_t i = from; i < to; i++) {
        heads[i + 1] = heads[i];
        trail_add(&lines, "isa", &heads[i + 1], NOON + (i < RECORDS / 2 ? 0 : DAY));
        ends[i + 1] = lines.size;
    }
    buf_text(&lines, more);
    trail_write(below, lines.data, lines.size);
    buf_fini(&lines);
}

static int make_trail(void **state)
{
    char path[96];
    if (trail_folder_make(state))
        return -1;
    for (const char *const *name = (const char *const[]){"audit", "audit/isa", "copy", NULL}; *name; name++) {
        snprintf(path, sizeof path, "%s/%s", trail_folder, *name);
        if (mkdir(path, 0700) < 0)
            return -1;
    }
    make_day("audit/isa/2025-03-14.jsonl", 0, RECORDS / 2, "");
    make_day("audit/isa/2025-03-15.jsonl", RECORDS / 2, RECORDS, "{\"@timestamp\":\"2025-03-15T12:0");
    return 0;
}

static int extract(const struct audit_head *head)
{
    char trail[96], copy[96];
    snprintf(trail, sizeof trail, "%s/audit", trail_folder);
    snprintf(copy, sizeof copy, "%s/copy", trail_folder);
    summary = (struct extract_summary){0};
    return extract_chain(trail, copy, "isa", head, &summary, &why);
}

/* The copy of a day holds these first bytes of the original, and nothing more; none: it is not there. */
static void assert_copied(const char *date, size_t size)
{
    char from[64], to[64];
    snprintf(from, sizeof from, "audit/isa/%s.jsonl", date);
    snprintf(to, sizeof to, "copy/isa/%s.jsonl", date);
    struct buf original = trail_file(from), copy = trail_file(to);
    assert_int_equal(copy.size, size);
    assert_true(original.size >= size);
    if (size)
        assert_memory_equal(copy.data, original.data, size);
    buf_fini(&original);
    buf_fini(&copy);
}

static void ends_at_the_head(void **state)
{
    (void)state;
    assert_int_equal(extract(&heads[4]), 0);
    assert_copied("2025-03-14", ends[3]);
    assert_copied("2025-03-15", ends[4]);
    assert_int_equal(summary.records, 4);
    assert_int_equal(summary.missing, 0);
    assert_int_equal(summary.chains, 1);
    assert_string_equal(summary.from, "2025-03-14T12:00:00.000000Z");
    assert_string_equal(summary.to, "2025-03-15T12:00:00.000000Z");
}

static void leaves_out_a_day_that_began_later(void **state)
{
    (void)state;
    assert_int_equal(extract(&heads[3]), 0);
    assert_copied("2025-03-14", ends[3]);
    assert_copied("2025-03-15", 0);
    assert_int_equal(summary.files, 1);
}

static void takes_whole_lines_without_a_head(void **state)
{
    (void)state;
    assert_int_equal(extract(NULL), 0);
    assert_copied("2025-03-15", ends[RECORDS]);
    assert_int_equal(summary.records, RECORDS);
}

static void refuses_a_chain_that_ends_before_its_head(void **state)
{
    (void)state;
    struct audit_head later = {.sequence = RECORDS + 1};
    assert_int_equal(extract(&later), ACCORD_EFORMAT);
    assert_non_null(strstr(why.text, "ends with record 6"));
}

static void copies_damaged_lines_as_they_are(void **state)
{
    (void)state;
    struct buf file = trail_file("audit/isa/2025-03-14.jsonl");
    ((char *)file.data)[ends[2] + 20] ^= 1;
    trail_write("audit/isa/2025-03-14.jsonl", file.data, file.size);
    buf_fini(&file);
    assert_int_equal(extract(&heads[RECORDS]), 0);
    assert_copied("2025-03-14", ends[3]);
    assert_int_equal(summary.records, RECORDS - 1);
    assert_int_equal(summary.missing, 1);
}

static void counts_what_is_missing_between(void **state)
{
    (void)state;
    struct buf file = trail_file("audit/isa/2025-03-14.jsonl");
    trail_write("audit/isa/2025-03-14.jsonl", file.data, ends[1]);
    buf_fini(&file);
    assert_int_equal(extract(&heads[RECORDS]), 0);
    assert_int_equal(summary.records, RECORDS - 2);
    assert_int_equal(summary.missing, 2);
}

/* Of a chain whose old days are gone to the archive. */
static void a_chain_may_begin_later(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/audit/isa/2025-03-14.jsonl", trail_folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(extract(&heads[RECORDS]), 0);
    assert_int_equal(summary.records, RECORDS / 2);
    assert_int_equal(summary.missing, 0);
}

static void a_chain_without_records_is_left_out(void **state)
{
    (void)state;
    char path[96];
    assert_int_equal(extract(&heads[0]), 0);
    assert_int_equal(summary.chains, 0);
    snprintf(path, sizeof path, "%s/copy/isa", trail_folder);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_trail, trail_folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(ends_at_the_head),
        TEST(leaves_out_a_day_that_began_later),
        TEST(takes_whole_lines_without_a_head),
        TEST(refuses_a_chain_that_ends_before_its_head),
        TEST(copies_damaged_lines_as_they_are),
        TEST(counts_what_is_missing_between),
        TEST(a_chain_may_begin_later),
        TEST(a_chain_without_records_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
