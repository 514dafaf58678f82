/* The partner's end of the protocol, in the test's own thread: peer_turn() does what there is to do and
 * never blocks. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    /* what it does; set by the test */
    const char *answer;  /* to a message that was stored; NULL: closes the connection instead */
    const char *message; /* that it has: "ID SIZE NAME"; NULL: none */
    const char *body;    /* of it */
    bool mute;           /* says nothing */

    /* what it saw */
    char stored[512]; /* the last "store" line */
    char *bytes;      /* and its payload */
    size_t size;
    char told[512]; /* the last "done" or "reject" line */
    unsigned connections;

    uint16_t port;
    int listener, fd;
    char in[4096];
    size_t in_size;
    size_t left; /* of a payload; it is being read while `storing` */
    bool storing;
};

void peer_open(struct peer *);
void peer_close(struct peer *);
void peer_turn(struct peer *);

#endif
