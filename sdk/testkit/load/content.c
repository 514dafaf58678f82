#include "content.h"

#include <string.h>

/* FNV-1a. */
uint64_t content_key(const char *source_id, int64_t size)
{
    uint64_t key = 0xcbf29ce484222325u ^ (uint64_t)size;
    for (; *source_id; source_id++)
        key = (key ^ (unsigned char)*source_id) * 0x100000001b3u;
    return key;
}

/* splitmix64 of the word's number. */
static uint64_t word(uint64_t key, uint64_t number)
{
    uint64_t z = key + (number + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void content_fill(uint64_t key, int64_t offset, void *to, size_t size)
{
    uint64_t number = (uint64_t)offset / 8, value;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        value = word(key, number++);
        memcpy((char *)to + at, &value, 8);
    }
    if (at < size) {
        value = word(key, number);
        memcpy((char *)to + at, &value, size - at);
    }
}

char *content_number(char *to, int64_t value, size_t least)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) || sizeof digits - at < least);
    if (value < 0)
        digits[--at] = '-';
    memcpy(to, digits + at, sizeof digits - at);
    return to + (sizeof digits - at);
}
