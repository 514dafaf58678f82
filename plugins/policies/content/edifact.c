#include "edifact.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { AT_START, IN_BOM, IN_UNA, BETWEEN, IN_SEGMENT, AFTER_LAST };

void edifact_init(struct edifact *e, int64_t max_segments, bool allow_bom, edifact_segment_fn take, void *arg)
{
    memset(e, 0, sizeof *e);
    e->max_segments = max_segments;
    e->allow_bom = allow_bom;
    e->take = take;
    e->arg = arg;
    e->state = AT_START;
    e->component = ':';
    e->element = '+';
    e->release = '?';
    e->terminator = '\'';
}

size_t edifact_components(const struct edifact_segment *s, size_t element)
{
    if (element >= s->element_count)
        return 0;
    size_t end = element + 1 < s->element_count ? s->first[element + 1] : s->part_count;
    return end - s->first[element];
}

const char *edifact_get(const struct edifact_segment *s, size_t element, size_t component)
{
    if (component >= edifact_components(s, element))
        return "";
    return s->text + s->parts[s->first[element] + component];
}

const char *edifact_quote(char to[EDIFACT_QUOTE_MAX], const char *value)
{
    size_t used = 0;
    to[used++] = '"';
    for (; *value && used < EDIFACT_QUOTE_MAX - 5; value++)
        to[used++] = *value >= 0x20 && *value < 0x7f ? *value : '?';
    snprintf(to + used, EDIFACT_QUOTE_MAX - used, "%s", *value ? "...\"" : "\"");
    return to;
}

static int fault_text(struct edifact_fault *fault, const char *rule, const char *where, const char *format,
                      va_list arguments)
{
    snprintf(fault->rule, sizeof fault->rule, "%s", rule);
    int used = snprintf(fault->reason, sizeof fault->reason, "%s", where);
    if (used >= 0 && (size_t)used < sizeof fault->reason)
        vsnprintf(fault->reason + used, sizeof fault->reason - (size_t)used, format, arguments);
    return ACCORD_EFORMAT;
}

int edifact_fault(struct edifact_fault *fault, const struct edifact_place *place, const char *rule,
                  const char *format, ...)
{
    char where[96];
    snprintf(where, sizeof where, "segment %" PRId64 "%s%s%s at byte %" PRId64 ": ", place->number,
             *place->tag ? " (" : "", place->tag, *place->tag ? ")" : "", place->offset);
    va_list arguments;
    va_start(arguments, format);
    int result = fault_text(fault, rule, where, format, arguments);
    va_end(arguments);
    return result;
}

/* A fault outside any segment. */
__attribute__((format(printf, 3, 4))) static int fault_outside(struct edifact_fault *fault, const char *rule,
                                                               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = fault_text(fault, rule, "", format, arguments);
    va_end(arguments);
    return result;
}

static bool is_letter(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The tag for the reason's text, as far as the segment has come. */
static void note_tag(struct edifact *e)
{
    struct edifact_segment *s = &e->segment;
    for (size_t i = 0; i < 3; i++)
        s->place.tag[i] = i < e->used && is_letter(s->text[i]) ? s->text[i] : 0;
    s->place.tag[3] = 0;
}

static void begin(struct edifact *e, int64_t offset)
{
    struct edifact_segment *s = &e->segment;
    s->place = (struct edifact_place){.number = ++e->segments, .offset = offset};
    s->high = false;
    s->element_count = s->part_count = 1;
    s->first[0] = 0;
    s->parts[0] = 0;
    e->raw = e->used = 0;
    e->released = false;
    e->state = IN_SEGMENT;
}

static int next_part(struct edifact *e, bool new_element, struct edifact_fault *fault)
{
    struct edifact_segment *s = &e->segment;
    if (s->part_count == EDIFACT_PARTS_MAX || (new_element && s->element_count == EDIFACT_ELEMENTS_MAX)) {
        note_tag(e);
        return edifact_fault(fault, &s->place, "element-limit", "more than %d %s",
                             new_element ? EDIFACT_ELEMENTS_MAX : EDIFACT_PARTS_MAX,
                             new_element ? "elements" : "components");
    }
    s->text[e->used++] = 0;
    if (new_element)
        s->first[s->element_count++] = (uint16_t)s->part_count;
    s->parts[s->part_count++] = (uint16_t)e->used;
    return 0;
}

static int end_segment(struct edifact *e, struct edifact_fault *fault)
{
    struct edifact_segment *s = &e->segment;
    s->text[e->used] = 0;
    note_tag(e);
    const char *tag = edifact_get(s, 0, 0);
    if (edifact_components(s, 0) != 1 || strlen(tag) != 3 || strlen(s->place.tag) != 3) {
        char quoted[EDIFACT_QUOTE_MAX];
        s->place.tag[0] = 0;
        return edifact_fault(fault, &s->place, "tag", "the tag is %s%s, expected three capital letters",
                             edifact_quote(quoted, tag),
                             edifact_components(s, 0) > 1 ? " with a nesting index" : "");
    }
    bool last = false;
    int result = e->take(e->arg, s, &last, fault);
    e->state = last ? AFTER_LAST : BETWEEN;
    return result;
}

static int take_byte(struct edifact *e, uint8_t byte, struct edifact_fault *fault)
{
    struct edifact_segment *s = &e->segment;
    if (e->raw++ == EDIFACT_SEGMENT_MAX) {
        note_tag(e);
        return edifact_fault(fault, &s->place, "segment-length", "longer than %d bytes without an end",
                             EDIFACT_SEGMENT_MAX);
    }
    if (byte < 0x20 || byte == 0x7f) {
        note_tag(e);
        return edifact_fault(fault, &s->place, "control-character",
                             "control character 0x%02x at byte %" PRId64
                             "; line ends may stand only between segments",
                             byte, e->offset);
    }
    if (e->released) {
        e->released = false;
    } else if (e->release && byte == e->release) {
        e->released = true;
        if (s->element_count == 1)
            return edifact_fault(fault, &s->place, "tag", "a release character in the tag");
        return 0;
    } else if (byte == e->terminator) {
        return end_segment(e, fault);
    } else if (byte == e->element || byte == e->component) {
        return next_part(e, byte == e->element, fault);
    }
    s->high = s->high || byte >= 0x80;
    s->text[e->used++] = (char)byte;
    return 0;
}

/* UNA: component, element, decimal mark, release, repetition (space or *), terminator. */
static int take_una(struct edifact *e, struct edifact_fault *fault)
{
    const uint8_t *una = e->head + 3;
    const uint8_t marks[] = {una[0], una[1], una[5], una[3]};
    for (size_t i = 0; i < 4; i++) {
        bool none = i == 3 && marks[i] == ' ';
        bool alnum = is_letter((char)(marks[i] & 0xdf)) || (marks[i] >= '0' && marks[i] <= '9');
        bool twice = false;
        for (size_t j = 0; j < i; j++)
            twice = twice || marks[i] == marks[j];
        if (!none && (marks[i] <= 0x20 || marks[i] >= 0x7f || alnum || twice))
            return fault_outside(
                fault, "una", "UNA at byte %" PRId64 ": service character %zu (0x%02x) is %s", e->offset - 8,
                i + 1, marks[i], twice ? "used twice" : "not a punctuation mark");
    }
    if ((una[2] != '.' && una[2] != ',') || (una[4] != ' ' && una[4] != '*'))
        return fault_outside(fault, "una",
                             "UNA at byte %" PRId64 ": decimal mark 0x%02x and repetition mark 0x%02x, "
                             "expected a point or comma, then a space or *",
                             e->offset - 8, una[2], una[4]);
    e->component = una[0];
    e->element = una[1];
    e->release = una[3] == ' ' ? 0 : una[3];
    e->terminator = una[5];
    e->state = BETWEEN;
    return 0;
}

/* The first three bytes decide: UNA, UNB, or not EDIFACT. */
static int take_start(struct edifact *e, uint8_t byte, struct edifact_fault *fault)
{
    if (byte == 0xef && !e->offset) {
        e->state = IN_BOM;
        return e->allow_bom ? 0
                            : fault_outside(fault, "bom",
                                            "the file begins with a byte order mark; EDIFACT begins "
                                            "with UNA or UNB (allow-bom = yes lets it pass)");
    }
    e->head[e->step++] = byte;
    if (e->step < 3)
        return 0;
    if (!memcmp(e->head, "UNA", 3)) {
        e->state = IN_UNA;
        return 0;
    }
    if (memcmp(e->head, "UNB", 3)) {
        char quoted[EDIFACT_QUOTE_MAX], text[4] = {(char)e->head[0], (char)e->head[1], (char)e->head[2], 0};
        return fault_outside(fault, "start",
                             "the file begins with %s, expected UNA or UNB: not an EDIFACT interchange",
                             edifact_quote(quoted, text));
    }
    begin(e, e->offset - 2);
    int result = 0;
    for (size_t i = 0; !result && i < 3; i++)
        result = take_byte(e, e->head[i], fault);
    return result;
}

static int take_bom(struct edifact *e, uint8_t byte, struct edifact_fault *fault)
{
    if (byte != (e->offset == 1 ? 0xbb : 0xbf))
        return fault_outside(fault, "start", "the file begins with byte 0xef, expected UNA or UNB");
    if (e->offset == 2)
        e->state = AT_START;
    return 0;
}

static int between(struct edifact *e, uint8_t byte, struct edifact_fault *fault)
{
    if (byte == '\r' || byte == '\n')
        return 0;
    if (e->segments == e->max_segments)
        return fault_outside(fault, "segment-limit", "more than %" PRId64 " segments, at byte %" PRId64,
                             e->max_segments, e->offset);
    begin(e, e->offset);
    return take_byte(e, byte, fault);
}

static int after_last(const struct edifact *e, uint8_t byte, struct edifact_fault *fault)
{
    if (byte == '\r' || byte == '\n' || byte == ' ')
        return 0;
    return fault_outside(fault, "trailing",
                         "byte %" PRId64 ": 0x%02x behind the end of the interchange (UNZ), "
                         "expected the end of the file: one file holds one interchange",
                         e->offset, byte);
}

int edifact_feed(struct edifact *e, const uint8_t *bytes, size_t size, struct edifact_fault *fault)
{
    int result = 0;
    for (size_t i = 0; !result && i < size; i++, e->offset++) {
        if (e->state == IN_SEGMENT) {
            result = take_byte(e, bytes[i], fault);
        } else if (e->state == BETWEEN) {
            result = between(e, bytes[i], fault);
        } else if (e->state == AFTER_LAST) {
            result = after_last(e, bytes[i], fault);
        } else if (e->state == AT_START) {
            result = take_start(e, bytes[i], fault);
        } else if (e->state == IN_BOM) {
            result = take_bom(e, bytes[i], fault);
        } else {
            e->head[e->step++] = bytes[i];
            if (e->step == sizeof e->head)
                result = take_una(e, fault);
        }
    }
    return result;
}

int edifact_finish(struct edifact *e, struct edifact_fault *fault)
{
    if (!e->offset)
        return fault_outside(fault, "start", "the file is empty, expected an EDIFACT interchange");
    if (e->state == IN_SEGMENT) {
        note_tag(e);
        return edifact_fault(fault, &e->segment.place, "segment-end",
                             "the file ends at byte %" PRId64 " in the middle of the segment", e->offset);
    }
    if (!e->segments)
        return fault_outside(fault, "start",
                             "the file ends after %" PRId64 " bytes, before the first segment", e->offset);
    return 0;
}
