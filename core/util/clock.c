#include "util/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

static const struct clock_source *virtual_source;
static _Thread_local struct {
    bool on;
    int64_t wall, ticks; /* 0: not asked for yet */
} held;

static int64_t read_clock(clockid_t which, int64_t per_second)
{
    struct timespec ts;
    clock_gettime(which, &ts);
    return ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

int64_t clock_wall(void)
{
    if (virtual_source)
        return virtual_source->wall;
    if (held.on && held.wall)
        return held.wall;
    return held.wall = read_clock(CLOCK_REALTIME, 1000000);
}

int64_t clock_ticks(void)
{
    if (virtual_source)
        return virtual_source->ticks;
    if (held.on && held.ticks)
        return held.ticks;
    return held.ticks = read_clock(CLOCK_MONOTONIC, 1000);
}

void clock_hold(void)
{
    held.on = true;
    held.wall = held.ticks = 0;
}

void clock_release(void)
{
    held.on = false;
}

void clock_use(const struct clock_source *source)
{
    virtual_source = source;
}
