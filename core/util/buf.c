#include "util/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}

uint8_t *buf_grow(struct buf *buf, size_t size)
{
    if (size > SIZE_MAX / 2 - buf->size) {
        buf->failed = true;
        return NULL;
    }
    if (buf->size + size > buf->room) {
        size_t room = buf->room ? buf->room : 256;
        while (room < buf->size + size)
            room *= 2;
        uint8_t *data = realloc(buf->data, room);
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->room = room;
    }
    return buf->data + buf->size;
}

void buf_text(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_byte(struct buf *buf, uint8_t byte)
{
    buf_put(buf, &byte, 1);
}

void buf_format(struct buf *buf, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    uint8_t *to = size < 0 ? NULL : buf_reserve(buf, (size_t)size + 1);
    if (to) {
        vsnprintf((char *)to, (size_t)size + 1, format, again);
        buf->size += (size_t)size;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

const char *buf_string(struct buf *buf)
{
    uint8_t *end = buf_reserve(buf, 1);
    if (!end || buf->failed)
        return NULL;
    *end = 0;
    return (const char *)buf->data;
}

void buf_drop(struct buf *buf, size_t size)
{
    buf->size -= size;
    memmove(buf->data, buf->data + size, buf->size);
}
