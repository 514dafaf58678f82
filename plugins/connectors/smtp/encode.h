/* Content of mail as it goes over the wire: 7 bits, lines of at most 78 characters that end with CRLF, and never one that
 * is a single dot. Whatever stands in a name or a field, it cannot end a header or begin another one. */
#ifndef SMTP_ENCODE_H
#define SMTP_ENCODE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow. */
struct text {
    char *bytes;
    size_t size, room;
    bool failed; /* out of memory: what follows is not kept */
};
void text_put(struct text *, const void *, size_t);
__attribute__((format(printf, 2, 3))) void text_print(struct text *, const char *format, ...);
void text_print_list(struct text *, const char *format, va_list);
void text_wipe(struct text *); /* and frees */

enum encoding { ENCODING_BASE64, ENCODING_QUOTED };

/* Encodes bytes that come piece by piece. */
struct encoder {
    enum encoding encoding;
    uint8_t kept[57]; /* base64: of a line that is not full; quoted: a byte whose follower decides */
    size_t kept_size;
    size_t column;
};
void encoder_put(struct encoder *, struct text *, const uint8_t *, size_t);
void encoder_end(struct encoder *, struct text *); /* the last line ends with CRLF */
int64_t encoder_size(enum encoding, int64_t bytes); /* exact for base64, a guess for the other */

/* Base64 in one line. */
void encode_base64(struct text *, const uint8_t *, size_t);
/* "Name: value" and CRLF: encoded words (RFC 2047) where it is not plain ASCII, folded. Control characters become spaces. */
void encode_header(struct text *, const char *name, const char *value);
/* "; name=value" for a header: quoted, or as RFC 2231 says where it is not plain ASCII; with a plain name for readers who
 * do not know that. Folded. */
void encode_parameter(struct text *, const char *name, const char *value);

#endif
