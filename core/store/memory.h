/* The memory back end's own parts. Only memory*.c include this. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/backend.h"

struct cell { /* one byte string of its own allocation */
    uint8_t *data;
    size_t size;
};

struct kept { /* a message: its admission as an encoded body, and where its deliveries stand */
    struct cell body;
    size_t first, count;       /* in `deliveries` */
    size_t released, releases; /* likewise, of those that it got when it left quarantine */
    char origin[STORE_ROUTE_MAX];
    int64_t time, size;
    int64_t settled; /* when it left quarantine */
    uint32_t flags;
    bool gone; /* forgotten */
};

struct filed { /* a delivery */
    struct store_delivery delivery;
    int64_t answer_by; /* 0: no answer is expected */
    int64_t size;      /* of the message */
    bool gone;         /* with its message */
};

struct used { /* a unique key */
    char *key;
    int64_t time;
};

struct cursor {
    char route[STORE_ROUTE_MAX], value[ACCORD_SOURCE_ID_MAX];
};

struct undo { /* a delivery or a message before the group changed it */
    size_t index;
    bool is_message;
    struct filed filed;
    struct kept kept;
};

#define LIST(type)                                                                                           \
    struct {                                                                                                 \
        type *items;                                                                                         \
        size_t count, room, mark; /* mark: count when the group began */                                     \
    }

struct memory {
    LIST(struct kept) messages;
    LIST(struct filed) deliveries; /* number is index + 1 */
    LIST(struct cell) pieces;
    LIST(struct used) keys;
    LIST(struct cursor) cursors; /* the last entry of a route counts */
    LIST(struct cell) lines;
    LIST(struct store_head) heads; /* the last entry of a chain counts */
    LIST(struct undo) undo;
    uint64_t epoch;
    int64_t keys_before, keys_mark, seen_before, seen_mark; /* older keys and repeats are forgotten */
};

bool memory_grow(void **items, size_t *room, size_t count, size_t size);
#define ADD(list)                                                                                            \
    (memory_grow((void **)&(list).items, &(list).room, (list).count, sizeof *(list).items)                   \
         ? &(list).items[(list).count++]                                                                     \
         : NULL)

struct record_admission *memory_decode(const struct kept *, struct record_admission_room *); /* NULL: never */
struct kept *memory_message(struct memory *, const char *id); /* NULL: none, or forgotten */
bool memory_of_route(const struct store_delivery *, const char *agreement, const char *service);
const char *memory_cursor_of(const struct memory *, const char *route);
/* To be changed; what it was is kept for rollback. */
struct filed *memory_change(struct memory *, size_t delivery);
struct kept *memory_change_message(struct memory *, struct kept *);
int memory_add_delivery(struct memory *, const char *message, int64_t size, int64_t changed,
                        const struct record_delivery *);

/* memory_life.c */
int memory_put_note(void *state, const struct record_note *); /* memory.c */
int memory_find_quarantined(void *state, const char *message, bool *quarantined, int64_t *size);
int memory_find_expected(void *state, const char *message, const char *agreement, struct buf *numbers);
int memory_overdue(void *state, struct store_overdue *);
int memory_put_release(void *state, const struct record_release *);
int memory_put_adoption(void *state, const struct record_adoption *, uint64_t *moved);
int memory_put_answered(void *state, const struct record_answered *);
int memory_put_retention(void *state, struct store_retention *, uint64_t staged);
uint64_t memory_retention_need(void *state);
int memory_sweep(void *state, struct store_retention *);
int memory_stale(void *state, struct store_stale *);
int memory_usage(void *state, backend_usage, void *arg);

/* memory_look.c */
int memory_rotate(void *state, struct store_rotation *);
int memory_backup(void *state, struct store_backup *);
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
