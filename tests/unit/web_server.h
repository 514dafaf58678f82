/* An HTTPS server on 127.0.0.1 that does what a test says, right or wrong: OpenSSL and blocking sockets, a thread for each
 * connection. */
#ifndef TESTS_WEB_SERVER_H
#define TESTS_WEB_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web;

struct web_connection {
    struct web *web;
    SSL *ssl;
    int fd;
    unsigned number;   /* of this connection, from 1 */
    unsigned requests; /* whose heads were read */
    char head[16384];  /* of the last one */
    char path[256];
    int64_t declared; /* Content-Length; -1: chunked */
    uint8_t *body;    /* as read by web_body(), NUL-terminated */
    size_t size;
    char left[16384]; /* read and not used yet */
    size_t left_size;
};

struct web_wish {
    const char *certificate, *key; /* PEM; the chain behind the certificate */
    const char *trust;             /* whose certificates it takes; NULL: asks for none */
    bool insists;                  /* on one */
    int least, most;               /* versions of TLS; 0: 1.2 and 1.3 */
    const char *ciphers;           /* NULL: OpenSSL's */
    /* Called before the handshake, with nothing but `fd`: false closes the connection. NULL: TLS begins at once. */
    bool (*open)(struct web_connection *);
    /* Called when the handshake is over; the connection is closed when it returns. */
    void (*serve)(struct web_connection *);
    void *arg;
};

struct web *web_start(const struct web_wish *);
void web_stop(struct web *); /* cuts what is under way */
uint16_t web_port(const struct web *);
void *web_arg(const struct web_connection *);
unsigned web_connections(struct web *); /* that were accepted */
unsigned web_shaken(struct web *);      /* of them, with a whole handshake */
unsigned web_heads(struct web *);       /* of requests, read on all of them */
unsigned web_open(struct web *);        /* that stand now */

bool web_head(struct web_connection *); /* reads the next request's head; false: the connection ended */
bool web_body(struct web_connection *); /* and its body */
/* Reads and forgets `size` bytes of it. */
bool web_skip(struct web_connection *, int64_t size);
bool web_say(struct web_connection *, const char *text);
bool web_write(struct web_connection *, const void *, size_t);
/* Until the client has closed. */
void web_linger(struct web_connection *);
/* Breaks the connection (RST) when `serve` returns. */
void web_reset(struct web_connection *);
/* Waits until web_go() was called once more than web_await() has returned; false: the server is being stopped. */
bool web_await(struct web_connection *);
void web_go(struct web *);

#endif
