/* Message ids: 48 bits of milliseconds and 72 random bits, as 24 characters of lower-case base32 (Crockford's
 * alphabet). They sort by time, and fit an MQ correlation id of 24 bytes. */
#ifndef UTIL_ID_H
#define UTIL_ID_H

#include <accord/base.h>

struct id {
    char text[ACCORD_ID_MAX];
};

/* 0, or ACCORD_EIO when the system gives no random bytes. */
int id_make(struct id *, int64_t wall_us);
bool id_valid(const char *text);

#endif
