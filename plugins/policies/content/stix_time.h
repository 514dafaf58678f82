/* Timestamps: xs:dateTime as STIX 1 has it, which is RFC 3339 with the time zone left to the writer. */
#ifndef CONTENT_STIX_TIME_H
#define CONTENT_STIX_TIME_H

#include <accord/base.h>

struct stix_time {
    int64_t at; /* microseconds since 1970; without a zone as if in UTC */
    bool zone;
};
/* False: not a timestamp. Years 0001 to 9999; a leap second counts as the second after. */
bool stix_time_parse(const char *text, struct stix_time *);

#endif
