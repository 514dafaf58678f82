#include "answer_trace.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put_list(FILE *to, const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s%s", i ? "," : " ", items[i]);
}

static int on_instance(void *arg, const struct answer_instance *i)
{
    fprintf(arg, "instance %s %s %s %s%s \"%s\"", i->service, i->version, i->protocol, i->address,
            i->available ? "" : " unavailable", i->message);
    put_list(arg, i->message_bindings, i->message_binding_count);
    fputs(" |", arg);
    put_list(arg, i->bindings, i->binding_count);
    fputc('\n', arg);
    return 0;
}

static int on_collection(void *arg, const struct answer_collection *c)
{
    fprintf(arg, "collection %s%s%s poll=%s inbox=%s subscription=%s", c->name, c->feed ? " feed" : " set",
            c->available ? "" : " unavailable", c->poll_address, c->inbox_address, c->subscription_address);
    put_list(arg, c->bindings, c->binding_count);
    fputc('\n', arg);
    return 0;
}

static int on_poll(void *arg, const struct answer_poll *p)
{
    fprintf(arg, "poll %s result=%s subscription=%s%s part=%" PRId64 " (%s, %s] count=%" PRId64 "%s \"%s\"\n",
            p->collection, p->result_id, p->subscription, p->more ? " more" : "", p->part, p->begin, p->end,
            p->count, p->partial_count ? "+" : "", p->message);
    return 0;
}

static int on_block(void *arg, const struct answer_block *b)
{
    fprintf(arg, "block %" PRId64 " %s %s\n[", b->number, b->binding, b->subtype);
    return 0;
}

static int on_content(void *arg, const uint8_t *bytes, size_t size)
{
    assert_true(size > 0);
    fwrite(bytes, 1, size, arg);
    return 0;
}

static int on_block_end(void *arg, const char *label)
{
    fprintf(arg, "]\nend %s\n", label);
    return 0;
}

static int on_status(void *arg, const struct answer_status *s)
{
    fprintf(arg, "status %s \"%s\"", s->type, s->message);
    for (size_t i = 0; i < s->detail_count; i++)
        fprintf(arg, " %s=%s", s->details[i].name, s->details[i].value);
    fputc('\n', arg);
    return 0;
}

static int feed(struct answer *answer, const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* the address sanitizer sees one byte too far */
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    int error = answer_feed(answer, exact, size);
    free(exact);
    return error;
}

struct answer_trace answer_trace_of(const void *bytes, size_t size, size_t piece, const char *id,
                                    int64_t limit)
{
    static const struct answer_events events = {on_instance, on_collection, on_poll,  on_block,
                                                on_content,  on_block_end,  on_status};
    struct answer_trace trace = {0};
    size_t room;
    FILE *to = open_memstream(&trace.calls, &room);
    struct answer *answer = answer_new(id ? id : ANSWER_ID, limit, &events, to);
    assert_non_null(answer);
    for (size_t at = 0; at < size && !trace.error; at += piece ? piece : size)
        trace.error =
            feed(answer, (const uint8_t *)bytes + at, piece && piece < size - at ? piece : size - at);
    if (!trace.error)
        trace.error = answer_finish(answer);
    trace.kind = answer_kind(answer);
    snprintf(trace.why, sizeof trace.why, "%s", answer_why(answer));
    assert_int_equal(answer_finish(answer), trace.error);
    assert_true(!trace.error == !*trace.why);
    answer_free(answer);
    fclose(to);
    if (trace.error)
        answer_trace_free(&trace);
    return trace;
}

void answer_trace_free(struct answer_trace *trace)
{
    free(trace->calls);
    trace->calls = NULL;
}

struct answer_trace answer_trace_all(const void *bytes, size_t size, const char *id, int64_t limit)
{
    static const size_t pieces[] = {1, 7, 4096};
    struct answer_trace whole = answer_trace_of(bytes, size, 0, id, limit);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct answer_trace cut = answer_trace_of(bytes, size, pieces[i], id, limit);
        if (cut.error != whole.error || strcmp(cut.why, whole.why) || cut.kind != whole.kind)
            fail_msg("in pieces of %zu: %d %s, not %d %s\n%.300s", pieces[i], cut.error, cut.why, whole.error,
                     whole.why, (const char *)bytes);
        if (!whole.error)
            assert_string_equal(cut.calls, whole.calls);
        answer_trace_free(&cut);
    }
    return whole;
}

void expect_told(const char *document, enum answer_kind kind, const char *calls)
{
    struct answer_trace trace = answer_trace_all(document, strlen(document), NULL, 1 << 20);
    if (trace.error)
        fail_msg("%d %s: %.300s", trace.error, trace.why, document);
    assert_int_equal(trace.kind, kind);
    assert_string_equal(trace.calls, calls);
    answer_trace_free(&trace);
}

void expect_broken(const char *document, int error, const char *why_part)
{
    struct answer_trace trace = answer_trace_all(document, strlen(document), NULL, 1 << 20);
    if (trace.error != error || !strstr(trace.why, why_part))
        fail_msg("%d \"%s\", not %d \"%s\": %.300s", trace.error, trace.why, error, why_part, document);
    answer_trace_free(&trace);
}
