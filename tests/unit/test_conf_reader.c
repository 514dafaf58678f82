/* The reader: sections, entries and lines as written, and a refusal for everything that inih would do silently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/reader.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

struct fixture {
    struct conf_file file;
    struct conf_report report;
};

static void parse_bytes(struct fixture *f, const char *bytes, size_t size)
{
    *f = (struct fixture){0};
    /* An exact copy, so that the address sanitizer sees one byte too far. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    assert_int_equal(conf_file_parse("x.conf", copy, size, &f->file, &f->report), 0);
    free(copy);
}

static void parse(struct fixture *f, const char *text)
{
    parse_bytes(f, text, strlen(text));
}

static void done(struct fixture *f)
{
    conf_file_fini(&f->file);
    conf_report_fini(&f->report);
}

static const char *value(const struct fixture *f, const char *kind, const char *name, const char *key)
{
    const struct conf_entry *entry = conf_section_entry(conf_file_section(&f->file, kind, name), key);
    return entry ? entry->value : NULL;
}

static void assert_problem(const struct fixture *f, size_t index, int line, const char *part)
{
    assert_true(index < f->report.count);
    const struct conf_problem *problem = &f->report.items[index];
    if (problem->line != line || !strstr(problem->text, part))
        fail_msg("problem %zu is line %d: %s", index, problem->line, problem->text);
    assert_string_equal(problem->file, "x.conf");
    assert_int_equal(problem->severity, CONF_ERROR);
}

static void entries_keep_their_lines(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f,
          "; a comment\n\n[agreement]\ntitle = A title\n# another\n  ; indented comment\n\t\npartner=B\r\n"
          "[link sftp]\n host");
    assert_int_equal(f.file.count, 2);
    assert_string_equal(value(&f, "agreement", "", "title"), "A title");
    assert_string_equal(value(&f, "agreement", "", "partner"), "B");
    assert_int_equal(conf_section_line(conf_file_section(&f.file, "agreement", ""), "title"), 4);
    assert_int_equal(conf_section_line(conf_file_section(&f.file, "agreement", ""), "partner"), 8);
    assert_int_equal(conf_file_section(&f.file, "link", "sftp")->line, 9);
    assert_int_equal(f.report.count, 1);
    assert_problem(&f, 0, 10, "begins with a blank");
    done(&f);
}

static void sections_without_keys_are_seen(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "[policy logging]\n[ link   b ] ; comment\n[policy content]");
    assert_int_equal(f.report.count, 0);
    assert_int_equal(f.file.count, 3);
    assert_string_equal(f.file.sections[1].kind, "link");
    assert_string_equal(f.file.sections[1].name, "b");
    assert_int_equal(f.file.sections[2].line, 3);
    assert_int_equal(f.file.sections[2].count, 0);
    done(&f);
}

static void long_section_names_are_not_cut(void **state)
{
    (void)state;
    struct fixture f;
    char name[63], text[256];
    memset(name, 'a', 62);
    name[62] = 0;
    snprintf(text, sizeof text, "[service %s]\nk = 1\n[service %.61sb]\nk = 2\n[service %sa]\nk = 3\n", name,
             name, name);
    parse(&f, text);
    assert_string_equal(value(&f, "service", name, "k"), "1");
    name[61] = 'b';
    assert_string_equal(value(&f, "service", name, "k"), "2");
    assert_int_equal(f.report.count, 1); /* and no complaint about the key below the refused header */
    assert_problem(&f, 0, 5, "at most 62 characters");
    done(&f);
}

static void comments_begin_behind_a_blank_and_a_semicolon(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "[a]\none = x ; y\ntwo = x;y\nthree = x # y\nfour = SHA256:a+b/c=\t; z\nfive = ;x\n");
    assert_int_equal(f.report.count, 0);
    assert_string_equal(value(&f, "a", "", "one"), "x");
    assert_string_equal(value(&f, "a", "", "two"), "x;y");
    assert_string_equal(value(&f, "a", "", "three"), "x # y");
    assert_string_equal(value(&f, "a", "", "four"), "SHA256:a+b/c=");
    assert_string_equal(value(&f, "a", "", "five"), "");
    done(&f);
}

/* Debian's inih cuts at 199 bytes when it is left alone. */
static void lines_of_4000_bytes_are_whole_and_longer_ones_refused(void **state)
{
    (void)state;
    struct fixture f;
    char text[3 * READER_LINE_MAX], *at = text;
    at += sprintf(at, "[a]\nfits = ");
    memset(at, 'x', READER_LINE_MAX - 7);
    at += READER_LINE_MAX - 7;
    at += sprintf(at, " ; this comment does not count\nlong = ");
    memset(at, 'y', READER_LINE_MAX - 6);
    at += READER_LINE_MAX - 6;
    sprintf(at, "\nlast = z\n");
    parse(&f, text);
    assert_int_equal(strlen(value(&f, "a", "", "fits")), READER_LINE_MAX - 7);
    assert_null(value(&f, "a", "", "long"));
    assert_string_equal(value(&f, "a", "", "last"), "z");
    assert_int_equal(f.report.count, 1);
    assert_problem(&f, 0, 3, "longer than 4000");
    done(&f);
}

static void repeated_sections_and_keys_name_both_lines(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "[link a]\nk = 1\nj = 2\nk = 3\n[link b]\n[link a]\nk = 4\n");
    assert_int_equal(f.report.count, 2);
    assert_problem(&f, 0, 4, "`k` is here a second time in [link a]; the first is on line 2");
    assert_problem(&f, 1, 6, "section [link a] is here a second time; the first is on line 1");
    assert_string_equal(value(&f, "link", "a", "k"), "1");
    done(&f);
}

static void continued_lines_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "[a]\nlist = one,\n  two = 2\nnext = x \\\nlast = y\n");
    assert_int_equal(f.report.count, 2);
    assert_problem(&f, 0, 3, "begins with a blank");
    assert_problem(&f, 1, 4, "backslash");
    assert_string_equal(value(&f, "a", "", "list"), "one,");
    assert_string_equal(value(&f, "a", "", "last"), "y");
    done(&f);
}

static void bad_bytes_are_refused_by_line(void **state)
{
    (void)state;
    struct fixture f;
    static const char bytes[] =
        "[a]\nnul = a\0b\nlatin = \xe9t\xe9\nutf = \xc3\xa9t\xc3\xa9\nbell = \a\n; \xff\n";
    parse_bytes(&f, bytes, sizeof bytes - 1);
    assert_int_equal(f.report.count, 4);
    assert_problem(&f, 0, 2, "NUL");
    assert_problem(&f, 1, 3, "not UTF-8");
    assert_problem(&f, 2, 5, "control character");
    assert_problem(&f, 3, 6, "not UTF-8");
    assert_string_equal(value(&f, "a", "", "utf"), "\xc3\xa9t\xc3\xa9");
    done(&f);
}

static void lines_that_are_nothing_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "early = 1\n[a]\njust words\nkey: value\n= x\nbad key = x\n[b\n[b] c\n[]\n[B]\n[a b c]\n[a "
              ".]\nk=1\n");
    assert_int_equal(f.report.count, 11);
    assert_problem(&f, 0, 1, "before the first [SECTION]");
    assert_problem(&f, 1, 3, "`just words` is neither");
    assert_problem(&f, 2, 4, "`key: value` is neither");
    assert_problem(&f, 3, 5, "stands a key");
    assert_problem(&f, 4, 6, "stands a key");
    assert_problem(&f, 5, 7, "must end with `]`");
    assert_problem(&f, 6, 8, "must end with `]`");
    assert_problem(&f, 7, 9, "[KIND NAME]");
    assert_problem(&f, 8, 10, "lower-case");
    assert_problem(&f, 9, 11, "[KIND NAME]");
    assert_problem(&f, 10, 12, "lower-case");
    done(&f);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "\xef\xbb\xbf[a]\nk = v");
    assert_int_equal(f.report.count, 0);
    assert_string_equal(value(&f, "a", "", "k"), "v");
    done(&f);
}

static void many_keys_are_whole_and_too_many_refused(void **state)
{
    (void)state;
    struct fixture f;
    char *text = malloc(64 * 1024), *at = text;
    at += sprintf(at, "[a]\n");
    for (int i = 0; i <= READER_ENTRIES_MAX; i++)
        at += sprintf(at, "k%d = %d\n", i, i);
    parse(&f, text);
    assert_int_equal(f.file.sections[0].count, READER_ENTRIES_MAX);
    for (int i = 0; i < READER_ENTRIES_MAX; i++)
        assert_int_equal(atoi(f.file.sections[0].entries[i].value), i);
    assert_int_equal(f.report.count, 1);
    assert_problem(&f, 0, READER_ENTRIES_MAX + 2, "too many keys");
    free(text);
    done(&f);
}

static void the_digest_is_of_the_bytes(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, "");
    assert_string_equal(f.file.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    done(&f);
}

static void a_hostile_file_cannot_fill_the_report(void **state)
{
    (void)state;
    struct fixture f;
    size_t size = 200 * 1024;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i += 2)
        memcpy(text + i, "x\n", 2);
    parse_bytes(&f, text, size);
    assert_true(f.report.lost);
    assert_false(f.report.failed);
    assert_true(f.report.count <= 1000);
    conf_report_add(&f.report, CONF_ERROR, "other.conf", 1, "still listed");
    assert_int_equal(conf_report_count(&f.report, CONF_ERROR, "other.conf"), 1);
    free(text);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_keep_their_lines),
        cmocka_unit_test(sections_without_keys_are_seen),
        cmocka_unit_test(long_section_names_are_not_cut),
        cmocka_unit_test(comments_begin_behind_a_blank_and_a_semicolon),
        cmocka_unit_test(lines_of_4000_bytes_are_whole_and_longer_ones_refused),
        cmocka_unit_test(repeated_sections_and_keys_name_both_lines),
        cmocka_unit_test(continued_lines_are_refused),
        cmocka_unit_test(bad_bytes_are_refused_by_line),
        cmocka_unit_test(lines_that_are_nothing_are_refused),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(many_keys_are_whole_and_too_many_refused),
        cmocka_unit_test(the_digest_is_of_the_bytes),
        cmocka_unit_test(a_hostile_file_cannot_fill_the_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
