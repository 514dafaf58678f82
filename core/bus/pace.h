/* Time on the bus: when a delivery is tried again, and how long it has been tried. The system's clock may jump, so
 * what is due within a run is reckoned with the monotonic clock:
 *
 * - a jump back delays no retry: the retry clock goes on from where it was;
 * - a jump ahead makes retries due that would have waited, and nothing else: no retry-for ends early by it;
 * - after a jump back, retry-for of what was admitted before may last longer by as much as the clock was put back.
 *
 * A restart knows only what is stored: a wait that is longer than its service allows is cut there.
 */
#ifndef BUS_PACE_H
#define BUS_PACE_H

#include "conf/conf.h"

#define PACE_JUMPS 8 /* the last ones */

struct pace {
    int64_t wall, ticks; /* when the clocks were compared last */
    int64_t retry;       /* microseconds: the retry clock then */
    struct pace_jump {
        int64_t from, by; /* ahead: at this wall time, by so much */
    } jumps[PACE_JUMPS];
    size_t jump_count;
};

/* The retry clock: wall microseconds that never go back. */
int64_t pace_now(struct pace *);
/* It is at least this. */
/* Microseconds since a wall time that the store noted. */
int64_t pace_age(struct pace *, int64_t since);
/* Milliseconds: exponential back-off from the service's first pause to its longest, plus or minus a fifth at
 * random, so that a partner that comes back is not met by everybody at once. */
int64_t pace_back_off(const struct conf_service *, int64_t attempts);
/* Microseconds: the longest that a delivery of this service may have been told to wait. */
int64_t pace_longest(const struct conf_service *);

#endif
