/* Memory that will be looked at soon, and that hundreds of messages have been through since it was last: asked for all at
 * once, its lines come together; one after the other, each would be waited for. */
#ifndef UTIL_AHEAD_H
#define UTIL_AHEAD_H

#include <stddef.h>

#define AHEAD_LINE 64 /* bytes that the memory gives at a time */

/* Any address: nothing is read that is not there. */
static inline void ahead(const void *from, size_t size)
{
    for (size_t at = 0; at < size; at += AHEAD_LINE)
        __builtin_prefetch((const char *)from + at);
}

#endif
