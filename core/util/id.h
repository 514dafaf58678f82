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

/* The same 120 bits as numbers that sort as the text does: `high` the first 64, `low` the others and eight zeros. */
struct id_number {
    uint64_t high, low;
};
bool id_to_number(const char *text, struct id_number *); /* false: not an id */
static inline int id_compare(struct id_number a, struct id_number b)
{
    return a.high != b.high ? (a.high < b.high ? -1 : 1) : a.low != b.low ? (a.low < b.low ? -1 : 1) : 0;
}
void id_from_number(struct id_number, char text[ACCORD_ID_MAX]);

#endif
