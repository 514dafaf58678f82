/* Safe XML: what a reader calls back, and what it refuses. Every document is fed whole and cut in several ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "xml_trace.h"

static void elements_and_text_come_in_document_order(void **state)
{
    (void)state;
    expect_calls("<a>one<b/>two</a>", "<a 1,1\none\n<b 2,1\n>b 2\ntwo\n>a 1\n");
    expect_calls(
        "<?xml version=\"1.0\" encoding='utf-8' standalone=\"yes\" ?>\n<!-- x -->\n<a\n>\n<b>\n</b></a>\n \n",
        "<a 1,3\n\n\n<b 2,5\n\n\n>b 2\n>a 1\n");
    expect_calls("\xEF\xBB\xBF<a/>", "<a 1,1\n>a 1\n");
    expect_calls("\xEF\xBB\xBF<?xml version='1.0' encoding='US-ASCII'?><a/>", "<a 1,1\n>a 1\n");
    expect_calls("<!-->--><!--->--><a/>", "<a 1,1\n>a 1\n");
    expect_calls("  <a/><!--after--><?and this?>", "<a 1,1\n>a 1\n");
}

static void namespaces_are_resolved(void **state)
{
    (void)state;
    expect_calls(
        "<a xmlns='urn:a' xmlns:p='urn:p' p:x='1' y='2'><p:b/><c xmlns=''/></a>",
        "<a {urn:a} @p:x=1 @y=2 ^=urn:a ^p=urn:p 1,1\n<p:b {urn:p} 2,1\n>p:b 2\n<c ^= 2,1\n>c 2\n>a 1\n");
    expect_refused("<p:a/>", ACCORD_EFORMAT, "p");
    expect_refused("<a p:x='1'/>", ACCORD_EFORMAT, "p");
    /* No URI at all, but found in real packages. */
    expect_calls("<a xmlns:p='not a uri'><p:b/></a>",
                 "<a ^p=not a uri 1,1\n<p:b {not a uri} 2,1\n>p:b 2\n>a 1\n");
}

static void references_and_cdata_become_text(void **state)
{
    (void)state;
    expect_calls(
        "<a x='&amp;lt; &#38;#38; &lt;&#x20AC;&quot;'>&amp;lt;&#60;<![CDATA[<b>&amp;]]]]>]<![CDATA[]]></a>",
        "<a @x=&lt; &#38; <\u20AC\" 1,1\n&lt;<<b>&amp;]]]\n>a 1\n");
    expect_calls("<a x='1\n2\t3'>1\r\n2\r3</a>", "<a @x=1 2 3 1,1\n1\n2\n3\n>a 1\n");
    expect_calls("<a><!-- a comment --><?an instruction?>\u20AC\U0001F600</a>",
                 "<a 1,1\n\u20AC\U0001F600\n>a 1\n");
}

static void a_reference_may_stand_anywhere_in_a_long_text(void **state)
{
    (void)state;
    for (size_t before = 4070; before < 4100; before++) {
        char document[5000], calls[5000];
        sprintf(document, "<a>%0*d&amp;&#x20AC;]]\r\n\u20AC;</a>", (int)before, 0);
        sprintf(calls, "<a 1,1\n%0*d&\u20AC]]\n\u20AC;\n>a 1\n", (int)before, 0);
        expect_calls(document, calls);
    }
}

static void a_long_text_is_cut_at_no_wrong_place(void **state)
{
    (void)state;
    for (size_t before = 4080; before < 4100; before++) {
        char document[9000], calls[9000];
        sprintf(document, "<a>%0*d]]></a>", (int)before, 0);
        expect_refused(document, ACCORD_EFORMAT, "]]>");
        sprintf(document, "<raw>%0*d\r\n\u00E9<![CDATA[%0*d]]]>]]></raw>", (int)before, 0, (int)before, 0);
        sprintf(calls, "<raw 1,1\nT[%0*d\r\n\u00E9]\nM[<![CDATA[]\nC[%0*d]]\nM[]]>]\nT[]]>]\n>raw 1\n",
                (int)before, 0, (int)before, 0);
        expect_calls(document, calls);
        sprintf(document, "<a><![CDATA[%0*d\u00E9\U0001F600]]></a>", (int)before, 0);
        sprintf(calls, "<a 1,1\n%0*d\u00E9\U0001F600\n>a 1\n", (int)before, 0);
        expect_calls(document, calls);
    }
}

/* Each declares a prefix: as many as may be in scope, but never at once. */
static void declarations_go_with_their_element(void **state)
{
    (void)state;
    char document[40000], *to = document + sprintf(document, "<a>");
    for (int i = 0; i < 1000; i++)
        to += sprintf(to, "<b xmlns:p%d='u'></b>", i);
    strcpy(to, "</a>");
    struct trace trace = trace_all(document, strlen(document), NULL);
    assert_int_equal(trace.error, 0);
    trace_free(&trace);
}

static void raw_content_is_handed_over_as_it_stands(void **state)
{
    (void)state;
    expect_calls(
        "<a><raw> <b x='>' y=\"/\">&lt;\r\n<!-- <x> -->  <![CDATA[ </raw> ]]><c/></b > </raw>t<raw/></a>",
        "<a 1,1\n<raw 2,1\nT[ ]\nE[<b x='>' y=\"/\">&lt;\r\n<!-- <x> -->  <![CDATA[ </raw> ]]><c/></b >]\nT[ "
        "]\n"
        ">raw 2\nt\n<raw 2,2\n>raw 2\n>a 1\n");
    expect_calls("<raw><raw></raw>\n\n<?x?></raw>", "<raw 1,1\nE[<raw></raw>]\nT[\n\n]\nA[<?x?>]\n>raw 1\n");
    expect_calls("<a><raw></raw>\n<b/></a>", "<a 1,1\n<raw 2,1\n>raw 2\n\n\n<b 2,2\n>b 2\n>a 1\n");
}

static void raw_content_is_told_apart(void **state)
{
    (void)state;
    expect_calls("<raw>&amp;\r\n<![CDATA[<a>]]]]><!--c--><!--d-->t<b/><c></c><d>u</d></raw>",
                 "<raw 1,1\nT[&amp;\r\n]\nM[<![CDATA[]\nC[<a>]]]\nM[]]>]\nA[<!--c-->]\nA[<!--d-->]\nT[t]\n"
                 "E[<b/>]\nE[<c></c>]\nE[<d>u</d>]\n>raw 1\n");
}

static void names_of_namespaces_are_exact(void **state)
{
    (void)state;
    expect_calls("<p:a xmlns:p='u:&lt;1&amp;2&#38;amp;'/>",
                 "<p:a {u:<1&2&amp;} ^p=u:<1&2&amp; 1,1\n>p:a 1\n");
}

static int note_word(void *arg, struct xml_reader *reader, const struct xml_element *e)
{
    uint32_t *words = arg;
    (void)reader;
    if (e->depth > 8)
        return 0;
    words[e->depth] = *e->name.word;
    *e->name.word = 7;
    for (size_t i = 0; i < e->attribute_count; i++) {
        words[0] += *e->attributes[i].name.word;
        *e->attributes[i].name.word = 100;
    }
    return 0;
}

static void read_words(const char *document, uint32_t words[9])
{
    static const struct xml_events events = {.start = note_word};
    const struct xml_limits limits = XML_LIMITS;
    memset(words, 0, 9 * sizeof *words);
    struct xml_reader *reader = xml_reader_new(&limits, &events, words);
    assert_int_equal(xml_feed(reader, (const uint8_t *)document, strlen(document)), 0);
    assert_int_equal(xml_finish(reader), 0);
    xml_reader_free(reader);
}

static void a_word_is_kept_with_a_name_as_long_as_it_means_the_same(void **state)
{
    uint32_t words[9];
    (void)state;
    /* For whoever reads next, all begins anew. */
    for (int reader = 0; reader < 2; reader++) {
        read_words("<p:a p:a='' x='' xmlns:p='u:1'><p:a p:a='' x=''><p:a xmlns:p='u:2' "
                   "p:a=''><p:a/></p:a></p:a></p:a>",
                   words);
        assert_int_equal(words[1], 0);
        assert_int_equal(words[2], 7);
        assert_int_equal(words[3], 0);
        assert_int_equal(words[4], 7);
        assert_int_equal(words[0], 200);
    }
}

/* So many elements of different names, each with one attribute, and what follows them. */
static void read_names(int count, const char *end, uint32_t words[9])
{
    static char document[100000];
    size_t used = (size_t)sprintf(document, "<a>");
    for (int i = 0; i < count; i++)
        used += (size_t)sprintf(document + used, "<n%d a%d=''/>", i, i);
    strcpy(document + used, end);
    read_words(document, words);
}

/* Beyond as many as are kept, each begins anew. */
static void words_are_kept_of_so_many_names(void **state)
{
    uint32_t words[9];
    (void)state;
    read_names(2000, "<n1999 a1999=''/></a>", words);
    assert_int_equal(words[2], 0);
    assert_int_equal(words[0], 0);
}

/* One that is used again has room for the names of its next document, however many its last one had. */
static void words_of_an_earlier_document_take_no_room(void **state)
{
    uint32_t words[9];
    (void)state;
    xml_readers_keep();
    read_names(400, "</a>", words);
    read_words("<b><m/><m/></b>", words);
    assert_int_equal(words[2], 7);
    read_words("<b><m/></b>", words);
    assert_int_equal(words[2], 0);
    xml_readers_drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_and_text_come_in_document_order),
        cmocka_unit_test(namespaces_are_resolved),
        cmocka_unit_test(references_and_cdata_become_text),
        cmocka_unit_test(a_reference_may_stand_anywhere_in_a_long_text),
        cmocka_unit_test(a_long_text_is_cut_at_no_wrong_place),
        cmocka_unit_test(declarations_go_with_their_element),
        cmocka_unit_test(raw_content_is_handed_over_as_it_stands),
        cmocka_unit_test(raw_content_is_told_apart),
        cmocka_unit_test(names_of_namespaces_are_exact),
        cmocka_unit_test(a_word_is_kept_with_a_name_as_long_as_it_means_the_same),
        cmocka_unit_test(words_are_kept_of_so_many_names),
        cmocka_unit_test(words_of_an_earlier_document_take_no_room),
    };
    int failed = cmocka_run_group_tests_name("a reader for each", tests, NULL, NULL);
    xml_readers_keep();
    failed += cmocka_run_group_tests_name("readers that are kept", tests, NULL, NULL);
    xml_readers_drop();
    return failed;
}
