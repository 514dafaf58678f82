/* TLS for connectors, with OpenSSL: what the session profile allows becomes an SSL_CTX in which nothing else can
 * complete; what a handshake brought becomes the facts that the encryption policy judges once more; and what went wrong
 * becomes a sentence, with the answer whether trying again can help.
 *
 * One struct tls for each session. libcurl gets it through CURLOPT_SSL_CTX_FUNCTION; a library of another kind makes
 * its own SSL_CTX and hands it to tls_configure().
 *
 * Names of the profile (docs/reference/session-profile.md), compiled by the encryption policy for every link with an
 * endpoint that is not ssh's:
 *   tls.versions     "1.3,1.2"                 tls.ciphers    suites of TLS 1.2 by their OpenSSL names
 *   tls.suites       suites of TLS 1.3         tls.groups     "P-384,P-256,X25519" by their OpenSSL names
 *   tls.signatures   by their OpenSSL names: "ECDSA+SHA384,RSA-PSS+SHA256": in the handshake and in the chain
 *   tls.rsa-bits, tls.ec-bits   least sizes of keys, in the chain and of ours
 *   tls.client-certificate   "required" or "allowed"
 * Names of the facts (docs/reference/session-facts.md):
 *   handshake:      tls.version, tls.cipher, tls.group, tls.signature, tls.peer.subject, tls.peer.issuer,
 *                   tls.peer.serial, tls.peer.names, tls.peer.sha256 (of its public key, base64), tls.peer.key ("EC
 *                   384"), tls.peer.until (seconds since 1970), tls.chain (number of certificates), tls.chain.keys (of
 *                   each, the peer's first: "EC 384,RSA 4096"), tls.chain.signatures (of each but the root's),
 *                   tls.chain.until (when the first of them ends), tls.verified ("yes", or OpenSSL's words),
 *                   tls.identity (the name that was matched; "" none)
 *   authenticated:  tls.client.subject, tls.client.issuer, tls.client.key, tls.client.until; "" when the server did
 *                   not ask for a certificate
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <accord/base.h>
#include <openssl/ssl.h>

struct tls_bytes {
    const uint8_t *bytes; /* PEM; NULL: none */
    size_t size;
};

struct tls_setup {
    const char *host; /* name or address that the peer's certificate must have (RFC 9525); SNI is set by the
                         library that makes the SSL, as libcurl does */
    const char *const
        *pins;              /* base64 of the SHA-256 of the public key that the peer must have: one of them */
    size_t pin_count;       /* 0: any key that the trust bundle vouches for */
    struct tls_bytes trust; /* required: there is no default bundle */
    struct tls_bytes certificate, key, passphrase; /* ours, with its chain behind it */
    int64_t now;                                   /* microseconds since 1970 */
    /* The session's profile: accord_host.profile. */
    const char *(*profile)(void *arg, const char *name);
    void *profile_arg;
};

struct tls_problem {
    bool park; /* trying again changes nothing until a person changes something */
    char
        rule[ACCORD_RULE_MAX]; /* "tls.untrusted", "tls.expired", "tls.name", "tls.pin", "tls.version", ... */
    char reason[ACCORD_REASON_MAX]; /* what happened, to which certificate, and what to do */
};

struct tls;

/* Copies what it needs of the setup (private keys only into OpenSSL's own objects). NULL: `problem` says what is wrong
 * with the secrets or the profile; also when our certificate is out of its dates: it does not leave. The key may stand
 * in the certificate's own file: then `key` is none. */
struct tls *tls_new(const struct tls_setup *, struct tls_problem *);
void tls_free(struct tls *); /* after the SSL_CTX that it configured; NULL is fine */
/* 0, or negative and a problem: then the context must not be used. */
int tls_configure(struct tls *, SSL_CTX *, struct tls_problem *);
/* When our own certificate ends: microseconds since 1970; 0: there is none. */
int64_t tls_until(const struct tls *);

#define TLS_FACTS_MAX 24
struct tls_facts {
    struct accord_pair pairs[TLS_FACTS_MAX];
    size_t count;
    char text[8192]; /* of the values */
};
/* Of a finished handshake. */
void tls_handshake_facts(const struct tls *, SSL *, struct tls_facts *);
void tls_authenticated_facts(const struct tls *, SSL *, struct tls_facts *);

/* What the alerts and verification errors seen in the session say, best first; `otherwise` is used when they say
 * nothing (the library's words, say): then it may be tried again. Also for failures after the handshake: a TLS 1.3
 * server tells only then that it does not take our certificate. */
void tls_explain(const struct tls *, const char *otherwise, struct tls_problem *);
/* Has the peer sent an alert that speaks of our certificate (RFC 8446, 6.2)? */
bool tls_refused_us(const struct tls *);

#endif
