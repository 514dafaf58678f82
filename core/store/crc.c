#include "store/crc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "util/word.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */
#define STRAND     512         /* bytes, at most; three strands are summed at the same time */
#define LEAST      56          /* bytes of a strand that is worth joining with two others */

static uint32_t table[256];
/* For each number of 64-bit words of a strand: what a sum is multiplied with to be what it is that many zero words
 * later. As x^(64 words - 33), since the product of two reflected values is shifted by one and the instruction that
 * reduces it multiplies with x^32. */
static uint32_t skip[STRAND / 8 + 1];
static bool with_instruction;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static uint32_t after_word(uint32_t crc)
{
    for (int i = 0; i < 8; i++)
        crc = crc >> 8 ^ table[crc & 255];
    return crc;
}

static void prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[i] = crc;
    }
    skip[1] = 1; /* x^31, reflected */
    for (int words = 2; words <= STRAND / 8; words++)
        skip[words] = after_word(skip[words - 1]);
#ifdef __x86_64__
    with_instruction = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
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
static uint32_t half_at(const uint8_t *at)
{
    uint32_t half;
    memcpy(&half, at, sizeof half);
    return half;
}

#define FAST __attribute__((target("sse4.2,pclmul")))

FAST static uint64_t skipped(uint64_t crc, uint32_t factor)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi32_si128((int)factor), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* The instruction takes three cycles and a new one can begin in each: a chain of them leaves the processor idle for two
 * thirds of the time. */
FAST static uint64_t three_strands(uint64_t first, const uint8_t *at, size_t strand)
{
    uint64_t second = 0, third = 0;
    for (const uint8_t *end = at + strand; at < end; at += 8) {
        first = _mm_crc32_u64(first, word_at(at));
        second = _mm_crc32_u64(second, word_at(at + strand));
        third = _mm_crc32_u64(third, word_at(at + 2 * strand));
    }
    return skipped(skipped(first, skip[strand / 8]) ^ second, skip[strand / 8]) ^ third;
}

FAST static uint32_t with_sse42(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t wide = (uint32_t)~crc;
    while (size >= 3 * LEAST) {
        size_t strand = size < 3 * STRAND ? size / 24 * 8 : STRAND;
        wide = three_strands(wide, at, strand);
        size -= 3 * strand;
        at += 3 * strand;
    }
    for (; size >= 8; size -= 8, at += 8)
        wide = _mm_crc32_u64(wide, word_at(at));
    uint32_t narrow = (uint32_t)wide;
    for (; size >= 4; size -= 4, at += 4)
        narrow = _mm_crc32_u32(narrow, half_at(at));
    while (size--)
        narrow = _mm_crc32_u8(narrow, *at++);
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
