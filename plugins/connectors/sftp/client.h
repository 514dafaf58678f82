/* A small SFTP client without I/O: requests go into its outbox, bytes from the partner are fed in, and every
 * reply finds the function that waits for it. Any number of requests may be under way. */
#ifndef SFTP_CLIENT_H
#define SFTP_CLIENT_H

#include "packets.h"

#define CLIENT_SLOTS 4096 /* requests under way at once; a power of two */

/* `note` is what client_ask was given. The reply's bytes are valid during the call only. */
typedef void (*client_reply_fn)(void *arg, uint32_t note, struct sftp_reply *);

struct client_slot {
    client_reply_fn run; /* NULL: nobody waits, or free */
    void *arg;
    uint32_t note;
    uint32_t turn; /* makes the ids of one slot differ */
    bool busy;
};

struct client {
    struct outbox outbox;
    uint8_t *inbox;
    size_t in_size, in_capacity;
    struct client_slot slots[CLIENT_SLOTS];
    uint32_t turn;
    uint32_t next;    /* where to look for a free slot */
    unsigned waiting; /* requests without a reply */
    bool overrun;     /* more than CLIENT_SLOTS were asked for: the session cannot go on */
    bool greeted;     /* VERSION has come */
    uint32_t extensions; /* enum sftp_extension, from VERSION */
    struct sftp_limits limits;
};

void client_fini(struct client *);
/* The id for the next request; the caller puts exactly one with it. `run` NULL: the reply is of no interest. */
uint32_t client_ask(struct client *, client_reply_fn run, void *arg, uint32_t note);
/* No reply to what `arg` has asked will reach it any more; a handle that comes for it is closed. */
void client_forget(struct client *, const void *arg);
/* Room for a few more things to be begun, each with some requests? */
static inline bool client_has_room(const struct client *client)
{
    return client->waiting < CLIENT_SLOTS / 2;
}
/* Payload bytes of the largest WRITE, and of the largest READ that is worth asking for. */
uint32_t client_write_size(const struct client *);
uint32_t client_read_size(const struct client *);
/* Takes bytes from the partner and runs what waits for them. ACCORD_EPROTO, ACCORD_ENOMEM: end the session;
 * `why` says what is wrong. *stop set by a function that it ran ends it early. */
int client_feed(struct client *, const uint8_t *, size_t, const bool *stop, char *why, size_t why_size);

#endif
