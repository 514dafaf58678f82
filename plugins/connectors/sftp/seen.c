#include "seen.h"

#include <stdlib.h>

#define ROOM_LEAST 64

void seen_fini(struct seen_table *table)
{
    free(table->slots);
    *table = (struct seen_table){0};
}

static struct seen *slot_of(const struct seen_table *table, uint64_t key)
{
    size_t at = key & (table->room - 1);
    while (table->slots[at].key && table->slots[at].key != key)
        at = (at + 1) & (table->room - 1);
    return &table->slots[at];
}

struct seen *seen_find(const struct seen_table *table, uint64_t key)
{
    struct seen *slot = table->room ? slot_of(table, key) : NULL;
    return slot && slot->key ? slot : NULL;
}

static bool kept(const struct seen *seen, const uint32_t *pass)
{
    return seen->key && (!pass || seen->pass == *pass || seen->state == SEEN_BUSY);
}

/* Into a table of this size, those of the listing only. */
static bool rebuild(struct seen_table *table, size_t room, const uint32_t *pass)
{
    struct seen_table new = {calloc(room, sizeof *new.slots), room, 0};
    if (!new.slots)
        return false;
    for (size_t i = 0; i < table->room; i++)
        if (kept(&table->slots[i], pass)) {
            *slot_of(&new, table->slots[i].key) = table->slots[i];
            new.count++;
        }
    free(table->slots);
    *table = new;
    return true;
}

struct seen *seen_add(struct seen_table *table, uint64_t key)
{
    if (table->count >= SEEN_MOST)
        return NULL;
    if (table->count * 3 >= table->room * 2 &&
        !rebuild(table, table->room ? table->room * 2 : ROOM_LEAST, NULL))
        return NULL;
    struct seen *slot = slot_of(table, key);
    *slot = (struct seen){.key = key};
    table->count++;
    return slot;
}

void seen_sweep(struct seen_table *table, uint32_t pass)
{
    size_t left = 0, room = ROOM_LEAST;
    for (size_t i = 0; i < table->room; i++)
        left += kept(&table->slots[i], &pass);
    if (left == table->count)
        return;
    while (room * 2 <= left * 3)
        room *= 2;
    rebuild(table, room, &pass);
}
