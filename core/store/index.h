/* The index of the journal: an SQLite file that can be deleted at any time. It holds numbers and positions;
 * the texts are in the journal. It is written behind the journal and knows how far it has come, so that it
 * never knows more than the journal does.
 *
 * Changes go to memory first (fresh.h) and to the file with index_flush(), when the groups that made them are in
 * the journal: a row gets there once, in its last form. Which deliveries are `sending` is in memory alone: after a
 * crash they wait. What is asked for is looked for in memory and in the file: neither may be left out. Only what forgets
 * (index_retain.c) sees no more than the file.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <sqlite3.h>

#include "store/backend.h"
#include "store/filter.h"
#include "store/fresh.h"
#include "store/pack.h"

#define INDEX_FORMAT 5
#define INDEX_PAGE   64 /* deliveries that are read ahead for claims */
#define INDEX_ROWS   16 /* that one statement inserts */

enum index_statement {
#define S(ID, sql) INDEX_##ID,
#include "store/index.sql.h"
#undef S
    INDEX_STATEMENTS,
};

/* Due deliveries of a place in the file, read ahead. */
struct due_page {
    uint64_t after; /* what was asked for: numbers greater than this */
    size_t count;
    bool end; /* there are no others */
    struct index_delivery rows[INDEX_PAGE];
};

/* A service's deliveries. Its id in the file is its place in the array, plus one. */
struct place {
    char agreement[STORE_NAME_MAX], service[STORE_NAME_MAX];
    uint64_t states[STORE_DISCARDED + 1]; /* as stored: what is sending counts as waiting */
    uint64_t open_bytes;                  /* payload of those that are not final */
    uint64_t sending;
    uint64_t claimed; /* every delivery up to this number that waits and is due in the file is being sent */
    struct fresh_place fresh;
    struct due_page *page; /* NULL: none read */
    int64_t later;         /* when the first in the file that waits for a time is due; 0: none, -1: not known */
    bool dirty, stored;
};

/* An origin or a type, with the cursor of the origin. Its id in the file is its place in the array, plus one. */
struct name {
    char text[STORE_ROUTE_MAX];
    char cursor[ACCORD_SOURCE_ID_MAX];
    uint64_t quarantined, quarantine_bytes; /* messages of this origin */
    bool dirty, stored;
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
    int64_t seen_before, keys_before; /* older repeats and keys are forgotten */
};

/* Sorted entries of messages that were seen, written at one time; index_seen.c. */
struct seen_run {
    int64_t run;
    int tier; /* of its size */
    uint64_t count;
    int64_t newest; /* time of the newest message */
    int64_t into;   /* the run that it is being merged into; 0: none */
};
struct seen_runs {
    struct seen_run *items;
    size_t count, room;
    int64_t last;  /* the greatest number used */
    uint32_t part; /* of the sources: the next to be merged */
};

struct index {
    sqlite3 *db;
    sqlite3_stmt *statements[INDEX_STATEMENTS];
    char *path;
    int log;      /* SQLite's, to begin syncing it */
    bool log_open;
    bool corrupt; /* seen to be damaged: delete it before the next open */
    bool begun;   /* a transaction is open */
    bool ahead;   /* it holds changes that are not in `fresh` */
    bool echoes;  /* there may be repeats of forgotten messages */
    bool changed; /* rows have changed since the last flush */
    struct place *places;
    size_t place_count, place_room;
    struct name *names;
    size_t name_count, name_room;
    struct index_head *heads;
    size_t head_count, head_room;
    struct index_progress progress;
    uint64_t flushed; /* position that the file has come to */
    struct fresh fresh;
    struct filter filter;          /* keys of `seen` and `keys` */
    struct id_number newest;       /* no message in the file has a greater id */
    struct packs messages;         /* struct fresh_message */
    struct packs settled;          /* index_packed.c */
    struct buf over;               /* const struct fresh_row *: to be packed by the flush at hand */
    struct seen_runs runs;
    struct buf resumed;            /* numbers that were being sent when index_undo() forgot all */
    bool unloaded;                 /* what the file has could not be read after that: `progress` is not of it */
};

/* ACCORD_EFORMAT: not an index, or a damaged one; delete and open again. */
int index_open(struct index *, const char *folder, struct reason *why);
void index_close(struct index *);
int index_delete(const char *folder, struct reason *why);

/* ---- writing: in memory, until the groups are in the journal and index_flush() is called ---- */

/* Between groups. A failure leaves all as it was, or (index->ahead before) asks for index_undo(). */
int index_flush(struct index *);
/* Whether enough has changed that a flush is due; whether so much that nothing may be added before it. */
bool index_due(const struct index *, uint64_t position);
bool index_full(const struct index *);
/* Back to what was flushed. Once the journal has been replayed, index_resume() marks again what is being sent. */
int index_undo(struct index *);
/* Reads what an index_undo() could not. Before the journal is replayed. */
int index_reload(struct index *);
/* It cannot be relied on any more, and only making it anew helps. */
bool index_lost(const struct index *);
/* What was flushed is on the disk when this returns 0. */
int index_sync(struct index *);
int index_resume(struct index *);

/* ACCORD_EEXIST: the id is there already. */
int index_admission(struct index *, uint64_t position, const struct record_admission *);
int index_settlement(struct index *, uint64_t position, const struct record_settlement *);
int index_move(struct index *, uint64_t position, const struct record_move *);
int index_audit(struct index *, const struct record_audit *);
/* With `place`, `state` and what else the record says filled in. */
int index_add_delivery(struct index *, const struct index_delivery *as, const struct record_delivery *);

/* index_life.c */
int index_release(struct index *, uint64_t position, const struct record_release *); /* ACCORD_ENOENT */
int index_adopt(struct index *, const struct record_adoption *, uint64_t *moved);
int index_note(struct index *, const struct record_note *);
int index_answered(struct index *, const struct record_answered *);

/* index_retain.c. What forgets is asked as the first of its group, after index_flush(). */
int index_forget(struct index *, const struct record_forget *, uint64_t *messages);
int index_carried(struct index *, uint64_t position, const struct record_carried *);
int index_kept(struct index *, const struct record_kept *);
int index_snapshot(struct index *, const struct record_snapshot *);
/* Remembers that the payload of a message begins in an earlier segment than its admission. */
int index_add_span(struct index *, uint64_t position, const struct record_admission *);
/* What a record that goes away leaves in `keys` and `echoes`. What it leaves among the seen goes with its run. */
int index_drop_key(struct index *, const struct record_used *);
int index_drop_echo(struct index *, const struct record_echo *);
int index_drop_span(struct index *, uint32_t segment, const char *id);
/* Whether there are messages of the interval, in the file or not there yet. */
int index_has_old(struct index *, const char *after, const char *bound, bool *old);
/* The next batch that may be forgotten: sets `until`, whether there is anything to forget in it, and `last` when nothing
 * behind it may be. `bound`: an id that no message has that may be forgotten. */
int index_forgettable(struct index *, struct record_forget *, const char *bound, char until[ACCORD_ID_MAX], bool *some,
                      bool *last);

/* A delivery's row, to be changed: set `dirty`, count it with index_recount() before and after, then relist it with
 * index_relist(). Until then it can be claimed as before. The pointer is good until the next row is asked for. ACCORD_ENOENT. */
int index_row(struct index *, uint64_t number, struct fresh_row **);
void index_relist(struct index *, struct fresh_row *);
void index_recount(struct index *, const struct index_delivery *, int by); /* by: 1 or -1 */

/* ---- asking ---- */

int index_find_message(struct index *, const char *id, uint64_t *position);
int index_any_message(struct index *, const char *id, struct fresh_message *);
int index_find_delivery(struct index *, uint64_t number, struct index_delivery *);
int index_find_stored(struct index *, uint64_t number, struct index_delivery *); /* as it is in the file */
int index_find_key(struct index *, const char *key, bool *used);
/* Positions of messages with this key; the newest flushed runs first. */
struct index_seen {
    uint64_t key;
    const int64_t *hash; /* NULL: any */
    int64_t since;
    uint64_t positions[8]; /* out; some may be of records that are gone */
    size_t count;          /* out */
};
uint64_t index_repeat_key(const char *origin, const char *source_id, const uint8_t *sha256);
int64_t index_short_hash(const uint8_t *sha256);
int index_find_seen(struct index *, struct index_seen *);
/* False: no message that is here or was forgotten has this key. */
bool index_may_have_seen(const struct index *, uint64_t key);
struct place *index_place(struct index *, const char *agreement, const char *service); /* NULL: none */
const char *index_cursor(struct index *, const char *route);
/* Numbers of open deliveries of a place in a state, oldest first, appended as u64. */
int index_list(struct index *, size_t place, enum store_state, struct buf *numbers);

/* The oldest due delivery of a place behind `after` that is not being sent; 0 in number: none. */
int index_next_due(struct index *, size_t place, uint64_t after, int64_t now, struct index_delivery *);
/* Reads deliveries whose time has come from the file, so that index_next_due() finds them: oldest time first, at most
 * `limit` are there at once. */
int index_promote(struct index *, size_t place, int64_t now, size_t limit);
/* When the first delivery of the place that waits for a time is due, as index_promote() left it; 0: none waits. */
int64_t index_next_later(const struct index *, size_t place);
/* The oldest delivery of a place that is being sent, waits for its time, is held, or (with `dead`) dead: those behind
 * it must wait for it when the place is ordered. 0 in number: none. */
int index_blocker(struct index *, size_t place, int64_t now, bool dead, struct index_delivery *);
/* A claim hands it out: it was the oldest that was due. */
int index_claimed(struct index *, const struct index_delivery *);
/* After a group: what it settled or moved is not being sent, and can be claimed when it waits; what it admitted to be
 * sent at once is. The group has changed the row: it is in memory. */
void index_set_sending(struct index *, uint64_t number, bool sending);
int index_oldest(struct index *, size_t place, uint64_t *message); /* position; 0: nothing is open */

/* A message's row, with what it got when it left quarantine. ACCORD_ENOENT. */
struct index_entry {
    uint64_t position;
    const char *origin;
    uint32_t flags;
    uint64_t first, count;
    uint64_t released, releases;
    int64_t released_at, size; /* 0: it did not leave quarantine */
};
int index_find_entry(struct index *, const char *id, struct index_entry *);
/* Messages in quarantine, about in the order of their ids, until `visit` returns non-zero. */
int index_stale(struct index *, int (*visit)(void *, const char *id, const char *origin, uint64_t position),
                void *arg);
/* Deliveries whose answer is overdue, each once. */
int index_overdue(struct index *, int64_t now, struct index_delivery *, size_t limit, size_t *count);
/* A message whose payload begins in this segment or before, and that was admitted in a later one. ACCORD_ENOENT. */
int index_span(struct index *, uint32_t segment, char id[ACCORD_ID_MAX]);
/* Forgotten messages: by key and hash, or (hash NULL) by key. */
int index_find_echo(struct index *, uint64_t key, const int64_t *hash, int64_t since, char id[ACCORD_ID_MAX],
                    bool *found);

/* The smallest position of the oldest messages in the file; 0: there are none. Not of all: it must not take long. */
int index_oldest_position(struct index *, uint64_t *position);
/* Messages in the file of which something was in these segments. */
int index_count_lost(struct index *, uint32_t first, uint32_t last, uint64_t *count);

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

/* ---- for index*.c ---- */

/* Binds and makes ready: 'i' int64_t, 't' text that stays until the statement is reset. */
sqlite3_stmt *index_bind(struct index *, enum index_statement, const char *kinds, ...);
/* Steps once: 1 a row, 0 done, or an error; resets unless there is a row. */
int index_step(struct index *, sqlite3_stmt *);
/* Runs to the end and resets. */
int index_run(struct index *, sqlite3_stmt *);
int index_begin(struct index *); /* a transaction, unless there is one */
/* Reads the delivery that a statement of INDEX_ROW stands on. */
int index_read_row(struct index *, sqlite3_stmt *, struct index_delivery *);
/* index_messages.c. Those in the file: 0, ACCORD_ENOENT or an error; 1, 0 or an error; what changes is written through. */
void index_init_messages(struct index *);
int index_write_messages(struct index *); /* all that are in `fresh` */
/* Messages in memory alone that are older than `before`, newest first; the caller frees. */
int index_list_fresh(const struct index *, struct id_number before, const struct fresh_message ***list, size_t *count);
int index_stored_message(struct index *, struct id_number, struct fresh_message *);
int index_message_after(struct index *, struct id_number, struct fresh_message *);
int index_message_before(struct index *, struct id_number, struct fresh_message *);
int index_add_message(struct index *, const struct fresh_message *);
int index_change_message(struct index *, const struct fresh_message *); /* it may have left quarantine */
int index_drop_message(struct index *, struct id_number);
/* Of INDEX_QUARANTINED: the message that its next row names; 1, 0 or an error. */
int index_next_quarantined(struct index *, sqlite3_stmt *, struct fresh_message *);
int index_adopt_quarantined(struct index *, uint32_t from, uint32_t to); /* names' numbers */
struct id_number index_bound(const char *id); /* "": less than all; what is no id, as "~": greater than all */
/* index_packed.c. Whether it is written as one that is over; writes all of those; finds one; drops `count`. */
void index_init_settled(struct index *);
bool index_packs(const struct fresh_row *);
int index_write_settled(struct index *);
/* Those that are being sent and that the file does not have otherwise: chosen, written, and read back as waiting. */
void index_choose_sending(struct index *);
int index_write_sending(struct index *);
bool index_load_sending(struct index *, sqlite3_stmt *);
int index_find_settled(struct index *, uint64_t number, struct index_delivery *);
int index_drop_settled(struct index *, uint64_t first, uint64_t count);
/* Before and after a change of the file that goes around `fresh`: what was read ahead is read again. */
void index_forget_ahead(struct place *);
/* The small things as they were flushed, and what was being sent. */
int index_load(struct index *);
void index_forget_fresh(struct index *); /* what has not been flushed is gone */
struct place *index_add_place(struct index *, const char *agreement, const char *service);
struct name *index_add_name(struct index *, const char *text);
struct name *index_find_name(struct index *, const char *text);
struct index_head *index_add_head(struct index *, const char *chain); /* or the one that is there */
/* Of a flush: what was seen goes to the file, and a piece of what is there is merged. */
int index_write_seen(struct index *);
bool index_load_run(struct index *, sqlite3_stmt *);
/* Written through: drops runs in which all is older. */
int index_forget_seen(struct index *, int64_t before);
/* Repeat keys, of which the first bits decide where they are kept. */
uint64_t index_spread(uint64_t key);
struct place *index_make_place(struct index *, const char *agreement, const char *service);
/* The row's number in the file; 0: out of memory. */
uint32_t index_make_name(struct index *, const char *text);
/* The row of a message that is admitted. */
int index_describe(struct index *, uint64_t position, const struct record_admission *, struct fresh_message *);
void index_count_message(struct index *, uint32_t origin, const struct record_admission *);
int index_add_seen(struct index *, uint64_t position, const struct record_admission *);
const char *index_name_of(const struct index *, int64_t id);
/* The transaction holds a change that is not in `fresh`. */
int index_write_through(struct index *);
/* Lets the filter learn a little more of what the file holds; false: it knows all. */
bool index_learn(struct index *);

#endif
