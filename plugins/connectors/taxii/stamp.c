#include "stamp.h"

#include <stdio.h>

#include "common/time/civil.h"

#define SECOND INT64_C(1000000)
#define LAST   INT64_C(253402300799) /* 9999-12-31T23:59:59Z, in seconds */

const char *stamp_write(int64_t stamp, char text[STAMP_TEXT])
{
    int year, month, day;
    if (stamp < 0)
        stamp = 0;
    if (stamp > LAST * SECOND)
        stamp = LAST * SECOND;
    int64_t seconds = stamp / SECOND, of_day = seconds % 86400;
    civil_date(seconds / 86400, &year, &month, &day);
    snprintf(text, STAMP_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year % 10000, month % 100, day % 100,
             (int)(of_day / 3600) % 100, (int)(of_day / 60 % 60), (int)(of_day % 60), (int)(stamp % SECOND));
    return text;
}

bool stamp_read(const char *text, int64_t *stamp)
{
    struct civil_time t;
    if (!civil_read(text, &t) || t.year < 1970 || !t.zone)
        return false;
    if (t.second == 60)
        t.second = 59; /* a leap second is its predecessor */
    int64_t seconds = civil_seconds(&t);
    if (seconds < 0 || seconds > LAST)
        return false;
    *stamp = seconds * SECOND + t.micros;
    return true;
}
