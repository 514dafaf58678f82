/* What a local clock shows: the offsets of one time zone, minute by minute.
 *
 * The zone comes from the system's tzdata, which the sandbox may read; the C library interprets it, once for some years
 * at a time, so that asking costs nothing and the process's own time zone is changed for that moment alone. A tzdata
 * that is updated is seen when the policy is opened again.
 */
#ifndef WINDOW_ZONE_H
#define WINDOW_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_NAME_MAX 64
#define ZONE_CHANGES  128 /* of the offset, in one reading: the busiest zones have four a year */

struct zone {
    char name[ZONE_NAME_MAX]; /* "UTC" or as in /usr/share/zoneinfo */
    int64_t from, until;      /* minutes since 1970 UTC that the table covers */
    size_t count;
    struct zone_change {
        int64_t at; /* from this minute on */
        int offset; /* minutes ahead of UTC */
    } changes[ZONE_CHANGES];
};

/* Negative: not a zone that is known here, and `why` says so. */
int zone_open(struct zone *, const char *name, char *why, size_t why_size);
/* The minute that a local clock shows, counted from 1970-01-01 00:00 of that clock. */
int64_t zone_local(struct zone *, int64_t minute);

#endif
