/* SHA-256 and hexadecimal. */
#ifndef UTIL_DIGEST_H
#define UTIL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32
#define DIGEST_HEX  65 /* with NUL */

struct digest; /* a running SHA-256 */

struct digest *digest_new(void); /* NULL: out of memory */
void digest_add(struct digest *, const void *bytes, size_t size);
/* Writes the result and frees. */
void digest_end(struct digest *, uint8_t out[DIGEST_SIZE]);
void digest_free(struct digest *);
/* 0, or ACCORD_EIO when the library fails. */
int digest_of(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);

void hex_encode(char *to, const uint8_t *bytes, size_t size); /* writes 2*size+1 bytes */
/* Exactly `size` bytes from 2*size lower-case digits; false when they are not. */
bool hex_decode(uint8_t *to, size_t size, const char *hex);

#endif
