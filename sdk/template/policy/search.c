#include "search.h"

#include <string.h>

static const char *find(const struct search *search, const void *bytes, size_t size, size_t *at)
{
    for (size_t i = 0; i < search->words->count; i++) {
        const char *word = search->words->items[i], *found = memmem(bytes, size, word, strlen(word));
        if (!found)
            continue;
        *at = (size_t)(found - (const char *)bytes);
        return word;
    }
    return NULL;
}

const char *search_piece(struct search *search, const uint8_t *bytes, size_t size, int64_t *at)
{
    char seam[2 * WORD_MAX]; /* what was left of the pieces before, and the beginning of this one */
    size_t first = size < WORD_MAX ? size : WORD_MAX, place = 0;
    memcpy(seam, search->tail, search->tail_size);
    memcpy(seam + search->tail_size, bytes, first);
    const char *word = find(search, seam, search->tail_size + first, &place);
    *at = search->seen - (int64_t)search->tail_size + (int64_t)place;
    if (!word && (word = find(search, bytes, size, &place)))
        *at = search->seen + (int64_t)place;
    size_t kept = search->tail_size + first < WORD_MAX ? search->tail_size + first : WORD_MAX - 1;
    if (size >= WORD_MAX)
        memcpy(search->tail, bytes + size - kept, kept);
    else
        memmove(search->tail, seam + search->tail_size + first - kept, kept);
    search->tail_size = kept;
    search->seen += (int64_t)size;
    return word;
}
