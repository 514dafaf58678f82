#include "xml_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct recorder {
    FILE *to;
    char run; /* what the open run is made of: 't' text, a letter of raw's parts, 0 none */
};

static void end_run(struct recorder *recorder)
{
    if (recorder->run)
        fputs(recorder->run == 't' ? "\n" : "]\n", recorder->to);
    recorder->run = 0;
}

static void add_run(struct recorder *recorder, char run, const void *bytes, size_t size)
{
    if (recorder->run != run) {
        end_run(recorder);
        if (run != 't')
            fprintf(recorder->to, "%c[", run);
        recorder->run = run;
    }
    fwrite(bytes, 1, size, recorder->to);
}

static int on_raw(void *arg, struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    static const char runs[] = {[XML_PART_ELEMENT] = 'E', [XML_PART_MORE] = 'E', [XML_PART_TEXT] = 'T',
                                [XML_PART_CDATA] = 'C',   [XML_PART_MARK] = 'M', [XML_PART_ASIDE] = 'A'};
    enum xml_part part = xml_raw_part(reader);
    if (part == XML_PART_ELEMENT || part == XML_PART_ASIDE)
        end_run(arg);
    add_run(arg, runs[part], bytes, size);
    return 0;
}

static void put_name(FILE *to, const struct xml_name *name)
{
    fprintf(to, "%s%s%s", name->prefix, *name->prefix ? ":" : "", name->local);
}

static int on_start(void *arg, struct xml_reader *reader, const struct xml_element *element)
{
    struct recorder *recorder = arg;
    end_run(recorder);
    fputc('<', recorder->to);
    put_name(recorder->to, &element->name);
    if (*element->name.space)
        fprintf(recorder->to, " {%s}", element->name.space);
    for (size_t i = 0; i < element->attribute_count; i++) {
        fputs(" @", recorder->to);
        put_name(recorder->to, &element->attributes[i].name);
        fprintf(recorder->to, "=%s", element->attributes[i].value);
    }
    for (size_t i = 0; i < element->declared_count; i++)
        fprintf(recorder->to, " ^%s=%s", element->declared[i].prefix, element->declared[i].name);
    fprintf(recorder->to, " %zu,%d\n", element->depth, (int)element->line);
    if (!strcmp(element->name.local, "raw"))
        xml_take_raw(reader, on_raw);
    return 0;
}

static int on_end(void *arg, struct xml_reader *reader, const struct xml_name *name, size_t depth)
{
    struct recorder *recorder = arg;
    (void)reader;
    end_run(recorder);
    fputc('>', recorder->to);
    put_name(recorder->to, name);
    fprintf(recorder->to, " %zu\n", depth);
    return 0;
}

static int on_text(void *arg, struct xml_reader *reader, const char *bytes, size_t size)
{
    (void)reader;
    add_run(arg, 't', bytes, size);
    return 0;
}

static int feed(struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* the address sanitizer sees one byte too far */
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    int error = xml_feed(reader, exact, size);
    free(exact);
    return error;
}

struct trace trace_of(const void *bytes, size_t size, size_t piece, const struct xml_limits *limits)
{
    static const struct xml_events events = {on_start, on_end, on_text};
    static const struct xml_limits usual = XML_LIMITS;
    struct trace trace = {0};
    struct recorder recorder = {0};
    size_t room;
    recorder.to = open_memstream(&trace.calls, &room);
    struct xml_reader *reader = xml_reader_new(limits ? limits : &usual, &events, &recorder);
    assert_non_null(reader);
    for (size_t at = 0; at < size && !trace.error; at += piece ? piece : size)
        trace.error =
            feed(reader, (const uint8_t *)bytes + at, piece && piece < size - at ? piece : size - at);
    if (!trace.error)
        trace.error = xml_finish(reader);
    snprintf(trace.why, sizeof trace.why, "%s", xml_why(reader));
    assert_int_equal(xml_feed(reader, (const uint8_t *)"", 0), trace.error);
    if (trace.error) {
        assert_int_equal(xml_feed(reader, (const uint8_t *)"<a/>", 4), trace.error);
        assert_int_equal(xml_finish(reader), trace.error);
    }
    assert_true(!trace.error == !*trace.why);
    xml_reader_free(reader);
    end_run(&recorder);
    fclose(recorder.to);
    if (trace.error) {
        free(trace.calls);
        trace.calls = NULL;
    }
    return trace;
}

struct trace trace_all(const void *bytes, size_t size, const struct xml_limits *limits)
{
    static const size_t pieces[] = {1, 7, 4096};
    struct trace whole = trace_of(bytes, size, 0, limits);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct trace cut = trace_of(bytes, size, pieces[i], limits);
        if (cut.error != whole.error || strcmp(cut.why, whole.why))
            fail_msg("in pieces of %zu: %d %s, not %d %s\n%.200s", pieces[i], cut.error, cut.why, whole.error,
                     whole.why, (const char *)bytes);
        if (!whole.error)
            assert_string_equal(cut.calls, whole.calls);
        trace_free(&cut);
    }
    return whole;
}

void trace_free(struct trace *trace)
{
    free(trace->calls);
    trace->calls = NULL;
}

void expect_calls(const char *document, const char *calls)
{
    struct trace trace = trace_all(document, strlen(document), NULL);
    if (trace.error)
        fail_msg("%d %s: %.200s", trace.error, trace.why, document);
    assert_string_equal(trace.calls, calls);
    trace_free(&trace);
}

static void expect(const char *document, const struct xml_limits *limits, int error, const char *why_part)
{
    struct trace trace = trace_all(document, strlen(document), limits);
    if (trace.error != error || !strstr(trace.why, why_part))
        fail_msg("%d \"%s\", not %d \"%s\": %.200s", trace.error, trace.why, error, why_part, document);
    trace_free(&trace);
}

void expect_refused(const char *document, int error, const char *why_part)
{
    expect(document, NULL, error, why_part);
}

void expect_limit(const char *document, const struct xml_limits *limits, const char *why_part)
{
    expect(document, limits, ACCORD_ELIMIT, why_part);
}
