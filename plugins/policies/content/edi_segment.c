#include "edi_segment.h"

#include <inttypes.h>
#include <string.h>

size_t edi_components(const struct edi_segment *s, size_t element)
{
    if (element >= s->element_count)
        return 0;
    size_t end = element + 1 < s->element_count ? s->first[element + 1] : s->part_count;
    return end - s->first[element];
}

const char *edi_get(const struct edi_segment *s, size_t element, size_t component)
{
    if (component >= edi_components(s, element))
        return "";
    return s->text + s->parts[s->first[element] + component];
}

void edi_reader_init(struct edi_reader *r, int64_t max_segments)
{
    memset(r, 0, sizeof *r);
    r->max_segments = max_segments;
    r->segment.place.unit = "segment";
}

void edi_reader_separators(struct edi_reader *r, uint8_t component, uint8_t element, uint8_t release,
                           uint8_t terminator)
{
    r->component = component;
    r->element = element;
    r->release = release;
    r->terminator = terminator;
    memset(r->kinds, EDI_DATA, sizeof r->kinds);
    memset(r->kinds, EDI_OTHER, 0x20);
    r->kinds[0x7f] = r->kinds[terminator] = EDI_OTHER;
    if (release)
        r->kinds[release] = EDI_OTHER;
    r->kinds[component] = EDI_COMPONENT;
    r->kinds[element] = EDI_ELEMENT;
}

int edi_reader_begin(struct edi_reader *r, int64_t offset, struct edi_fault *fault)
{
    struct edi_segment *s = &r->segment;
    if (r->segments == r->max_segments)
        return edi_refuse_file(fault, "segment-limit", "more than %" PRId64 " segments, at byte %" PRId64,
                               r->max_segments, offset);
    s->place.number = ++r->segments;
    s->place.offset = offset;
    s->high = false;
    s->element_count = s->part_count = 1;
    s->first[0] = 0;
    s->parts[0] = 0;
    r->raw = r->used = 0;
    r->released = false;
    return 0;
}

/* The tag for the reason's text, as far as the segment has come. */
static void note_tag(struct edi_reader *r)
{
    char *tag = r->segment.place.tag;
    memset(tag, 0, sizeof r->segment.place.tag);
    for (size_t i = 0; i < 3 && i < r->used; i++) {
        char c = r->segment.text[i];
        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9'))
            return;
        tag[i] = c;
    }
}

static int too_many(struct edi_reader *r, bool elements, struct edi_fault *fault)
{
    note_tag(r);
    return edi_refuse(fault, &r->segment.place, "element-limit", "more than %d %s",
                      elements ? EDI_ELEMENTS_MAX : EDI_PARTS_MAX, elements ? "elements" : "components");
}

/* Copies data, elements and components up to the next byte that is more, or where a limit is reached. */
static size_t take_data(struct edi_reader *r, const uint8_t *bytes, size_t size)
{
    struct edi_segment *s = &r->segment;
    size_t most = EDI_SEGMENT_MAX - r->raw, n = 0, used = r->used;
    uint8_t seen = 0;
    most = size < most ? size : most;
    for (; n < most; n++) {
        uint8_t kind = r->kinds[bytes[n]];
        if (kind == EDI_DATA) {
            s->text[used++] = (char)bytes[n];
            seen |= bytes[n];
            continue;
        }
        if (kind == EDI_OTHER || s->part_count == EDI_PARTS_MAX ||
            (kind == EDI_ELEMENT && s->element_count == EDI_ELEMENTS_MAX))
            break;
        s->text[used++] = 0;
        if (kind == EDI_ELEMENT)
            s->first[s->element_count++] = (uint16_t)s->part_count;
        s->parts[s->part_count++] = (uint16_t)used;
    }
    s->high = s->high || seen >= 0x80;
    r->raw += n;
    r->used = used;
    return n;
}

static bool separates(const struct edi_reader *r, uint8_t byte)
{
    return byte == r->terminator || byte == r->element || byte == r->component;
}

static int take_special(struct edi_reader *r, uint8_t byte, int64_t offset, bool *ended,
                        struct edi_fault *fault)
{
    struct edi_segment *s = &r->segment;
    if (r->raw++ == EDI_SEGMENT_MAX) {
        note_tag(r);
        return edi_refuse(fault, &s->place, "segment-length", "longer than %d bytes without an end",
                          EDI_SEGMENT_MAX);
    }
    if ((byte < 0x20 || byte == 0x7f) && !separates(r, byte)) {
        note_tag(r);
        return edi_refuse(fault, &s->place, "control-character",
                          "control character 0x%02x at byte %" PRId64
                          "; line ends may stand only between segments",
                          byte, offset);
    }
    if (!r->released && r->release && byte == r->release) {
        r->released = true;
        note_tag(r);
        return s->element_count > 1 ? 0
                                    : edi_refuse(fault, &s->place, "tag", "a release character in the tag");
    }
    if (!r->released && byte == r->terminator) {
        s->text[r->used] = 0;
        note_tag(r);
        *ended = true;
        return 0;
    }
    if (!r->released && separates(r, byte))
        return too_many(r, byte == r->element && r->segment.part_count < EDI_PARTS_MAX, fault);
    r->released = false;
    s->high = s->high || byte >= 0x80;
    s->text[r->used++] = (char)byte;
    return 0;
}

int edi_reader_read(struct edi_reader *r, const uint8_t *bytes, size_t size, int64_t offset, size_t *taken,
                    bool *ended, struct edi_fault *fault)
{
    int result = 0;
    size_t at = 0;
    *ended = false;
    while (!result && !*ended && at < size) {
        if (!r->released)
            at += take_data(r, bytes + at, size - at);
        if (at < size) {
            result = take_special(r, bytes[at], offset + (int64_t)at, ended, fault);
            at++;
        }
    }
    *taken = at;
    return result;
}

int edi_reader_cut(struct edi_reader *r, int64_t offset, struct edi_fault *fault)
{
    note_tag(r);
    return edi_refuse(fault, &r->segment.place, "segment-end",
                      "the file ends at byte %" PRId64 " in the middle of the segment", offset);
}

int edi_behind_end(uint8_t byte, const char *end, int64_t offset, struct edi_fault *fault)
{
    if (byte == '\r' || byte == '\n' || byte == ' ')
        return 0;
    return edi_refuse_file(fault, "trailing",
                           "byte %" PRId64 ": 0x%02x behind the end of the interchange (%s), "
                           "expected the end of the file: one file holds one interchange",
                           offset, byte, end);
}
