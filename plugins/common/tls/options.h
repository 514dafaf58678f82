/* Rules of the options that every link over TLS has (certificate, key, key-passphrase and pin), and the profile's lists.
 * Knows nothing of OpenSSL. */
#ifndef TLS_OPTIONS_H
#define TLS_OPTIONS_H

#include <accord/option.h>
#include <stdbool.h>

/* A key or passphrase without the certificate that it belongs to is a mistake. NULL: not set. */
int tls_check_identity(const char *certificate, const char *key, const char *passphrase, char *why,
                       size_t why_size);
/* Each the base64 of a SHA-256. */
int tls_check_pins(const struct accord_list *, char *why, size_t why_size);

/* Is `name` in a list separated by commas, as profiles have them? */
bool tls_lists(const char *list, const char *name);

#endif
