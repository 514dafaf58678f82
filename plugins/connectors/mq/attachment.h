/* One AMQP link on a connection: its session, the attach, the check that its queue is there, and its end. */
#ifndef MQ_ATTACHMENT_H
#define MQ_ATTACHMENT_H

#include "connection.h"
#include "mq.h"

enum attachment_state {
    ATTACH_NONE,    /* not wanted, or over */
    ATTACH_WITNESS, /* the queue's witness is asked */
    ATTACH_ASKED,
    ATTACH_READY,
};

struct attachment {
    struct attachment *next;
    struct connection *connection;
    size_t service;
    enum attachment_state state;
    pn_session_t *session;
    pn_link_t *link, *witness;
    struct accord_timer *timer; /* of the answer */
    char address[MQ_ADDRESS];
    char what[200];     /* "queue ace.requests at broker.example", for sentences */
    int64_t not_before; /* ticks before which it is not tried again */
    struct meaning last; /* why it is over */

    bool (*wants)(const struct attachment *); /* has it anything to do? */
    /* It is there; credit comes by itself. */
    void (*attached)(struct attachment *);
    /* The link is over, or never was; proton's objects are there until this returns. */
    void (*detached)(struct attachment *, const struct meaning *);
    /* PN_DELIVERY and PN_LINK_FLOW */
    void (*event)(struct attachment *, pn_event_type_t, pn_event_t *);
    /* The connection is over; `meaning` says why. Proton's objects are as they were until this returns. */
    void (*lost)(struct attachment *, const struct meaning *);
};

void attachment_init(struct attachment *, struct connection *, size_t service);
void attachment_fini(struct attachment *); /* silently */
/* Begins to attach, on a connection that is open. */
void attachment_begin(struct attachment *);
/* Ends it by itself: the broker has again what was not settled. */
void attachment_end(struct attachment *);

/* ---- for connection.c ---- */

void attachment_event(struct connection *, pn_event_t *);
void attachment_lost(struct attachment *, const struct meaning *);

#endif
