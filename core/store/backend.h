/* What a back end of the store must do. It moves bytes and keeps indexes; the rules (repeats, keys, final
 * states, sealing, epochs) are the front's. Every slot runs on the store thread, except `open` and `close`.
 *
 * A group is begin, any number of questions and put_*, then commit or rollback. Questions see what the group
 * has put so far. A put_* that fails (but for what its comment says) leaves the group fit for rollback only.
 * The slots under "outside a group" are called between groups and see committed state alone.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/seal.h"

struct backend_found {
    struct store_recovery recovery;
    uint64_t next_number; /* of deliveries; at least 1 */
    uint64_t epoch;       /* the newest that has written; 0: none */
};

enum backend_match { BACKEND_UNSEEN, BACKEND_SEEN, BACKEND_CHANGED };

/* Looks for an earlier message of the same origin, not older than `since`. */
struct backend_repeat {
    const char *origin;
    const char *source_id; /* "": looks for the hash alone, and never answers BACKEND_CHANGED */
    const uint8_t *sha256;
    int64_t since;
    char id[ACCORD_ID_MAX]; /* out with BACKEND_SEEN */
};

struct backend_delivery {
    enum store_state state;
    int64_t not_before;
    int64_t answer_by; /* 0: no answer is expected */
};

typedef void (*backend_usage)(void *arg, const char *agreement, const struct store_usage *);

struct backend {
    const char *name;
    int (*open)(void **state, const struct store_config *, struct backend_found *, struct reason *why);
    void (*close)(void *state);

    /* Before the group of a verb that looks at all there is: what was put off is done. */
    void (*settle_down)(void *state);

    /* ---- a group ---- */

    /* `need`: bytes that the first verb may take. ACCORD_ELIMIT: no room; ACCORD_EIO: writing has ended. */
    int (*begin)(void *state, uint64_t need);
    /* Whether another verb of `need` bytes still belongs into this group. */
    bool (*fits)(void *state, uint64_t need);
    /* Whether admissions may use the disk, or what is left is reserved for settlements and audit. */
    bool (*roomy)(void *state);
    int (*commit)(void *state); /* durable when it returns 0; otherwise as after rollback */
    void (*rollback)(void *state);

    int (*find_repeat)(void *state, struct backend_repeat *, enum backend_match *);
    int (*find_key)(void *state, const char *key, bool *used);
    int (*find_delivery)(void *state, uint64_t number, struct backend_delivery *); /* ACCORD_ENOENT */
    /* ACCORD_ENOENT */
    int (*find_quarantined)(void *state, const char *message, bool *quarantined, int64_t *size);
    /* Numbers of deliveries of a message to an agreement from which an answer is expected, appended as u64. */
    int (*find_expected)(void *state, const char *message, const char *agreement, struct buf *numbers);

    int (*put_piece)(void *state, const struct record_piece *, uint64_t *position);
    int (*put_admission)(void *state, const struct record_admission *); /* ACCORD_EEXIST: nothing put */
    int (*put_settlement)(void *state, const struct record_settlement *);
    /* Fills `moved`. */
    int (*put_move)(void *state, struct store_move *, int64_t now);
    uint64_t (*movable)(void *state,
                        const struct store_move *); /* upper bound of deliveries that would move */
    int (*put_release)(void *state, const struct record_release *);
    int (*put_adoption)(void *state, const struct record_adoption *, uint64_t *moved);
    int (*put_note)(void *state, const struct record_note *);
    int (*put_answered)(void *state, const struct record_answered *);
    /* A bounded step: forgets, and carries over what is live in the segment that goes next. `staged`: position
     * of the oldest payload piece that is not admitted yet, UINT64_MAX when there is none: it stays. */
    int (*put_retention)(void *state, struct store_retention *, uint64_t staged);
    uint64_t (*retention_need)(void *state);
    /* Replaces a key, durably; nothing is put. */
    int (*rotate)(void *state, struct store_rotation *);
    /* Seals the line behind the head, and moves that on. */
    int (*put_audit)(void *state, struct record_audit *unsealed, struct audit_head *);
    int (*put_epoch)(void *state, uint64_t epoch);

    /* ---- outside a group ---- */

    /* After the group of put_retention(): deletes what it made free. */
    int (*sweep)(void *state, struct store_retention *);
    int (*stale)(void *state, struct store_stale *);
    int (*overdue)(void *state, struct store_overdue *);
    /* What each agreement keeps; an agreement may come several times, with parts of it. */
    int (*usage)(void *state, backend_usage, void *arg);
    int (*claim)(void *state, struct store_claim *);
    int (*read)(void *state, struct store_read *);
    /* At most `room` bytes of one piece, from `offset` within it. */
    int (*peek)(void *state, uint64_t position, const struct seal_bond *, size_t offset, void *to, size_t room,
                size_t *got);
    int (*get)(void *state, struct store_get *);
    int (*scan)(void *state, struct store_scan *);
    int (*counts)(void *state, struct store_counts *);
    int (*cursor)(void *state, struct store_cursor *);
    int (*trail)(void *state, struct store_trail *);
    size_t (*trail_waiting)(void *state); /* bytes that `trail` has in memory; NULL: never any */
    int (*heads)(void *state, struct store_heads *);
    int (*backup)(void *state, struct store_backup *);
    /* Nothing is queued at the moment: a short piece of work that makes the next commit quicker. NULL: none. */
    void (*pause)(void *state);
    /* Nothing has been queued for a while: finish what was put off. */
    void (*idle)(void *state);
};

extern const struct backend store_journal, store_memory;

/* The envelope part of a message, on the heap, without deliveries; NULL: out of memory. */
struct store_message *message_new(const struct record_admission *);

#endif
