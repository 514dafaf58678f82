/* What the parts of this library share: one session's own trust, identity and memory of what was said in it. */
#ifndef TLS_STATE_H
#define TLS_STATE_H

#include "options.h"
#include "tls.h"

#define TLS_LIST_MAX 2048 /* of a list of names, with its NUL */
#define TLS_NAME_MAX 256  /* of a certificate's subject in a sentence or fact */
#define TLS_PINS_MAX 16
#define TLS_PIN_TEXT 45 /* base64 of 32 bytes, with its NUL */

/* What the profile allows. */
struct tls_allowed {
    int least, most; /* TLS1_2_VERSION, TLS1_3_VERSION */
    /* As OpenSSL wants them, with colons. */
    char ciphers[TLS_LIST_MAX], suites[TLS_LIST_MAX], groups[TLS_LIST_MAX],
        handshake_signatures[TLS_LIST_MAX];
    char signatures[TLS_LIST_MAX]; /* as the profile has them */
    int64_t rsa_bits, ec_bits;
    bool certificate_required;
};

/* What was said in the handshake and after it, from the library's own messages. */
struct tls_seen {
    int alert_in, alert_out;  /* the first fatal one of each; -1: none */
    int version;              /* that the peer chose; 0: it has not said yet */
    bool asked;               /* it wants a certificate of ours */
    bool answered, shown;     /* we have answered, and not with an empty list */
    bool finished;            /* its handshake is over */
    bool verified;            /* every check of the chain has passed */
    struct tls_problem chain; /* what is wrong with it; no rule: nothing */
};

struct tls {
    char host[256];
    bool address; /* `host` is an IP literal */
    char pins[TLS_PINS_MAX][TLS_PIN_TEXT];
    size_t pin_count;
    int64_t now; /* s since 1970 */
    struct tls_allowed allowed;
    X509_STORE *trust;
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* ours, behind the certificate; without a root */
    struct tls_seen seen;
};

/* profile.c */
int tls_read_profile(struct tls *, const struct tls_setup *, struct tls_problem *);

/* identity.c: the trust bundle and our own certificate */
int tls_read_trust(struct tls *, const struct tls_setup *, struct tls_problem *);
int tls_read_identity(struct tls *, const struct tls_setup *, struct tls_problem *);

/* verify.c */
int tls_verify(X509_STORE_CTX *, void *tls); /* for SSL_CTX_set_cert_verify_callback */

/* certificate.c: what a certificate says, as plain text that is safe to show */
void tls_subject(const X509 *, char to[TLS_NAME_MAX]);
void tls_issuer(const X509 *, char to[TLS_NAME_MAX]);
void tls_serial(const X509 *, char *to, size_t room);
void tls_names(const X509 *, char *to, size_t room);                 /* "a.example,192.0.2.7" */
void tls_key_name(EVP_PKEY *, char *to, size_t room);                /* "EC 384"; EC only on NIST's curves */
void tls_signature_name(int key, int digest, char *to, size_t room); /* of NIDs: "ECDSA+SHA384" */
void tls_signed_with(X509 *, char *to, size_t room);
bool tls_key_is_long_enough(const struct tls_allowed *, EVP_PKEY *);
bool tls_public_key_hash(X509 *, char to[TLS_PIN_TEXT]);
int64_t tls_seconds(const ASN1_TIME *);                 /* since 1970; 0: not a time */
void tls_day(const ASN1_TIME *, char *to, size_t room); /* "2025-03-14" */
/* Of a list of `count` certificates that begins with the peer's: does anybody rely on this one's signature? */
bool tls_signature_counts(int index, int count);

/* explain.c. Returns `result`. */
__attribute__((format(printf, 5, 6))) int tls_fail(struct tls_problem *, int result, bool park,
                                                   const char *rule, const char *format, ...);
void tls_watch(int write, int version, int type, const void *bytes, size_t size, SSL *, void *tls);

#endif
