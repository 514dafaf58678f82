#include "fingerprint.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Without a byte of ASCII: what is read is never their equal, which would make a product 0. */
static const uint64_t salt[] = {0xa0b1d3e597c8f98d, 0xe7c3d8f1b5a68e93, 0x8fb3a1d2c9e4f785,
                                0xd6e8feb8a986d9ab};

static uint64_t word(const uint8_t *bytes)
{
    uint64_t little;
    memcpy(&little, bytes, sizeof little);
    return le64toh(little);
}

/* Both halves of the product, folded: each bit of either reaches all of the result. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t turned(uint64_t value)
{
    return value << 29 | value >> 35;
}

static void add_block(uint64_t state[2], const uint8_t *bytes)
{
    state[0] = turned(state[0]) + mix(word(bytes) ^ salt[0], word(bytes + 8) ^ salt[1] ^ state[0]);
    state[1] = turned(state[1]) + mix(word(bytes + 16) ^ salt[2], word(bytes + 24) ^ salt[3] ^ state[1]);
}

void fingerprint_begin(struct fingerprint *print)
{
    *print = (struct fingerprint){.state = {salt[2], salt[0]}};
}

void fingerprint_add(struct fingerprint *print, const uint8_t *bytes, size_t size)
{
    size_t kept = print->size % FINGERPRINT_BLOCK, first = FINGERPRINT_BLOCK - kept;
    uint64_t state[2] = {print->state[0], print->state[1]};
    print->size += size;
    if (kept && size >= first) {
        memcpy(print->rest + kept, bytes, first);
        add_block(state, print->rest);
        bytes += first;
        size -= first;
        kept = 0;
    }
    for (; size >= FINGERPRINT_BLOCK; bytes += FINGERPRINT_BLOCK, size -= FINGERPRINT_BLOCK)
        add_block(state, bytes);
    if (size)
        memcpy(print->rest + kept, bytes, size);
    memcpy(print->state, state, sizeof state);
}

void fingerprint_end(const struct fingerprint *print, char text[FINGERPRINT_TEXT])
{
    uint8_t last[FINGERPRINT_BLOCK] = {0};
    uint64_t state[2] = {print->state[0], print->state[1]};
    memcpy(last, print->rest, print->size % FINGERPRINT_BLOCK);
    add_block(state, last);
    uint64_t high = mix(state[0] ^ salt[1], state[1] ^ print->size ^ salt[3]);
    uint64_t low = mix(state[1] ^ salt[0], state[0] ^ turned(print->size) ^ salt[2]);
    snprintf(text, FINGERPRINT_TEXT, "%016" PRIx64 "%016" PRIx64, high + turned(low), low + state[0]);
}
