/* Deliveries on their way to the partner's inbox: gathered into inbox messages of up to `batch` blocks, several of which
 * are under way at a time.
 *
 * The partner takes or discards an inbox message as a whole (TAXII 1.1, 4.4.5): SUCCESS delivers all of its deliveries;
 * a refusal of several sends each of them again alone before anything is called refused. A message id is made of the
 * ids of the deliveries in it, so that a repeat is recognised.
 *
 *   submit.c  what waits, and when it goes; batch.c one inbox message
 */
#ifndef TAXII_SUBMIT_H
#define TAXII_SUBMIT_H

#include "content.h"
#include "exchange.h"
#include "taxii.h"

struct batch;
struct lane;

/* One delivery. */
struct parcel {
    struct parcel *next; /* while it waits */
    struct lane *lane;
    const struct accord_outgoing *out;
    struct batch *batch; /* NULL: it waits */
    bool alone;          /* goes in a message of its own */
    struct content content;
    struct draft draft; /* its part of the message as it goes out, what of it is there */
    int64_t asked, got; /* bytes of payload */
    bool whole;
};

/* One sending service. */
struct lane {
    struct submit *submit;
    size_t service;
    const struct service_options *options;
    struct parcel *first, **last; /* what waits */
    size_t waiting;
    struct catalogue_wait wait;
};

struct submit {
    struct link *link;
    struct lane *lanes; /* for each service; without options: it receives */
    struct batch *batches; /* under way */
    size_t running, next; /* how many; the lane whose turn it is */
    int64_t uncounted;    /* delivered, and not yet in the metric */
    struct accord_timer *soon;
};

/* NULL: out of memory. */
struct submit *submit_new(struct link *);
void submit_stop(struct submit *); /* ends what waits; what is under way goes on */
/* Ends everything; after http_free(). NULL is fine. */
void submit_free(struct submit *);
void submit_deliver(struct submit *, const struct accord_outgoing *);
void submit_payload(struct submit *, struct accord_delivery *, const uint8_t *, size_t, bool last);
void submit_cancel(struct submit *, struct accord_delivery *);
int64_t submit_window(const struct link *); /* deliveries of a service that are wanted at once */

/* ---- for batch.c ---- */

/* Ends a parcel that is in no list any more. */
void parcel_finish(struct parcel *, enum accord_outcome, int64_t wait, const char *reason, const char *receipt);
void lane_put_back(struct lane *, struct parcel *); /* before all that waits */
void submit_ended(struct submit *, struct batch *, const struct outcome *, bool lost);

/* ---- batch.c ---- */

#define BATCH_MOST 100

struct batch {
    struct exchange exchange; /* first */
    struct batch *next, **at;
    struct lane *lane;
    struct parcel *parcels[BATCH_MOST];
    size_t count;
    struct accord_session *session; /* that carries the content, when it is `ready` */
    bool ready;
    size_t turn, sent;              /* the parcel that goes out, and how much of its draft has */
    int64_t ahead;                  /* bytes asked for or held and not gone out yet */
    bool gone;                      /* as a whole */
    bool broken;                    /* ended by us in mid-message, because of one of its parcels */
    struct accord_timer *grace;     /* of a cancelled one that waits for its answer */
};

/* Takes the parcels over and begins. False: out of memory, and they are the caller's still. */
bool batch_begin(struct lane *, struct parcel **, size_t count, const char *path);
void batch_payload(struct parcel *, const uint8_t *, size_t, bool last);
void batch_cancel(struct parcel *);
/* After http_free(): its parcels end. */
void batch_free(struct batch *);

#endif
