#include "util/buf_pool.h"

#ifdef __SANITIZE_ADDRESS__
#define KEEPS 0
#else
#define KEEPS 1
#endif

struct buf buf_pool_take(struct buf_pool *pool)
{
    return pool->count ? pool->kept[--pool->count] : (struct buf){0};
}

void buf_pool_give(struct buf_pool *pool, struct buf *buf)
{
    size_t most = pool->most ? pool->most : BUF_POOL_MOST;
    if (!KEEPS || !buf->data || buf->room > pool->usual || pool->count == most) {
        buf_fini(buf);
        return;
    }
    buf_clear(buf);
    pool->kept[pool->count++] = *buf;
    *buf = (struct buf){0};
}
