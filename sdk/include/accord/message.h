/* accord/message.h: the envelope of a message. Immutable once admitted; the hub never parses the payload. */
#ifndef ACCORD_MESSAGE_H
#define ACCORD_MESSAGE_H

#include <accord/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACCORD_NAME_MAX 256      /* message name with NUL: one path component, no control characters */
#define ACCORD_SOURCE_ID_MAX 512 /* with NUL */
#define ACCORD_HEADERS_MAX 32
/* A header of an offer: the id of the message that this one answers, as the protocol carried it back. */
#define ACCORD_HEADER_CORRELATION "correlation-id"

struct accord_envelope {
    const char *id;        /* given by the hub at admission; "" while a connector offers it */
    const char *type;      /* "stow-plan" */
    const char *name;      /* file name or the like; sanitised by the hub */
    const char *origin;    /* AGREEMENT/SERVICE where it came from; "" in an offer */
    const char *source_id; /* what the source calls it, for finding repeats; "" when it has no name for it */
    int64_t time;          /* when the hub admitted it; 0 in an offer */
    int64_t size;          /* payload bytes; -1 in an offer whose size is not known yet */
    const char *sha256;    /* of the payload, 64 hex digits; "" in an offer */
    const struct accord_pair *headers;
    size_t header_count;
};

#ifdef __cplusplus
}
#endif
#endif
