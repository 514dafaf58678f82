#include "util/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

static const struct clock_source *virtual_source;
static _Thread_local struct {
    int64_t wall, ticks; /* 0: to be asked for; always, unless it is on */
    bool on;
} held;

static int64_t read_clock(clockid_t which, int64_t per_second)
{
    struct timespec ts;
    clock_gettime(which, &ts);
    return ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

/* Apart from the question, which is asked often and mostly answered from what is held. */
static __attribute__((noinline)) int64_t ask_wall(void)
{
    if (virtual_source)
        return virtual_source->wall;
    int64_t now = read_clock(CLOCK_REALTIME, 1000000);
    if (held.on)
        held.wall = now;
    return now;
}

static __attribute__((noinline)) int64_t ask_ticks(void)
{
    if (virtual_source)
        return virtual_source->ticks;
    int64_t now = read_clock(CLOCK_MONOTONIC, 1000);
    if (held.on)
        held.ticks = now;
    return now;
}

int64_t clock_wall(void)
{
    int64_t known = held.wall;
    return known ? known : ask_wall();
}

int64_t clock_ticks(void)
{
    int64_t known = held.ticks;
    return known ? known : ask_ticks();
}

void clock_hold(void)
{
    held.on = true;
    held.wall = held.ticks = 0;
}

void clock_release(void)
{
    held.on = false;
    held.wall = held.ticks = 0;
}

void clock_use(const struct clock_source *source)
{
    virtual_source = source;
    held.wall = held.ticks = 0;
}
