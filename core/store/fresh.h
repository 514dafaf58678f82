/* What the index has in memory and the SQLite file has not: all that changed since the last flush, so that the
 * file gets each row once, in its last form. Also the deliveries that are being sent, whose state is nowhere else.
 *
 * Rows stay where they are until fresh_clear() or fresh_keep_sending(); pointers to them until the next row is added.
 */
#ifndef STORE_FRESH_H
#define STORE_FRESH_H

#include "store/lookup.h"
#include "store/record.h"
#include "util/id.h"

/* A row of the deliveries. */
struct index_delivery {
    uint64_t number, message, detail; /* positions of the admission and of the record with rule and reason */
    size_t place;                     /* index into places */
    enum store_state state;           /* with what is sending as such */
    int64_t attempts, not_before, changed, since;
    int64_t before;            /* attempts before `since` */
    int64_t answer_by;         /* 0: no answer is expected */
    uint64_t generation, size; /* size: of the payload */
    bool packed;               /* the file has it among the settled ones (index_packed.c) */
};

/* Where a delivery stands with its place. What is final stands nowhere. */
enum fresh_list { FRESH_WAITING, FRESH_SENDING, FRESH_STOPPED /* held or dead */, FRESH_LISTS };

struct fresh_row {
    struct index_delivery delivery; /* as it is stored: what is sending waits */
    uint32_t previous, next;        /* in its list */
    uint8_t list;                   /* FRESH_LISTS: in none */
    bool stored;                    /* the file has this row, perhaps in an older form ... */
    bool packed;                    /* ... among the settled ones */
    bool dirty;                     /* the file must get it */
    bool kept;                      /* a flush wrote it among those that are being sent */
    bool later, promoted;           /* counted in its place */
    bool sending;
};

/* A message, in memory and (this machine's order of bytes) in the file. */
struct fresh_message {
    struct id_number id;
    uint64_t position, first;           /* first: number of its first delivery */
    uint32_t origin, type, count, flags; /* origin, type: their names' numbers; count: of deliveries */
};

struct fresh_seen {
    uint64_t key;
    int64_t hash, time;
    uint64_t position;
};

/* The lists of a place: first and last row of each, in the order of their numbers but for FRESH_SENDING. */
struct fresh_place {
    uint32_t first[FRESH_LISTS], last[FRESH_LISTS];
    uint32_t later;    /* how many in FRESH_WAITING wait for a time */
    uint32_t promoted; /* how many of them are only here to be claimed */
};

struct fresh {
    struct fresh_row *rows;
    struct fresh_message *messages;
    struct fresh_seen *seen;
    uint32_t *keys; /* offsets into key_texts, of the text; its time stands before it */
    size_t row_room, message_room, seen_room, key_room;
    struct lookup by_number, by_id, by_key, by_text; /* counts of rows, messages, seen and keys are theirs */
    struct buf key_texts;
};

void fresh_place_init(struct fresh_place *);

/* NULL: not here. */
struct fresh_row *fresh_row(const struct fresh *, uint64_t number);
const struct fresh_message *fresh_message(const struct fresh *, struct id_number);
bool fresh_has_key(const struct fresh *, const char *key, int64_t since);
const char *fresh_key(const struct fresh *, uint32_t at);
int64_t fresh_key_time(const struct fresh *, uint32_t at);
struct fresh_message *fresh_message_to_change(struct fresh *, struct id_number);

/* Adds a row that is in no list yet; NULL: out of memory. */
struct fresh_row *fresh_add_row(struct fresh *, const struct index_delivery *, bool stored);
int fresh_add_message(struct fresh *, const struct fresh_message *);
int fresh_add_seen(struct fresh *, const struct fresh_seen *);
int fresh_add_key(struct fresh *, const char *key, int64_t time);

/* Puts the row into the list that its state asks for. */
void fresh_relist(struct fresh *, struct fresh_place *, struct fresh_row *);
/* Takes it out of its list, before its place changes. */
void fresh_unlist(struct fresh *, struct fresh_place *, struct fresh_row *);
struct fresh_row *fresh_at(const struct fresh *, uint32_t row); /* NULL for LOOKUP_NONE */

/* Forgets all; the caller resets the places. */
void fresh_clear(struct fresh *);
/* After a flush: forgets all but the rows that are being sent, which are in no list, and stored now unless kept. */
void fresh_keep_sending(struct fresh *);
void fresh_fini(struct fresh *);

#endif
