#include "util/clock.h"

#include <stddef.h>
#include <time.h>

static const struct clock_source *virtual_source;

static int64_t read_clock(clockid_t which, int64_t per_second)
{
    struct timespec ts;
    clock_gettime(which, &ts);
    return ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

int64_t clock_wall(void)
{
    return virtual_source ? virtual_source->wall : read_clock(CLOCK_REALTIME, 1000000);
}

int64_t clock_ticks(void)
{
    return virtual_source ? virtual_source->ticks : read_clock(CLOCK_MONOTONIC, 1000);
}

void clock_use(const struct clock_source *source)
{
    virtual_source = source;
}
