/* Algorithms by name: which of them a session may use, and why the others not. Of SSH all that libssh 0.10 and OpenSSH
 * 9.2 know, of TLS all that OpenSSL 3.0 knows and what older servers are known for, of SASL what brokers and mail
 * servers offer. docs/reference/ssh-algorithms.md, tls-algorithms.md and sasl-mechanisms.md are made of these tables.
 */
#ifndef ENCRYPTION_ALGORITHMS_H
#define ENCRYPTION_ALGORITHMS_H

#include <accord/option.h>

enum fips { FIPS_OFF, FIPS_PREFERRED, FIPS_REQUIRED };

enum algorithm_kind {
    ALGORITHM_KEX,
    ALGORITHM_CIPHER,
    ALGORITHM_MAC,
    ALGORITHM_KEY, /* signatures by which keys are proven, the host's and ours */
    ALGORITHM_TLS_VERSION,
    ALGORITHM_TLS_CIPHER, /* suites of TLS 1.2 and before, by OpenSSL's names */
    ALGORITHM_TLS_SUITE,  /* of TLS 1.3 */
    ALGORITHM_TLS_GROUP,
    ALGORITHM_TLS_SIGNATURE,
    ALGORITHM_SASL, /* ways to log in inside TLS */
};

struct algorithm {
    enum algorithm_kind kind;
    const char *name;
    const char *refused; /* why no session may use it; NULL: it may */
    const char *instead; /* of those refused: the nearest that may */
    const char *
        approved; /* where it is approved for federal use; NULL: nowhere, or not as libcrypto's provider has it */
};

#define ALGORITHMS_TEXT_MAX 1024

/* The last of each has no name. */
extern const struct algorithm ssh_algorithms[], tls_algorithms[], tls_ciphers[], sasl_mechanisms[];
const struct algorithm *algorithms_of(enum algorithm_kind); /* the table that has this kind, among others */

const struct algorithm *algorithms_find(enum algorithm_kind, const char *name); /* NULL: not known */
/* Every item may be used. Otherwise ACCORD_EINVAL, and `why` has the first that may not, the reason, and what may. */
int algorithms_check(enum algorithm_kind, const char *option, const struct accord_list *, char *why,
                     size_t why_size);
/* Allowed here, and approved in FIPS 140-3 terms as libcrypto's provider offers it. */
bool algorithms_approved(enum algorithm_kind, const char *name);
bool algorithms_lists(const struct accord_list *, const char *name);
/* A key type as a session reports it: an RSA key is "ssh-rsa" whatever it signs with, and the list names the
 * signatures: rsa-sha2-256, rsa-sha2-512. */
bool algorithms_lists_key(const struct accord_list *, const char *type);
/* The list as the session profile has it, comma-separated: FIPS_REQUIRED leaves out what is not approved,
 * FIPS_PREFERRED puts it last. "" when nothing is left. ACCORD_ELIMIT: does not fit. */
int algorithms_compile(enum algorithm_kind, const struct accord_list *, enum fips,
                       char to[ALGORITHMS_TEXT_MAX]);
/* Behind each name the certificates of such keys, for what proves our own key. */
int algorithms_add_certificates(char text[ALGORITHMS_TEXT_MAX]);

#endif
