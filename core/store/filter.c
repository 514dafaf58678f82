#include "store/filter.h"

#include <stdlib.h>

#define BLOCK_WORDS 8  /* one cache line */
#define BLOCK_KEYS  42 /* keys per block of 512 bits */
#define PROBES      6

void filter_reset(struct filter *filter, uint64_t count)
{
    size_t blocks = 1024;
    while (blocks * BLOCK_KEYS < count && blocks * 64 < FILTER_MAX)
        blocks *= 2;
    filter_fini(filter);
    filter->bits = calloc(blocks * BLOCK_WORDS, sizeof *filter->bits);
    filter->blocks = blocks;
    filter->number = INT64_MIN;
}

void filter_grow(struct filter *filter, uint64_t count)
{
    struct filter before = *filter;
    uint64_t *kept = before.complete ? before.bits : before.older;
    size_t blocks = before.complete ? before.blocks : before.older_blocks;
    if (!before.complete)
        free(before.bits);
    *filter = (struct filter){0};
    filter_reset(filter, count);
    filter->older = kept;
    filter->older_blocks = blocks;
}

void filter_complete(struct filter *filter)
{
    free(filter->older);
    filter->older = NULL;
    filter->complete = true;
}

/* The hash decides the block and, in nine bits each, the bits in it. */
static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

static uint64_t *block_of(uint64_t *bits, size_t blocks, uint64_t hash)
{
    return bits + ((hash * 0x9e3779b97f4a7c15u >> 20) & (blocks - 1)) * BLOCK_WORDS;
}

static void set_bits(uint64_t *block, uint64_t bits)
{
    for (int i = 0; i < PROBES; i++, bits >>= 9)
        block[bits >> 6 & 7] |= (uint64_t)1 << (bits & 63);
}

static bool has_bits(const uint64_t *block, uint64_t bits)
{
    for (int i = 0; i < PROBES; i++, bits >>= 9)
        if (!(block[bits >> 6 & 7] >> (bits & 63) & 1))
            return false;
    return true;
}

void filter_add(struct filter *filter, uint64_t hash)
{
    if (filter->older)
        set_bits(block_of(filter->older, filter->older_blocks, hash), mix(hash));
    if (!filter->bits)
        return;
    set_bits(block_of(filter->bits, filter->blocks, hash), mix(hash));
    filter->count++;
}

bool filter_may_have(const struct filter *filter, uint64_t hash)
{
    if (filter->bits && filter->complete)
        return has_bits(block_of(filter->bits, filter->blocks, hash), mix(hash));
    return !filter->older || has_bits(block_of(filter->older, filter->older_blocks, hash), mix(hash));
}

bool filter_crowded(const struct filter *filter)
{
    return filter->bits && filter->count > filter->blocks * BLOCK_KEYS && filter->blocks * 64 < FILTER_MAX;
}

void filter_fini(struct filter *filter)
{
    free(filter->bits);
    free(filter->older);
    *filter = (struct filter){0};
}
