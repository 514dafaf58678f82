#include "words.h"

#include <string.h>

#define PROBES_MAX 8 /* names that somebody chose to fall together cost no more than this */

static size_t slot_of(const char *space, const char *local, bool element)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)local << 1 | element) ^ (uint64_t)(uintptr_t)space << 20;
    return (mixed * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

uint32_t *words_of(struct words *words, const char *space, const char *local, bool element)
{
    size_t at = slot_of(space, local, element);
    for (int probes = 0; probes < PROBES_MAX; probes++, at++) {
        size_t slot = at % WORDS_SLOTS;
        if (words->slots[slot].local == local && words->slots[slot].space == space &&
            words->slots[slot].element == element)
            return &words->slots[slot].word;
        if (words->slots[slot].local)
            continue;
        if (2 * words->count >= WORDS_SLOTS)
            return NULL;
        words->used[words->count++] = (uint16_t)slot;
        words->slots[slot].local = local;
        words->slots[slot].space = space;
        words->slots[slot].element = element;
        return &words->slots[slot].word;
    }
    return NULL;
}

void words_forget(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        memset(&words->slots[words->used[i]], 0, sizeof *words->slots);
    words->count = 0;
}
