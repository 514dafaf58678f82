/* Content as it stands in an inbox message: the XML declaration and the byte order mark become blanks, everything else stays
 * as it is; or all of it becomes text. */
#include "connectors/taxii/content.h"
#include "connectors/taxii/phrase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* In pieces of this size; NULL: refused. The draft's is valid until the next call. */
static const char *made_of(enum content_form form, const char *bytes, size_t size, size_t piece,
                           const char **why)
{
    static struct draft draft;
    struct content content;
    draft_fini(&draft);
    draft_put(&draft, "");
    content_init(&content, form);
    *why = NULL;
    for (size_t i = 0; i < size && !*why; i += piece)
        *why = content_add(&content, &draft, (const uint8_t *)bytes + i, size - i < piece ? size - i : piece);
    if (!*why)
        *why = content_end(&content);
    return *why ? NULL : draft.bytes;
}

static void becomes(enum content_form form, const char *bytes, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(bytes) + 1; piece++) {
        const char *why, *made = made_of(form, bytes, strlen(bytes), piece, &why);
        if (!made)
            fail_msg("\"%s\" in pieces of %zu is refused: %s", bytes, piece, why);
        assert_string_equal(made, expected);
        if (form == FORM_XML)
            assert_int_equal(strlen(made), strlen(bytes));
    }
}

static void is_refused(enum content_form form, const char *bytes, size_t size, const char *because)
{
    for (size_t piece = 1; piece <= size + 1; piece++) {
        const char *why, *made = made_of(form, bytes, size, piece, &why);
        if (made)
            fail_msg("\"%s\" in pieces of %zu is taken", bytes, piece);
        assert_non_null(strstr(why, because));
    }
}

static void a_declaration_becomes_blanks(void **state)
{
    (void)state;
    becomes(FORM_XML, "<?xml version=\"1.0\"?><a/>", "                     <a/>");
    becomes(FORM_XML, "<?xml version='1.0' encoding='utf-8'?>\n<a/>",
            "                                      \n<a/>");
    becomes(FORM_XML, "<?xml\tversion=\"1.0\" encoding = \"US-ASCII\" standalone=\"yes\"?><a/>",
            "                                                            <a/>");
    becomes(FORM_XML, "\xef\xbb\xbf<a/>", "   <a/>");
    becomes(FORM_XML, "\xef\xbb\xbf<?xml version=\"1.0\"?><a/>", "                        <a/>");
}

static void everything_else_stays_as_it_is(void **state)
{
    static const char *const same[] = {"<a/>",
                                       "  \n<a/>",
                                       "<a>\xef\xbb\xbf</a>",
                                       "<!-- x --><a/>",
                                       "<?xml-stylesheet href=\"x\"?><a/>",
                                       "<?xm?><a/>",
                                       "<?x",
                                       "<",
                                       "<a>&amp;<![CDATA[<?xml version=\"1.0\"?>]]></a>"};
    (void)state;
    for (size_t i = 0; i < 6; i++)
        becomes(FORM_XML, same[i], same[i]);
    becomes(FORM_XML, same[8], same[8]);
}

static void another_encoding_is_refused(void **state)
{
    static const char utf16[] = "\xff\xfe<\0a\0/\0>\0", utf16_be[] = "\xfe\xff\0<\0a\0/\0>";
    static const char latin[] = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>";
    static const char strange[] = "<?xml version=\"1.0\" encoding?><a/>",
                      *endless = "<?xml version=\"1.0\"                                                      "
                                 "                                "
                                 "                                                                           "
                                 "                                "
                                 "                                                                           "
                                 "                             ?><a/>";
    (void)state;
    is_refused(FORM_XML, latin, strlen(latin), "another encoding");
    is_refused(FORM_XML, strange, strlen(strange), "another encoding");
    is_refused(FORM_XML, utf16, sizeof utf16 - 1, "not in UTF-8");
    is_refused(FORM_XML, utf16_be, sizeof utf16_be - 1, "not in UTF-8");
    is_refused(FORM_XML, "\xef\xbb<a/>", 6, "not in UTF-8");
    is_refused(FORM_XML, endless, strlen(endless), "does not end");
}

static void what_is_no_xml_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "   \n",
                                        "{\"type\": \"bundle\"}",
                                        "UNB+UNOA:2",
                                        "http://x/y.xml",
                                        "<?xml version=\"1.0\"?>",
                                        "<?xml version=\"1.0\"?>text",
                                        "\xef\xbb\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        is_refused(FORM_XML, wrong[i], strlen(wrong[i]), "XML");
}

static void text_has_its_markup_escaped(void **state)
{
    (void)state;
    becomes(FORM_ESCAPED, "", "");
    becomes(FORM_ESCAPED, "<?xml version=\"1.0\"?>\r\n<a b='&amp;'>]]></a>",
            "&lt;?xml version=\"1.0\"?&gt;&#13;\n&lt;a b='&amp;amp;'&gt;]]&gt;&lt;/a&gt;");
    becomes(FORM_ESCAPED, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2\t",
            "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2\t");
}

static void text_that_xml_cannot_hold_is_refused(void **state)
{
    static const char *const wrong[] = {"\x01",
                                        "a\x1f",
                                        "\x80",
                                        "\xc3",
                                        "\xc3(",
                                        "\xc0\xaf",
                                        "\xe0\x80\xaf",
                                        "\xed\xa0\x80",
                                        "\xef\xbf\xbe",
                                        "\xef\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf8\x88\x80\x80\x80",
                                        "\xf0\x8f\xbf\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        is_refused(FORM_ESCAPED, wrong[i], strlen(wrong[i]),
                   strcmp(wrong[i], "\xc3") ? "UTF-8" : "mid-character");
    is_refused(FORM_ESCAPED, "a\0b", 3, "UTF-8");
}

/* ---- what it is written with ---- */

static void a_draft_holds_all_that_is_put_into_it(void **state)
{
    struct draft draft = {0};
    (void)state;
    draft_reserve(&draft, 4);
    char *bytes = draft.bytes;
    draft_put(&draft, "1234");
    assert_ptr_equal(draft.bytes, bytes); /* there was room */
    draft_reserve(&draft, 2);
    draft_number(&draft, 0);
    draft_number(&draft, -120);
    draft_number(&draft, INT64_MAX);
    draft_number(&draft, INT64_MIN);
    assert_string_equal(draft.bytes, "12340-1209223372036854775807-9223372036854775808");
    assert_int_equal(draft.size, strlen(draft.bytes));
    draft_fini(&draft);
}

static void a_phrase_is_cut_where_its_room_ends(void **state)
{
    char text[8], *end = text + sizeof text;
    (void)state;
    char *at = phrase_put(text, end, "abc", 2);
    assert_string_equal(text, "ab");
    at = phrase_put(at, end, "", 10);
    at = phrase_put(at, end, "cdefghij", SIZE_MAX);
    assert_string_equal(text, "abcdefg");
    at = phrase_put(at, end, "x", SIZE_MAX);
    assert_ptr_equal(at, end - 1);
    assert_string_equal(text, "abcdefg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_declaration_becomes_blanks),
        cmocka_unit_test(everything_else_stays_as_it_is),
        cmocka_unit_test(another_encoding_is_refused),
        cmocka_unit_test(what_is_no_xml_is_refused),
        cmocka_unit_test(text_has_its_markup_escaped),
        cmocka_unit_test(text_that_xml_cannot_hold_is_refused),
        cmocka_unit_test(a_draft_holds_all_that_is_put_into_it),
        cmocka_unit_test(a_phrase_is_cut_where_its_room_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
