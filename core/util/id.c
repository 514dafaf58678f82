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

/* Eight digits. */
static inline void put_group(char *to, uint64_t bits)
{
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        to[i] = alphabet[bits >> (35 - 5 * i) & 31];
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
        put_group(id->text + group * 8, bits);
    }
    id->text[ACCORD_ID_MAX - 1] = 0;
    return 0;
}

/* ---- as numbers ---- */

/* A digit's value and DIGIT; 0: not of the alphabet (Crockford's has no i, l, o and u). */
#define DIGIT 32
static const uint8_t values[256] = {
    ['0'] = 32, ['1'] = 33, ['2'] = 34, ['3'] = 35, ['4'] = 36, ['5'] = 37, ['6'] = 38, ['7'] = 39,
    ['8'] = 40, ['9'] = 41, ['a'] = 42, ['b'] = 43, ['c'] = 44, ['d'] = 45, ['e'] = 46, ['f'] = 47,
    ['g'] = 48, ['h'] = 49, ['j'] = 50, ['k'] = 51, ['m'] = 52, ['n'] = 53, ['p'] = 54, ['q'] = 55,
    ['r'] = 56, ['s'] = 57, ['t'] = 58, ['v'] = 59, ['w'] = 60, ['x'] = 61, ['y'] = 62, ['z'] = 63};

/* Eight digits. */
static inline uint64_t group_of(const char *text, unsigned *all)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        unsigned value = values[(uint8_t)text[i]];
        *all &= value;
        bits = bits << 5 | (value & 31);
    }
    return bits;
}

bool id_to_number(const char *text, struct id_number *number)
{
    unsigned all = DIGIT;
    if (strlen(text) != ACCORD_ID_MAX - 1)
        return false;
    uint64_t first = group_of(text, &all), second = group_of(text + 8, &all),
             third = group_of(text + 16, &all);
    *number = (struct id_number){first << 24 | second >> 16, second << 48 | third << 8};
    return all != 0;
}

bool id_valid(const char *text)
{
    struct id_number number;
    return id_to_number(text, &number);
}

void id_from_number(struct id_number number, char text[ACCORD_ID_MAX])
{
    const uint64_t groups[] = {number.high >> 24, (number.high << 16 & 0xffffffffff) | number.low >> 48,
                               number.low >> 8 & 0xffffffffff};
    for (int i = 0; i < 3; i++)
        put_group(text + 8 * i, groups[i]);
    text[ACCORD_ID_MAX - 1] = 0;
}
