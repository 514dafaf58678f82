/* A growable byte buffer. A failed append sets `failed` and keeps what was there; check once at the end. */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    uint8_t *data;
    size_t size;
    size_t room;
    bool failed;
};

void buf_fini(struct buf *);
void buf_clear(struct buf *);
uint8_t *buf_grow(struct buf *, size_t size);
/* Makes `size` bytes available at the end and returns them without counting them; NULL when out of memory. */
static inline uint8_t *buf_reserve(struct buf *buf, size_t size)
{
    return size <= buf->room - buf->size ? buf->data + buf->size : buf_grow(buf, size);
}
static inline void buf_put(struct buf *buf, const void *bytes, size_t size)
{
    uint8_t *to = size ? buf_reserve(buf, size) : NULL;
    if (!to)
        return;
    memcpy(to, bytes, size);
    buf->size += size;
}
void buf_text(struct buf *, const char *text);
void buf_byte(struct buf *, uint8_t byte);
void buf_format(struct buf *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The contents as a string (a NUL is kept behind them, uncounted); NULL when an append has failed. */
const char *buf_string(struct buf *);
/* Removes `size` bytes from the front. */
void buf_drop(struct buf *, size_t size);

#endif
