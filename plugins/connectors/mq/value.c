#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MOST 4 /* descriptors of descriptors */

static uint64_t number_of(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* ---- reading ---- */

bool value_open(struct value_reader *reader, uint8_t code, const uint8_t *bytes, size_t size, bool map)
{
    *reader = (struct value_reader){bytes, bytes + size, 0};
    if (code == 0x45 && !map)
        return size == 0;
    size_t width = code >> 4 == 0xc ? 1 : code >> 4 == 0xd ? 4 : 0;
    if ((code & 0x0f) != (map ? 1 : 0) || !width || size < width)
        return false;
    reader->count = (size_t)number_of(bytes, width);
    reader->at += width;
    return reader->count <= size;
}

/* How many bytes the value behind its constructor has; false: they are not all there. */
static bool extent(const uint8_t *at, const uint8_t *end, uint8_t code, size_t *skip, size_t *size)
{
    static const uint8_t fixed[] = {[4] = 0, [5] = 1, [6] = 2, [7] = 4, [8] = 8, [9] = 16};
    size_t upper = code >> 4, have = (size_t)(end - at);
    *skip = 0;
    if (upper < 4)
        return false;
    if (upper <= 9) {
        *size = fixed[upper];
    } else {
        *skip = upper & 1 ? 4 : 1;
        if (have < *skip)
            return false;
        *size = (size_t)number_of(at, *skip);
    }
    return *size <= have - *skip;
}

bool value_read(struct value_reader *reader, struct value *value)
{
    bool described = false;
    size_t skip, size;
    for (int depth = 0; reader->at < reader->end && *reader->at == 0x00; depth++) {
        struct value_reader inner = {reader->at + 1, reader->end, 1};
        struct value descriptor;
        if (depth >= DEPTH_MOST || inner.at == inner.end || *inner.at == 0x00 ||
            !value_read(&inner, &descriptor))
            return false;
        reader->at = inner.at;
        described = true;
    }
    if (reader->at == reader->end)
        return false;
    uint8_t code = *reader->at++;
    if (!extent(reader->at, reader->end, code, &skip, &size))
        return false;
    *value = (struct value){described ? 0 : code, reader->at + skip, size};
    reader->at += skip + size;
    return true;
}

bool value_skip_all(struct value_reader *reader)
{
    struct value value;
    for (size_t i = 0; i < reader->count; i++)
        if (!value_read(reader, &value))
            return false;
    return true;
}

/* ---- text ---- */

static bool is_text(const struct value *value)
{
    return value->code == 0xa1 || value->code == 0xb1 || value->code == 0xa3 || value->code == 0xb3;
}

static bool is_binary(const struct value *value)
{
    return value->code == 0xa0 || value->code == 0xb0;
}

bool value_is(const struct value *value, const char *text)
{
    return is_text(value) && value->size == strlen(text) && memcmp(value->bytes, text, value->size) == 0;
}

/* Of a UTF-8 sequence that begins here; 0: there is none, or it is a control character. */
static size_t character(const uint8_t *at, size_t left)
{
    size_t size = at[0] < 0x80                    ? 1
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                  : 0;
    if (!size || size > left || (size == 1 && (at[0] < 0x20 || at[0] == 0x7f)))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    bool control = at[0] == 0xc2 && at[1] < 0xa0;
    return overlong || outside || control ? 0 : size;
}

static bool is_clean(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    for (size_t part; at < size && (part = character(bytes + at, size - at)); at += part)
        ;
    return at == size;
}

static void copy_text(const struct value *value, char *to, size_t room)
{
    size_t put = 0;
    for (size_t at = 0; at < value->size && put + 1 < room;) {
        size_t part = character(value->bytes + at, value->size - at);
        if (put + (part ? part : 1) >= room)
            break;
        if (part)
            memcpy(to + put, value->bytes + at, part);
        else
            to[put] = '?';
        put += part ? part : 1;
        at += part ? part : 1;
    }
    to[put] = '\0';
}

static void copy_hex(const struct value *value, char *to, size_t room)
{
    size_t put = 0;
    for (size_t i = 0; i < value->size && put + 2 < room; i++)
        put += (size_t)snprintf(to + put, room - put, "%02x", value->bytes[i]);
    to[put] = '\0';
}

/* Printable ASCII, behind which there may be NULs: IBM MQ fills its ids up to 24 bytes with them. 0: it is not. */
static size_t printable(const struct value *value)
{
    size_t size = value->size;
    while (size && value->bytes[size - 1] == 0)
        size--;
    for (size_t i = 0; i < size; i++)
        if (value->bytes[i] <= 0x20 || value->bytes[i] >= 0x7f)
            return 0;
    return size;
}

static void copy_binary(const struct value *value, char *to, size_t room)
{
    size_t size = printable(value);
    if (size)
        copy_text(&(struct value){value->code, value->bytes, size}, to, room);
    else
        copy_hex(value, to, room);
}

static void copy_uuid(const struct value *value, char *to, size_t room)
{
    size_t put = 0;
    for (size_t i = 0; i < 16 && put + 3 < room; i++)
        put += (size_t)snprintf(to + put, room - put,
                                i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", value->bytes[i]);
}

static int64_t signed_of(const struct value *value)
{
    uint64_t number = number_of(value->bytes, value->size);
    unsigned unused = 64 - 8 * (unsigned)value->size;
    return (int64_t)(number << unused) >> unused;
}

static void copy_double(const struct value *value, char *to, size_t room)
{
    uint64_t number = number_of(value->bytes, value->size);
    double is;
    float small;
    memcpy(&is, &number, sizeof is);
    if (value->code == 0x72) {
        uint32_t bits = (uint32_t)number;
        memcpy(&small, &bits, sizeof small);
        is = small;
    }
    snprintf(to, room, "%.17g", is);
}

static bool copy_scalar(const struct value *value, char *to, size_t room)
{
    switch (value->code) {
    case 0x41:
    case 0x42:
        snprintf(to, room, "%s", value->code == 0x41 ? "true" : "false");
        return true;
    case 0x56:
        snprintf(to, room, "%s", value->bytes[0] ? "true" : "false");
        return true;
    case 0x43:
    case 0x44:
    case 0x50:
    case 0x60:
    case 0x70:
    case 0x80:
    case 0x52:
    case 0x53:
        snprintf(to, room, "%" PRIu64, number_of(value->bytes, value->size));
        return true;
    case 0x51:
    case 0x61:
    case 0x71:
    case 0x81:
    case 0x54:
    case 0x55:
    case 0x83:
        snprintf(to, room, "%" PRId64, signed_of(value));
        return true;
    case 0x72:
    case 0x82:
        copy_double(value, to, room);
        return true;
    case 0x98:
        copy_uuid(value, to, room);
        return true;
    }
    return false;
}

bool value_text(const struct value *value, char *to, size_t room)
{
    to[0] = '\0';
    if (is_text(value))
        copy_text(value, to, room);
    else if (is_binary(value))
        copy_binary(value, to, room);
    else
        return copy_scalar(value, to, room);
    return true;
}

void value_id(const struct value *value, char *to, size_t room)
{
    to[0] = '\0';
    bool hex = is_binary(value) && !printable(value);
    if ((is_text(value) || is_binary(value)) && (hex ? 2 * value->size : value->size) >= room)
        return;
    if (is_text(value) && !is_clean(value->bytes, value->size))
        return;
    value_text(value, to, room);
}
