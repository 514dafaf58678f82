/* What leaves a TLS session, held back: libcurl sends a request as soon as its handshake is over, and we want to be judged
 * before. A filter below OpenSSL answers "not now" meanwhile.
 *
 * When the connection cannot be written to any more, the filter says "not now" for ever instead of failing: a partner that
 * refuses (HTTP 413, an alert about our certificate) and closes has said why, and that is still to be read. */
#ifndef TAXII_HTTP_HOLD_H
#define TAXII_HTTP_HOLD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct http_hold {
    bool held;      /* nothing leaves */
    bool broken;    /* nothing can leave: read what is there, until the end */
    uint64_t wrote; /* bytes that have left, as they are on the wire */
};

/* Once the handshake of `ssl` is over; `hold` outlives it. False: out of memory, nothing has changed. */
bool http_hold_install(struct http_hold *, SSL *ssl);

#endif
