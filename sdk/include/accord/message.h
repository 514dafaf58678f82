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
#define ACCORD_CURSOR_MAX 512    /* with NUL */

/* Headers that mean the same with every connector; others are a connector's own, in lower case. */
#define ACCORD_HEADER_CORRELATION  "correlation-id" /* of the message that this one answers */
#define ACCORD_HEADER_REPLY_TO     "reply-to"
#define ACCORD_HEADER_CONTENT_TYPE "content-type"
#define ACCORD_HEADER_SUBJECT      "subject"

/* A message of the bus, as connectors that send and policies see it. */
struct accord_envelope {
    const char *id;        /* given by the hub at admission; the same at every attempt */
    const char *type;      /* "stow-plan" */
    const char *name;      /* file name or the like */
    const char *origin;    /* AGREEMENT/SERVICE where it came from */
    const char *source_id; /* what the source calls it; "" when it has no name for it */
    int64_t time;          /* when the hub admitted it */
    int64_t size;          /* payload bytes */
    const char *sha256;    /* of the payload, 64 hex digits */
    const struct accord_pair *headers;
    size_t header_count;
};

/* A message that a connector offers. The host copies it. */
struct accord_incoming {
    const char *name;      /* file name or the like; the hub makes it one path component without control characters */
    const char *source_id; /* the same whenever the source gives this message again; "" when it has no name for it */
    int64_t size;          /* payload bytes; -1 when not known yet */
    const struct accord_pair *headers;
    size_t header_count;
    /* Where to go on reading the source when everything up to and including this message is held: committed with the
     * last of them (see accord_host.advance). NULL: the cursor stays. */
    const char *cursor;
    struct accord_session *session; /* the authenticated session that it comes over; NULL for a link without endpoint */
};

#ifdef __cplusplus
}
#endif
#endif
