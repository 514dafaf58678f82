/* Objects of one size that are made and freed all the time: what is given back is kept for the next. An object too
 * many for the allocator's own short lists costs a search, a split and a join each time. One thread only. Under the
 * address sanitizer nothing is kept, so that late uses are found. */
#ifndef UTIL_POOL_H
#define UTIL_POOL_H

#include <stddef.h>

struct pool {
    size_t size; /* of an object, a pointer at least */
    size_t head; /* so much of it is zeroed, and the rest has any value; 0: all of it is */
    size_t most; /* kept at a time */
    size_t count;
    void *kept;
};

/* NULL: out of memory. */
void *pool_take(struct pool *);
void pool_give(struct pool *, void *object); /* NULL: nothing */

#endif
