/* What is read without libxml2, and that it reads the same. Every document is also given to libxml2 alone (trace_all). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xml/reader.h"
#include "xml_trace.h"

static bool stays_plain(const char *document)
{
    const struct xml_limits limits = XML_LIMITS;
    struct xml_reader *reader = xml_reader_new(&limits, &(struct xml_events){0}, NULL);
    assert_non_null(reader);
    assert_int_equal(xml_feed(reader, (const uint8_t *)document, strlen(document)), 0);
    assert_int_equal(xml_finish(reader), 0);
    bool plain = reader->plain;
    assert_true(plain == !reader->sax);
    xml_reader_free(reader);
    struct trace trace = trace_all(document, strlen(document), NULL);
    assert_int_equal(trace.error, 0);
    trace_free(&trace);
    return plain;
}

static void what_packages_are_made_of_needs_no_libxml2(void **state)
{
    static const char *const documents[] = {
        "<?xml version='1.0' encoding='UTF-8'?>\n<?xml-stylesheet href='x'?>\n<!-- a --><a/>\n<!-- b -->",
        "<p:a xmlns:p='u:1' xmlns='u:2' p:x='1' x='2' xml:lang='en'>\r\n <b xmlns=''><c/></b >\r</p:a>",
        "<a b=\"'&lt;&#38;&#x20AC;\n\t\u20AC\" c = '\"'>&amp;]] > ]]&gt;\u20AC\U0001F600&quot;&apos;</a>",
        "<a><![CDATA[<&\u20AC]]]]><![CDATA[>]]><!--\u20AC - --><?b \u20AC?></a>",
        "<a xmlns:p='u:1'><p:b/><p:b xmlns:p='u:2'><p:b/></p:b><p:b/></a>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (!stays_plain(documents[i]))
            fail_msg("not plain: %s", documents[i]);
}

static void libxml2_takes_over_where_more_is_to_be_judged(void **state)
{
    static const char *const documents[] = {
        "<a xmlns:p='u:&amp;1' xmlns='u:\"&lt;'><p:b><c/>x</p:b></a>",
        "<a xmlns='u:1'><p:b xmlns:p='u:2' p:q='&amp;'><p:\u00E9/><p:c xmlns=''/></p:b><d/></a>",
        "<a><b c='1\r\n2'/>&amp;</a>",
        "<a><![CDATA[1\r\n2]]></a>",
        "<a><b/></a><?\u00E9?>",
        "<?\u00E9?><a><b/></a>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (stays_plain(documents[i]))
            fail_msg("plain: %s", documents[i]);
}

static void what_is_refused_is_refused_by_libxml2(void **state)
{
    static const char *const documents[] = {
        "<a>&b;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#1114112;</a>",
        "<a>&lt</a>",
        "<a>]]></a>",
        "<a>\x01</a>",
        "<a>\xED\xA0\x80</a>",
        "<a>\xC0\x80</a>",
        "<a>\xF4\x90\x80\x80</a>",
        "<a>\xEF\xBF\xBE</a>",
        "<a>\xE2\x82</a>",
        "<a><!-- -- --></a>",
        "<a><!-- a---></a>",
        "<a><![CDATA[\x01]]></a>",
        "<a><?b:c d?></a>",
        "<a b='1' b='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<a xmlns:p='u' xmlns:p='v'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xmlns='u'/>",
        "<a b=\"1\"c=\"2\"/>",
        "<a b='<'/>",
        "<a b='&c;'/>",
        "<a b='\x01'/>",
        "<a p:b='1'/>",
        "<a><p:b/></a>",
        "<a:b:c/>",
        "<a: />",
        "<1a/>",
        "<a b/>",
        "<a b=1/>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct trace trace = trace_all(documents[i], strlen(documents[i]), NULL);
        if (trace.error != ACCORD_EFORMAT)
            fail_msg("%d: %s", trace.error, documents[i]);
    }
}

/* More names than are kept are read all the same. */
static void names_may_be_many(void **state)
{
    static char document[200000];
    (void)state;
    size_t used = (size_t)sprintf(document, "<a xmlns:p='u'>");
    for (int i = 0; i < 3000; i++)
        used += (size_t)sprintf(document + used, "<p:name-%d a%d='%d' p:a%d=''/>", i % 1000, i, i, i);
    sprintf(document + used, "</a>");
    assert_false(stays_plain(document));
}

static int note_word(void *arg, struct xml_reader *reader, const struct xml_element *e)
{
    uint32_t *words = arg;
    (void)reader;
    words[e->depth] = *e->name.word;
    *e->name.word = 7;
    for (size_t i = 0; i < e->attribute_count; i++) {
        words[8] += *e->attributes[i].name.word;
        *e->attributes[i].name.word = 100;
    }
    return 0;
}

static void a_word_is_kept_with_a_name_as_long_as_it_means_the_same(void **state)
{
    static const char document[] =
        "<p:a p:x='' x='' xmlns:p='u:1'><p:a p:x='' x=''><p:a xmlns:p='u:2' p:x=''><p:a/></p:a></p:a></p:a>";
    static const struct xml_events events = {.start = note_word};
    const struct xml_limits limits = XML_LIMITS;
    uint32_t words[9] = {0};
    (void)state;
    struct xml_reader *reader = xml_reader_new(&limits, &events, words);
    assert_int_equal(xml_feed(reader, (const uint8_t *)document, sizeof document - 1), 0);
    assert_int_equal(words[1], 0);
    assert_int_equal(words[2], 7);
    assert_int_equal(words[3], 0);
    assert_int_equal(words[4], 7);
    assert_int_equal(words[8], 200);
    xml_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_packages_are_made_of_needs_no_libxml2),
        cmocka_unit_test(libxml2_takes_over_where_more_is_to_be_judged),
        cmocka_unit_test(what_is_refused_is_refused_by_libxml2),
        cmocka_unit_test(names_may_be_many),
        cmocka_unit_test(a_word_is_kept_with_a_name_as_long_as_it_means_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
