/* How often something may happen: so many at once, and so many a second. */
#ifndef HUB_ALLOWANCE_H
#define HUB_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

struct allowance {
    int64_t most, each_second; /* both at least 1 */
    int64_t used, since;       /* ticks */
};

/* One more; false: too many. */
bool allowance_spend(struct allowance *, int64_t ticks);

#endif
