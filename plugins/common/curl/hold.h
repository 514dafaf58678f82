/* What leaves a TLS session, held back: libcurl sends a request's head as soon as its handshake is over, and we want to be
 * judged before. A filter below OpenSSL keeps it meanwhile, as it is on the wire. (It is said to have left: libcurl 7.88
 * sends a body without its chunks when the head could not be sent at once.)
 *
 * When the connection cannot be written to any more, the filter says "not now" for ever instead of failing: a partner that
 * refuses (HTTP 413, an alert about our certificate) and closes has said why, and that is still to be read.
 *
 * It saves calls as well: what leaves is gathered, what comes is read ahead. */
#ifndef CURL_HOLD_H
#define CURL_HOLD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct hold {
    bool held;      /* nothing leaves */
    bool keeps;     /* what cannot leave now is kept: a head, and no body */
    bool gathers;   /* what may leave waits for hold_flush(), to leave with what follows */
    bool broken;    /* nothing can leave: read what is there, until the end */
    uint64_t wrote; /* bytes that have left, as they are on the wire */
    int fd;         /* where to */
    uint8_t *kept;
    size_t kept_size, kept_room;
    bool reads_ahead; /* from the socket, so that several records need one call: */
    uint8_t *ahead;   /* [ahead_from, ahead_size) has not been asked for */
    size_t ahead_from, ahead_size;
};

/* Once the handshake of `ssl` over `fd` is over; `hold` outlives it. False: out of memory, nothing has changed. */
bool hold_install(struct hold *, SSL *ssl, int fd);
/* Sends what was kept, as far as it goes, unless it is held. */
void hold_flush(struct hold *);
/* Something was read that OpenSSL has not seen: the socket will not tell. */
bool hold_has_more(const struct hold *);
void hold_fini(struct hold *);

#endif
