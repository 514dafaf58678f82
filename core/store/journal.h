/* The durable back end's own parts. Only journal.c, journal_open.c and journal_look.c include this. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/backend.h"
#include "store/index.h"
#include "store/keys.h"
#include "store/recover.h"

struct journal_change { /* a delivery whose place among those being sent changes with the commit */
    uint64_t number;
    bool sending; /* starts; otherwise it ends */
};

#define ADMISSION_USUAL 2048 /* bytes: most admissions fit */
#define CACHED_SHARE    8    /* of the machine's memory this part may cache what waits */
#define PAYLOADS_KNOWN  16   /* that are read at the same time */

struct journal_payload { /* whose pieces were read last; a position never means another one */
    uint64_t position;   /* of its last piece; 0: none */
    bool sealed;
    uint8_t id[SEAL_PAYLOAD_ID];
};

/* Sealed lines of the newest groups, for a reader of the trail that keeps up: so that it need not read them again. */
struct journal_newest {
    bool kept;           /* from `begin` on */
    uint64_t begin, end; /* end: behind the last group, also when none are kept */
    struct buf lines;
    size_t count;
    size_t whole, whole_count; /* of it, what is in the journal: the rest is of the group at hand */
};

struct journal_backup;

/* Bytes of the journal, read ahead for the claim at hand. */
struct journal_window {
    uint64_t at;
    struct buf bytes;
};

/* Why many deliveries moved at once: the record of it is large, and each of them is told by it. */
struct journal_moved {
    uint64_t position; /* 0: none; a position never means another one */
    char reason[ACCORD_REASON_MAX];
};

/* What retention has come to (journal_retain.c, journal_clean.c). */
struct cleaner {
    char after[ACCORD_ID_MAX]; /* messages up to here have been looked at in this round */
    uint64_t forgotten;        /* messages, since the store was opened */
    uint64_t need, allowed;    /* bytes: of the next item that did not fit; of the group at hand */
    unsigned refused;          /* times that there was no room for a group */
    bool open;                 /* the last group has not come to its end: what is noted here may not have happened */

    uint32_t segment;    /* being looked through; 0: none */
    bool carrying;       /* little enough is live in it */
    uint64_t at, live;   /* how far; bytes that are live up to there */
    uint32_t blocked;    /* too much is live in this one, as long as `forgotten` is ... */
    uint64_t blocked_at; /* ... this */
    uint32_t finished;   /* all that was live in it is carried over: it may be deleted */

    const struct scan *scan; /* while the segment is looked through; NULL */
    int64_t judged_at;       /* ticks, when ... */
    uint64_t judged, own;    /* ... so much had been written, and by the cleaner since */
    bool busy;               /* much was written before that: cleaning must not take the disk and the thread from it */

    char message[ACCORD_ID_MAX]; /* of a payload that is being carried over ... */
    struct buf positions;        /* ... the pieces so far */
    struct record_kept_room *kept;
    struct standings *standings; /* room for one message's */
    struct buf kept_texts; /* the kept ones' texts: until the record is put, they are offsets into this, plus 1 */
};

struct journal {
    struct segments segments;
    struct index index;
    struct keys keys;
    struct journal_payload payloads[PAYLOADS_KNOWN];
    size_t payload_next; /* to be forgotten */
    struct journal_newest newest;
    struct journal_backup *backup; /* being made; NULL */
    uint64_t segment_size, reserve;
    void (*fault)(const char *point);
    bool segments_opened, index_opened;
    uint64_t known_messages, known_audit; /* to an index that did not match, and was thrown away */

    uint64_t at;        /* where the next group goes */
    uint64_t written;   /* bytes, since it was opened */
    uint64_t group;     /* number of the last one */
    uint64_t opened_at; /* number of the last one when the store was opened */
    bool broken;        /* an fdatasync or a clean-up failed, or the index: nothing is written any more */
    bool tail_dirty;    /* behind `at` is what a failed write left */
    bool behind;        /* the index must be filled from the journal before anything else */

    uint64_t prepared; /* up to here zeros have been written */
    uint64_t small;    /* groups that follow each other and were small */

    bool large;                   /* the group holds whole pieces of a payload */
    uint64_t cached_from, cached; /* what has been written since and is in the page cache: from where, how much */
    uint64_t cached_most;         /* how much of it may be there for what waits */
    uint64_t releasable;          /* bytes that may leave it for what has been written */

    /* the group at hand */
    struct buf bytes;
    uint32_t count, heads_crc;
    bool durable; /* holds more than payload pieces */
    struct buf last; /* the group before, when it was no large one ... */
    uint64_t last_at; /* ... which stands here */
    int room;     /* 0: not asked yet, 1: room for admissions, -1: none */
    uint64_t next_number;
    struct buf changes; /* struct journal_change */

    uint32_t unflushed;                /* groups since the index was flushed */
    bool stuck, cramped;               /* the last flush failed; for lack of room */
    uint32_t patience;                 /* groups to wait before it is tried again */
    struct buf first, second, numbers; /* for reading */
    struct buf picks;                  /* struct index_delivery: to be claimed */
    struct journal_window window;
    struct journal_moved moved;
    struct cleaner cleaner;
};

int journal_open(void **state, const struct store_config *, struct backend_found *, struct reason *why);
void journal_close(void *state);
int journal_begin(void *state, uint64_t need);
int journal_commit(void *state);
int journal_put_settlement(void *state, const struct record_settlement *);
/* Fills the index with what it lacks of the journal up to `at`. */
int journal_catch_up(struct journal *);
/* Replays into the index; the caller set from, end and durable. */
/* After recovery, with the index flushed. journal_missing.c */
void journal_find_missing(struct journal *, struct store_recovery *);
int journal_replay(struct journal *, struct recover *);
int journal_flush(struct journal *);
/* The same, for the caller to undo what is lost when it fails and the index was ahead. */
int journal_write_index(struct journal *);
void journal_finish(struct journal *);
/* The next group goes into a new file. */
int journal_roll_over(struct journal *, uint64_t need);

/* A record of the group at hand: start, append its body to `bytes`, finish. */
size_t journal_start_record(struct journal *);
int journal_finish_record(struct journal *, size_t start, enum record_type);
/* The index must hold all of the journal before it is asked. It need not be on the disk: that may be full. */
int journal_ready(struct journal *);

/* Reads a record, also one of the group at hand; the body stays until `to` is used again. ACCORD_EFORMAT: it
 * is damaged or of another type. */
int journal_record(struct journal *, uint64_t position, enum record_type, struct buf *to,
                   const uint8_t **body, size_t *size);
/* As it was admitted, or as it was carried over. */
int journal_admission(struct journal *, uint64_t position, struct record_admission_room *);
void journal_fill_delivery(struct journal *, const struct record_admission_room *, const struct index_delivery *,
                           struct store_delivery *);
/* What has changed since it was admitted: it left quarantine, or another agreement has taken it over. */
int journal_refresh(struct journal *, const struct record_admission_room *, struct store_message *, struct index_entry *);
int journal_load_message(struct journal *, uint64_t position, struct store_message **);
/* All of a payload of one piece. ACCORD_ENOENT: it has more, or none. */
int journal_small_payload(struct journal *, const struct record_admission *, uint8_t *to);
int journal_damaged(int result); /* for callers: the bytes are there and cannot be trusted */

int journal_rotate(void *state, struct store_rotation *);
int journal_backup(void *state, struct store_backup *);
void journal_backup_end(struct journal *);
/* A backup is being made: no segment may be deleted. */
bool journal_pinned(const struct journal *);
int journal_find_repeat(void *state, struct backend_repeat *, enum backend_match *);
/* journal_cache.c. The group at hand is in the journal: so much was written. */
void journal_release(struct journal *, size_t written);
/* journal_claim.c */
int journal_claim(void *state, struct store_claim *);
int journal_read(void *state, struct store_read *);
int journal_peek(void *state, uint64_t position, const struct seal_bond *, size_t offset, void *to, size_t room,
                 size_t *got);
int journal_get(void *state, struct store_get *);
int journal_scan(void *state, struct store_scan *);
int journal_counts(void *state, struct store_counts *);
int journal_cursor(void *state, struct store_cursor *);
/* journal_trail.c. A line of the group at hand; the group is in the journal; it is undone. */
void journal_newest_add(struct journal *, const struct record_audit *);
void journal_newest_keep(struct journal *);
void journal_newest_undo(struct journal *);
void journal_newest_fini(struct journal *);
int journal_trail(void *state, struct store_trail *);
size_t journal_trail_waiting(void *state);
int journal_heads(void *state, struct store_heads *);

/* journal_life.c */
int journal_find_quarantined(void *state, const char *message, bool *quarantined, int64_t *size);
int journal_find_expected(void *state, const char *message, const char *agreement, struct buf *numbers);
int journal_overdue(void *state, struct store_overdue *);
int journal_put_release(void *state, const struct record_release *);
int journal_put_adoption(void *state, const struct record_adoption *, uint64_t *moved);
int journal_put_note(void *state, const struct record_note *);
int journal_put_answered(void *state, const struct record_answered *);
int journal_put_retention(void *state, struct store_retention *, uint64_t staged);
uint64_t journal_retention_need(void *state);
/* A bounded piece of what it takes to be rid of the oldest segment, within the open group. */
int journal_clean(struct journal *, struct store_retention *, uint64_t staged);
void journal_cleaner_reset(struct cleaner *);
void journal_cleaner_fini(struct cleaner *);
int journal_sweep(void *state, struct store_retention *);
int journal_stale(void *state, struct store_stale *);
int journal_usage(void *state, backend_usage, void *arg);

#endif
