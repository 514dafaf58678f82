/* Buffers of a usual size, kept for the next: as pool.h, and with its rules. */
#ifndef UTIL_BUF_POOL_H
#define UTIL_BUF_POOL_H

#include "util/buf.h"

#define BUF_POOL_MOST 512

struct buf_pool {
    size_t usual; /* bytes: what has room for more is not kept */
    size_t most;  /* of them kept; 0: BUF_POOL_MOST */
    size_t count;
    struct buf kept[BUF_POOL_MOST];
};

/* Empty, perhaps with room. */
struct buf buf_pool_take(struct buf_pool *);
/* As buf_fini(). */
void buf_pool_give(struct buf_pool *, struct buf *);

#endif
