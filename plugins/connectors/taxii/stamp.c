#include "stamp.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define LAST   INT64_C(253402300799) /* 9999-12-31T23:59:59Z, in seconds */

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back (H. Hinnant's way: years begin in
 * March, in eras of 400). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100), shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted + (shifted < 10 ? 3 : -9);
    *year = years + era * 400 + (*month <= 2);
}

const char *stamp_write(int64_t stamp, char text[STAMP_TEXT])
{
    int64_t year, month, day;
    if (stamp < 0)
        stamp = 0;
    if (stamp > LAST * SECOND)
        stamp = LAST * SECOND;
    int64_t seconds = stamp / SECOND, of_day = seconds % 86400;
    date_of(seconds / 86400, &year, &month, &day);
    snprintf(text, STAMP_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)year % 10000, (int)month % 100,
             (int)day % 100, (int)(of_day / 3600) % 100, (int)(of_day / 60 % 60), (int)(of_day % 60),
             (int)(stamp % SECOND));
    return text;
}

/* ---- reading ---- */

/* `count` digits and nothing else; -1: not so. */
static int64_t digits(const char **at, int count)
{
    int64_t value = 0;
    for (; count > 0; count--, ++*at) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool takes(const char **at, const char *any)
{
    if (!**at || !strchr(any, **at))
        return false;
    ++*at;
    return true;
}

static int64_t month_days(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool read_date(const char **at, int64_t *seconds)
{
    int64_t year = digits(at, 4), month, day;
    if (year < 1970 || !takes(at, "-") || (month = digits(at, 2)) < 1 || month > 12 || !takes(at, "-"))
        return false;
    day = digits(at, 2);
    if (day < 1 || day > month_days(year, month))
        return false;
    *seconds = days_of(year, month, day) * 86400;
    return true;
}

static bool read_time(const char **at, int64_t *seconds)
{
    int64_t hour = digits(at, 2), minute, second;
    if (hour < 0 || hour > 23 || !takes(at, ":") || (minute = digits(at, 2)) < 0 || minute > 59 ||
        !takes(at, ":"))
        return false;
    second = digits(at, 2);
    *seconds +=
        hour * 3600 + minute * 60 + (second == 60 ? 59 : second); /* a leap second is its predecessor */
    return second >= 0 && second <= 60;
}

static bool read_fraction(const char **at, int64_t *micros)
{
    int64_t unit = SECOND / 10;
    *micros = 0;
    if (!takes(at, "."))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
        *micros += (**at - '0') * unit;
    return true;
}

static bool read_zone(const char **at, int64_t *seconds)
{
    if (takes(at, "Zz"))
        return true;
    bool west = **at == '-';
    int64_t hours, minutes;
    if (!takes(at, "+-") || (hours = digits(at, 2)) < 0 || hours > 23 || !takes(at, ":") ||
        (minutes = digits(at, 2)) < 0 || minutes > 59)
        return false;
    *seconds += (hours * 3600 + minutes * 60) * (west ? 1 : -1);
    return true;
}

bool stamp_read(const char *text, int64_t *stamp)
{
    int64_t seconds, micros;
    if (!read_date(&text, &seconds) || !takes(&text, "Tt ") || !read_time(&text, &seconds) ||
        !read_fraction(&text, &micros) || !read_zone(&text, &seconds) || *text || seconds < 0 ||
        seconds > LAST)
        return false;
    *stamp = seconds * SECOND + micros;
    return true;
}
