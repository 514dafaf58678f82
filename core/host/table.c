#include "host/table.h"

#include <stdlib.h>

void table_fini(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

/* Ids are counters: the multiplication spreads them. */
static size_t home_of(const struct table *table, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (table->room - 1);
}

static size_t after(const struct table *table, size_t at)
{
    return (at + 1) & (table->room - 1);
}

/* Where the id is, or where it would go. The table is never full. */
static size_t find(const struct table *table, uint64_t id)
{
    size_t at = home_of(table, id);
    while (table->slots[at].id && table->slots[at].id != id)
        at = after(table, at);
    return at;
}

static int grow(struct table *table)
{
    struct table larger = {.room = table->room ? 2 * table->room : 16, .count = table->count};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (!larger.slots)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].id)
            larger.slots[find(&larger, table->slots[i].id)] = table->slots[i];
    free(table->slots);
    *table = larger;
    return 0;
}

int table_put(struct table *table, uint64_t id, void *value)
{
    if (4 * (table->count + 1) > 3 * table->room && grow(table) < 0)
        return ACCORD_ENOMEM;
    struct table_slot *slot = &table->slots[find(table, id)];
    if (slot->id)
        return ACCORD_EEXIST;
    *slot = (struct table_slot){id, value};
    table->count++;
    return 0;
}

void *table_get(const struct table *table, uint64_t id)
{
    return table->count && id ? table->slots[find(table, id)].value : NULL;
}

void *table_take(struct table *table, uint64_t id)
{
    void *value = table_get(table, id);
    if (!value)
        return NULL;
    size_t hole = find(table, id);
    table->count--;
    /* Moves back whatever the hole would cut off from its home. */
    for (size_t at = after(table, hole); table->slots[at].id; at = after(table, at)) {
        size_t distance = (at - home_of(table, table->slots[at].id)) & (table->room - 1);
        if (distance < ((at - hole) & (table->room - 1)))
            continue;
        table->slots[hole] = table->slots[at];
        hole = at;
    }
    table->slots[hole] = (struct table_slot){0};
    return value;
}

void *table_next(const struct table *table, size_t *at)
{
    while (*at < table->room)
        if (table->slots[(*at)++].id)
            return table->slots[*at - 1].value;
    return NULL;
}
