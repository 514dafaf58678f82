#include "x12.h"

#include <inttypes.h>
#include <string.h>

enum { IN_ISA, BEHIND_CR, BETWEEN, IN_SEGMENT, AFTER_LAST };

#define ISA_TERMINATOR (X12_ISA_SIZE - 1)
#define ISA_COMPONENT  (X12_ISA_SIZE - 2)

/* Where ISA01 to ISA16 begin; an element separator stands before each, and two places behind ISA15 the
 * component separator. */
static const uint8_t isa_at[] = {4, 7, 18, 21, 32, 35, 51, 54, 70, 77, 82, 84, 90, 100, 102, 104};
static const uint8_t isa_width[] = {2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1};

void x12_init(struct x12 *x, int64_t max_segments, bool allow_indent, int64_t offset,
              int (*open)(void *arg, const struct x12_isa *, struct edi_fault *), edi_segment_fn take,
              void *arg)
{
    memset(x, 0, sizeof *x);
    x->allow_indent = allow_indent;
    x->offset = offset;
    x->open = open;
    x->take = take;
    x->arg = arg;
    x->state = IN_ISA;
    edi_reader_init(&x->reader, max_segments);
    x->reader.segment.place = (struct edi_place){.unit = "segment", .offset = offset, .tag = "ISA"};
}

static bool is_alphanumeric(uint8_t byte)
{
    uint8_t upper = byte & 0xdf;
    return (upper >= 'A' && upper <= 'Z') || (byte >= '0' && byte <= '9');
}

/* Any ASCII that is not a letter, a digit or a space; a line end only where `line_end` says so. */
static bool may_separate(uint8_t byte, bool line_end)
{
    if (byte == '\r' || byte == '\n')
        return line_end;
    return byte > 0 && byte < 0x7f && byte != ' ' && !is_alphanumeric(byte);
}

/* Sixteen elements of fixed widths: the separator stands before each and nowhere else. */
static int check_widths(struct x12 *x, struct edi_fault *fault)
{
    struct edi_place *place = &x->reader.segment.place;
    size_t next = 0;
    for (size_t i = 3; i < ISA_COMPONENT; i++) {
        bool expected = next < sizeof isa_at && i == isa_at[next] - 1u;
        if ((x->head[i] == x->head[3]) == expected) {
            next += expected;
            continue;
        }
        return edi_refuse(fault, place, "isa-length",
                          expected
                              ? "byte %zu of it is no element separator, expected 16 elements of fixed "
                                "widths in 106 bytes (element ISA%02zu begins behind it)"
                              : "byte %zu of it is an element separator in the middle of element ISA%02zu, "
                                "expected 16 elements of fixed widths in 106 bytes",
                          i, expected ? next + 1 : next);
    }
    return 0;
}

static int check_separators(struct x12 *x, struct edi_fault *fault)
{
    static const char *const names[] = {"element", "component", "segment", "repetition"};
    /* ISA11 separates from version 00402 on; before, it is the letter U. */
    uint8_t repetition = x->head[isa_at[10]];
    const uint8_t marks[] = {x->head[3], x->head[ISA_COMPONENT], x->head[ISA_TERMINATOR], repetition};
    size_t count = is_alphanumeric(repetition) ? 3 : 4;
    for (size_t i = 0; i < count; i++) {
        if (!may_separate(marks[i], i == 2))
            return edi_refuse(fault, &x->reader.segment.place, "isa-separator",
                              "the %s separator is 0x%02x, expected a character that is no letter, digit, "
                              "space or line end",
                              names[i], marks[i]);
        for (size_t j = 0; j < i; j++)
            if (marks[i] == marks[j])
                return edi_refuse(fault, &x->reader.segment.place, "isa-separator",
                                  "0x%02x separates both %ss and %ss", marks[i], names[j], names[i]);
    }
    return 0;
}

static void element(const struct x12 *x, size_t number, char *to)
{
    size_t size = isa_width[number - 1];
    memcpy(to, x->head + isa_at[number - 1], size);
    while (size && to[size - 1] == ' ')
        size--;
    to[size] = 0;
}

static int take_isa(struct x12 *x, struct edi_fault *fault)
{
    struct edi_place *place = &x->reader.segment.place;
    int result = edi_reader_begin(&x->reader, place->offset, fault);
    if (!result)
        result = check_widths(x, fault);
    if (!result)
        result = check_separators(x, fault);
    for (size_t i = 0; !result && i < ISA_COMPONENT; i++)
        if (i != 3 && x->head[i] != x->head[3] && x->head[i] != x->head[isa_at[10]] &&
            (x->head[i] < 0x20 || x->head[i] >= 0x7f))
            result = edi_refuse(fault, place, "isa-character", "byte %zu of it is not printable ASCII", i);
    if (result)
        return result;
    struct x12_isa isa = {.place = *place,
                          .repetition = (char)x->head[isa_at[10]],
                          .acknowledge = (char)x->head[isa_at[13]],
                          .usage = (char)x->head[isa_at[14]]};
    for (size_t i = 0; i < 2; i++) {
        element(x, 5 + 2 * i, isa.qualifier[i]);
        element(x, 6 + 2 * i, isa.party[i]);
    }
    element(x, 9, isa.date);
    element(x, 10, isa.time);
    element(x, 12, isa.version);
    element(x, 13, isa.reference);
    uint8_t terminator = x->head[ISA_TERMINATOR];
    edi_reader_separators(&x->reader, x->head[ISA_COMPONENT], x->head[3], 0, terminator);
    x->state = terminator == '\r' ? BEHIND_CR : BETWEEN;
    return x->open(x->arg, &isa, fault);
}

/* Two or three capital letters and digits, a letter first. */
static int check_tag(struct edi_segment *s, struct edi_fault *fault)
{
    const char *tag = edi_get(s, 0, 0),
               *own = s->place.tag; /* own: capital letters and digits, at most three */
    if (own[0] >= 'A' && own[1] && tag[own[2] ? 3 : 2] == 0 && edi_components(s, 0) == 1)
        return 0;
    char quoted[EDI_QUOTE_MAX];
    s->place.tag[0] = 0;
    return edi_refuse(fault, &s->place, "tag",
                      "the tag is %s, expected two or three capital letters or digits",
                      edi_quote(quoted, tag));
}

static int in_segment(struct x12 *x, const uint8_t *bytes, size_t size, size_t *taken,
                      struct edi_fault *fault)
{
    bool ended, last = false;
    int result = edi_reader_read(&x->reader, bytes, size, x->offset, taken, &ended, fault);
    if (result || !ended)
        return result;
    result = check_tag(&x->reader.segment, fault);
    if (!result)
        result = x->take(x->arg, &x->reader.segment, &last, fault);
    x->state = last ? AFTER_LAST : x->reader.terminator == '\r' ? BEHIND_CR : BETWEEN;
    return result;
}

/* Line ends may follow a printable terminator; CR alone as a terminator may have its LF. */
static int between(struct x12 *x, uint8_t byte, struct edi_fault *fault)
{
    size_t taken;
    bool behind_cr = x->state == BEHIND_CR, printable = x->reader.terminator > ' ';
    x->state = BETWEEN;
    if ((behind_cr && byte == '\n') || (printable && (byte == '\r' || byte == '\n')))
        return 0;
    if (byte == ' ')
        return x->allow_indent
                   ? 0
                   : edi_refuse_file(fault, "indent",
                                     "byte %" PRId64 ": a space before a segment (allow-indent = yes "
                                     "lets it pass)",
                                     x->offset);
    if (byte == '\r' || byte == '\n')
        return edi_refuse_file(fault, "line-end",
                               "byte %" PRId64
                               ": a line end between segments, which end with 0x%02x and have "
                               "none",
                               x->offset, x->reader.terminator);
    x->state = IN_SEGMENT;
    int result = edi_reader_begin(&x->reader, x->offset, fault);
    return result ? result : in_segment(x, &byte, 1, &taken, fault);
}

static int in_isa(struct x12 *x, uint8_t byte, struct edi_fault *fault)
{
    x->head[x->held++] = byte;
    return x->held == X12_ISA_SIZE ? take_isa(x, fault) : 0;
}

int x12_feed(struct x12 *x, const uint8_t *bytes, size_t size, struct edi_fault *fault)
{
    int result = 0;
    for (size_t at = 0, taken; !result && at < size; at += taken, x->offset += (int64_t)taken) {
        taken = 1;
        if (x->state == IN_SEGMENT)
            result = in_segment(x, bytes + at, size - at, &taken, fault);
        else if (x->state == BETWEEN || x->state == BEHIND_CR)
            result = between(x, bytes[at], fault);
        else if (x->state == AFTER_LAST)
            result = edi_behind_end(bytes[at], "IEA", x->offset, fault);
        else
            result = in_isa(x, bytes[at], fault);
    }
    return result;
}

int x12_finish(struct x12 *x, struct edi_fault *fault)
{
    uint8_t terminator = x->reader.terminator;
    size_t taken;
    /* Where segments end with a line end, the last line may end with the file. */
    if (x->state == IN_SEGMENT && (terminator == '\r' || terminator == '\n'))
        return in_segment(x, &terminator, 1, &taken, fault);
    if (x->state == IN_SEGMENT)
        return edi_reader_cut(&x->reader, x->offset, fault);
    if (x->state == IN_ISA)
        return edi_refuse_file(fault, "isa-length",
                               "the file ends after %" PRId64 " bytes, within the ISA, which has 106",
                               x->offset);
    return 0;
}
