/* What a block of a feed is called, by its content: 128 bits that are quickly made, the same for the same bytes on every
 * machine. No cryptographic hash: whoever wants to can make two contents of one fingerprint. That gains nothing, because
 * the hub takes for the same only what has the same name and the same SHA-256, which it makes itself. */
#ifndef TAXII_FINGERPRINT_H
#define TAXII_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_BLOCK 32
#define FINGERPRINT_TEXT  33 /* hex digits and NUL */

struct fingerprint {
    uint64_t state[2];
    uint64_t size;
    uint8_t rest[FINGERPRINT_BLOCK]; /* size % FINGERPRINT_BLOCK bytes that wait for more */
};

void fingerprint_begin(struct fingerprint *);
void fingerprint_add(struct fingerprint *, const uint8_t *, size_t);
void fingerprint_end(const struct fingerprint *, char text[FINGERPRINT_TEXT]);

#endif
