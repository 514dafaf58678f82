/* A map from a number to a pointer. Not for numbers that a hostile peer chooses in bulk: callers bound the count. */
#ifndef UTIL_TABLE_H
#define UTIL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
    struct table_slot {
        uint64_t key;
        void *value; /* NULL: free */
    } *slots;
    size_t room, count;
};

void table_fini(struct table *);
void *table_get(const struct table *, uint64_t key);
/* ACCORD_EEXIST, ACCORD_ENOMEM. */
int table_put(struct table *, uint64_t key, void *value);
/* Removes and returns the value, or NULL. */
void *table_take(struct table *, uint64_t key);
/* Any one value, NULL when empty: for taking everything out, one by one. */
void *table_any(const struct table *, uint64_t *key);
/* Steps through the values; start with *at = 0; do not change the table meanwhile. */
void *table_next(const struct table *, size_t *at);

#endif
