/* One key is changed, and every other byte stays: on files as people and their editors leave them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/edit.h"

#include <cmocka.h> /* last: it has a macro `fail` */

static struct reason why;

static int edit(const char *from, struct buf *out)
{
    /* From an allocation of its exact size: reading beyond it shows. */
    size_t size = strlen(from);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, from, size);
    int result = conf_edit(copy, size, "agreement", "enabled", "yes", out, &why);
    free(copy);
    return result;
}

static void becomes(const char *from, const char *to)
{
    struct buf out = {0};
    assert_int_equal(edit(from, &out), 0);
    const char *text = buf_string(&out);
    if (strcmp(text, to) != 0)
        fail_msg("\"%s\" became \"%s\" instead of \"%s\"", from, text, to);
    buf_fini(&out);
}

static void refused(const char *from, int code, const char *words)
{
    struct buf out = {0};
    assert_int_equal(edit(from, &out), code);
    assert_non_null(strstr(why.text, words));
    assert_int_equal(out.size, 0);
    buf_fini(&out);
}

static void the_value_changes_and_nothing_else(void **state)
{
    (void)state;
    becomes("[agreement]\nenabled = no\n", "[agreement]\nenabled = yes\n");
    becomes("; top\n\n[agreement]\ntitle = A\nenabled      = no   ; the switch\nb = c\n",
            "; top\n\n[agreement]\ntitle = A\nenabled      = yes   ; the switch\nb = c\n");
    becomes("[agreement]\nenabled=no\n", "[agreement]\nenabled=yes\n");
    becomes("[agreement]\nenabled\t=\tno\t; x\n", "[agreement]\nenabled\t=\tyes\t; x\n");
    becomes("[agreement]\nenabled = no;x\n", "[agreement]\nenabled = yes\n");
    becomes("[agreement]\nenabled = no way \n", "[agreement]\nenabled = yes \n");
}

static void line_endings_and_marks_stay(void **state)
{
    (void)state;
    becomes("[agreement]\r\ntitle = A\r\nenabled = no\r\nx = y\r\n",
            "[agreement]\r\ntitle = A\r\nenabled = yes\r\nx = y\r\n");
    becomes("\xef\xbb\xbf[agreement]\nenabled = no\n", "\xef\xbb\xbf[agreement]\nenabled = yes\n");
    becomes("[agreement]\nenabled = no", "[agreement]\nenabled = yes");
    becomes("[agreement]\r\nenabled = no ; z", "[agreement]\r\nenabled = yes ; z");
}

static void only_the_key_of_that_section_is_meant(void **state)
{
    (void)state;
    becomes("[link x]\nenabled = no\n[agreement]\n; enabled = no\nenabled-by = me\nenabled = "
            "no\n[z]\nenabled = no\n",
            "[link x]\nenabled = no\n[agreement]\n; enabled = no\nenabled-by = me\nenabled = "
            "yes\n[z]\nenabled = no\n");
    becomes("[ agreement ] ; first\nenabled = no\n", "[ agreement ] ; first\nenabled = yes\n");
}

static void a_key_that_is_missing_is_added_below_the_header(void **state)
{
    (void)state;
    becomes("[agreement]\ntitle = A\n", "[agreement]\nenabled = yes\ntitle = A\n");
    becomes("[agreement] ; here\r\ntitle = A\r\n", "[agreement] ; here\r\nenabled = yes\r\ntitle = A\r\n");
    becomes("[agreement]", "[agreement]\nenabled = yes\n");
    becomes("[agreement]\n[link x]\n", "[agreement]\nenabled = yes\n[link x]\n");
}

static void a_key_without_a_value_gets_one(void **state)
{
    (void)state;
    becomes("[agreement]\nenabled =\n", "[agreement]\nenabled = yes\n");
    becomes("[agreement]\nenabled = \n", "[agreement]\nenabled = yes \n");
    becomes("[agreement]\nenabled =", "[agreement]\nenabled = yes");
    becomes("[agreement]\nenabled = ; later\n", "[agreement]\nenabled = yes ; later\n");
}

static void what_stands_there_twice_is_left_alone(void **state)
{
    (void)state;
    refused("[agreement]\nenabled = no\nenabled = no\n", ACCORD_EEXIST, "line 2 and on line 3");
    refused("[agreement]\nenabled = no\n[x]\n[agreement]\n", ACCORD_EEXIST, "line 1 and on line 4");
    refused("[agreements]\nenabled = no\n", ACCORD_ENOENT, "[agreement]");
    refused("", ACCORD_ENOENT, "[agreement]");
    refused("[agreement", ACCORD_ENOENT, "[agreement]");
}

static void a_section_with_a_name_is_found_by_both_words(void **state)
{
    (void)state;
    struct buf out = {0};
    const char *from = "[link a]\nx = 1\n[link  b]\nx = 1\n";
    assert_int_equal(conf_edit(from, strlen(from), "link b", "x", "2", &out, &why), 0);
    assert_string_equal(buf_string(&out), "[link a]\nx = 1\n[link  b]\nx = 2\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_changes_and_nothing_else),
        cmocka_unit_test(line_endings_and_marks_stay),
        cmocka_unit_test(only_the_key_of_that_section_is_meant),
        cmocka_unit_test(a_key_that_is_missing_is_added_below_the_header),
        cmocka_unit_test(a_key_without_a_value_gets_one),
        cmocka_unit_test(what_stands_there_twice_is_left_alone),
        cmocka_unit_test(a_section_with_a_name_is_found_by_both_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
