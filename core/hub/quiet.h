/* When a folder that is being edited has come to rest, and when a refusal is one too many. Both know time only from
 * outside, in ticks. */
#ifndef HUB_QUIET_H
#define HUB_QUIET_H

#include <stdbool.h>
#include <stdint.h>

#include "util/digest.h"

/* ---- changes that come in sets: an editor's rename, a copy of many files ---- */

#define QUIET_FOR  250  /* ms without another change */
#define QUIET_MOST 5000 /* ms after the first, whatever goes on */

struct quiet {
    bool pending;
    int64_t first, last;
};
void quiet_note(struct quiet *, int64_t ticks);
/* True once for each set. */
bool quiet_due(struct quiet *, int64_t ticks);

/* ---- refusals that say the same again and again ---- */

#define REFUSAL_WINDOW 60000 /* ms in which a refusal is recorded once */
#define REFUSALS_MAX   16    /* different ones that are known at a time */

struct refusal {
    uint8_t key[DIGEST_SIZE];
    int64_t since;
    uint64_t repeated; /* not recorded */
};
struct refusals {
    struct refusal items[REFUSALS_MAX];
    int count;
};
/* True: this one is to be recorded. False: it was counted. */
bool refusals_note(struct refusals *, const uint8_t key[DIGEST_SIZE], int64_t ticks);
/* How many were counted in a window that is over (`all`: or not), which is then forgotten; 0: none. Call until 0. */
uint64_t refusals_over(struct refusals *, int64_t ticks, bool all);

#endif
