#include "records80.h"

#include <inttypes.h>
#include <string.h>

enum { BETWEEN, IN_RECORD, BEHIND_RECORD, BEHIND_CR };
enum { UNKNOWN, NONE, LF, CR_LF };

void records80_init(struct records80 *r, int64_t max_records, record80_fn take, void *arg)
{
    memset(r, 0, sizeof *r);
    r->max_records = max_records;
    r->take = take;
    r->arg = arg;
    r->record.place.unit = "record";
    r->state = BETWEEN;
}

static int begin(struct records80 *r, struct edi_fault *fault)
{
    struct edi_place *place = &r->record.place;
    if (place->number == r->max_records)
        return edi_refuse_file(fault, "record-limit", "more than %" PRId64 " records, at byte %" PRId64,
                               r->max_records, r->offset);
    place->number++;
    place->offset = r->offset;
    place->tag[0] = 0;
    r->held = 0;
    r->state = IN_RECORD;
    return 0;
}

static int broken_line(struct records80 *r, struct edi_fault *fault)
{
    if (r->ends == NONE)
        return edi_refuse(
            fault, &r->record.place, "record-length",
            "a line end in column %zu, though no line end follows column 80 of record 1: each record "
            "has 80 columns, and a line end follows all of them or none",
            r->held + 1);
    return edi_refuse(fault, &r->record.place, "record-length", "has %zu columns, expected 80", r->held);
}

/* Takes columns: how many is in *taken. */
static int in_record(struct records80 *r, const uint8_t *bytes, size_t size, size_t *taken,
                     struct edi_fault *fault)
{
    size_t n = COLUMNS_OF_RECORD - r->held;
    uint8_t bad = 0;
    n = size < n ? size : n;
    for (size_t i = 0; i < n; i++)
        bad |= (uint8_t)(bytes[i] - 0x20) > 0x7e - 0x20;
    for (size_t i = 0; bad && i < n; i++, r->held++) {
        if (bytes[i] == '\r' || bytes[i] == '\n')
            return broken_line(r, fault);
        if (bytes[i] < 0x20 || bytes[i] > 0x7e)
            return edi_refuse(fault, &r->record.place, "character",
                              "column %zu is not a printable ASCII character", r->held + 1);
    }
    memcpy(r->record.text + r->held, bytes, n);
    r->held += n;
    *taken = n;
    if (r->held < COLUMNS_OF_RECORD)
        return 0;
    r->state = BEHIND_RECORD;
    return r->take(r->arg, &r->record, fault);
}

/* Column 80 is behind us. What follows the first record must follow all. */
static int behind_record(struct records80 *r, uint8_t byte, struct edi_fault *fault)
{
    int ends = byte == '\n' ? LF : byte == '\r' ? CR_LF : NONE;
    if (r->ends == UNKNOWN)
        r->ends = ends;
    r->state = ends == CR_LF ? BEHIND_CR : BETWEEN;
    if (r->ends == ends)
        return 0;
    if (ends == NONE)
        return edi_refuse(fault, &r->record.place, "record-length", "longer than 80 columns");
    return edi_refuse(fault, &r->record.place, "line-end",
                      "followed by %s, unlike record 1: the same must follow every record",
                      ends == LF ? "LF" : "CR");
}

static int step(struct records80 *r, const uint8_t *bytes, size_t size, size_t *taken,
                struct edi_fault *fault)
{
    int result = 0;
    *taken = 1;
    if (r->state == BEHIND_CR) {
        r->state = BETWEEN;
        return bytes[0] == '\n'
                   ? 0
                   : edi_refuse(fault, &r->record.place, "line-end", "followed by CR without LF");
    }
    if (r->state == BEHIND_RECORD) {
        result = behind_record(r, bytes[0], fault);
        if (result || r->state != BETWEEN || r->ends != NONE)
            return result;
    }
    if (r->state == BETWEEN)
        result = begin(r, fault);
    return result ? result : in_record(r, bytes, size, taken, fault);
}

int records80_feed(struct records80 *r, const uint8_t *bytes, size_t size, struct edi_fault *fault)
{
    int result = 0;
    for (size_t at = 0, taken; !result && at < size; at += taken, r->offset += (int64_t)taken)
        result = step(r, bytes + at, size - at, &taken, fault);
    return result;
}

int records80_finish(struct records80 *r, struct edi_fault *fault)
{
    if (r->state == IN_RECORD)
        return edi_refuse(fault, &r->record.place, "record-length",
                          "the file ends behind column %zu, expected 80", r->held);
    if (r->state == BEHIND_CR)
        return edi_refuse(fault, &r->record.place, "line-end", "followed by CR without LF");
    return 0;
}
