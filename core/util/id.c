#include "util/id.h"

#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* A system call for every id costs more than all the rest of it. */
static bool random_bytes(uint8_t *to, size_t size)
{
    static _Thread_local uint8_t pool[1024];
    static _Thread_local size_t left;
    if (left < size) {
        if (getrandom(pool, sizeof pool, 0) != sizeof pool)
            return false;
        left = sizeof pool;
    }
    left -= size;
    memcpy(to, pool + left, size);
    return true;
}

int id_make(struct id *id, int64_t wall_us)
{
    uint8_t raw[15];
    uint64_t ms = (uint64_t)(wall_us / 1000);
    for (int i = 0; i < 6; i++)
        raw[i] = (uint8_t)(ms >> (40 - 8 * i));
    if (!random_bytes(raw + 6, 9))
        return ACCORD_EIO;
    for (int group = 0; group < 3; group++) {
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++)
            bits = bits << 8 | raw[group * 5 + i];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            id->text[group * 8 + i] = alphabet[bits >> (35 - 5 * i) & 31];
    }
    id->text[ACCORD_ID_MAX - 1] = 0;
    return 0;
}

/* One of the alphabet: digits, and lower-case letters but for i, l, o and u. */
static bool is_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z' && c != 'i' && c != 'l' && c != 'o' && c != 'u');
}

bool id_valid(const char *text)
{
    size_t size = 0;
    while (size < ACCORD_ID_MAX && is_digit(text[size]))
        size++;
    return size == ACCORD_ID_MAX - 1 && !text[size];
}
