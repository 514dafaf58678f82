/* What safe XML refuses: every row of what libxml2 alone lets through, malformed documents, every limit, and bombs, with a
 * bound on the time they take. Every document is fed whole and cut in several ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "xml_trace.h"

static void every_doctype_is_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
        "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>",
        "<!DOCTYPE a [<!ENTITY x 'EVERYONE'>]><a consent='&x;'/>",
        "<!DOCTYPE a [<!ATTLIST a color CDATA 'WHITE'>]><a/>",
        "<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>",
        "<?xml version='1.0'?>\n\n<!-- c -->\n<!DOCTYPE a><a/>",
        "<!doctype html><html></html>",
        "<a><!DOCTYPE a><b/></a>",
        "<a><raw><!DOCTYPE a [<!ENTITY x 'y'>]></raw></a>",
        "<a/><!DOCTYPE a>",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        expect_refused(documents[i], ACCORD_EFORMAT, "DOCTYPE is not allowed");
    expect_refused("<?xml version='1.0'?>\n\n<!-- c -->\n<!DOCTYPE a><a/>", ACCORD_EFORMAT,
                   "line 4: DOCTYPE is not allowed");
    expect_refused("<a>&x;</a>", ACCORD_EFORMAT, "x");
    expect_refused("<a b='&x;'/>", ACCORD_EFORMAT, "x");
}

static void other_encodings_are_refused(void **state)
{
    (void)state;
    expect_refused("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", ACCORD_EFORMAT,
                   "encoding \"ISO-8859-1\" is not allowed");
    expect_refused("<?xml version='1.0' encoding='UTF-16'?><a/>", ACCORD_EFORMAT, "UTF-16");
    expect_refused("<?xml version='1.0' encoding='utf-7'?><a/>", ACCORD_EFORMAT, "utf-7");
    expect_refused("<?xml version='1.1'?><a/>", ACCORD_EFORMAT, "version 1.0");
    expect_refused("\xFF\xFE<", ACCORD_EFORMAT, "UTF-16 is not allowed");
    expect_refused("\xFE\xFF", ACCORD_EFORMAT, "UTF-16 is not allowed");
    struct trace trace = trace_all("<\0a\0/\0>\0", 8, NULL);
    assert_int_equal(trace.error, ACCORD_EFORMAT);
    assert_non_null(strstr(trace.why, "NUL byte"));
    trace = trace_all("<a>\0</a>", 8, NULL);
    assert_int_equal(trace.error, ACCORD_EFORMAT);
    expect_refused("<a>\xE9</a>", ACCORD_EFORMAT, "UTF-8");
    expect_refused("<a>\xC0\xAF</a>", ACCORD_EFORMAT, "");
    expect_refused("<a b='\xED\xA0\x80'/>", ACCORD_EFORMAT, "");
    expect_refused("\xEF\xBB<a/>", ACCORD_EFORMAT, "not XML");
}

static void what_is_not_well_formed_is_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        "  \n",
        "<!-- only -->",
        "text",
        "<a></b>",
        "<a><b></a></b>",
        "</a>",
        "<a/><b/>",
        "<a/>text",
        "text<a/>",
        "<a/><![CDATA[x]]>",
        "<a>",
        "<a b=c/>",
        "<a b='1'c='2'/>",
        "<a b='1' b='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<a b='<'/>",
        "<a <b/>",
        "<a>]]></a>",
        "<a>&amp</a>",
        "<a>&amp<!-- -->;</a>",
        "<a>&lt;&amp<?x?>;</a>",
        "<a>& </a>",
        "<a>&#0;</a>",
        "<a>&#x110000;</a>",
        "<a>\x01</a>",
        "<a b='\x02'/>",
        "<!-- -- --><a/>",
        "<!-><a/>",
        "<![IGNORE[]]><a/>",
        "<a><!ELEMENT a></a>",
        "<>",
        "< a/>",
        "<1/>",
        "<a></a b='1'>",
        "<a></a/>",
        "<a:b:c xmlns:a='u'/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:p=''/>",
        " <?xml version='1.0'?><a/>",
        "<a/><?xml version='1.0'?>",
        "<a><?XML x?></a>",
        "<a><raw><?xml version='1.0'?><b/></raw></a>",
        "<?xml encoding='UTF-8'?><a/>",
        "<?xml?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0' encoding='UTF-8' version='1.0'?><a/>",
        "<?xml version='1.0' junk?><a/>",
        "<?><a/>",
        "<raw><a></b></raw>",
        "<raw></a></raw>",
        "<raw><a></raw>",
        "<raw><a></a x></raw>",
        "<raw><a><b></c></a></raw>",
        "<raw><a><b></b x></a></raw>",
        "<raw><a><b><c/></d></b></a></raw>",
        "<raw><a><b c='<'></b></a></raw>",
        "<raw><a b='<'/></raw>",
        "<raw>< a/></raw>",
        "<raw></raw>x",
        "{\"error\": 1}",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        expect_refused(documents[i], ACCORD_EFORMAT, "line ");
    expect_refused("{\"error\": 1}", ACCORD_EFORMAT, "line 1: this is not XML: \"{");
    expect_refused("<a>\n<b>\n</a>", ACCORD_EFORMAT, "line 3: </a> stands where </b> must");
    expect_refused("<raw>\n<b>\n</a>\n</raw>", ACCORD_EFORMAT, "line 3: </a> stands where </b> must");
    expect_refused("", ACCORD_EFORMAT, "empty");
    expect_refused("<a><b>\n", ACCORD_EFORMAT, "line 2: the document is cut: it ends inside <b>");
}

static void lines_are_counted(void **state)
{
    static char document[9000], lines[8193];
    (void)state;
    for (size_t count = 1; count < sizeof lines; count = 2 * count + 13) {
        char expected[64];
        for (size_t i = 0; i < count; i++)
            lines[i] = i % 16 ? '\n' : ' ';
        snprintf(expected, sizeof expected, "line %zu: ", count - (count + 15) / 16 + 3);
        snprintf(document, sizeof document, "<a>\n<raw><b>%.*s</b>\n<c></d></c></raw></a>", (int)count,
                 lines);
        expect_refused(document, ACCORD_EFORMAT, expected);
        snprintf(document, sizeof document, "<raw><b><c>\n%.*s\n</d></b></raw>", (int)count, lines);
        expect_refused(document, ACCORD_EFORMAT, expected);
    }
}

static void a_document_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char document[] =
        "<?xml version='1.0'?><!-- c --><a x='1' y=\"2\"><?pi x?>text &amp;<b/>"
        "<raw x='y'> <c d='>'/>t<!-- </raw> --><![CDATA[ ]] ]]></raw><![CDATA[x]]>\xE2\x82\xAC</a>";
    size_t size = sizeof document - 1;
    for (size_t cut = 0; cut < size; cut++) {
        struct trace trace = trace_all(document, cut, NULL);
        if (trace.error != ACCORD_EFORMAT)
            fail_msg("%zu bytes: %d %s", cut, trace.error, trace.why);
    }
    struct trace whole = trace_all(document, size, NULL);
    assert_int_equal(whole.error, 0);
    trace_free(&whole);
}

/* --- limits: what stands at each passes, what is one above does not --- */

static struct xml_limits limits(void)
{
    return (struct xml_limits)XML_LIMITS;
}

static void passes(const char *document, const struct xml_limits *l)
{
    struct trace trace = trace_all(document, strlen(document), l);
    if (trace.error)
        fail_msg("%d %s: %s", trace.error, trace.why, document);
    trace_free(&trace);
}

static void size_is_limited(void **state)
{
    (void)state;
    struct xml_limits l = limits();
    l.size = 8;
    passes("<a>b</a>", &l);
    expect_limit("<a>bc</a>", &l, "larger than 8 bytes");
    expect_limit("<a>b</a>\n", &l, "larger than 8 bytes");
}

static void depth_and_elements_are_limited(void **state)
{
    (void)state;
    struct xml_limits l = limits();
    l.depth = 3;
    passes("<a><b><c/></b><b><c></c></b></a>", &l);
    passes("<a><raw><c/></raw></a>", &l);
    expect_limit("<a><b><c><d/></c></b></a>", &l, "nested deeper than 3");
    expect_limit("<a><raw><c><d/></c></raw></a>", &l, "nested deeper than 3");
    l = limits();
    l.elements = 3;
    passes("<a><b/><c/></a>", &l);
    passes("<raw><b/><c/></raw>", &l);
    expect_limit("<a><b/><c/><d/></a>", &l, "more than 3 elements");
    expect_limit("<raw><b/><c/><d/></raw>", &l, "more than 3 elements");
}

static void tags_are_limited(void **state)
{
    (void)state;
    struct xml_limits l = limits();
    l.attributes = 2;
    passes("<a b='1' xmlns:c='2'/>", &l);
    expect_limit("<a b='1' xmlns:c='2' d='3'/>", &l, "more than 2 attributes");
    expect_limit("<raw><a b='1' c='2' d=\"3\"></a></raw>", &l, "more than 2 attributes");
    l = limits();
    l.tag = 20;
    passes("<a b='12345678901'/><!--9012345678901-->", &l);
    expect_limit("<a b='123456789012'/>", &l, "a tag is larger than 20 bytes");
    expect_limit("<a></a                  >", &l, "a tag is larger than 20 bytes");
    expect_limit("<raw><a b='123456789012'/></raw>", &l, "a tag is larger than 20 bytes");
    expect_limit("<!--90123456789012--><a/>", &l, "a comment is larger than 20 bytes");
    expect_limit("<?x 90123456789012345?><a/>", &l, "an instruction is larger than 20 bytes");
}

static void text_is_limited(void **state)
{
    (void)state;
    struct xml_limits l = limits();
    l.text = 6;
    passes("<a x='123456'>123456<b/>123456</a>", &l);
    expect_limit("<a>1234567</a>", &l, "a run of text is larger than 6 bytes");
    expect_limit("<a>1234<![CDATA[567]]></a>", &l, "a run of text is larger than 6 bytes");
    expect_limit("<a>1234<!-- -->567</a>", &l, "a run of text is larger than 6 bytes");
    expect_limit("<a x='1234567'/>", &l, "value is larger than 6 bytes");
    expect_limit("<raw><a x='1234567'/></raw>", &l, "value is larger than 6 bytes");
    passes("<raw>1234567</raw>", &l); /* nobody keeps it */
}

static void names_and_declarations_are_limited(void **state)
{
    (void)state;
    char document[32 * 1024], *to = document;
    memset(document, 'n', 1100);
    document[0] = '<';
    strcpy(document + 1100, "/>");
    expect_limit(document, NULL, "name is longer than 1024");
    for (int depth = 0; depth < 6; depth++) {
        to += sprintf(to, "<a");
        for (int i = 0; i < 100; i++)
            to += sprintf(to, " xmlns:p%d='urn:%d'", i, depth);
        to += sprintf(to, ">");
    }
    expect_limit(document, NULL, "more than 512 namespace declarations");
}

/* --- bombs --- */

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* `head`, `count` times `part`, `tail`, fed whole and in pieces of 1000. */
static void bomb(const char *head, const char *part, size_t count, const char *tail, int error,
                 const char *why)
{
    size_t step = strlen(part), size = strlen(head) + count * step + strlen(tail);
    char *document = malloc(size + 1), *to = stpcpy(document, head);
    for (size_t i = 0; i < count; i++, to += step)
        memcpy(to, part, step);
    strcpy(to, tail);
    double begin = cpu_seconds();
    for (size_t piece = 0; piece <= 1000; piece += 1000) {
        struct trace trace = trace_of(document, size, piece, NULL);
        if (trace.error != error || !strstr(trace.why, why))
            fail_msg("%s...: %d %s", head, trace.error, trace.why);
        trace_free(&trace);
    }
    /* Seconds with sanitizers on a busy machine; what is quadratic takes minutes. */
    if (cpu_seconds() - begin > 5)
        fail_msg("%s%s...: %f s of CPU", head, part, cpu_seconds() - begin);
    free(document);
}

static void bombs_are_refused_in_little_time(void **state)
{
    (void)state;
    bomb("<a", " b='x'", 100000, "/>", ACCORD_ELIMIT, "attributes");
    bomb("<raw><a", " b='x'", 100000, "/></raw>", ACCORD_ELIMIT, "attributes");
    bomb("<a b='", "x", 10500000, "'/>", ACCORD_ELIMIT, "a tag is larger");
    bomb("<a>", "x", 10500000, "</a>", ACCORD_ELIMIT, "a run of text is larger");
    bomb("<a><![CDATA[", "x", 10500000, "]]></a>", ACCORD_ELIMIT, "a run of text is larger");
    bomb("<a>&", "x", 10500000, "</a>", ACCORD_EFORMAT, "a reference without ';'");
    bomb("<a>&", "<![CDATA[x]]>", 500000, "</a>", ACCORD_EFORMAT, "a reference without ';'");
    bomb("<a>", "<a>", 100000, "", ACCORD_ELIMIT, "nested deeper");
    bomb("<!--", "-", 2000000, "--><a/>", ACCORD_ELIMIT, "a comment is larger");
    bomb("<", "a", 2000000, "/>", ACCORD_ELIMIT, "a tag is larger");
    bomb("<a>", "&lt;", 200000, "</a>", 0, "");
    bomb("<a>", "]", 200000, "</a>", 0, "");
    bomb("<a><![CDATA[", "]", 200000, "]]></a>", 0, "");
    bomb("<a>", "\r", 200000, "</a>", 0, "");
    bomb("<raw>", "<a/>", 300000, "</raw>", 0, "");
    bomb("<raw>", ">", 1000000, "</raw>", 0, "");
    bomb("<a>", "<b c='>'></b>", 30000, "</a>", 0, "");
}

static void many_elements_take_linear_time(void **state)
{
    (void)state;
    bomb("<a>", "<a/>", 150000, "</a>", 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_doctype_is_refused),
        cmocka_unit_test(other_encodings_are_refused),
        cmocka_unit_test(what_is_not_well_formed_is_refused),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(a_document_cut_anywhere_is_refused),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(depth_and_elements_are_limited),
        cmocka_unit_test(tags_are_limited),
        cmocka_unit_test(text_is_limited),
        cmocka_unit_test(names_and_declarations_are_limited),
        cmocka_unit_test(bombs_are_refused_in_little_time),
        cmocka_unit_test(many_elements_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
