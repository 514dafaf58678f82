/* Calls of the store on their way from the loop thread to the store thread.
 *
 * Putting one takes no lock. A store thread that sleeps is woken when there are enough calls for a group, or when the
 * loop's turn is over (inbox_hand_over()); one that works finds them by itself.
 */
#ifndef STORE_INBOX_H
#define STORE_INBOX_H

#include <stdatomic.h>
#include <uv.h>

#include "store/store.h"

enum call_kind {
    CALL_ADMIT,
    CALL_SETTLE,
    CALL_MOVE,
    CALL_AUDIT,
    CALL_DECIDE,
    CALL_UNQUARANTINE,
    CALL_ADOPT,
    CALL_NOTE,
    CALL_MISSED,
    CALL_RETAIN,
    CALL_ROTATE,
    CALL_SPILL, /* the last kind that writes */
    CALL_CLAIM,
    CALL_READ,
    CALL_GET,
    CALL_SCAN,
    CALL_STALE,
    CALL_OVERDUE,
    CALL_COUNTS,
    CALL_CURSOR,
    CALL_TRAIL,
    CALL_HEADS,
    CALL_PEEK,
    CALL_BACKUP,
    CALL_NOTHING, /* only to be finished later */
};

struct call {
    struct call *next;
    enum call_kind kind;
    int result;
    void *request;
    store_done done;
    void *arg;
};

struct call_list {
    struct call *first, *last;
};
void call_push(struct call_list *, struct call *);
struct call *call_pop(struct call_list *); /* NULL: it is empty */
void call_append(struct call_list *, struct call_list more);

struct inbox {
    _Atomic(struct call *) newest; /* `next` is the one before it */
    atomic_bool asleep, closing;
    atomic_int deaf; /* so many more that are patient may come before a store thread that sleeps is woken */
    unsigned unseen; /* put since the store thread was last seen awake; loop thread */
    uv_mutex_t lock;
    uv_cond_t wake;
};

void inbox_init(struct inbox *);
void inbox_fini(struct inbox *);

/* ---- loop thread ---- */

void inbox_put(struct inbox *, struct call *, bool patient);
void inbox_hand_over(struct inbox *);
void inbox_close(struct inbox *); /* what is in it is still taken */

/* ---- store thread ---- */

/* All there is, in the order of the puts. */
struct call_list inbox_take(struct inbox *);
/* Until something is in it, it is closed, or the time is over (nanoseconds; 0: no limit); false: the time is over. */
bool inbox_wait(struct inbox *, uint64_t timeout);
/* Until something is in it that is not patient, `most` of those that are, it is closed, or the time is over. */
void inbox_wait_among(struct inbox *, int most, uint64_t timeout);

#endif
