/* What a block of a feed is called, by its content: 128 bits that are quickly made (GMAC under a key that everybody knows), the
 * same for the same bytes on every machine. No cryptographic hash: whoever wants to can make two contents of one
 * fingerprint. That gains nothing, because the hub takes for the same only what has the same name and the same SHA-256,
 * which it makes itself. */
#ifndef TAXII_FINGERPRINT_H
#define TAXII_FINGERPRINT_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#define FINGERPRINT_TEXT 33 /* hex digits and NUL */

struct fingerprint {
    EVP_MAC_CTX *mac;
};

EVP_MAC *fingerprint_method(void); /* NULL: OpenSSL has it not; to be freed with EVP_MAC_free() */

bool fingerprint_begin(struct fingerprint *, EVP_MAC *); /* ends with fingerprint_drop() */
bool fingerprint_add(struct fingerprint *, const void *bytes, size_t size);
bool fingerprint_end(struct fingerprint *, char text[FINGERPRINT_TEXT]);
void fingerprint_drop(struct fingerprint *);

#endif
