#include "store/record_bytes.h"

#include <endian.h>
#include <string.h>

/* ---- numbers ---- */

void bytes_put32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

void bytes_put64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

uint32_t bytes_get32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

uint64_t bytes_get64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return le64toh(value);
}

/* ---- writing ---- */

void add8(struct buf *buf, unsigned value)
{
    buf_byte(buf, (uint8_t)value);
}

void add32(struct buf *buf, uint32_t value)
{
    uint8_t *to = buf_reserve(buf, 4);
    if (to) {
        bytes_put32(to, value);
        buf->size += 4;
    }
}

void add64(struct buf *buf, uint64_t value)
{
    uint8_t *to = buf_reserve(buf, 8);
    if (to) {
        bytes_put64(to, value);
        buf->size += 8;
    }
}

void add_text(struct buf *buf, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > UINT16_MAX) {
        buf->failed = true;
        return;
    }
    uint8_t *to = buf_reserve(buf, 2 + size);
    if (!to)
        return;
    to[0] = (uint8_t)size;
    to[1] = (uint8_t)(size >> 8);
    memcpy(to + 2, text, size);
    buf->size += 2 + size;
}

/* ---- reading bodies: the first mistake sets `bad`, and everything read after it is empty ---- */

const uint8_t *take(struct reader *in, size_t size)
{
    static const uint8_t zeros[RECORD_SEAL_SPACE];
    if (in->bad || size > in->left) {
        in->bad = true;
        return size <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *at = in->at;
    in->at += size;
    in->left -= size;
    return at;
}

unsigned take8(struct reader *in)
{
    return *take(in, 1);
}

uint32_t take32(struct reader *in)
{
    return bytes_get32(take(in, 4));
}

uint64_t take64(struct reader *in)
{
    return bytes_get64(take(in, 8));
}

size_t take_count(struct reader *in, size_t limit)
{
    size_t count = take32(in);
    if (count <= limit)
        return count;
    in->bad = true;
    return 0;
}

bool take_bool(struct reader *in)
{
    unsigned value = take8(in);
    if (value > 1)
        in->bad = true;
    return value == 1;
}

enum store_state take_state(struct reader *in)
{
    unsigned value = take8(in);
    if (value < STORE_WAITING || value > STORE_DISCARDED)
        in->bad = true;
    return (enum store_state)value;
}

/* `room` counts the NUL. */
const char *take_text(struct reader *in, size_t room)
{
    const uint8_t *sizes = take(in, 2);
    size_t size = (size_t)sizes[0] | (size_t)sizes[1] << 8;
    const uint8_t *text = !size || size > room ? NULL : take(in, size);
    if (in->bad || !text || memchr(text, 0, size) != text + size - 1) {
        in->bad = true;
        return "";
    }
    return (const char *)text;
}

int take_end(const struct reader *in)
{
    return in->bad || in->left ? ACCORD_EFORMAT : 0;
}
