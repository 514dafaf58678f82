/* Names of SSH algorithms: which may be configured, which are FIPS-approved, and lists of them. */
#ifndef ENCRYPTION_ALGORITHMS_H
#define ENCRYPTION_ALGORITHMS_H

#include <accord/option.h>

enum fips { FIPS_OFF, FIPS_PREFERRED, FIPS_REQUIRED };

#define ALGORITHMS_TEXT_MAX 1024

/* What the options may name, NULL-terminated. What is not here (SHA-1, CBC, 3DES, DSA, groups under 3072
 * bits) cannot be configured at all. */
extern const char *const algorithms_kex[], *const algorithms_ciphers[], *const algorithms_macs[];
extern const char *const algorithms_host_keys[], *const algorithms_user_keys[];

/* Approved in FIPS 140-3 terms and offered by libcrypto's FIPS provider as libssh uses it. */
bool algorithms_approved(const char *name);
bool algorithms_lists(const struct accord_list *, const char *name);
/* A key type as a session reports it: an RSA key is "ssh-rsa" whatever it signs with, and the list names the
 * signatures: rsa-sha2-256, rsa-sha2-512. */
bool algorithms_lists_key(const struct accord_list *, const char *type);
/* The list as the session profile has it, comma-separated: FIPS_REQUIRED leaves out what is not approved,
 * FIPS_PREFERRED puts it last. "" when nothing is left. ACCORD_ELIMIT: does not fit. */
int algorithms_compile(const struct accord_list *, enum fips, char to[ALGORITHMS_TEXT_MAX]);

#endif
