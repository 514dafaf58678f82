/* The options that every link over TLS has, their rules, and the profile's lists. Knows nothing of OpenSSL. */
#ifndef TLS_OPTIONS_H
#define TLS_OPTIONS_H

#include <accord/option.h>
#include <stdbool.h>
#include <stddef.h>

/* Stands in the link's own options. NULL: not set. */
struct tls_options {
    const char *trust, *certificate, *key, *key_passphrase; /* secrets, of these names */
    struct accord_list pin;
};

#define TLS_SECRET(at, title, field, needed, text)                                                           \
    {                                                                                                        \
        .name = title, .kind = ACCORD_SECRET, .flags = (needed) | ACCORD_FOR_HANDSHAKE,                      \
        .offset = (at) + offsetof(struct tls_options, field), .help = text                                   \
    }

#define TLS_PIN(at, text)                                                                                    \
    {                                                                                                        \
        .name = "pin", .kind = ACCORD_LIST, .offset = (at) + offsetof(struct tls_options, pin), .help = text \
    }

/* Rows of the link's table. `at`: offset of its struct tls_options. `needed`: of `trust`, ACCORD_REQUIRED or 0. `partner`:
 * what the help calls it. `clause`: behind the help of `trust`, or "". */
#define TLS_OPTIONS(at, needed, partner, clause)                                                             \
    TLS_SECRET(at, "trust", trust, needed,                                                                   \
               "Certificates (PEM) of the authorities that may vouch for " partner                           \
               "; there is no built-in list" clause "."),                                                    \
        TLS_SECRET(at, "certificate", certificate, 0,                                                        \
                   "Our certificate (PEM), with its intermediates behind it. Read anew for each "            \
                   "connection, so that renewing it needs no restart."),                                     \
        TLS_SECRET(at, "key", key, 0,                                                                        \
                   "The private key (PEM) of that certificate. Not set: it stands in the certificate's "     \
                   "file."),                                                                                 \
        TLS_SECRET(at, "key-passphrase", key_passphrase, 0, "The key's passphrase, when it has one."),       \
        TLS_PIN(at, "Public keys, one of which " partner "'s certificate must have beside being trusted: "   \
                    "each the base64 of the SHA-256 of its SubjectPublicKeyInfo, as the session fact "       \
                    "tls.peer.sha256 shows it. Not set: any.")

/* A key or passphrase without the certificate that it belongs to is a mistake, and so is a pin that is not the base64 of a
 * SHA-256. */
int tls_check_options(const struct tls_options *, char *why, size_t why_size);

/* Is `name` in a list separated by commas, as profiles have them? */
bool tls_lists(const char *list, const char *name);

#endif
