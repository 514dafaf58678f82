/* The durable store: messages, deliveries, cursors, unique keys and the audit trail.
 *
 * The front (store.c) owns the store thread and group commit; a back end (backend.h) moves the bytes. Every
 * verb is one whole transaction: it is queued, all that is queued while a commit runs goes into the next one
 * (one fdatasync), and `done` runs on the loop thread afterwards, in the order of the calls. Nothing is
 * reported as done before its commit has returned. When a commit fails, every verb in it fails with
 * ACCORD_EIO or ACCORD_ELIMIT (no room) and has not happened.
 *
 * Request structs and all that they point to belong to the caller and must stay until `done`.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <accord/message.h>
#include <uv.h>

#include "audit/chain.h"
#include "audit/record.h"
#include "util/error.h"
#include "util/id.h"

#define STORE_NAME_MAX    64 /* agreement or service name, with NUL; ROUTE: "AGREEMENT/SERVICE" */
#define STORE_ROUTE_MAX   (2 * STORE_NAME_MAX)
#define STORE_RECEIPT_MAX 1024
#define STORE_PAGE_MAX    256
/* As not_before of a held delivery: it waits for a person, and store_move() leaves it where it is. */
#define STORE_NEVER INT64_MAX

struct store;

struct store_config {
    const char *folder;
    const char *backend;   /* "journal", "memory" */
    uint64_t epoch;        /* lease epoch; a write with an older one is refused with ACCORD_ESTATE */
    int64_t segment_size;  /* bytes of one journal segment */
    int64_t reserve;       /* bytes kept free for settlements and audit records */
    const char *key_file;  /* wraps the agreements' keys; made with an empty store, else it must be there; NULL:
                            * FOLDER/store.key */
    void (*fault)(const char *point); /* tests: called at named points, may kill the process; NULL */
};

enum store_state {
    STORE_WAITING = 1,
    STORE_HELD,
    STORE_SENDING,
    STORE_DELIVERED, /* final from here on */
    STORE_DEAD,
    STORE_DISCARDED,
};
const char *store_state_name(enum store_state);

enum store_message_flag {
    STORE_QUARANTINED = 1u << 0,
    STORE_POSSIBLE_REPEAT = 1u << 1,
    STORE_CHANGED_REPEAT = 1u << 2, /* same source id, other hash */
};

struct store_delivery {
    uint64_t number; /* given by the store; never reused */
    char message[ACCORD_ID_MAX];
    char agreement[STORE_NAME_MAX];
    char service[STORE_NAME_MAX];
    enum store_state state;
    int64_t attempts;
    int64_t attempts_before; /* of these, those before `since` */
    int64_t not_before;  /* wall microseconds */
    int64_t changed;     /* when it entered this state */
    int64_t since;       /* wall microseconds: admitted, or retried by a person: its retries count from here */
    uint64_t generation; /* policy generation under which it was allowed; 0: not judged yet */
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
    char receipt[STORE_RECEIPT_MAX];
};

/* A message as read back. Heap-allocated; store_message_free(). */
struct store_message {
    char id[ACCORD_ID_MAX];
    char origin[STORE_ROUTE_MAX];
    char type[STORE_NAME_MAX];
    char name[ACCORD_NAME_MAX];
    char source_id[ACCORD_SOURCE_ID_MAX];
    int64_t time, size;
    uint8_t sha256[DIGEST_SIZE];
    uint32_t flags;
    char rule[ACCORD_RULE_MAX]; /* of the quarantine */
    char reason[ACCORD_REASON_MAX];
    struct accord_pair *headers;
    size_t header_count;
    struct store_delivery *deliveries; /* filled by store_get, not by store_claim */
    size_t delivery_count;
};
void store_message_free(struct store_message *);

/* An audit record to seal into the chain of `chain` in the same commit. `body` from audit_render(). */
struct store_audit {
    const char *chain;
    struct buf body;
    struct audit_shared shared; /* of the body; the caller's, who keeps it until `done` */
};

typedef void (*store_done)(void *arg, int result);

/* ---- life ---- */

/* What recovery found; every damaged record was set aside in FOLDER/damaged/. */
struct store_recovery {
    uint64_t records, damaged_records, damaged_bytes;
    uint64_t messages, open_deliveries;
    /* Known to the index, and no longer in the journal: its end was cut off, or whole files are gone. */
    uint64_t lost_messages, lost_audit;
    /* Files of the journal that are gone, but for those at its end; what the index knows to have been in them. Told once. */
    uint64_t missing_segments, missing_messages;
    uint32_t missing_first;
    uint64_t end; /* of the trail: no position that store_trail() gave is behind it, or the store has gone back since */
    bool fresh;   /* the store was empty */
    int64_t restored; /* it is a backup put back: wall microseconds of when that was made, negative when not known;
                       * 0: it is not. Told at each opening until store_restored_told() */
};
/* Blocks while it recovers. Deliveries that were `sending` come back as `waiting`, keeping their attempts. */
int store_open(struct store **, uv_loop_t *, const struct store_config *, struct store_recovery *,
               struct reason *why);
/* Commits what is queued, then ends the thread; outstanding `done` functions run before it returns, and verbs that
 * these call end with ACCORD_ECANCELED. The loop must turn once more to let go of the handle. An idle store does
 * not keep the loop alive. */
void store_close(struct store *);
/* The disk has failed under it: nothing is written any more, and nobody knows what the disk has of what was being
 * written. Only opening it again, in a new process, finds out. Loop thread; at once. */
bool store_failed(const struct store *);
/* It was not the disk: the index is damaged, and is made anew when the store is opened again. */
bool store_lost_index(const struct store *);
/* Deliveries with smaller numbers are older than this opening of the store: a process that was killed may have sent
 * them without coming to settle them. */
uint64_t store_first_number(const struct store *);
/* What recovery said of a backup that was put back has been recorded. */
int store_restored_told(struct store *, struct reason *why);
/* Lets a chain go on behind a record that was kept elsewhere and that the store has lost; returns how many records it
 * lacks, 0 when it lacks none. Only before all other calls. */
uint64_t store_chain_resume(struct store *, const char *chain, const struct audit_head *last);

/* ---- in ---- */

/* A payload on its way in; kept in memory up to ACCORD_PIECE_MAX * 2, in the journal beyond. */
struct store_payload;
struct store_payload *store_payload_new(struct store *, const char *agreement); /* of its origin */
/* Appends a piece (copied). `done` when it was taken: wait for it before the next piece, to bound memory. What
 * stays in memory waits for no commit, so that this `done` may overtake those of earlier verbs; so may peek's. */
void store_payload_add(struct store_payload *, const void *, size_t, store_done, void *arg);
/* Adds a piece that stays in memory, at once. False: it does not, or something is under way: add it. */
bool store_payload_take(struct store_payload *, const void *, size_t);
/* Closes the running SHA-256. Call once, after the last piece. */
void store_payload_seal(struct store_payload *, uint8_t sha256[DIGEST_SIZE], int64_t *size);
/* Reads back what was added (for judging before admission), at most `room` bytes from `offset`. */
void store_payload_peek(struct store_payload *, int64_t offset, void *to, size_t room, size_t *got, store_done,
                        void *arg);
/* All of a sealed payload while it is in memory: until it is freed, also after admission. NULL: it is in the
 * journal. */
const uint8_t *store_payload_memory(const struct store_payload *, size_t *size);
void store_payload_free(struct store_payload *); /* also after admission; what was not admitted is garbage */

struct store_admission {
    const struct accord_envelope *envelope; /* id, origin, name, ... all final */
    uint32_t flags;
    const char *rule, *reason;           /* of the quarantine; NULL */
    struct store_payload *payload;       /* sealed */
    struct store_delivery *deliveries;   /* in: agreement, service, state (waiting, held, sending or dead), not_before,
                                          * generation, rule, reason; out: number */
    size_t delivery_count;
    const char *cursor;                  /* new cursor of the origin service, NULL: unchanged */
    const char *answers;                 /* id of the delivered message that this one answers, as far as it was
                                          * delivered to the origin's agreement: no longer expected; NULL */
    const char *const *keys;             /* "AGREEMENT\x1fKEY": must be new */
    size_t key_count;
    struct store_audit *audit;
    size_t audit_count;
    const char *note_possible, *note_changed; /* put behind the first audit record when that repeat is found; short;
                                               * NULL: nothing is */
    int64_t duplicate_horizon;           /* microseconds; 0: do not look for repeats */
    const char *former_origin;           /* what the origin was called before: its messages are looked at too; NULL */
    const char *const *key_formers;      /* for each key what its agreement was called before, or ""; NULL: nothing else */
    /* out */
    bool repeat;                         /* same origin, source id and hash: nothing was written, `repeated` is its id */
    char repeated[ACCORD_ID_MAX];
    size_t used_key;                     /* with result ACCORD_EEXIST: index of the key that was used before */
    bool answered;                       /* `answers` was expected */
};
/* ACCORD_EEXIST: a key was used before; nothing was written. Sets STORE_POSSIBLE_REPEAT (no source id, hash seen
 * before) and STORE_CHANGED_REPEAT itself. */
void store_admit(struct store *, struct store_admission *, store_done, void *arg);

/* ---- out ---- */

/* In order: a claim hands out only what has no older delivery of its service before it that is sending, waiting for
 * its time, held, or (STORE_ORDERED) dead. One claim may hand out several that follow each other without a gap; the
 * bus settles them in that order. A service name must be given. */
enum store_order { STORE_ANY_ORDER, STORE_ORDERED, STORE_ORDERED_SKIP_DEAD };

struct store_claimed {
    struct store_delivery delivery;
    struct store_message *message; /* NULL: its record is damaged; of the delivery there is the number and where it goes */
    int64_t size;                  /* of the payload */
    uint8_t *payload;              /* all of it; free() it. NULL: store_read() has it */
};
#define STORE_SMALL (32 << 10) /* a longer payload is not handed out with a claim */
struct store_claim {
    const char *agreement;
    const char *service; /* NULL: any */
    int64_t now;         /* wall microseconds: only deliveries whose not_before has come */
    size_t limit;        /* at most STORE_PAGE_MAX */
    enum store_order order;
    size_t payload_room;           /* bytes of payload that may be handed out */
    size_t payload_bytes;          /* out: that were */
    struct store_claimed *claimed; /* out: room for `limit`; messages and payloads are the caller's to free */
    size_t count;                  /* out */
    int64_t next;                  /* out: earliest not_before of what still waits, `now` when some of it could be
                                    * claimed at once; 0: nothing waits */
    char blocked_by[ACCORD_ID_MAX]; /* out, ordered: the message that those behind it wait for; "" */
    bool stopped; /* out, ordered: what comes next would have to wait, also when nothing is behind it yet */
};
/* Oldest first; waiting deliveries become `sending`. Not a durable write of its own: after a crash they wait. Also
 * when it fails, `count` says how many were handed out. */
void store_claim(struct store *, struct store_claim *, store_done, void *arg);

struct store_settlement {
    uint64_t number;
    enum store_state state;
    bool attempted; /* count one attempt */
    int64_t not_before;
    uint64_t generation;
    int64_t answer_by; /* delivered: a message that answers it is expected until then, wall microseconds; 0: none */
    const char *rule, *reason, *receipt; /* NULL: "" */
    bool prompt;       /* something waits for it: it does not wait for company, a millisecond at most, in its commit */
    struct store_audit *audit;
    size_t audit_count;
};
/* ACCORD_ENOENT: no such delivery; ACCORD_ESTATE: it is final already. */
void store_settle(struct store *, struct store_settlement *, store_done, void *arg);

/* Moves every open delivery of an agreement (service NULL: all) from one state to another: `held` when it is
 * switched off, `waiting` when it is back; but none that is held for a person (STORE_NEVER). The audit records are
 * sealed when something moved. */
struct store_move {
    const char *agreement, *service;
    enum store_state from, to;
    const char *reason;
    struct store_audit *audit;
    size_t audit_count;
    uint64_t moved; /* out */
};
void store_move(struct store *, struct store_move *, store_done, void *arg);

/* Deliveries whose answer is overdue. They stay so until store_missed(). */
struct store_overdue {
    int64_t now;
    size_t limit;
    struct store_delivery *found; /* out: room for `limit` */
    size_t count;
};
void store_overdue(struct store *, struct store_overdue *, store_done, void *arg);

/* Their answers are not expected any more; the audit records of each are sealed in the same commit. What was answered
 * since it was found is left out, with its records. */
struct store_missed {
    const struct store_delivery *deliveries; /* as store_overdue() found them */
    struct store_audit *audit;               /* `audit_each` for each, one after the other */
    size_t audit_each;
    bool *told;                              /* out: room for `count`; false: it was left out */
    size_t count;                            /* at most STORE_PAGE_MAX */
};
void store_missed(struct store *, struct store_missed *, store_done, void *arg);

/* ---- a person decides ---- */

/* One delivery: `waiting` retries what is dead or held for a person (its time begins anew, and it is to be judged
 * anew), `discarded` gives up what
 * is not delivered. ACCORD_ENOENT; ACCORD_ESTATE: it is being sent now, or not in a state from which this may be. */
struct store_decision {
    uint64_t number;
    enum store_state state;
    const char *reason;
    struct store_audit *audit;
    size_t audit_count;
};
void store_decide(struct store *, struct store_decision *, store_done, void *arg);

/* A quarantined message goes on to `deliveries` (as in an admission), or with none of them is discarded.
 * ACCORD_ENOENT; ACCORD_ESTATE: it is not in quarantine. */
struct store_unquarantine {
    const char *message;
    struct store_delivery *deliveries; /* out: number */
    size_t delivery_count;
    const char *reason;
    struct store_audit *audit;
    size_t audit_count;
};
void store_unquarantine(struct store *, struct store_unquarantine *, store_done, void *arg);

/* Everything of agreement `from` (deliveries that are open or dead, quarantined messages, cursors, notes) becomes that
 * of `to`; cursors and notes that `to` has already stay. Its audit chain stays as it is. */
struct store_adoption {
    const char *from, *to;
    struct store_audit *audit;
    size_t audit_count;
    uint64_t moved; /* out: deliveries and quarantined messages */
};
void store_adopt(struct store *, struct store_adoption *, store_done, void *arg);

/* ---- limits and time ---- */

/* What an agreement keeps in the store now. Loop thread; at once. */
struct store_usage {
    uint64_t open_bytes, open_deliveries;        /* payloads of deliveries to it that are not final */
    uint64_t quarantine_bytes, quarantined;      /* of messages that came from it */
};
struct store_usage store_usage(const struct store *, const char *agreement);
/* Another number whenever that may have changed for any agreement; never 0. Loop thread; at once, and without a lock. */
unsigned store_usages(const struct store *);
/* Whether admissions have room on the disk now, as of the last group. Loop thread; at once. */
bool store_roomy(const struct store *);

/* Commits since it was opened. Loop thread; at once. */
struct store_stats {
    uint64_t commits, failed;
    uint64_t ns, longest_ns; /* that the commits took */
};
struct store_stats store_stats(const struct store *);

/* Forgets what has had its time, then deletes the segments in which nothing is live, carrying over the little that
 * still is. One call does a bounded piece of work; `more` says whether another has something to do. */
struct store_retention {
    int64_t now;              /* wall microseconds; what follows likewise: older than this goes */
    int64_t settled_before;   /* messages whose last delivery was delivered or discarded then, and released or discarded
                               * ones; those with a dead delivery or an answer to come stay */
    int64_t seen_before;      /* for finding repeats */
    int64_t keys_before;
    uint64_t trail_position;  /* audit records behind it have not been exported: they stay */
    uint64_t messages, segments, bytes; /* out: forgotten, deleted, freed */
    bool more;                /* out */
    bool hurry;               /* out: the disk has little room left, and what can go should not wait */
};
void store_retain(struct store *, struct store_retention *, store_done, void *arg);
/* Quarantined messages of one agreement that came in before; at most `limit`, oldest first. The caller releases them. */
struct store_stale {
    const char *agreement;
    int64_t before;
    size_t limit;
    char (*found)[ACCORD_ID_MAX]; /* out: room for `limit` */
    size_t count;
};
void store_stale(struct store *, struct store_stale *, store_done, void *arg);

/* ---- keys and copies ---- */

/* New keys: `agreement` NULL: a new key file key, with which all keys are wrapped again; otherwise a new key for what
 * is admitted for that agreement from now on. */
struct store_rotation {
    const char *agreement;
    struct store_audit *audit;
    size_t audit_count;
    struct reason why; /* out */
    bool replaced;     /* out: also when it could not be recorded */
};
void store_rotate(struct store *, struct store_rotation *, store_done, void *arg);

/* A copy of the store as it is at one commit, into a folder that must not exist. The key file is not in it. Does a
 * bounded piece of work for each call: call again with the same request while `more`, or with `cancel` set to give it
 * up. What has been written stays there when it fails. One at a time: ACCORD_EBUSY. */
struct store_backup {
    const char *folder;
    bool cancel;
    bool more;                   /* out */
    uint64_t copied, total;      /* out: bytes */
    struct reason why;           /* out */
    void *state;                 /* the store's own; NULL at first */
};
void store_backup(struct store *, struct store_backup *, store_done, void *arg);

/* Reads payload of an admitted message. */
struct store_read {
    const char *message;
    int64_t offset;
    void *to;
    size_t room;
    size_t got; /* out; 0 at the end */
};
void store_read(struct store *, struct store_read *, store_done, void *arg);

/* ---- looking ---- */

struct store_get {
    const char *message;
    struct store_message *found; /* out */
};
void store_get(struct store *, struct store_get *, store_done, void *arg); /* ACCORD_ENOENT */

/* Newest first. NULL members match everything. */
struct store_scan {
    const char *agreement; /* of the origin or of a delivery */
    const char *type;
    int state;             /* enum store_state of a delivery; 0: any; -1: quarantined messages */
    const char *before;    /* message id: older than this; for the next page */
    size_t limit;
    struct store_message **found; /* out: room for `limit`; caller frees each */
    size_t count;                 /* out */
};
void store_scan(struct store *, struct store_scan *, store_done, void *arg);

struct store_count {
    char agreement[STORE_NAME_MAX];
    char service[STORE_NAME_MAX];
    uint64_t states[STORE_DISCARDED + 1];
    int64_t oldest; /* wall microseconds of the oldest open delivery; 0: none */
};
struct store_counts {
    struct store_count *rows; /* out; caller frees */
    size_t count;             /* out */
    uint64_t messages, quarantined, bytes; /* out */
};
void store_counts(struct store *, struct store_counts *, store_done, void *arg);

/* ---- cursors and audit ---- */

struct store_cursor {
    const char *route; /* "AGREEMENT/SERVICE" */
    char value[ACCORD_SOURCE_ID_MAX]; /* out; "" when none */
};
void store_cursor(struct store *, struct store_cursor *, store_done, void *arg);

/* Sets a cursor without a message, or a note: a durable value under a name that begins with '!'. "" removes it.
 * store_cursor() reads it. An agreement's notes are called "!WHAT/AGREEMENT". */
struct store_note {
    const char *name;
    const char *value;
    struct store_audit *audit;
    size_t audit_count;
};
void store_note(struct store *, struct store_note *, store_done, void *arg);

/* Audit records that belong to no message. The bodies are taken (and emptied) by the call. */
void store_audit(struct store *, struct store_audit *, size_t count, store_done, void *arg);

/* Reads sealed lines in commit order, from a position (0: the first) that a former call returned. */
struct store_trail {
    uint64_t position;  /* in and out */
    size_t limit;       /* lines */
    struct buf *lines;  /* out: sealed lines, each ended by \n */
    size_t count;       /* out */
};
void store_trail(struct store *, struct store_trail *, store_done, void *arg);
/* Calls back when a good many new lines lie in memory, where store_trail() from the position that it returned last finds
 * them without reading the disk, and again after the next store_trail(). Lines that wait too long are read from the disk.
 * Loop thread; one watcher. */
void store_trail_watch(struct store *, void (*ready)(void *arg), void *arg);

struct store_head {
    char chain[STORE_NAME_MAX];
    struct audit_head head;
};
struct store_heads {
    struct store_head *rows; /* out; caller frees */
    size_t count;
};
void store_heads(struct store *, struct store_heads *, store_done, void *arg);

#endif
