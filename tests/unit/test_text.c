/* Text from outside: whatever it holds, what is written of it acts on no terminal and forges no line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/json.h"
#include "util/log.h"
#include "util/text.h"

#include <cmocka.h> /* last: its fail() is a macro */

/* Each as it is written raw, and as JSON has it. */
static const struct {
    const char *raw, *escaped;
} hidden[] = {
    {"\x1b", "\\u001b"},         {"\r", "\\u000d"},           {"\x7f", "\\u007f"},
    {"\xc2\x80", "\\u0080"},     {"\xc2\x9b", "\\u009b"},     {"\xc2\x9f", "\\u009f"},
    {"\xc2\xad", "\\u00ad"},     {"\xd8\x9c", "\\u061c"},     {"\xe2\x80\x8b", "\\u200b"},
    {"\xe2\x80\x8f", "\\u200f"}, {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"},
    {"\xe2\x80\xaa", "\\u202a"}, {"\xe2\x80\xae", "\\u202e"}, {"\xe2\x81\xa6", "\\u2066"},
    {"\xe2\x81\xa9", "\\u2069"}, {"\xef\xbb\xbf", "\\ufeff"}, {"\xf3\xa0\x81\x81", "\\udb40\\udc41"},
    {"\x9b", "\\ufffd"},         {"\xff", "\\ufffd"},         {"\xc0\x9b", "\\ufffd\\ufffd"},
};
#define HIDDEN (sizeof hidden / sizeof *hidden)

/* The neighbours of what is hidden, and letters of many scripts. */
static const char *const shown[] = {"a",
                                    "~",
                                    "\xc2\xa0",
                                    "\xc2\xac",
                                    "\xc2\xae",
                                    "\xe2\x82\xac",
                                    "\xe2\x80\x90",
                                    "\xe2\x80\xaf",
                                    "\xe6\xbc\xa2",
                                    "\xf0\x9f\x9a\xa2",
                                    "\xd7\xa9",
                                    "\xef\xbf\xbd"};
#define SHOWN (sizeof shown / sizeof *shown)

static void expect_quoted(const char *text, const char *expected)
{
    char whole[64];
    struct buf out = {0};
    json_quote(&out, text);
    snprintf(whole, sizeof whole, "\"%s\"", expected);
    assert_string_equal(buf_string(&out), whole);
    buf_fini(&out);
}

static void json_escapes_what_may_not_be_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < HIDDEN; i++) {
        char text[16], expected[32];
        snprintf(text, sizeof text, "a%sb", hidden[i].raw);
        snprintf(expected, sizeof expected, "a%sb", hidden[i].escaped);
        expect_quoted(text, expected);
    }
    for (size_t i = 0; i < SHOWN; i++)
        expect_quoted(shown[i], shown[i]);
    expect_quoted("two\nlines \"\\", "two\\nlines \\\"\\\\");
}

/* Eight bytes are looked at at once: none may hide among others, nor where they end. */
static void a_byte_is_the_same_wherever_it_stands(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++)
        for (size_t size = 1; size <= 19; size++)
            for (size_t at = 0; at < size; at++) {
                char text[20];
                bool ascii = byte && byte < 0x80, printable = ascii && byte >= 0x20 && byte != 0x7f;
                memset(text, 'a', sizeof text);
                text[at] = (char)byte;
                assert_int_equal(json_is_plain(text, size), printable && byte != '"' && byte != '\\');
                assert_int_equal(text_utf8(text, size, true), ascii);
                assert_int_equal(text_utf8(text, size, false), printable);
            }
}

static void question_marks_stand_for_what_may_not_be_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < HIDDEN; i++) {
        char text[16];
        snprintf(text, sizeof text, "a%sb", hidden[i].raw);
        text_make_visible(text);
        assert_string_equal(text, !strcmp(hidden[i].escaped, "\\ufffd\\ufffd") ? "a??b" : "a?b");
    }
    for (size_t i = 0; i < SHOWN; i++) {
        char text[16];
        snprintf(text, sizeof text, "%s%s", shown[i], shown[i]);
        text_make_visible(text);
        assert_memory_equal(text, shown[i], strlen(shown[i]));
        assert_string_equal(text + strlen(shown[i]), shown[i]);
    }
}

static void a_name_hides_nothing(void **state)
{
    (void)state;
    char name[32];
    text_safe_name(name, sizeof name,
                   "bill\xe2\x80\xae"
                   "fdp.exe");
    assert_string_equal(name, "bill_fdp.exe");
    text_safe_name(name, sizeof name, "../\xc2\x9b\n\xff");
    assert_string_equal(name, "_.____");
    text_safe_name(name, 6, "Z\xc3\xbcri\xe2\x82\xac");
    assert_string_equal(name, "Z\xc3\xbcri");
}

/* What the log wrote to standard error. */
static void read_log(bool json, const char *text, char *to, size_t room)
{
    int ends[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    log_setup("hub", ACCORD_INFO, json);
    dup2(ends[1], STDERR_FILENO);
    log_event(ACCORD_INFO, "event", NULL, "%s", text);
    dup2(before, STDERR_FILENO);
    ssize_t got = read(ends[0], to, room - 1);
    assert_true(got > 0);
    to[got] = 0;
    close(ends[0]);
    close(ends[1]);
    close(before);
}

static void a_log_line_is_one_line_and_acts_on_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * HIDDEN; i++) {
        char line[512];
        const char *raw = hidden[i / 2].raw;
        read_log(i % 2, raw, line, sizeof line);
        assert_null(strstr(line, raw));
        assert_true(text_utf8(line, strlen(line) - 1, false));
    }
    char line[512];
    read_log(false, "one\nforged", line, sizeof line);
    assert_non_null(strstr(line, "one?forged [event]\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_escapes_what_may_not_be_shown),
        cmocka_unit_test(a_byte_is_the_same_wherever_it_stands),
        cmocka_unit_test(question_marks_stand_for_what_may_not_be_shown),
        cmocka_unit_test(a_name_hides_nothing),
        cmocka_unit_test(a_log_line_is_one_line_and_acts_on_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
