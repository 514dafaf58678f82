#include "store/crc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */
#define STRAND     512         /* bytes; three strands are summed at the same time */

static uint32_t table[256];
static uint32_t skip[4][256]; /* for each byte of a register: what it is STRAND zero bytes later */
static bool with_instruction;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static uint32_t after_zeros(uint32_t crc)
{
    for (int i = 0; i < STRAND; i++)
        crc = crc >> 8 ^ table[crc & 255];
    return crc;
}

/* What the bits of a value make is the sum of what each makes. */
static void prepare_skip(void)
{
    for (int byte = 0; byte < 4; byte++)
        for (int bit = 0; bit < 8; bit++) {
            uint32_t alone = 1u << bit;
            skip[byte][alone] = after_zeros(alone << 8 * byte);
            for (uint32_t below = 1; below < alone; below++)
                skip[byte][alone + below] = skip[byte][alone] ^ skip[byte][below];
        }
}

static void prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[i] = crc;
    }
    prepare_skip();
#ifdef __x86_64__
    with_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&prepared, prepare);
    const uint8_t *at = bytes;
    crc = ~crc;
    while (size--)
        crc = crc >> 8 ^ table[(crc ^ *at++) & 255];
    return ~crc;
}

#ifdef __x86_64__
static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint32_t skipped(uint64_t crc)
{
    return skip[0][crc & 255] ^ skip[1][crc >> 8 & 255] ^ skip[2][crc >> 16 & 255] ^ skip[3][crc >> 24 & 255];
}

/* The instruction takes three cycles and a new one can begin in each: a chain of them leaves the processor idle for two
 * thirds of the time. */
__attribute__((target("sse4.2"))) static uint64_t three_strands(uint64_t first, const uint8_t *at)
{
    uint64_t second = 0, third = 0;
    for (const uint8_t *end = at + STRAND; at < end; at += 8) {
        first = __builtin_ia32_crc32di(first, word_at(at));
        second = __builtin_ia32_crc32di(second, word_at(at + STRAND));
        third = __builtin_ia32_crc32di(third, word_at(at + 2 * STRAND));
    }
    return skipped(skipped(first) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t with_sse42(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t wide = (uint32_t)~crc;
    for (; size >= 3 * STRAND; size -= 3 * STRAND, at += 3 * STRAND)
        wide = three_strands(wide, at);
    for (; size >= 8; size -= 8, at += 8)
        wide = __builtin_ia32_crc32di(wide, word_at(at));
    uint32_t narrow = (uint32_t)wide;
    while (size--)
        narrow = __builtin_ia32_crc32qi(narrow, *at++);
    return ~narrow;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&prepared, prepare);
#ifdef __x86_64__
    if (with_instruction)
        return with_sse42(crc, bytes, size);
#endif
    return crc32c_portable(crc, bytes, size);
}
