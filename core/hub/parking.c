#include "hub/parking.h"

#include <string.h>

#include "util/text.h"

enum parking parking_park(struct parked *parked, const char *rule, const char *reason,
                          const struct parking_clock *clock)
{
    if (parked->is)
        return PARKING_ALREADY;
    bool known = parked->trial && strcmp(parked->rule, rule) == 0;
    parked->is = true;
    parked->trial = false;
    parked->retry_at = clock->retry_after ? clock->ticks + clock->retry_after : 0;
    if (!known)
        parked->since = clock->wall;
    text_copy(parked->rule, sizeof parked->rule, rule);
    text_copy(parked->reason, sizeof parked->reason, reason);
    return known ? PARKING_AGAIN : PARKING_NEW;
}

bool parking_resume(struct parked *parked)
{
    bool was = parked->is;
    *parked = (struct parked){0};
    return was;
}

bool parking_retry(struct parked *parked, int64_t ticks)
{
    if (!parked->is || !parked->retry_at || ticks < parked->retry_at)
        return false;
    parked->is = false;
    parked->trial = true;
    parked->retry_at = 0;
    return true;
}

void parking_works(struct parked *parked)
{
    if (parked->trial)
        *parked = (struct parked){0};
}
