#include "edifact.h"

#include <inttypes.h>
#include <string.h>

enum { AT_START, IN_UNA, BETWEEN, IN_SEGMENT, AFTER_LAST };

void edifact_init(struct edifact *e, int64_t max_segments, int64_t offset, edi_segment_fn take, void *arg)
{
    memset(e, 0, sizeof *e);
    e->take = take;
    e->arg = arg;
    e->state = AT_START;
    e->offset = offset;
    edi_reader_init(&e->reader, max_segments);
    edi_reader_separators(&e->reader, ':', '+', '?', '\'');
}

/* Three capital letters; explicit nesting (BGM:1) is legal in ISO 9735 and refused. */
static int check_tag(struct edi_segment *s, struct edi_fault *fault)
{
    const char *tag = edi_get(s, 0, 0);
    bool letters = true;
    for (size_t i = 0; i < 3; i++) /* the place has three characters of it, capital letters and digits */
        letters = letters && s->place.tag[i] >= 'A';
    if (letters && !tag[3] && edi_components(s, 0) == 1)
        return 0;
    char quoted[EDI_QUOTE_MAX];
    s->place.tag[0] = 0;
    return edi_refuse(fault, &s->place, "tag", "the tag is %s%s, expected three capital letters",
                      edi_quote(quoted, tag), edi_components(s, 0) > 1 ? " with a nesting index" : "");
}

/* Bytes of a segment: *taken of them. */
static int in_segment(struct edifact *e, const uint8_t *bytes, size_t size, size_t *taken,
                      struct edi_fault *fault)
{
    bool ended, last = false;
    int result = edi_reader_read(&e->reader, bytes, size, e->offset, taken, &ended, fault);
    if (result || !ended)
        return result;
    result = check_tag(&e->reader.segment, fault);
    if (!result)
        result = e->take(e->arg, &e->reader.segment, &last, fault);
    e->state = last ? AFTER_LAST : BETWEEN;
    return result;
}

/* UNA: component, element, decimal mark, release, repetition (space or *), terminator. */
static int take_una(struct edifact *e, struct edi_fault *fault)
{
    const uint8_t *una = e->head + 3;
    const uint8_t marks[] = {una[0], una[1], una[5], una[3]};
    for (size_t i = 0; i < 4; i++) {
        bool none = i == 3 && marks[i] == ' ';
        uint8_t upper = marks[i] & 0xdf;
        bool alnum = (upper >= 'A' && upper <= 'Z') || (marks[i] >= '0' && marks[i] <= '9');
        bool twice = false;
        for (size_t j = 0; j < i; j++)
            twice = twice || marks[i] == marks[j];
        if (!none && (marks[i] <= 0x20 || marks[i] >= 0x7f || alnum || twice))
            return edi_refuse_file(
                fault, "una", "UNA at byte %" PRId64 ": service character %zu (0x%02x) is %s", e->offset - 8,
                i + 1, marks[i], twice ? "used twice" : "not a punctuation mark");
    }
    if ((una[2] != '.' && una[2] != ',') || (una[4] != ' ' && una[4] != '*'))
        return edi_refuse_file(fault, "una",
                               "UNA at byte %" PRId64 ": decimal mark 0x%02x and repetition mark 0x%02x, "
                               "expected a point or comma, then a space or *",
                               e->offset - 8, una[2], una[4]);
    edi_reader_separators(&e->reader, una[0], una[1], una[3] == ' ' ? 0 : una[3], una[5]);
    e->state = BETWEEN;
    return 0;
}

static int in_una(struct edifact *e, uint8_t byte, struct edi_fault *fault)
{
    e->head[e->step++] = byte;
    return e->step == sizeof e->head ? take_una(e, fault) : 0;
}

/* The first three bytes decide whether there is a UNA. */
static int at_start(struct edifact *e, uint8_t byte, struct edi_fault *fault)
{
    e->head[e->step++] = byte;
    if (e->step < 3)
        return 0;
    e->state = memcmp(e->head, "UNA", 3) ? IN_SEGMENT : IN_UNA;
    if (e->state == IN_UNA)
        return 0;
    int64_t here = e->offset;
    size_t taken;
    int result = edi_reader_begin(&e->reader, here - 2, fault);
    e->offset = here - 2;
    if (!result)
        result = in_segment(e, e->head, 3, &taken, fault);
    e->offset = here;
    return result;
}

static int between(struct edifact *e, uint8_t byte, struct edi_fault *fault)
{
    size_t taken;
    if (byte == '\r' || byte == '\n')
        return 0;
    e->state = IN_SEGMENT;
    int result = edi_reader_begin(&e->reader, e->offset, fault);
    return result ? result : in_segment(e, &byte, 1, &taken, fault);
}

int edifact_feed(struct edifact *e, const uint8_t *bytes, size_t size, struct edi_fault *fault)
{
    int result = 0;
    for (size_t at = 0, taken; !result && at < size; at += taken, e->offset += (int64_t)taken) {
        taken = 1;
        if (e->state == IN_SEGMENT)
            result = in_segment(e, bytes + at, size - at, &taken, fault);
        else if (e->state == BETWEEN)
            result = between(e, bytes[at], fault);
        else if (e->state == AFTER_LAST)
            result = edi_behind_end(bytes[at], "UNZ", e->offset, fault);
        else if (e->state == AT_START)
            result = at_start(e, bytes[at], fault);
        else
            result = in_una(e, bytes[at], fault);
    }
    return result;
}

int edifact_finish(struct edifact *e, struct edi_fault *fault)
{
    if (e->state == IN_SEGMENT)
        return edi_reader_cut(&e->reader, e->offset, fault);
    if (!e->reader.segments)
        return edi_refuse_file(fault, "start",
                               "the file ends after %" PRId64 " bytes, before the first segment", e->offset);
    return 0;
}
