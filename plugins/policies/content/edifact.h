/* EDIFACT (ISO 9735) segments: UNA, what may stand between segments, and the end of the file. What segments
 * mean is interchange.h's.
 */
#ifndef CONTENT_EDIFACT_H
#define CONTENT_EDIFACT_H

#include "edi_segment.h"

struct edifact {
    edi_segment_fn take;
    void *arg;
    int state, step; /* step: bytes of UNA or of the first tag seen */
    uint8_t head[9];
    int64_t offset;
    struct edi_reader reader;
};

/* `offset` is where UNA or UNB stands in the file: 3 behind a byte order mark, otherwise 0. */
void edifact_init(struct edifact *, int64_t max_segments, int64_t offset, edi_segment_fn, void *arg);
/* 0, or ACCORD_EFORMAT with the fault filled in; nothing more may be fed then. The first three bytes are UNA,
 * or those of the first segment. */
int edifact_feed(struct edifact *, const uint8_t *, size_t, struct edi_fault *);
/* The file ends here. 0 at a segment's end; whether it was the last one is the taker's matter. */
int edifact_finish(struct edifact *, struct edi_fault *);

#endif
