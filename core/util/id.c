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
        for (int i = 7; i >= 0; i--, bits >>= 5)
            id->text[group * 8 + i] = alphabet[bits & 31];
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

/* ---- as numbers ---- */

/* A digit's value plus one; 0: not of the alphabet. */
static const uint8_t values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24,
    ['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32};

bool id_to_number(const char *text, struct id_number *number)
{
    uint64_t groups[3] = {0};
    for (int group = 0; group < 3; group++)
        for (int i = 0; i < 8; i++) {
            uint8_t value = values[(uint8_t)*text++];
            if (!value)
                return false;
            groups[group] = groups[group] << 5 | (uint64_t)(value - 1);
        }
    *number = (struct id_number){groups[0] << 24 | groups[1] >> 16, groups[1] << 48 | groups[2] << 8};
    return !*text;
}

void id_from_number(struct id_number number, char text[ACCORD_ID_MAX])
{
    const uint64_t groups[] = {number.high >> 24, (number.high << 16 & 0xffffffffff) | number.low >> 48,
                               number.low >> 8 & 0xffffffffff};
    for (int i = 0; i < ACCORD_ID_MAX - 1; i++)
        text[i] = alphabet[groups[i / 8] >> (35 - 5 * (i % 8)) & 31];
    text[ACCORD_ID_MAX - 1] = 0;
}
