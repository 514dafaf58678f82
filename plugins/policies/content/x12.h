/* X12 segments: the ISA of 106 fixed bytes, which says the separators, and what may stand between segments.
 * What segments mean is x12_interchange.h's.
 */
#ifndef CONTENT_X12_H
#define CONTENT_X12_H

#include "edi_segment.h"

#define X12_ISA_SIZE 106

/* ISA01 to ISA16 without the spaces that pad them. ISA02 and ISA04 may be secrets: nothing reads them. */
struct x12_isa {
    struct edi_place place;
    char qualifier[2][3], party[2][16]; /* ISA05 and 06, ISA07 and 08 */
    char date[7], time[5], repetition, version[6], reference[10], acknowledge, usage;
};

struct x12 {
    int (*open)(void *arg, const struct x12_isa *, struct edi_fault *);
    edi_segment_fn take;
    void *arg;
    bool allow_indent;
    int state;
    size_t held;
    uint8_t head[X12_ISA_SIZE];
    int64_t offset;
    struct edi_reader reader; /* the ISA is its first segment */
};

/* `open` is called after the ISA, `take` with every other segment. `offset` is where ISA stands in the file. */
void x12_init(struct x12 *, int64_t max_segments, bool allow_indent, int64_t offset,
              int (*open)(void *arg, const struct x12_isa *, struct edi_fault *), edi_segment_fn take,
              void *arg);
/* 0, or ACCORD_EFORMAT with the fault filled in; nothing more may be fed then. The first bytes are ISA. */
int x12_feed(struct x12 *, const uint8_t *, size_t, struct edi_fault *);
int x12_finish(struct x12 *, struct edi_fault *);

#endif
