/* What one service receives: the broker gives us as many messages as there is credit; each is accepted and settled when
 * the bus has committed it, and never before. One that the bus does not take now, or never takes, is neither released nor
 * rejected, for brokers drop or reorder what is: the AMQP link is closed, and the broker has again what was not settled. */
#ifndef MQ_RECEIVER_H
#define MQ_RECEIVER_H

#include "attachment.h"
#include "sections.h"

/* One message on its way to the bus. */
struct arrival {
    struct arrival *next, **at; /* in its receiver's list */
    struct receiver *receiver;
    struct accord_offer *offer; /* NULL: not offered yet, or the verdict is there */
    pn_delivery_t *delivery;
    uint8_t *bytes; /* of the payload, when all of it was small; NULL: it is read as the host asks */
    size_t size, written;
    int64_t asked;
    bool given;   /* the last byte was handed over */
    uint64_t outcome; /* the verdict came early: the rest is read and dropped, then this is said; 0: it did not */
};

struct receiver {
    struct attachment attachment; /* first */
    struct link *link;
    const struct service_options *options;
    const char *names[SECTIONS_PROPERTIES]; /* of application properties that are looked for */
    size_t name_count;
    struct sections sections; /* of the message that is being read */
    struct arrival *arrivals, **end;
    struct arrival *current; /* that is read as the host asks; NULL: none */
    struct arrival *stuck;   /* read, and the host had no room for its offer; NULL: none */
    size_t count;
    size_t held;    /* bytes of payloads */
    int owed;       /* credit that the broker has used up, and may have again */
    int granted;    /* with the last flow */
    bool blocked;   /* the host has no room for offers */
    bool halted;    /* nothing more is taken: the AMQP link ends when what is under way has */
    int64_t pause;  /* ms before it is attached again */
    bool poisoned;  /* the last one halted for a message that is never taken */
    struct accord_timer *again;
    uint8_t *scratch;
};

struct receiver *receiver_new(struct link *, size_t service); /* NULL: out of memory */
void receiver_free(struct receiver *);                        /* NULL is fine */
void receiver_start(struct receiver *);
void receiver_stop(struct receiver *);
void receiver_ready(struct receiver *); /* the host has room for offers */

/* Of the vtable; `arg` of an offer is its arrival. */
void receiver_pull(struct arrival *, int64_t bytes);
void receiver_verdict(struct arrival *, const struct accord_admitted *);

/* ---- arrival.c ---- */

struct arrival *arrival_new(struct receiver *, pn_delivery_t *);
void arrival_free(struct arrival *);
/* With what `sections` has read; size -1: not known. False: not now. */
bool arrival_offer(struct arrival *, int64_t size);
/* All of a message that is small and here: read, and kept. 0, or negative: it cannot be read (`sections.wrong`). */
int arrival_read_whole(struct arrival *, size_t pending);
/* As much of the current one as may be: up to its body, or as far as the host has asked. 0 or negative, as above; 1: all of
 * it was read. */
int arrival_read_some(struct arrival *);
void arrival_write_kept(struct arrival *);

#endif
