/* Finds items of an array again by a hash: the items are the caller's, numbered from 0 in the order they are
 * added. Several items may have one hash; the newest comes first. */
#ifndef STORE_LOOKUP_H
#define STORE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#define LOOKUP_NONE UINT32_MAX

struct lookup_link {
    uint64_t hash;
    uint32_t next; /* older item of the same head */
};

struct lookup {
    uint32_t *heads;
    size_t mask; /* number of heads - 1 */
    struct lookup_link *links;
    uint32_t count, room;
};

/* The number of the new item is `count` before; ACCORD_ENOMEM: nothing was added. */
int lookup_add(struct lookup *, uint64_t hash);
/* LOOKUP_NONE: no item. */
uint32_t lookup_first(const struct lookup *, uint64_t hash);
uint32_t lookup_next(const struct lookup *, uint32_t item);
void lookup_clear(struct lookup *); /* keeps its room */
void lookup_fini(struct lookup *);

uint64_t lookup_hash_text(const char *);
uint64_t lookup_hash_number(uint64_t);

#endif
