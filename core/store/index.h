/* The index of the journal: an SQLite file that can be deleted at any time. It holds numbers and positions;
 * the texts are in the journal. It is written behind the journal and knows how far it has come, so that it
 * never knows more than the journal does.
 *
 * Small things that change with every group (counters, chain heads, cursors) are kept in memory and written
 * when the index is flushed. Which deliveries are `sending` is in memory alone: after a crash they wait.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <sqlite3.h>

#include "store/backend.h"
#include "store/numbers.h"

#define INDEX_FORMAT 1

enum index_statement {
#define S(ID, sql) INDEX_##ID,
#include "store/index.sql.h"
#undef S
    INDEX_STATEMENTS,
};

/* A service's deliveries. */
struct place {
    int64_t id;
    char agreement[STORE_NAME_MAX], service[STORE_NAME_MAX];
    uint64_t states[STORE_DISCARDED + 1]; /* as stored: what is sending counts as waiting */
    uint64_t sending;
    uint64_t claimed; /* every delivery up to this number that waits and is due is being sent */
    bool dirty;
};

/* An origin or a type, with the cursor of the origin. */
struct name {
    int64_t id;
    char text[STORE_ROUTE_MAX];
    char cursor[ACCORD_SOURCE_ID_MAX];
    bool dirty;
};

struct index_head {
    struct store_head head;
    bool dirty;
};

/* How far the index is, and totals; one row. */
struct index_progress {
    uint64_t position; /* behind the last group */
    uint64_t marker;   /* position of its commit record */
    uint64_t group;
    uint64_t next_number, epoch;
    uint64_t messages, quarantined, bytes;
};

/* A row of the deliveries. */
struct index_delivery {
    uint64_t number, message, detail; /* positions of the admission and of the record with rule and reason */
    size_t place;                     /* index into places */
    enum store_state state;           /* with what is sending as such */
    int64_t attempts, not_before, changed;
    uint64_t generation;
};

struct index {
    sqlite3 *db;
    sqlite3_stmt *statements[INDEX_STATEMENTS];
    char *path;
    bool corrupt; /* seen to be damaged: delete it before the next open */
    bool begun;   /* a transaction is open: changes since the last flush */
    struct place *places;
    size_t place_count, place_room;
    struct name *names;
    size_t name_count, name_room;
    struct index_head *heads;
    size_t head_count, head_room;
    struct index_progress progress;
    struct numbers sending;       /* deliveries */
    struct index_delivery recent; /* the row read last, as stored: a settlement asks for it three times */
};

/* ACCORD_EFORMAT: not an index, or a damaged one; delete and open again. */
int index_open(struct index *, const char *folder, struct reason *why);
void index_close(struct index *);
int index_delete(const char *folder, struct reason *why);

/* ---- writing: the caller's transaction is open from the first change to index_flush or index_undo ---- */

int index_flush(struct index *);
/* Back to what was flushed; what is being sent stays so. */
int index_undo(struct index *);

/* ACCORD_EEXIST: the id is there already. */
int index_admission(struct index *, uint64_t position, const struct record_admission *);
int index_settlement(struct index *, uint64_t position, const struct record_settlement *);
int index_move(struct index *, uint64_t position, const struct record_move *);
int index_audit(struct index *, const struct record_audit *);

/* ---- asking ---- */

int index_find_message(struct index *, const char *id, uint64_t *position);
int index_find_delivery(struct index *, uint64_t number, struct index_delivery *);
int index_find_key(struct index *, const char *key, bool *used);
/* Positions of messages with this key and hash, newest first; `positions` has room for `limit`. */
uint64_t index_repeat_key(const char *origin, const char *source_id, const uint8_t *sha256);
int index_find_seen(struct index *, uint64_t key, const uint8_t *sha256, int64_t since, uint64_t *positions,
                    size_t limit, size_t *count);
int index_find_changed(struct index *, uint64_t key, int64_t since, uint64_t *positions, size_t limit,
                       size_t *count);
struct place *index_place(struct index *, const char *agreement, const char *service); /* NULL: none */
const char *index_cursor(struct index *, const char *route);
/* Numbers of open deliveries of a place in a state, oldest first, appended as u64. */
int index_list(struct index *, size_t place, enum store_state, struct buf *numbers);

/* Finds the next delivery to claim in a place behind `after`; 0 in number: none. */
int index_next_due(struct index *, size_t place, uint64_t after, struct index_delivery *);
/* Lets retries whose time has come join those that are due; *next: when the next of them is (0: none). */
int index_promote(struct index *, size_t place, int64_t now, int64_t *next);
int index_claimed(struct index *, const struct index_delivery *);
/* After a group: what was settled or moved is not being sent; what waits again can be claimed. */
void index_unclaim(struct index *, uint64_t number, size_t place);
int index_oldest(struct index *, size_t place, uint64_t *message); /* position; 0: nothing is open */

/* A message as the scan sees it. */
struct index_message {
    char id[ACCORD_ID_MAX];
    uint64_t position;
    const char *origin, *type;
    uint32_t flags;
    uint64_t first, count;
};
/* Walks messages older than `before` (NULL: all), newest first, until `visit` returns non-zero. */
int index_walk(struct index *, const char *before, int (*visit)(void *, const struct index_message *),
               void *arg);

/* ---- for index.c, index_change.c and index_ask.c ---- */

/* Binds and makes ready: 'i' int64_t, 't' text that stays until the statement is reset. */
sqlite3_stmt *index_bind(struct index *, enum index_statement, const char *kinds, ...);
/* Steps once: 1 a row, 0 done, or an error; resets unless there is a row. */
int index_step(struct index *, sqlite3_stmt *);
/* Runs to the end and resets. */
int index_run(struct index *, sqlite3_stmt *);
/* The small things as they were flushed. */
int index_load(struct index *);
struct place *index_add_place(struct index *, int64_t id, const char *agreement, const char *service);
struct name *index_add_name(struct index *, int64_t id, const char *text);
struct name *index_find_name(struct index *, const char *text);
struct index_head *index_add_head(struct index *, const char *chain); /* or the one that is there */
struct name *index_name(struct index *, const char *text);

#endif
