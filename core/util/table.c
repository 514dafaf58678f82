#include "util/table.h"

#include <accord/base.h>
#include <stdlib.h>

static size_t home(const struct table *table, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (table->room - 1);
}

static struct table_slot *slot_of(const struct table *table, uint64_t key)
{
    size_t at = home(table, key);
    while (table->slots[at].value && table->slots[at].key != key)
        at = (at + 1) & (table->room - 1);
    return &table->slots[at];
}

void table_fini(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

void *table_get(const struct table *table, uint64_t key)
{
    return table->room ? slot_of(table, key)->value : NULL;
}

static int grow(struct table *table)
{
    struct table bigger = {.room = table->room ? 2 * table->room : 16, .count = table->count};
    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (!bigger.slots)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].value)
            *slot_of(&bigger, table->slots[i].key) = table->slots[i];
    free(table->slots);
    *table = bigger;
    return 0;
}

int table_put(struct table *table, uint64_t key, void *value)
{
    if (table->count + 1 > table->room - table->room / 4 && grow(table) < 0)
        return ACCORD_ENOMEM;
    struct table_slot *slot = slot_of(table, key);
    if (slot->value)
        return ACCORD_EEXIST;
    *slot = (struct table_slot){key, value};
    table->count++;
    return 0;
}

void *table_take(struct table *table, uint64_t key)
{
    struct table_slot *slot = table->room ? slot_of(table, key) : NULL;
    if (!slot || !slot->value)
        return NULL;
    void *value = slot->value;
    slot->value = NULL;
    table->count--;
    /* Whoever was pushed past this slot moves back, so that look-ups never meet a hole too early. */
    size_t hole = (size_t)(slot - table->slots);
    for (size_t at = (hole + 1) & (table->room - 1); table->slots[at].value;
         at = (at + 1) & (table->room - 1)) {
        size_t wish = home(table, table->slots[at].key);
        if (((at - wish) & (table->room - 1)) >= ((at - hole) & (table->room - 1))) {
            table->slots[hole] = table->slots[at];
            table->slots[at].value = NULL;
            hole = at;
        }
    }
    return value;
}

void *table_any(const struct table *table, uint64_t *key)
{
    for (size_t i = 0; i < table->room; i++) {
        if (!table->slots[i].value)
            continue;
        if (key)
            *key = table->slots[i].key;
        return table->slots[i].value;
    }
    return NULL;
}

void *table_next(const struct table *table, size_t *at)
{
    while (*at < table->room)
        if (table->slots[(*at)++].value)
            return table->slots[*at - 1].value;
    return NULL;
}
