#include "stix_time.h"

#include <string.h>

/* Reads `count` digits. */
static bool number(const char **at, int count, int *to)
{
    *to = 0;
    for (; count; count--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *to = *to * 10 + (**at - '0');
    }
    return true;
}

static bool mark(const char **at, char expected)
{
    if (**at != expected)
        return false;
    (*at)++;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the Gregorian calendar; years counted from March, so that February is last. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool fraction(const char **at, int64_t *micros)
{
    *micros = 0;
    if (!mark(at, '.'))
        return true;
    int64_t unit = 100000;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *micros += unit * (**at - '0');
    return true;
}

/* "Z", "+02:00" or nothing. */
static bool offset(const char **at, struct stix_time *to)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;
    to->zone = **at != 0;
    if (!to->zone || mark(at, 'Z'))
        return true;
    if (**at != '+' && **at != '-')
        return false;
    (*at)++;
    if (!number(at, 2, &hours) || !mark(at, ':') || !number(at, 2, &minutes) || hours > 14 || minutes > 59)
        return false;
    to->at -= sign * (int64_t)(hours * 60 + minutes) * 60 * 1000000;
    return true;
}

bool stix_time_parse(const char *text, struct stix_time *to)
{
    int year, month, day, hour, minute, second;
    int64_t micros;
    if (!number(&text, 4, &year) || !mark(&text, '-') || !number(&text, 2, &month) || !mark(&text, '-') ||
        !number(&text, 2, &day) || !mark(&text, 'T') || !number(&text, 2, &hour) || !mark(&text, ':') ||
        !number(&text, 2, &minute) || !mark(&text, ':') || !number(&text, 2, &second) ||
        !fraction(&text, &micros))
        return false;
    if (!year || month < 1 || month > 12 || day < 1 || day > month_days(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    int64_t seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *to = (struct stix_time){.at = seconds * 1000000 + micros};
    return offset(&text, to) && !*text;
}
