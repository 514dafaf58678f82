#include "audit/verify_anchors.h"

#include <stdlib.h>
#include <string.h>

#include "util/text.h"

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    size_t more = *room ? 2 * *room : 64;
    array = reallocarray(array, more, size);
    if (array)
        *room = more;
    return array;
}

static int chain_index(struct promises *promises, const char *chain, uint32_t *index)
{
    for (size_t i = 0; i < promises->chain_count; i++)
        if (!strcmp(promises->chains[i], chain)) {
            *index = (uint32_t)i;
            return 0;
        }
    void *more =
        grown(promises->chains, promises->chain_count, &promises->chain_room, sizeof *promises->chains);
    if (!more)
        return ACCORD_ENOMEM;
    promises->chains = more;
    *index = (uint32_t)promises->chain_count++;
    text_copy(promises->chains[*index], sizeof *promises->chains, chain);
    return 0;
}

/* Chains that rest are named again by every anchor; the last few promises tell. */
static bool noted(const struct promises *promises, const struct promise *promise)
{
    size_t from = promises->count > 2 * ANCHOR_HEADS_MAX ? promises->count - 2 * ANCHOR_HEADS_MAX : 0;
    for (size_t i = promises->count; i-- > from;)
        if (promises->promises[i].chain == promise->chain)
            return promises->promises[i].sequence == promise->sequence &&
                   !memcmp(promises->promises[i].hash, promise->hash, DIGEST_SIZE);
    return false;
}

int promises_add(struct promises *promises, const struct line *anchor, uint32_t file, uint64_t line)
{
    struct audit_chain_head head;
    for (size_t at = 0; anchor_next(anchor, &at, &head);) {
        struct promise promise = {.sequence = head.head.sequence, .file = file, .line = line};
        memcpy(promise.hash, head.head.hash, DIGEST_SIZE);
        if (chain_index(promises, head.chain, &promise.chain))
            return ACCORD_ENOMEM;
        if (noted(promises, &promise))
            continue;
        void *more = grown(promises->promises, promises->count, &promises->room, sizeof promise);
        if (!more)
            return ACCORD_ENOMEM;
        promises->promises = more;
        promises->promises[promises->count++] = promise;
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct promise *x = a, *y = b;
    if (x->chain != y->chain)
        return x->chain < y->chain ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

void promises_sort(struct promises *promises)
{
    if (promises->count)
        qsort(promises->promises, promises->count, sizeof *promises->promises, by_place);
}

const struct promise *promises_of(const struct promises *promises, const char *chain, size_t *count)
{
    *count = 0;
    const struct promise *first = NULL;
    for (size_t i = 0; i < promises->count; i++) {
        if (strcmp(promises->chains[promises->promises[i].chain], chain) != 0)
            continue;
        first = first ? first : &promises->promises[i];
        ++*count;
    }
    return first;
}

void promises_fini(struct promises *promises)
{
    free(promises->chains);
    free(promises->promises);
    *promises = (struct promises){0};
}
