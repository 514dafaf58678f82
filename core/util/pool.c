#include "util/pool.h"

#include <stdlib.h>
#include <string.h>

#include "util/ahead.h"

#ifdef __SANITIZE_ADDRESS__
#define KEEPS 0
#else
#define KEEPS 1
#endif

void *pool_take(struct pool *pool)
{
    void *object = pool->kept;
    if (!object)
        return calloc(1, pool->size);
    memcpy(&pool->kept, object, sizeof pool->kept);
    pool->count--;
    ahead(pool->kept, 1); /* the one that is taken next has been used by nobody for a while */
    return memset(object, 0, pool->head ? pool->head : pool->size);
}

void pool_give(struct pool *pool, void *object)
{
    if (!object || !KEEPS || pool->count >= pool->most) {
        free(object);
        return;
    }
    memcpy(object, &pool->kept, sizeof pool->kept);
    pool->kept = object;
    pool->count++;
}
