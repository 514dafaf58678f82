/* The partner's end of the protocol: peer_turn() does what there is to do and never blocks. */
#ifndef PEER_H
#define PEER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_CONNECTIONS 8
#define PEER_FDS         (PEER_CONNECTIONS + 1)

struct peer_connection {
    int fd;
    char in[4096];
    size_t in_size;
    bool storing; /* a payload is being read */
    size_t left;  /* of it */
    char *bytes;
    size_t size;
    char line[512]; /* "store ..." */
    char *out;      /* what could not be written yet */
    size_t out_size, out_sent;
};

struct peer {
    /* what it does; set by the test */
    const char *answer;  /* to a message that was stored; NULL: closes the connection instead */
    const char *message; /* that it has: "ID SIZE NAME"; NULL: none */
    const char *body;    /* of it */
    size_t body_size;
    bool mute;                    /* says nothing */
    void (*stored_whole)(void *); /* called before the answer; NULL: not */
    void (*ask)(void);            /* called before `message` is looked at; NULL: not */

    /* what it saw */
    char stored[512]; /* the last "store" line */
    char *bytes;      /* and its payload */
    size_t size;
    char told[512]; /* the last "done" or "reject" line */

    uint16_t port;
    int listener;
    struct peer_connection connections[PEER_CONNECTIONS];
};

void peer_open(struct peer *);
void peer_close(struct peer *);
void peer_turn(struct peer *);
/* What to wait for until the next turn; returns how many. */
nfds_t peer_poll(const struct peer *, struct pollfd fds[PEER_FDS]);

#endif
