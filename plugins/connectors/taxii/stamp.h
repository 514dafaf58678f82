/* Timestamp labels (TAXII 1.1, 3.3): RFC 3339 with a zone; microseconds since 1970 here. */
#ifndef TAXII_STAMP_H
#define TAXII_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#define STAMP_TEXT 32
#define STAMP_NONE INT64_MIN

/* "2026-11-22T01:02:03.000004Z". Years 1970 to 9999; others are the nearest of them. */
const char *stamp_write(int64_t stamp, char text[STAMP_TEXT]);
/* Any number of digits behind the second, of which six count (the rest is cut off, so that the result is never later
 * than what was meant); any zone. False: not one, or out of years. */
bool stamp_read(const char *text, int64_t *stamp);

#endif
