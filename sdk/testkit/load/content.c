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
    uint64_t number = (uint64_t)offset / 8;
    for (size_t at = 0; at < size; at += 8, number++) {
        uint64_t value = word(key, number);
        memcpy((char *)to + at, &value, size - at < 8 ? size - at : 8);
    }
}
