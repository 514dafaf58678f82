#include "bus/pace.h"

#include <string.h>
#include <sys/random.h>

#include "util/clock.h"

#define JUMP       2000000   /* microseconds that the clocks may part before it counts as a jump */
#define WAIT_LEAST 120000000 /* microseconds: judgements are deferred for up to half of it */

static void note_jump(struct pace *pace, int64_t from, int64_t by)
{
    if (pace->jump_count == PACE_JUMPS)
        memmove(pace->jumps, pace->jumps + 1, --pace->jump_count * sizeof *pace->jumps);
    pace->jumps[pace->jump_count++] = (struct pace_jump){from, by};
}

int64_t pace_now(struct pace *pace)
{
    int64_t wall = clock_wall(), ticks = clock_ticks(), passed = (ticks - pace->ticks) * 1000;
    if (!pace->wall) {
        *pace = (struct pace){.wall = wall, .ticks = ticks, .retry = wall};
        return wall;
    }
    int64_t jumped = wall - (pace->wall + passed);
    if (jumped > JUMP)
        note_jump(pace, pace->wall + passed, jumped);
    pace->retry += passed;
    if (pace->retry < wall)
        pace->retry = wall;
    pace->wall = wall;
    pace->ticks = ticks;
    return pace->retry;
}

int64_t pace_age(struct pace *pace, int64_t since)
{
    pace_now(pace);
    int64_t age = pace->wall - since;
    for (size_t i = 0; i < pace->jump_count; i++)
        if (since <= pace->jumps[i].from)
            age -= pace->jumps[i].by;
    return age;
}

int64_t pace_back_off(const struct conf_service *service, int64_t attempts)
{
    int64_t pause = service->retry_first;
    for (int64_t i = 1; i < attempts && pause < service->retry_longest; i++)
        pause *= 2;
    if (pause > service->retry_longest)
        pause = service->retry_longest;
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = UINT32_MAX / 2;
    return pause - pause / 5 + (int64_t)((double)random / UINT32_MAX * 0.4 * (double)pause);
}

int64_t pace_longest(const struct conf_service *service)
{
    int64_t longest = service->retry_longest * 1000 / 4 * 5;
    return longest > WAIT_LEAST ? longest : WAIT_LEAST;
}
