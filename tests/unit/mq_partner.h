/* A broker from a script, in the place of channel.c: two drivers of proton's in one process, so that every answer, and the
 * lack of it, can be had. Nothing moves by itself: mq_run() carries bytes and runs the host until all is quiet. */
#ifndef MQ_PARTNER_H
#define MQ_PARTNER_H

#include <accord/testkit/host.h>
#include <accord/testkit/options.h>

#define MQ_LINK {"profile", "generic"}, {"user", "filer"}, {"password", "filer.password"}

struct mq_bench {
    struct testhost *host;
    struct accord_link_setup setup;
    struct accord_service services[4];
    const struct accord_service *pointers[4];
    struct testoptions *options[5];
};

struct mq_service {
    const char *name;
    enum accord_direction direction;
    const struct accord_pair *options; /* ends with a NULL name */
};

/* With the virtual clock, opened and started. `link` NULL: MQ_LINK. */
void mq_open(struct mq_bench *, const struct accord_pair *link, const struct mq_service *, size_t count);
void mq_close(struct mq_bench *); /* closed, without complaints */
void mq_run(struct mq_bench *);
void mq_pass(struct mq_bench *, int64_t ms); /* virtual time, and then all that follows */
struct accord_delivery *mq_send(struct mq_bench *, size_t service, const struct testhost_message *);

/* ---- how the broker is; reset by mq_open ---- */

struct mq_broker {
    const char *product, *version; /* NULL: it does not say */
    const char *missing;           /* a queue that is not there */
    const char *condition;         /* of what is refused; NULL: amqp:not-found */
    bool ends_session;             /* a bad attach ends the session, not the link */
    bool loses;                    /* attaches senders to what is not there, and accepts, as RabbitMQ 3.10 */
    bool other_node;               /* attaches another one than was asked for */
    bool silent_attach;            /* never answers one */
    bool no_credit;
    bool silent;                   /* never says what it makes of a message */
    bool stalled;                  /* takes no bytes */
    int credit;
    uint64_t most;     /* bytes of a message that it takes; 0: any */
    uint64_t outcome;  /* of what is sent to it: PN_ACCEPTED */
    const char *error; /* condition of a rejection */
    size_t piece;      /* bytes that it gives at once of a message; 0: all */
    size_t halt_at;    /* of a message it gives about so many, and no more; 0: all */
};
extern struct mq_broker broker;

/* ---- what it has got ---- */

size_t broker_got(void);
const char *broker_address(size_t index);               /* that was attached for it */
const uint8_t *broker_bytes(size_t index, size_t *size); /* the whole message, as it was sent */
bool broker_has_payload(size_t index, const void *bytes, size_t size); /* its one data section is this */
bool broker_was_durable(size_t index);
unsigned broker_links(void);     /* attached now */
unsigned broker_sessions(void);  /* open now */
unsigned broker_connections(void); /* opened, ever */
unsigned broker_witnesses(void); /* receivers without credit, attached now */
bool broker_node_has_capability(const char *name);
bool broker_node_is_durable(void); /* the last that was attached */
int broker_credit(void);         /* that the last receiver has been given and not used */

/* ---- what it gives ---- */

/* Puts a message into the queue (its bytes are the caller's). Given as far as there is credit; what was not settled when a
 * link ends is given again, first. */
void broker_put(const char *queue, const void *bytes, size_t size);
size_t broker_depth(const char *queue); /* not settled by the client */
unsigned broker_outcome_count(uint64_t outcome);
/* The payload with a data section, an id of a string and a subject (NULL: none). Free with free(). */
uint8_t *broker_message(const char *id, const char *subject, const void *payload, size_t size, size_t *whole);

/* ---- what it does, to the last connection ---- */

void broker_answer(struct mq_bench *);                         /* what it was silent about, as `outcome` says */
void broker_grant(struct mq_bench *, int credit);
void broker_detach(struct mq_bench *, const char *condition, const char *words);
void broker_end_session(struct mq_bench *, const char *condition);
void broker_abort(struct mq_bench *);                          /* the message that it is giving in pieces */
void broker_cut(struct mq_bench *);                            /* CHANNEL_LOST */
void broker_refuse(struct mq_bench *, const char *rule);       /* CHANNEL_REFUSED */
void broker_reads_certificate(struct mq_bench *, int64_t until); /* the session has read ours */
void broker_fail_open(void);                                   /* the next channel_open() gives NULL */
void broker_hold_open(bool);                                   /* channels stay unopened */

#endif
