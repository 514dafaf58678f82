/* What we read of an answer's header fields ourselves; everything else of HTTP is libcurl's. Values come from outside. */
#ifndef TAXII_HTTP_HEADERS_H
#define TAXII_HTTP_HEADERS_H

#include <stdint.h>

#define HTTP_WAIT_MAX INT64_C(604800000) /* a week, in ms: more is not believed */

/* Retry-After (RFC 9110, 10.2.3), seconds or a date: milliseconds from `now` (microseconds since 1970) on; 0: none, past,
 * or not understood; HTTP_WAIT_MAX at most. */
int64_t http_retry_after(const char *value, int64_t now);
/* A date as RFC 9110, 5.6.7 writes it, in its preferred form or that of RFC 850 or asctime: seconds since 1970; -1: not
 * one. */
int64_t http_date(const char *text);

#endif
