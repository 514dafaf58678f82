/* The content of TAXII 1.1 content blocks: the bytes that stand there, their namespaces, escaped text. Every answer is fed
 * whole and cut in several ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_trace.h"

#define SPACE "xmlns:t='http://taxii.mitre.org/messages/taxii_xml_binding-1.1'"

/* An answer with one block; `root`: further attributes of it. */
static char *answer_with(const char *root, const char *block, const char *content)
{
    char *text;
    assert_true(asprintf(&text,
                         "<t:Poll_Response " SPACE
                         " %s message_id='1' in_response_to='urn:q:1' collection_name='c'>"
                         "<t:Content_Block %s><t:Content_Binding binding_id='b'/><t:Content>%s</t:Content>"
                         "</t:Content_Block></t:Poll_Response>",
                         root, block, content) > 0);
    return text;
}

static void expect_content_of(const char *root, const char *block, const char *given, const char *content)
{
    char *text = answer_with(root, block, given), *calls;
    assert_true(asprintf(&calls,
                         "poll c result= subscription= part=1 (, ] count=-1 \"\"\nblock 1 b \n[%s]\nend \n",
                         content) > 0);
    expect_told(text, ANSWER_POLL, calls);
    free(text);
    free(calls);
}

static void expect_content(const char *given, const char *content)
{
    expect_content_of("", "", given, content);
}

static void expect_bad(const char *given, int error, const char *why)
{
    char *text = answer_with("", "", given);
    expect_broken(text, error, why);
    free(text);
}

static void an_element_keeps_its_bytes(void **state)
{
    (void)state;
    expect_content("<x/>", "<x/>");
    expect_content(" \r\n\t<x a='>'  b=\"'\"\r\n>\r\n &amp;<![CDATA[ ]] ]]><!-- </x> --><y></y > </x\n> \n",
                   "<x a='>'  b=\"'\"\r\n>\r\n &amp;<![CDATA[ ]] ]]><!-- </x> --><y></y > </x\n>");
    expect_content("<!-- before --> <?and this?><x><!-- in --></x><!-- after --> ", "<x><!-- in --></x>");
    expect_content("<t:Content_Block><t:Content/></t:Content_Block>",
                   "<t:Content_Block xmlns:t=\"http://taxii.mitre.org/messages/taxii_xml_binding-1.1\">"
                   "<t:Content/></t:Content_Block>");
    expect_content("", "");
    expect_content(" \n ", "");
}

static void namespaces_of_the_envelope_come_along(void **state)
{
    (void)state;
    const char *root = "xmlns:q='urn:q' xmlns:a='urn:a' xmlns='http://www.w3.org/2000/09/xmldsig#' "
                       "xmlns:tdq='http://taxii.mitre.org/query/taxii_default_query-1'";
    expect_content_of(root, "xmlns:p='urn:p'", "<a:x b=''/>",
                      "<a:x b='' xmlns:a=\"urn:a\" xmlns:p=\"urn:p\" xmlns:q=\"urn:q\"/>");
    expect_content_of(root, "xmlns:a='urn:nearer'", "<a:x><y/></a:x>",
                      "<a:x xmlns:a=\"urn:nearer\" xmlns:q=\"urn:q\"><y/></a:x>");
    expect_content_of(root, "", "<a:x xmlns:a='own' xmlns:qq='u' xmlns:q = 'q'>t</a:x>",
                      "<a:x xmlns:a='own' xmlns:qq='u' xmlns:q = 'q'>t</a:x>");
    expect_content_of("xmlns='urn:d'", "", "<x/>", "<x xmlns=\"urn:d\"/>");
    expect_content_of("xmlns='urn:d'", "", "<x xmlns=''/>", "<x xmlns=''/>");
    expect_content_of("xmlns='urn:d'", "xmlns=''", "<x/>", "<x/>");
    expect_content_of("xmlns:p='u&amp;&quot;&lt;&#10;'", "", "<x  />",
                      "<x xmlns:p=\"u&#38;&#34;&#60;&#10;\"  />");
}

static void escaped_text_is_unescaped_once(void **state)
{
    (void)state;
    expect_content("&lt;x a=&quot;&amp;lt;&quot;&gt;&#233;&#x20aC;&#x1F600;&apos;&lt;/x>",
                   "<x a=\"&lt;\">\u00E9\u20AC\U0001F600'</x>");
    expect_content("\n  &lt;x/&gt; \r\n &lt;!-- a\rb --&gt;\n ", "<x/> \n <!-- a\nb -->");
    expect_content("<![CDATA[<?xml version='1.0'?>\n<x>&amp;]]]]><![CDATA[></x>]]>",
                   "<?xml version='1.0'?>\n<x>&amp;]]></x>");
    expect_content(" <![CDATA[ \n]]> <!-- no --><![CDATA[<x/>\n]]>\n", "<x/>");
    expect_content("a<!-- between -->b&#13;c", "ab\rc");
    expect_content("http://127.0.0.1:1/fetch-me", "http://127.0.0.1:1/fetch-me");
    expect_content("3C7374", "3C7374");
}

static void long_runs_of_white_space_are_kept_within_text(void **state)
{
    (void)state;
    char given[20000], content[20000];
    sprintf(given, "a%9000s&#10;%3000sb  ", "", "");
    sprintf(content, "a%9000s\n%3000sb", "", "");
    expect_content(given, content);
}

static void lines_end_alike_wherever_a_text_is_cut(void **state)
{
    (void)state;
    for (int before = 4080; before < 4100; before++) {
        char given[10000], content[10000];
        sprintf(given, "%0*d\r\nx\r&#13;<![CDATA[%0*d\r\n]]>&amp;y", before, 0, before, 0);
        sprintf(content, "%0*d\nx\n\r%0*d\n&y", before, 0, before, 0);
        expect_content(given, content);
    }
}

static void a_large_text_is_not_held(void **state)
{
    (void)state;
    size_t size = 9 << 20; /* more than one run of parsed text may have */
    char *content = malloc(size + 1);
    memset(content, 'x', size);
    content[size] = 0;
    char *text = answer_with("", "", content);
    struct answer_trace trace = answer_trace_of(text, strlen(text), 16384, NULL, 16 << 20);
    assert_int_equal(trace.error, 0);
    assert_true(strlen(trace.calls) > size);
    answer_trace_free(&trace);
    free(text);
    free(content);
}

static void a_mixture_is_refused(void **state)
{
    (void)state;
    expect_bad("text<x/>", ACCORD_EFORMAT, "an element beside its text");
    expect_bad("<x/>text", ACCORD_EFORMAT, "text beside its element");
    expect_bad("<x/><![CDATA[t]]>", ACCORD_EFORMAT, "text beside its element");
    expect_bad("<x/>&#65;", ACCORD_EFORMAT, "text beside its element");
    expect_bad("<x/><x/>", ACCORD_EFORMAT, "more than one element");
    expect_content("&#32;<x/><![CDATA[ ]]>", "<x/>");
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    expect_bad("<x>", ACCORD_EFORMAT, "</t:Content> stands where </x> must");
    expect_bad("</x>", ACCORD_EFORMAT, "</x> stands where </t:Content> must");
    expect_bad("<x a=b/>", ACCORD_EFORMAT, "first tag of a content is malformed: <x");
    expect_bad("<x a='1'b='2'/>", ACCORD_EFORMAT, "first tag of a content is malformed");
    expect_bad("&nbsp;", ACCORD_EFORMAT, "\"&nbsp;\", which is no reference");
    expect_bad("&#0;", ACCORD_EFORMAT, "which is no reference");
    expect_bad("&#xD800;", ACCORD_EFORMAT, "which is no reference");
    expect_bad("&#x;", ACCORD_EFORMAT, "which is no reference");
    expect_bad("&#6a;", ACCORD_EFORMAT, "which is no reference");
    expect_bad("& and more text", ACCORD_EFORMAT, "'&' that begins no reference");
    expect_bad("a &amp", ACCORD_EFORMAT, "reference without ';'");
    expect_bad("a &amp<!-- x -->;", ACCORD_EFORMAT, "reference without ';'");
    expect_bad("a ]]> b", ACCORD_EFORMAT, "outside of CDATA");
    expect_bad("<!DOCTYPE x><x/>", ACCORD_EFORMAT, "DOCTYPE is not allowed");
    expect_bad("<?xml version='1.0'?><x/>", ACCORD_EFORMAT, "XML declaration");
}

static void what_an_envelope_declares_is_limited(void **state)
{
    (void)state;
    char root[12000], *to = root;
    for (int i = 0; i < 64; i++)
        to += sprintf(to, "xmlns:n%d='u' ", i);
    char *text = answer_with(root, "", "<x/>");
    expect_broken(text, ACCORD_ELIMIT, "more than 64 namespaces");
    free(text);
    sprintf(root, "xmlns:n='%08200d'", 0);
    text = answer_with(root, "", "<x/>");
    expect_broken(text, ACCORD_ELIMIT, "larger than 8192 bytes");
    free(text);
    sprintf(root, "xmlns:n='%08100d'", 0);
    text = answer_with(root, "", "<x/>");
    struct answer_trace trace = answer_trace_all(text, strlen(text), NULL, 1 << 20);
    assert_int_equal(trace.error, 0);
    answer_trace_free(&trace);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_element_keeps_its_bytes),
        cmocka_unit_test(namespaces_of_the_envelope_come_along),
        cmocka_unit_test(escaped_text_is_unescaped_once),
        cmocka_unit_test(long_runs_of_white_space_are_kept_within_text),
        cmocka_unit_test(lines_end_alike_wherever_a_text_is_cut),
        cmocka_unit_test(a_large_text_is_not_held),
        cmocka_unit_test(a_mixture_is_refused),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(what_an_envelope_declares_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
