/* Replays the journal: whole groups in order, all of a group or nothing.
 *
 * Groups are written one after the other, and the next begins only when the fdatasync of the one before has
 * returned. So:
 * - A group with its commit record, count and checksums right, whose payload can be read, is taken.
 * - A group with damage is taken, but for the damaged records, when something later proves that it had been
 *   synced: a valid record of a later group, or the index, which never runs ahead of the journal.
 * - Otherwise it is the torn end of the journal: nothing in it was reported as done, and nothing is taken.
 */
#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H

#include "store/scan.h"

struct recover_group {
    uint64_t group, end; /* position behind it */
    uint64_t marker;     /* position of its commit record; 0: damaged */
    uint64_t next_number; /* 0: unknown */
};

struct recover {
    struct segments *segments;
    uint64_t from, end;  /* as in scan_init() */
    uint64_t durable;    /* groups up to this number had been synced, the index says */
    /* One record of a taken group, payload pieces excepted. */
    int (*record)(void *arg, const struct record_head *, const uint8_t *body);
    int (*taken)(void *arg, const struct recover_group *);
    void *arg;
    /* out */
    uint64_t last_end;   /* behind the last taken group; 0: none was taken */
    uint64_t last_group; /* the newest group seen, taken or not */
    uint64_t data_end;   /* behind the last thing that is not zeros */
    uint64_t records, damaged_records, damaged_bytes;
};

int recover_run(struct recover *);

#endif
