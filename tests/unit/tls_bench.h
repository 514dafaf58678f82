/* A client made by plugins/common/tls, and a server of the test's own, joined by memory. */
#ifndef TEST_TLS_BENCH_H
#define TEST_TLS_BENCH_H

#include <stdbool.h>

#include "common/tls/tls.h"
#include "tls_pki.h"

struct bench_peer {
    const struct pki *own; /* what it shows; NULL: nothing */
    const struct pki *issuers[4];
    int version; /* TLS1_2_VERSION: this one alone; 0: 1.2 and 1.3 */
    const char *ciphers, *suites, *groups, *signatures;
    bool asks, insists;       /* for a certificate of ours */
    const struct pki *trusts; /* whose certificates it takes */
    const uint8_t *says;      /* instead of all that: what it answers, whatever it is told */
    size_t says_size;
};

struct bench_client {
    const char *host;
    const char *trust, *certificate, *key, *passphrase; /* PEM */
    const char *pin;
    const struct accord_pair *profile; /* names that differ from bench_profile; ends with NULL */
    int64_t now;                       /* s since 1970; 0: PKI_NOW */
};

/* What `encryption` compiles by default. */
extern const struct accord_pair bench_profile[];

struct bench {
    struct tls *tls;
    SSL_CTX *context, *server_context;
    SSL *client, *server;
    struct tls_problem problem;
    bool made;       /* the client is configured */
    bool done;       /* the client holds the handshake to be over */
    char got[64];    /* what the server was given to read */
    char words[160]; /* of OpenSSL, on the client's failure */
};

/* What most tests need: a root, a CA below it, and a server's certificate for taxii.example and 192.0.2.7. */
struct bench_world {
    struct pki root, middle, server;
    char *trust; /* PEM of the root */
};
extern struct bench_world world;
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* Makes both and lets them talk until nothing moves; once the client's handshake is over it writes "hello". */
void bench_run(struct bench *, const struct bench_client *, const struct bench_peer *);
void bench_free(struct bench *);
const char *bench_fact(const struct tls_facts *, const char *name); /* NULL: there is none */

#endif
