/* Durations and dates as people write them. */
#ifndef CONF_CALENDAR_H
#define CONF_CALENDAR_H

#include <stdint.h>

#define CALENDAR_DAY_MS INT64_C(86400000)

/* A duration with its years apart, because only a date can say how long a year is. */
struct duration {
    int64_t years;
    int64_t ms; /* the rest */
};

/* "250 ms", "10 s", "1 h 30 min", "90 days", "3 years"; "0" alone needs no unit. Largest unit first, each
 * once. 0 or ACCORD_EINVAL, ACCORD_ELIMIT when it does not fit. */
int duration_parse(const char *text, struct duration *);
/* A year is 365 days: for time-outs and the like. ACCORD_ELIMIT when it does not fit. */
int duration_ms(const struct duration *, int64_t *ms);
/* For how long to keep records: every leap day that so many years can hold is counted, so 7 years is 2557
 * days and never a day short of seven calendar years (AIS-3.11b). */
int duration_keep_ms(const struct duration *, int64_t *ms);

/* "2025-03-14" as microseconds since 1970 at 00:00 UTC. Years 1970 to 9999; the day must exist. */
int date_parse(const char *text, int64_t *us);
/* The end, exclusive, of something valid for so long from that date: by calendar years (CBP-4.1: three
 * years from the acknowledgement). 29 February plus three years is 1 March: the last of February is still
 * inside. */
int date_add(int64_t us, const struct duration *, int64_t *end);
/* "2025-03-14"; needs 11 bytes. */
void date_text(char to[16], int64_t us);

#endif
