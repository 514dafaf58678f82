/* The certificates of one test of a TLS client: a server's and ours of one root, and a stranger's of another. In force for
 * ages, so that they fit the test's clock and OpenSSL's. */
#ifndef TEST_TLS_PAPERS_H
#define TEST_TLS_PAPERS_H

/* PEM. */
struct papers {
    char *root, *certificate, *key, *client, *client_key, *stranger, *stranger_key;
};

/* Frees all that tls_pki.h made. */
struct papers papers_make(const char *host);
void papers_burn(struct papers *);

#endif
