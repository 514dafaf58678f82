/* Walks the records of the journal in order, past whatever is damaged. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/record.h"
#include "store/segment.h"

struct scan {
    struct segments *segments;
    uint64_t at, end;  /* `end`: stop here; UINT64_MAX: at the end of the last file */
    bool skip_pieces;  /* give payload pieces without body and unchecked */
    struct buf window; /* bytes of the segment from window_at on */
    uint64_t window_at;
    /* what was passed before the record that scan_next gave, or before the end */
    uint64_t gap_at, gap; /* 0: nothing */
    bool gap_data;        /* not only zeros */
};

struct scanned {
    struct record_head head;
    const uint8_t *body; /* until the next call */
    bool good;           /* the body has its checksum */
};

void scan_init(struct scan *, struct segments *, uint64_t from, uint64_t end);
void scan_fini(struct scan *);
/* The body of a record that was passed, if all of it is still in memory, and whole. */
bool scan_passed(const struct scan *, uint64_t position, enum record_type, const uint8_t **body, size_t *size);
/* 1: a record. 0: the end. Negative: no memory, or a file that cannot be opened. */
int scan_next(struct scan *, struct scanned *);

#endif
