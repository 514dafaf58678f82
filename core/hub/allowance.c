#include "hub/allowance.h"

bool allowance_spend(struct allowance *allowance, int64_t ticks)
{
    int64_t back = (ticks - allowance->since) * allowance->each_second / 1000;
    if (back > 0) {
        allowance->used = allowance->used > back ? allowance->used - back : 0;
        allowance->since = ticks;
    }
    if (allowance->used >= allowance->most)
        return false;
    allowance->used++;
    return true;
}
