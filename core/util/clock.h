/* Time. The virtual clock of the tests replaces `clock_source`. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

int64_t clock_wall(void);  /* microseconds since 1970; may jump */
int64_t clock_ticks(void); /* milliseconds, monotonic */

/* Until clock_release() both stand still for this thread, from where each is first asked for: for what is done at once,
 * many small things among it that all want to know the time, and no code that waits for it to pass. */
void clock_hold(void);
void clock_release(void);

/* For tests: both clocks come from here while set; NULL: the system's. */
struct clock_source {
    int64_t wall, ticks;
};
void clock_use(const struct clock_source *);

#endif
