#include "stix_ids.h"

#include <stdlib.h>

#define IDS_MAX (4 << 20) /* 64 MiB of slots */

static uint64_t hash_of(uint64_t seed, const char *id)
{
    uint64_t hash = seed ^ 0xcbf29ce484222325;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 0x100000001b3;
    hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;
    hash ^= hash >> 32;
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
