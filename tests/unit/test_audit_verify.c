/* The verifier: whatever is done to an exported trail, it says so and names the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/export.h"
#include "audit/verify.h"
#include "trail.h"

#include <cmocka.h> /* last: its fail() is a macro */

#define RECORDS 12 /* of the chain cbp-isa: six on each of two days */
#define DAY1    "cbp-isa/2025-03-14.jsonl"
#define DAY2    "cbp-isa/2025-03-15.jsonl"

static char keys[64];
static struct anchor_key *key;
static struct audit_chain_head heads[2];

/* ---- what was reported ---- */

static struct {
    size_t count;
    struct {
        enum verify_fault fault;
        char file[64], text[ACCORD_REASON_MAX];
        uint64_t line;
    } problems[64];
    struct verify_summary summary;
} seen;

static void note(void *arg, const struct verify_problem *problem)
{
    (void)arg;
    if (seen.count == 64)
        return;
    seen.problems[seen.count].fault = problem->fault;
    seen.problems[seen.count].line = problem->line;
    snprintf(seen.problems[seen.count].file, 64, "%s", problem->file);
    snprintf(seen.problems[seen.count].text, ACCORD_REASON_MAX, "%s", problem->text);
    seen.count++;
}

/* What the store says when it is asked again; none: it has ended. */
static struct audit_chain_head fresh_head;

static const struct audit_chain_head *heads_now(void *arg, size_t *count)
{
    (void)arg;
    *count = fresh_head.chain ? 1 : 0;
    return &fresh_head;
}

static void verify_with(const struct anchor_key *with, const struct audit_chain_head *known, size_t count)
{
    struct reason why = {0};
    struct verify_options options = {.folder = trail_folder,
                                     .key = with,
                                     .heads = known,
                                     .head_count = count,
                                     .heads_now = heads_now,
                                     .report = note};
    seen.count = 0;
    if (verify_trail(&options, &seen.summary, &why))
        fail_msg("%s", why.text);
    assert_int_equal(seen.summary.problems, seen.count);
}

static void verify(void)
{
    verify_with(key, heads, 2);
}

static bool reported(enum verify_fault fault, const char *file, uint64_t line)
{
    for (size_t i = 0; i < seen.count; i++)
        if (seen.problems[i].fault == fault && !strcmp(seen.problems[i].file, file) &&
            seen.problems[i].line == line)
            return true;
    return false;
}

static void assert_reported(enum verify_fault fault, const char *file, uint64_t line)
{
    if (reported(fault, file, line))
        return;
    for (size_t i = 0; i < seen.count; i++)
        print_message("%s:%d: %s: %s\n", seen.problems[i].file, (int)seen.problems[i].line,
                      verify_fault_name(seen.problems[i].fault), seen.problems[i].text);
    fail_msg("not reported: %s:%d: %s", file, (int)line, verify_fault_name(fault));
}

static void assert_only(enum verify_fault fault, const char *file, uint64_t line)
{
    assert_reported(fault, file, line);
    assert_int_equal(seen.count, 1);
}

/* ---- a trail ---- */

static void add_anchor(struct buf *lines, struct audit_head *host, const struct audit_head *head,
                       int64_t time, const struct anchor_key *with)
{
    struct audit_chain_head named[] = {{"host", *host}, {"cbp-isa", *head}};
    struct anchor anchor;
    struct audit_event event;
    if (anchor_make(&anchor, with, named, 2, time, &event, NULL))
        abort();
    trail_seal(lines, &event, "host", host);
    anchor_fini(&anchor);
}

static void export_lines(const struct buf *lines)
{
    struct export *export;
    if (export_open(&export, &(struct export_config){.folder = trail_folder}, NULL) ||
        export_append(export, lines->data, lines->size, export_position(export) + 1, NULL))
        abort();
    export_close(export);
}

/* An anchor after record 4 and one after record 10, so that two records at the end are not anchored. */
static int make_trail(void **state)
{
    struct buf lines = {0};
    struct audit_head host = {0}, head = {0};
    if (trail_folder_make(state))
        return -1;
    trail_add(&lines, "host", &host, NOON);
    for (int i = 0; i < RECORDS; i++) {
        int64_t time = NOON + (i < RECORDS / 2 ? 0 : DAY);
        trail_add(&lines, "cbp-isa", &head, time);
        if (i == 3 || i == 9)
            add_anchor(&lines, &host, &head, time, key);
    }
    heads[0] = (struct audit_chain_head){"host", host};
    heads[1] = (struct audit_chain_head){"cbp-isa", head};
    export_lines(&lines);
    buf_fini(&lines);
    return 0;
}

static int make_key(void **state)
{
    (void)state;
    strcpy(keys, "/tmp/accord-keys-XXXXXX");
    return mkdtemp(keys) ? anchor_key_open(&key, keys, NULL) : -1;
}

static int remove_key(void **state)
{
    (void)state;
    anchor_key_close(key);
    trail_remove_tree(AT_FDCWD, keys);
    return 0;
}

/* Line n of a file, from 1, its newline included. */
static char *line_of(const struct buf *file, uint64_t n, size_t *size)
{
    char *at = (char *)file->data;
    while (--n)
        at = strchr(at, '\n') + 1;
    *size = (size_t)(strchr(at, '\n') + 1 - at);
    return at;
}

/* Writes the file again with line `n` replaced by these bytes. */
static void replace_line(const char *below, uint64_t n, const void *bytes, size_t size)
{
    struct buf file = trail_file(below), other = {0};
    size_t old;
    buf_string(&file);
    const char *line = line_of(&file, n, &old);
    size_t before = (size_t)(line - (char *)file.data);
    buf_put(&other, file.data, before);
    buf_put(&other, bytes, size);
    buf_put(&other, line + old, file.size - before - old);
    trail_write(below, other.data, other.size);
    buf_fini(&file);
    buf_fini(&other);
}

/* ---- tests ---- */

static void a_good_trail_has_no_problems(void **state)
{
    (void)state;
    verify();
    assert_int_equal(seen.count, 0);
    assert_int_equal(seen.summary.chains, 2);
    assert_int_equal(seen.summary.files, 4);
    assert_int_equal(seen.summary.records, RECORDS + 3);
    assert_int_equal(seen.summary.anchors, 2);
}

/* Every byte of the file, the newlines too: the line that holds it is named as changed. */
static void any_byte_changed_is_named(void **state)
{
    (void)state;
    const char *files[] = {DAY1, "host/2025-03-14.jsonl"};
    for (size_t f = 0; f < 2; f++) {
        struct buf file = trail_file(files[f]);
        uint64_t line = 1;
        for (size_t i = 0; i < file.size; i++) {
            uint8_t kept = file.data[i];
            bool newline = kept == '\n';
            if (!newline && i > 500 && i % 5) /* later not each one, but every kind */
                continue;
            file.data[i] = kept ^ (uint8_t)(1 + i % 7);
            trail_write(files[f], file.data, file.size);
            verify();
            if (!reported(VERIFY_CHANGED, files[f], line))
                fail_msg("%s, byte %zu (line %d): not named", files[f], i, (int)line);
            file.data[i] = kept;
            line += newline;
        }
        trail_write(files[f], file.data, file.size);
        buf_fini(&file);
    }
    verify();
    assert_int_equal(seen.count, 0);
}

static void any_line_cut_is_named(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 6; n++) {
        struct buf file = trail_file(DAY1);
        replace_line(DAY1, n, "", 0);
        verify();
        /* The line that now stands in its place; for the last one, the first line of the next day. */
        if (n < 6)
            assert_only(VERIFY_MISSING, DAY1, n);
        else
            assert_only(VERIFY_MISSING, DAY2, 1);
        trail_write(DAY1, file.data, file.size);
        buf_fini(&file);
    }
}

static void a_whole_day_cut_is_named(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", trail_folder, DAY1);
    unlink(path);
    verify();
    assert_only(VERIFY_MISSING, DAY2, 1);
    assert_non_null(strstr(seen.problems[0].text, "6 records are missing before this line, from 1 to 6"));
}

static void any_two_lines_swapped_are_named(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 6; n++) {
        struct buf file = trail_file(DAY1), pair = {0};
        size_t one, two;
        buf_string(&file);
        const char *first = line_of(&file, n, &one), *second = line_of(&file, n + 1, &two);
        buf_put(&pair, file.data, (size_t)(first - (char *)file.data));
        buf_put(&pair, second, two);
        buf_put(&pair, first, one);
        buf_put(&pair, second + two, file.size - pair.size);
        trail_write(DAY1, pair.data, pair.size);
        verify();
        assert_only(VERIFY_SWAPPED, DAY1, n + 1);
        trail_write(DAY1, file.data, file.size);
        buf_fini(&file);
        buf_fini(&pair);
    }
}

static void a_line_in_the_file_of_another_day_is_named(void **state)
{
    (void)state;
    struct buf file = trail_file(DAY1), other = trail_file(DAY2), moved = {0};
    size_t size;
    buf_string(&file);
    const char *last = line_of(&file, 6, &size);
    buf_put(&moved, last, size);
    buf_put(&moved, other.data, other.size);
    trail_write(DAY1, file.data, file.size - size);
    trail_write(DAY2, moved.data, moved.size);
    verify();
    assert_only(VERIFY_SWAPPED, DAY2, 1);
    buf_fini(&file);
    buf_fini(&other);
    buf_fini(&moved);
}

static void a_line_of_another_chain_is_named(void **state)
{
    (void)state;
    struct buf file = trail_file("host/2025-03-14.jsonl"), mixed = trail_file(DAY1);
    size_t size;
    buf_string(&file);
    const char *line = line_of(&file, 1, &size);
    buf_put(&mixed, line, size);
    trail_write(DAY1, mixed.data, mixed.size);
    verify();
    assert_only(VERIFY_SWAPPED, DAY1, 7);
    buf_fini(&file);
    buf_fini(&mixed);
}

static void a_line_that_stands_twice_is_named(void **state)
{
    (void)state;
    struct buf file = trail_file(DAY1), twice = {0};
    size_t size;
    buf_string(&file);
    const char *line = line_of(&file, 3, &size);
    buf_put(&twice, line, size);
    buf_put(&twice, line, size);
    replace_line(DAY1, 3, twice.data, twice.size);
    verify();
    assert_only(VERIFY_DUPLICATED, DAY1, 4);
    buf_fini(&file);
    buf_fini(&twice);
}

static void a_tail_cut_shows_against_the_store(void **state)
{
    (void)state;
    replace_line(DAY2, 6, "", 0);
    verify();
    assert_only(VERIFY_CUT, DAY2, 0);
    assert_non_null(strstr(seen.problems[0].text, "ends with record 11, but the store knows record 12"));
}

static void a_tail_cut_shows_against_an_anchor_when_the_store_is_not_asked(void **state)
{
    (void)state;
    for (uint64_t n = 6; n >= 4; n--)
        replace_line(DAY2, n, "", 0);
    verify_with(key, NULL, 0);
    assert_only(VERIFY_CUT, DAY2, 0);
    assert_non_null(strstr(seen.problems[0].text, "the anchor at host/2025-03-15.jsonl:1 knows record 10"));
}

static void a_half_last_line_is_named(void **state)
{
    (void)state;
    struct buf file = trail_file(DAY2);
    for (size_t cut = 1; cut < 40; cut += 9) {
        trail_write(DAY2, file.data, file.size - cut);
        verify();
        assert_only(VERIFY_CHANGED, DAY2, 6);
    }
    buf_fini(&file);
}

static void a_chain_removed_altogether_is_named(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/cbp-isa", trail_folder);
    trail_remove_tree(AT_FDCWD, path);
    verify();
    assert_only(VERIFY_CUT, "cbp-isa", 0);
    verify_with(key, NULL, 0);
    assert_only(VERIFY_CUT, "cbp-isa", 0);
}

/* Someone without the key writes the chain anew from record 3 on, every hash right again. */
static void a_chain_written_anew_contradicts_its_anchor(void **state)
{
    (void)state;
    struct buf lines = {0};
    struct audit_head head = {0};
    for (int i = 0; i < RECORDS; i++)
        trail_add(&lines, "cbp-isa", &head, i == 2 ? NOON + 1 : NOON + (i < RECORDS / 2 ? 0 : DAY));
    char path[128];
    snprintf(path, sizeof path, "%s/cbp-isa", trail_folder);
    trail_remove_tree(AT_FDCWD, path);
    snprintf(path, sizeof path, "%s/export.position", trail_folder);
    unlink(path);
    export_lines(&lines);
    verify_with(key, NULL, 0);
    assert_reported(VERIFY_CHANGED, DAY1, 4);
    assert_reported(VERIFY_CHANGED, DAY2, 4);
    assert_int_equal(seen.count, 2);
    verify();
    assert_reported(VERIFY_CHANGED, DAY2, RECORDS - RECORDS / 2);
    buf_fini(&lines);
}

/* One record is replaced by another, sealed upon the same predecessor: its successor tells. */
static void a_record_sealed_anew_breaks_the_link(void **state)
{
    (void)state;
    struct buf lines = {0}, file = trail_file(DAY1);
    struct audit_head head = {0};
    trail_add(&lines, "cbp-isa", &head, NOON);
    buf_clear(&lines);
    trail_add(&lines, "cbp-isa", &head, NOON + 5);
    replace_line(DAY1, 2, lines.data, lines.size);
    verify();
    assert_only(VERIFY_CHANGED, DAY1, 3);
    buf_fini(&lines);
    buf_fini(&file);
}

static void records_added_at_the_end_show_against_the_store(void **state)
{
    (void)state;
    struct buf lines = {0};
    struct audit_head head = heads[1].head;
    trail_add(&lines, "cbp-isa", &head, NOON + DAY);
    export_lines(&lines);
    verify();
    assert_only(VERIFY_CHANGED, "cbp-isa", 0);
    /* An agent that has gone on meanwhile says so. */
    fresh_head = (struct audit_chain_head){"cbp-isa", head};
    verify();
    fresh_head.chain = NULL;
    assert_int_equal(seen.count, 0);
    buf_fini(&lines);
}

/* The forger has the chains' arithmetic, and a key of his own. */
static void a_forged_anchor_is_named(void **state)
{
    (void)state;
    char folder[64] = "/tmp/accord-keys-XXXXXX";
    struct anchor_key *other;
    struct buf lines = {0};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(anchor_key_open(&other, folder, NULL), 0);
    add_anchor(&lines, &heads[0].head, &heads[1].head, NOON + DAY, other);
    export_lines(&lines);
    verify();
    assert_only(VERIFY_FORGED, "host/2025-03-15.jsonl", 2);
    verify_with(other, heads, 2);
    assert_int_equal(seen.count, 2);
    anchor_key_close(other);
    trail_remove_tree(AT_FDCWD, folder);
    buf_fini(&lines);
}

/* A true key, but heads that were never there: an anchor for records that someone took away before it. */
static void an_anchor_that_names_a_head_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct buf lines = {0};
    struct audit_head beyond = {.sequence = 40, .hash = {9}};
    add_anchor(&lines, &heads[0].head, &beyond, NOON + DAY, key);
    export_lines(&lines);
    verify();
    assert_only(VERIFY_CUT, DAY2, 0);
    assert_non_null(strstr(seen.problems[0].text, "record 40"));
    buf_fini(&lines);
}

static void an_endless_line_is_named_and_the_rest_is_read(void **state)
{
    (void)state;
    char *endless = malloc(3000001);
    memset(endless, 'x', 3000000);
    endless[3000000] = '\n';
    replace_line(DAY1, 2, endless, 3000001);
    verify();
    assert_only(VERIFY_CHANGED, DAY1, 2);
    assert_int_equal(seen.summary.records, RECORDS + 3 - 1);
    free(endless);
}

static void every_problem_is_listed_not_the_first(void **state)
{
    (void)state;
    replace_line(DAY1, 2, "nonsense\n", 9);
    replace_line(DAY1, 5, "", 0);
    replace_line(DAY2, 6, "", 0);
    verify();
    assert_reported(VERIFY_CHANGED, DAY1, 2);
    assert_reported(VERIFY_MISSING, DAY1, 5);
    assert_reported(VERIFY_CUT, DAY2, 0);
    assert_int_equal(seen.count, 3);
}

/* Records are sealed in the order of commits: a clock set back puts a later one into an earlier file. */
static void a_clock_set_back_is_no_problem(void **state)
{
    (void)state;
    struct buf lines = {0};
    trail_add(&lines, "cbp-isa", &heads[1].head, NOON);
    trail_add(&lines, "cbp-isa", &heads[1].head, NOON - 3 * DAY);
    trail_add(&lines, "cbp-isa", &heads[1].head, NOON + DAY);
    export_lines(&lines);
    verify();
    assert_int_equal(seen.count, 0);
    buf_fini(&lines);
}

static void a_chain_may_begin_late_when_its_past_was_archived(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", trail_folder, DAY1);
    unlink(path);
    seen.count = 0;
    struct verify_options options = {.folder = trail_folder,
                                     .key = key,
                                     .heads = heads,
                                     .head_count = 2,
                                     .begins_late = true,
                                     .report = note};
    assert_int_equal(verify_trail(&options, &seen.summary, NULL), 0);
    assert_int_equal(seen.count, 0);
}

static void a_missing_folder_is_an_error(void **state)
{
    (void)state;
    struct reason why;
    struct verify_options options = {.folder = "/nonexistent/audit", .report = note};
    assert_int_equal(verify_trail(&options, &seen.summary, &why), ACCORD_ENOENT);
    assert_non_null(strstr(why.text, "/nonexistent/audit"));
}

#define on_trail(test) cmocka_unit_test_setup_teardown(test, make_trail, trail_folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_trail(a_good_trail_has_no_problems),
        on_trail(any_byte_changed_is_named),
        on_trail(any_line_cut_is_named),
        on_trail(a_whole_day_cut_is_named),
        on_trail(any_two_lines_swapped_are_named),
        on_trail(a_line_in_the_file_of_another_day_is_named),
        on_trail(a_line_of_another_chain_is_named),
        on_trail(a_line_that_stands_twice_is_named),
        on_trail(a_tail_cut_shows_against_the_store),
        on_trail(a_tail_cut_shows_against_an_anchor_when_the_store_is_not_asked),
        on_trail(a_half_last_line_is_named),
        on_trail(a_chain_removed_altogether_is_named),
        on_trail(a_chain_written_anew_contradicts_its_anchor),
        on_trail(a_record_sealed_anew_breaks_the_link),
        on_trail(records_added_at_the_end_show_against_the_store),
        on_trail(a_forged_anchor_is_named),
        on_trail(an_anchor_that_names_a_head_that_is_not_there_is_named),
        on_trail(an_endless_line_is_named_and_the_rest_is_read),
        on_trail(every_problem_is_listed_not_the_first),
        on_trail(a_clock_set_back_is_no_problem),
        on_trail(a_chain_may_begin_late_when_its_past_was_archived),
        on_trail(a_missing_folder_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_key, remove_key);
}
