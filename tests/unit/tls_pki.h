/* A CA of the test's own: certificates with every virtue and fault, made when asked for. Fails the test on any error. */
#ifndef TEST_TLS_PKI_H
#define TEST_TLS_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

#define PKI_NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z, s since 1970: when the tests play */

/* Of a wish: in force whenever somebody looks. */
#define PKI_FOR_AGES .from = -3650, .until = 36500

struct pki {
    X509 *certificate;
    EVP_PKEY *key;
};

/* What a certificate is for: anything but issuing others, issuing, being a client and nothing else. */
enum pki_role { PKI_ANY, PKI_CA, PKI_CLIENT };

struct pki_wish {
    const char *name;   /* CN */
    const char *hosts;  /* subjectAltName as OpenSSL writes it: "DNS:a.example,IP:192.0.2.7"; NULL: none */
    const char *key;    /* "RSA 2048", "RSA-PSS 2048", "EC P-256", "ED25519"; NULL: EC P-256 */
    const char *digest; /* NULL: SHA256 */
    const struct pki *issuer; /* NULL: its own */
    int from, until;          /* days from PKI_NOW; both 0: -10, 90 */
    int role;                 /* enum pki_role */
};

struct pki pki_make(const struct pki_wish *);
/* To be freed with free(). */
char *pki_pem(const struct pki *);
char *pki_key_pem(const struct pki *, const char *passphrase);     /* PKCS#8; NULL: not encrypted */
char *pki_old_key_pem(const struct pki *, const char *passphrase); /* "RSA PRIVATE KEY", "EC PRIVATE KEY" */
void pki_sweep(void);                                              /* frees all that was made, keys too */

#endif
