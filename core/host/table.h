/* From id to object. What a plugin holds as a handle is the id, never an address, so that a dead handle is
 * found out instead of followed. */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include <accord/base.h>

struct table_slot {
    uint64_t id; /* 0: free */
    void *value;
};

struct table {
    struct table_slot *slots;
    size_t room; /* a power of two, or 0 */
    size_t count;
};

#define HANDLE(type, id)  ((struct type *)(uintptr_t)(id))
#define HANDLE_ID(handle) ((uint64_t)(uintptr_t)(handle))

void table_fini(struct table *);
/* `id` is not 0. ACCORD_EEXIST, ACCORD_ENOMEM. */
int table_put(struct table *, uint64_t id, void *value);
void *table_get(const struct table *, uint64_t id); /* NULL: not there */
void *table_take(struct table *, uint64_t id);      /* gets and removes */
/* Steps through all values, in no order: NULL at the end. Start with *at = 0; the table must not change. */
void *table_next(const struct table *, size_t *at);

#endif
