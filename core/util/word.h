/* Eight bytes at a time: is one of them such? Marks are top bits of bytes. They are right where no byte is above ASCII, so
 * word_is_odd() asks that along with them.
 */
#ifndef UTIL_WORD_H
#define UTIL_WORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WORD_ONES 0x0101010101010101u

static inline uint64_t word_at(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Bytes below the bound, which is at most 0x80: they borrow into their top bits. */
static inline uint64_t word_below(uint64_t word, unsigned char bound)
{
    return word - WORD_ONES * bound;
}

static inline uint64_t word_has(uint64_t word, unsigned char byte)
{
    return word_below(word ^ WORD_ONES * byte, 1);
}

/* A byte of the word is above ASCII, or has one of the marks. */
static inline bool word_is_odd(uint64_t word, uint64_t marks)
{
    return (word | marks) & WORD_ONES << 7;
}

#endif
