/* The calendar (proleptic Gregorian, UTC), and dates with times as RFC 3339 and XML Schema write them. Pure: no time zone
 * of the machine has a say. */
#ifndef TIME_CIVIL_H
#define TIME_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

/* Days since 1970-01-01 (a Thursday); years from 1 on. */
int64_t civil_days(int year, int month, int day);
void civil_date(int64_t days, int *year, int *month, int *day);
int civil_month_days(int year, int month);

/* "2026-11-22T01:02:03.000004+01:00", taken apart. Which separators, zones and years are good is the caller's. */
struct civil_time {
    int year, month, day, hour, minute, second; /* second: 0 to 60 */
    int64_t micros;                             /* of the second; further digits are cut off */
    char separator;                             /* between date and time: 'T', 't' or ' ' */
    char zone;                                  /* 'Z', 'z', '+', '-'; 0: none was written */
    int hours, minutes;                         /* of the zone, to be added to UTC with '+' */
};
/* Strictly: a date that is in the calendar, a time of day, perhaps a fraction, perhaps a zone, and nothing else. */
bool civil_read(const char *text, struct civil_time *);
/* Seconds since 1970 in UTC; without a zone as if it was UTC. */
int64_t civil_seconds(const struct civil_time *);

#endif
