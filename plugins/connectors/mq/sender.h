/* What one service sends over one connection: deliveries in the order in which they came, each in as many frames as it
 * needs, `window` of them with the broker at once. A delivery is settled as delivered only when the broker has accepted
 * it; when the connection goes first, one whose last frame was made is uncertain, and the others are tried again. */
#ifndef MQ_SENDER_H
#define MQ_SENDER_H

#include "attachment.h"
#include "head.h"

struct parcel {
    struct parcel *next, **at; /* in its sender's list */
    struct parcel *chain;      /* in the link's table */
    struct sender *sender;
    const struct accord_outgoing *out;
    pn_delivery_t *delivery; /* NULL: nothing of it was written */
    int64_t asked, received, written; /* of the payload: of the host; from it; to proton */
    bool pulled;             /* all of it was asked for */
    bool whole;              /* all of it has come */
    bool posted;             /* all of it was written */
    uint8_t *kept;           /* what came before its turn */
    size_t kept_size, kept_room;
    int64_t since; /* ticks at which its last frame was made; 0: not yet */
    struct accord_timer *grace; /* it was cancelled */
};

struct parcel_list {
    struct parcel *first, **end;
    size_t count;
};

struct sender {
    struct attachment attachment; /* first */
    struct link *link;
    const struct service_options *options;
    struct parcel_list waiting; /* not written to the end; only the first may be written in part */
    struct parcel_list sent;    /* written; the broker has not said what it makes of them */
    struct parcel *unframed;    /* the first of `sent` whose last frame was not made; NULL: all were */
    struct parcel *pulling;     /* the first that was not asked for to the end; NULL: all were */
    size_t pulled;              /* of `waiting`: were asked for, in part at least */
    int64_t ahead;              /* bytes asked of the host and not yet given to proton */
    struct head head;
    uint64_t tag;
    size_t outgoing; /* bytes in proton, when last looked at */
    int64_t moved;   /* ticks of the last progress */
    struct accord_timer *watch;
};

void sender_deliver(struct link *, const struct accord_outgoing *);
void sender_payload(struct link *, struct accord_delivery *, const uint8_t *, size_t, bool last);
void sender_cancel(struct link *, struct accord_delivery *);
/* Every delivery that is there ends: those that nobody has begun only, or all. */
void sender_stop(struct link *);
void sender_close(struct link *);

/* ---- parcel.c ---- */

struct parcel *parcel_new(struct sender *, const struct accord_outgoing *); /* in `waiting`; NULL: out of memory */
struct parcel *parcel_find(const struct link *, const struct accord_delivery *);
void parcel_sent(struct parcel *); /* from `waiting` to `sent` */
bool parcel_keep(struct parcel *, const uint8_t *, size_t);
/* Finishes the delivery; the parcel is gone. Its delivery of proton's is settled, or forgotten when it is NULL. */
void parcel_finish(struct parcel *, const struct accord_result *);
void parcel_end(struct parcel *, enum accord_outcome, int64_t wait, const char *reason);
void parcel_list_init(struct parcel_list *);
/* The head of its message, in the sender's `head`. */
void parcel_head(struct parcel *);
/* Why it cannot go to this broker at all; NULL: it can. */
const char *parcel_objection(struct parcel *, char *why, size_t why_size);

#endif
