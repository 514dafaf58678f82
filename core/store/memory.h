/* The memory back end's own parts. Only memory.c and memory_look.c include this. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/backend.h"

struct cell { /* one byte string of its own allocation */
    uint8_t *data;
    size_t size;
};

struct kept { /* a message: its admission as an encoded body, and where its deliveries stand */
    struct cell body;
    size_t first, count; /* in `deliveries` */
};

struct cursor {
    char route[STORE_ROUTE_MAX], value[ACCORD_SOURCE_ID_MAX];
};

struct undo { /* a delivery before the group changed it */
    size_t index;
    struct store_delivery before;
};

#define LIST(type)                                                                                           \
    struct {                                                                                                 \
        type *items;                                                                                         \
        size_t count, room, mark; /* mark: count when the group began */                                     \
    }

struct memory {
    LIST(struct kept) messages;
    LIST(struct store_delivery) deliveries; /* number is index + 1 */
    LIST(struct cell) pieces;
    LIST(char *) keys;
    LIST(struct cursor) cursors; /* the last entry of a route counts */
    LIST(struct cell) lines;
    LIST(struct store_head) heads; /* the last entry of a chain counts */
    LIST(struct undo) undo;
    uint64_t epoch;
};

struct record_admission *memory_decode(const struct kept *, struct record_admission_room *); /* NULL: never */
struct kept *memory_message(struct memory *, const char *id);
bool memory_of_route(const struct store_delivery *, const char *agreement, const char *service);

int memory_claim(void *state, struct store_claim *claim);
int memory_peek(void *state, uint64_t position, const struct seal_bond *, size_t offset, void *to, size_t room, size_t *got);
int memory_read(void *state, struct store_read *read);
int memory_get(void *state, struct store_get *get);
int memory_scan(void *state, struct store_scan *scan);
int memory_counts(void *state, struct store_counts *counts);
int memory_cursor(void *state, struct store_cursor *cursor);
int memory_trail(void *state, struct store_trail *trail);
int memory_heads(void *state, struct store_heads *heads);

#endif
