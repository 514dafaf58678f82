/* The front's own parts: the store and its calls. Only store.c, payload.c and the verbs include this.
 *
 * A call is made on the loop thread, runs on the store thread, and is finished on the loop thread.
 */
#ifndef STORE_FRONT_H
#define STORE_FRONT_H

#include "store/backend.h"
#include "store/inbox.h"

/* Calls that can be made when no memory is left: their callers get the answer later, and never at once. */
#define CALLS_KEPT 256

/* Head of an audit chain, with what to go back to when the group fails. */
struct chain {
    char name[STORE_NAME_MAX];
    struct audit_head head, before;
    bool moved;
};

/* What an agreement keeps: counted on the store thread after each group, asked for on the loop thread. */
struct account {
    char agreement[STORE_NAME_MAX];
    struct store_usage usage;
};
struct accounts {
    struct account *items;
    size_t count, room;
};

struct store {
    const struct backend *backend;
    void *state;
    void (*fault)(const char *point);

    /* store thread */
    struct chain *chains;
    size_t chain_count, chain_room;
    uint64_t next_number, next_before, first_number;
    bool stale;      /* a newer epoch has written */
    int group_error; /* the open group must be rolled back */
    bool has_admission, has_settlement;
    struct buf scratch;
    struct accounts counting;
    bool asks_room; /* in this group it matters whether there is room for admissions */
    bool no_room;   /* not even for the group */
    uint64_t usual; /* nanoseconds that a commit takes these days */
    bool stream;    /* the last group had many settlements */
    bool told;      /* the loop thread, that the trail has lines in memory */
    atomic_bool failed, lost_index;
    atomic_uint usages; /* how often `accounts` were published, and 1 */

    /* loop thread */
    struct store_signal *signal;
    char *folder;
    struct call *spare; /* calls that are not in use ... */
    size_t spare_count; /* ... CALLS_KEPT at least, unless memory is short */
    struct call kept[CALLS_KEPT];
    struct call_list finishing;
    uint64_t outstanding;
    struct store_payload *payloads;
    void (*watch)(void *arg); /* of the trail; NULL */
    void *watch_arg;

    struct inbox inbox;

    /* under `lock` */
    uv_mutex_t lock;
    struct call_list ready;
    struct accounts accounts;
    struct store_payload *staged; /* payloads that have pieces in the journal */
    bool roomy, trail_ready;
    struct store_stats stats;
    uv_thread_t thread;
};

/* Bodies of CALL_AUDIT, taken from the caller. */
struct audit_batch {
    size_t count;
    struct store_audit *records; /* each chain name stands behind the array */
};
void audit_batch_free(struct audit_batch *);

struct store_payload {
    struct store *store;
    bool sealed;           /* nothing more comes */
    struct digest *digest; /* of what is long, until it is sealed */
    uint8_t sha256[DIGEST_SIZE];
    char agreement[STORE_NAME_MAX]; /* whose key seals it */
    uint8_t id[SEAL_PAYLOAD_ID];    /* made with its first piece */
    int64_t size;
    struct buf tail;   /* what is not in the journal */
    struct buf pieces; /* positions of what is */
    struct buf fresh;  /* positions of the spill that has not been committed */
    int failed;
    unsigned pending; /* calls under way */
    unsigned telling; /* the end of one: it must stay until that has returned */
    bool orphan;      /* freed by its owner while calls were under way */
    struct store_payload *next, *previous; /* in `payloads` */
    /* under the store's lock */
    struct store_payload *next_staged, *previous_staged; /* in `staged` */
    uint64_t first; /* position of the first piece in the journal; UINT64_MAX: none */
};
struct peek {
    struct store_payload *payload;
    int64_t offset;
    void *to;
    size_t room, *got;
    store_done done;
    void *arg;
};

/* ---- loop thread ---- */

void store_call(struct store *, enum call_kind, void *request, store_done, void *arg);
/* Finishes a call that needs no store thread, later. */
void store_finish_later(struct store *, int result, store_done, void *arg);

/* ---- store thread ---- */

/* Upper bound of the bytes that a writing call puts into the journal. */
uint64_t verb_need(const struct store *, const struct call *);
bool verb_is_first(const struct call *); /* begins a group of its own, which others may join */
int verb_apply(struct store *, struct call *);
/* After the group: `result` has been decided. */
void verb_settled(struct store *, struct call *);
int verb_look(struct store *, struct call *);
/* Keeps or takes back the moves of the chain heads and numbers since the group began. */
void verbs_keep(struct store *);
struct chain *verb_chain(struct store *, const char *name); /* NULL: out of memory */
/* Counts what each agreement keeps and whether there is room, and tells the loop thread. */
void accounts_publish(struct store *);
void accounts_fini(struct accounts *);
void verbs_undo(struct store *);

int payload_spill(struct store *, struct store_payload *);
void payload_spilled(struct store_payload *, int result);
/* Position of the oldest piece that waits for its admission; UINT64_MAX: there is none. */
uint64_t payload_staged(struct store *);
/* The store ends before its payloads. */
void payloads_abandon(struct store *);
int payload_look(struct store *, struct peek *);

#endif
