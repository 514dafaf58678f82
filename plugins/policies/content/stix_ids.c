#include "stix_ids.h"

#include <stdlib.h>
#include <string.h>

#define IDS_MAX (4 << 20) /* 64 MiB of slots */

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t eight(const char *bytes, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size < 8 ? size : 8);
    return value;
}

/* Sixteen bytes a multiplication, each half hidden by something made of the seed. */
static uint64_t hash_of(uint64_t seed, const char *id)
{
    size_t size = strlen(id);
    uint64_t other = fold(seed ^ 0xa0761d6478bd642f, 0xe7037ed1a0b428db), hash = seed ^ size;
    for (; size > 16; size -= 16, id += 16)
        hash = fold(eight(id, 8) ^ other, eight(id + 8, 8) ^ hash);
    hash = fold(eight(id, size) ^ other, (size > 8 ? eight(id + 8, size - 8) : 0) ^ hash);
    hash = fold(hash ^ other, 0x8ebc6af09c88c6e3);
    return hash ? hash : 1;
}

static uint64_t *slot_of(uint64_t *slots, size_t room, uint64_t hash)
{
    size_t at = hash & (room - 1);
    while (slots[at] && slots[at] != hash)
        at = (at + 1) & (room - 1);
    return &slots[at];
}

/* Never more than half full. */
static int grow(struct stix_ids *ids)
{
    size_t room = ids->room ? 2 * ids->room : 256;
    uint64_t *slots = calloc(room, sizeof *slots);
    if (!slots)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < ids->room; i++)
        if (ids->slots[i])
            *slot_of(slots, room, ids->slots[i]) = ids->slots[i];
    free(ids->slots);
    ids->slots = slots;
    ids->room = room;
    return 0;
}

int stix_ids_add(struct stix_ids *ids, const char *id)
{
    int result = ids->count == IDS_MAX ? ACCORD_ELIMIT : 2 * ids->count >= ids->room ? grow(ids) : 0;
    if (result)
        return result;
    uint64_t hash = hash_of(ids->seed, id);
    uint64_t *slot = slot_of(ids->slots, ids->room, hash);
    if (*slot)
        return ACCORD_EEXIST;
    *slot = hash;
    ids->count++;
    return 0;
}

void stix_ids_fini(struct stix_ids *ids)
{
    free(ids->slots);
    ids->slots = NULL;
    ids->count = ids->room = 0;
}
