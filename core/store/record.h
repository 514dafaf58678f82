/* Journal records: what they hold, how they are written and strictly read.
 *
 * A record is a head of 40 bytes, a body, and zeros up to a multiple of 8; all numbers little-endian:
 *     0 u32 magic   4 u32 body size   8 u64 position of this record   16 u64 group   24 u16 type
 *    26 u16 zero   28 u32 CRC32C of the body   32 u32 zero   36 u32 CRC32C of the 36 bytes before
 * The position makes a record that strayed invalid; the group number tells the leavings of a failed write
 * from what was written over them. Texts are a u16 size, which counts the NUL, and the bytes with their NUL.
 *
 * Decoded texts and bytes point into the body.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <accord/message.h>

#include "store/store.h"

#define RECORD_HEAD           40
#define RECORD_MAX            (4u << 20) /* largest body */
#define RECORD_DELIVERIES_MAX 256
#define RECORD_KEYS_MAX       256
#define RECORD_KEY_MAX        512
#define RECORD_HEADER_MAX     4096   /* bytes of a header's name or value, with NUL */
#define RECORD_PIECES_MAX     262144 /* payload pieces of one message: 32 GiB */
#define RECORD_SEAL_SPACE     64     /* what seal.h keeps with a sealed piece */
#define RECORD_PIECE_HEAD     (8 + RECORD_SEAL_SPACE) /* of a piece's body, before the payload */
#define SEAL_NONE             0      /* how a piece is sealed: not, as in the first format */
#define SEAL_PIECE            1      /* AES-256-GCM, each piece with a key of its own: the second format */
#define SEAL_BATCH            2      /* AES-256-GCM, with the key of a batch of pieces */
#define SEAL_NEWEST           SEAL_BATCH
#define RECORD_MOVE_MAX       8192   /* deliveries in one move record */

enum record_type {
    RECORD_PIECE = 1,  /* up to ACCORD_PIECE_MAX of payload */
    RECORD_ADMISSION,  /* a message with its deliveries, cursor and keys */
    RECORD_SETTLEMENT, /* a delivery's new state */
    RECORD_MOVE,       /* the new state of many deliveries */
    RECORD_AUDIT,      /* one sealed line */
    RECORD_EPOCH,      /* a new lease */
    RECORD_COMMIT,     /* ends a group */
    RECORD_SNAPSHOT,   /* cursors, notes, chain heads and epoch, carried over when an old segment is deleted */
    RECORD_RELEASE,    /* a message leaves quarantine, with its deliveries */
    RECORD_ADOPTION,   /* what is an agreement's becomes another's */
    RECORD_NOTE,       /* a cursor or note */
    RECORD_ANSWERED,   /* deliveries whose answer is no longer expected */
    RECORD_FORGET,     /* what has had its time */
    RECORD_CARRIED,    /* a message with the state of its deliveries, carried over */
    RECORD_KEPT,       /* unique keys, and repeats still looked for, carried over */
};

/* Total size of a record with this body. */
size_t record_span(size_t body);

struct record_head {
    uint32_t size; /* of the body */
    uint16_t type;
    uint32_t body_crc;
    uint32_t head_crc;
    uint64_t position;
    uint64_t group;
};
/* Writes head and padding of a record whose body stands at buf->data + start + RECORD_HEAD up to the end of
 * the buffer; returns the head's checksum. */
uint32_t record_finish(struct buf *, size_t start, uint64_t position, uint64_t group, enum record_type);
/* Reads RECORD_HEAD bytes; false when they are no head of a record that stands at `position`. */
bool record_read_head(const uint8_t *, uint64_t position, struct record_head *);
bool record_body_good(const struct record_head *, const uint8_t *body);

struct record_piece {
    uint8_t seal;             /* SEAL_NONE, SEAL_PIECE or SEAL_BATCH */
    uint32_t index;           /* of the piece within its payload */
    const uint8_t *seal_data; /* RECORD_SEAL_SPACE bytes; NULL: zeros */
    const void *data;
    size_t size;
    const struct seal_bond *bond; /* for sealing (seal.h); not in the record */
};

struct record_delivery {
    const char *agreement, *service;
    enum store_state state;
    int64_t not_before;
    uint64_t generation;
    const char *rule, *reason;
};

struct record_admission {
    const char *id, *origin, *type, *name, *source_id;
    int64_t time, changed, size;
    const uint8_t *sha256;
    uint32_t flags;
    const char *rule, *reason;
    const struct accord_pair *headers;
    size_t header_count;
    uint64_t first; /* number of the first delivery; the others follow */
    const struct record_delivery *deliveries;
    size_t delivery_count;
    const char *cursor; /* NULL: unchanged */
    const char *const *keys;
    size_t key_count;
    const uint8_t *pieces; /* positions of the payload's pieces, u64 each; record_piece_position() */
    size_t piece_count;
};
uint64_t record_piece_position(const struct record_admission *, size_t index);
/* Appends one u64 to such a list, or to the numbers of a move. */
void record_add_number(struct buf *, uint64_t);

/* A decoded admission with room for its lists. */
struct record_admission_room {
    struct record_admission admission;
    bool carried; /* for the journal: it comes from a carried message */
    struct accord_pair headers[ACCORD_HEADERS_MAX];
    struct record_delivery deliveries[RECORD_DELIVERIES_MAX];
    const char *keys[RECORD_KEYS_MAX];
};

struct record_settlement {
    uint64_t number;
    enum store_state state;
    bool attempted;
    int64_t not_before, changed;
    int64_t since;     /* its retries begin anew; 0: they do not */
    int64_t answer_by; /* 0: no answer is expected */
    uint64_t generation;
    const char *rule, *reason, *receipt;
};

struct record_move {
    enum store_state to;
    int64_t changed;
    const char *reason;
    const uint8_t *numbers; /* u64 each; record_move_number() */
    size_t count;
};
uint64_t record_move_number(const struct record_move *, size_t index);

struct record_release {
    const char *message, *reason;
    int64_t changed, size; /* size: of the payload */
    uint64_t first; /* number of the first delivery; the others follow */
    const struct record_delivery *deliveries;
    size_t delivery_count;
};
struct record_release_room {
    struct record_release release;
    struct record_delivery deliveries[RECORD_DELIVERIES_MAX];
};

struct record_adoption {
    const char *from, *to;
    int64_t changed;
};

struct record_note {
    const char *name, *value; /* "": removed */
};

struct record_answered {
    const uint8_t *numbers; /* u64 each; record_answered_number() */
    size_t count;
};
uint64_t record_answered_number(const struct record_answered *, size_t index);

/* The messages of an interval of ids that were settled before a time, and all keys and repeats from before others.
 * What it forgets follows from what the journal held before it. */
struct record_forget {
    const char *after, *until; /* ids: behind the first, up to and with the second; both "": none */
    int64_t settled_before, seen_before, keys_before;
};

/* Where a delivery of a carried message stands. */
struct record_standing {
    uint64_t number;
    const char *agreement, *service;
    enum store_state state;
    int64_t attempts, attempts_before, not_before, changed, since, answer_by;
    uint64_t generation;
    const char *rule, *reason, *receipt;
};
#define RECORD_STANDINGS_MAX (2 * RECORD_DELIVERIES_MAX)

struct record_carried {
    const struct record_admission *admission; /* flags, origin and pieces as they are now; no cursor, no keys */
    uint64_t released;                        /* number of the first delivery it got when it left quarantine */
    size_t releases;
    int64_t released_at; /* 0: it did not leave quarantine */
    const struct record_standing *standings; /* those of the admission, then the released ones */
    size_t standing_count;
};
struct record_carried_room {
    struct record_carried carried;
    struct record_admission_room admission;
    struct record_standing standings[RECORD_STANDINGS_MAX];
};

/* A message that is forgotten and may come again. */
struct record_echo {
    uint64_t key; /* index_repeat_key() */
    int64_t hash, time;
    const char *id;
};
struct record_used { /* a unique key */
    const char *key;
    int64_t time;
};
#define RECORD_KEPT_MAX 1024 /* of each kind */
struct record_kept {
    const struct record_echo *echoes;
    size_t echo_count;
    const struct record_used *keys;
    size_t key_count;
};
struct record_kept_room {
    struct record_kept kept;
    struct record_echo echoes[RECORD_KEPT_MAX];
    struct record_used keys[RECORD_KEPT_MAX];
};

#define RECORD_CHAINS_MAX 4096
struct record_chain {
    const char *name;
    struct audit_head head;
};
struct record_snapshot {
    uint64_t epoch;
    int64_t seen_before, keys_before;
    const struct record_chain *chains;
    size_t chain_count;
};
struct record_snapshot_room {
    struct record_snapshot snapshot;
    struct record_chain chains[RECORD_CHAINS_MAX];
};

struct record_audit {
    const char *chain;
    struct audit_head head; /* after this line */
    const char *line;       /* no \n, no NUL */
    size_t size;
    const struct audit_shared *shared; /* of a line without its seal */
};

#define RECORD_SYNCED 1u /* the group was followed by fdatasync: it was reported as done */

struct record_commit {
    uint64_t start;     /* position of the group's first record */
    uint32_t count;     /* records before this one */
    uint32_t heads_crc; /* CRC32C over their head checksums, in order */
    uint32_t flags;
    uint64_t next_number; /* of deliveries */
    int64_t time;
};

/* Append a body. The caller reserves the head before and calls record_finish() after. */
void record_put_piece(struct buf *, const struct record_piece *);
void record_put_admission(struct buf *, const struct record_admission *);
void record_put_settlement(struct buf *, const struct record_settlement *);
void record_put_move(struct buf *, const struct record_move *);
void record_put_audit(struct buf *, const struct record_audit *);
/* The line is a record without its seal, which gets one behind `head`. What was put is in `audit` afterwards, good until
 * the buffer changes, and `head` has moved on. */
int record_put_unsealed(struct buf *, struct record_audit *audit, struct audit_head *head);
void record_put_epoch(struct buf *, uint64_t epoch);
void record_put_commit(struct buf *, const struct record_commit *);
void record_put_release(struct buf *, const struct record_release *);
void record_put_adoption(struct buf *, const struct record_adoption *);
void record_put_note(struct buf *, const struct record_note *);
void record_put_answered(struct buf *, const struct record_answered *);
void record_put_forget(struct buf *, const struct record_forget *);
void record_put_carried(struct buf *, const struct record_carried *);
void record_put_kept(struct buf *, const struct record_kept *);
void record_put_snapshot(struct buf *, const struct record_snapshot *);

/* 0, or ACCORD_EFORMAT: a size or count out of its limits, a text without its NUL or with one inside, an
 * unknown state, bytes left over. */
int record_get_piece(const uint8_t *, size_t, struct record_piece *);
int record_get_admission(const uint8_t *, size_t, struct record_admission_room *);
int record_get_settlement(const uint8_t *, size_t, struct record_settlement *);
int record_get_move(const uint8_t *, size_t, struct record_move *);
int record_get_audit(const uint8_t *, size_t, struct record_audit *);
int record_get_epoch(const uint8_t *, size_t, uint64_t *epoch);
int record_get_commit(const uint8_t *, size_t, struct record_commit *);
int record_get_release(const uint8_t *, size_t, struct record_release_room *);
int record_get_adoption(const uint8_t *, size_t, struct record_adoption *);
int record_get_note(const uint8_t *, size_t, struct record_note *);
int record_get_answered(const uint8_t *, size_t, struct record_answered *);
int record_get_forget(const uint8_t *, size_t, struct record_forget *);
int record_get_carried(const uint8_t *, size_t, struct record_carried_room *);
int record_get_carried_admission(const uint8_t *, size_t, struct record_admission_room *); /* alone */
int record_get_kept(const uint8_t *, size_t, struct record_kept_room *);
int record_get_snapshot(const uint8_t *, size_t, struct record_snapshot_room *);

#endif
