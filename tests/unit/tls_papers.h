/* The certificates of one test of a TLS client: a server's and ours of one root, and a stranger's of another. In force for
 * ages, so that they fit the test's clock and OpenSSL's. */
#ifndef TEST_TLS_PAPERS_H
#define TEST_TLS_PAPERS_H

#include <accord/testkit/host.h>

#include "web_server.h"

/* PEM. */
struct papers {
    char *root, *certificate, *key, *client, *client_key, *stranger, *stranger_key;
};

/* Frees all that tls_pki.h made. */
struct papers papers_make(const char *host);
void papers_burn(struct papers *);
/* What the server shows; whose certificates it takes, if it asks for one. */
void papers_serve(const struct papers *, struct web_wish *, bool asks);
/* The secrets `trust`, `certificate` and `key` of a link: ours, or a stranger's, and the time that they are made for. */
void papers_tell(const struct papers *, struct testhost *, bool stranger);

#endif
