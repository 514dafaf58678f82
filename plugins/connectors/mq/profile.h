/* How the brokers differ, of what matters to a client (docs/MQ.md has the whole list). A row for each kind. */
#ifndef MQ_PROFILE_H
#define MQ_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

struct profile {
    const char *name;
    /* A connection carries one session, and is ended by the broker at the second. Where many are allowed each AMQP link
     * has its own, for brokers that answer a bad attach by ending the session. */
    bool one_session;
    bool queue_capability; /* source and target say `queue`, or the address would be a topic's */
    bool durable_terminus; /* source and target ask for a durable node */
    bool external;         /* SASL EXTERNAL is there */
    bool reject;           /* takes the outcome `rejected` of a receiver */
    bool plain_container;  /* container ids of at most 256 letters, digits, % / . _ */
    size_t id_most;        /* bytes of a correlation-id; 0: as many as we have */
    /* Queues are addressed by a path that differs with the broker's version; the old one takes what goes to a queue that
     * is not there, and drops it: a receiver without credit is the witness that it is. */
    bool paths;
};

extern const char *const profile_names[]; /* NULL-terminated, as the option has them */
const struct profile *profile_at(size_t index);

/* The version of the broker on the other side: 0 when it does not say. `text` as it says it: "3.10.8". */
unsigned profile_major(const char *text);
/* Must the witness be asked? */
bool profile_needs_witness(const struct profile *, unsigned major);
/* What is attached for a queue that the option calls `queue`. False: it is too long. */
bool profile_address(const struct profile *, unsigned major, const char *queue, char *to, size_t size);

#endif
