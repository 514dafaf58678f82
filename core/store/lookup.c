#include "store/lookup.h"

#include <accord/base.h>
#include <stdlib.h>
#include <string.h>

static void chain(struct lookup *lookup, uint32_t item)
{
    uint32_t *head = &lookup->heads[lookup->links[item].hash & lookup->mask];
    lookup->links[item].next = *head;
    *head = item;
}

/* As many heads as links, so that chains stay short. */
static int grow(struct lookup *lookup)
{
    uint32_t room = lookup->room ? 2 * lookup->room : 64;
    uint32_t *heads = malloc(room * sizeof *heads);
    struct lookup_link *links = heads ? realloc(lookup->links, room * sizeof *links) : NULL;
    if (!links) {
        free(heads);
        return ACCORD_ENOMEM;
    }
    free(lookup->heads);
    *lookup = (struct lookup){heads, room - 1, links, lookup->count, room};
    memset(heads, 0xff, room * sizeof *heads);
    for (uint32_t i = 0; i < lookup->count; i++)
        chain(lookup, i);
    return 0;
}

int lookup_add(struct lookup *lookup, uint64_t hash)
{
    if (lookup->count == lookup->room && grow(lookup))
        return ACCORD_ENOMEM;
    lookup->links[lookup->count].hash = hash;
    chain(lookup, lookup->count++);
    return 0;
}

static uint32_t same(const struct lookup *lookup, uint32_t item, uint64_t hash)
{
    while (item != LOOKUP_NONE && lookup->links[item].hash != hash)
        item = lookup->links[item].next;
    return item;
}

uint32_t lookup_first(const struct lookup *lookup, uint64_t hash)
{
    return lookup->count ? same(lookup, lookup->heads[hash & lookup->mask], hash) : LOOKUP_NONE;
}

uint32_t lookup_next(const struct lookup *lookup, uint32_t item)
{
    return same(lookup, lookup->links[item].next, lookup->links[item].hash);
}

void lookup_clear(struct lookup *lookup)
{
    lookup->count = 0;
    if (lookup->room)
        memset(lookup->heads, 0xff, lookup->room * sizeof *lookup->heads);
}

void lookup_fini(struct lookup *lookup)
{
    free(lookup->heads);
    free(lookup->links);
    *lookup = (struct lookup){0};
}

uint64_t lookup_hash_number(uint64_t number)
{
    number ^= number >> 32;
    number *= 0x9e3779b97f4a7c15u;
    return number ^ number >> 29;
}

/* Eight bytes at a time; only for tables in memory. */
uint64_t lookup_hash_text(const char *text)
{
    size_t size = strlen(text);
    uint64_t hash = size * 0x9e3779b97f4a7c15u, word = 0;
    for (; size >= 8; size -= 8, text += 8) {
        memcpy(&word, text, 8);
        hash = lookup_hash_number(hash ^ word);
    }
    word = 0;
    memcpy(&word, text, size);
    return lookup_hash_number(hash ^ word);
}
