#include "civil.h"

#include <string.h>

/* H. Hinnant's way: years begin in March, in eras of 400. */
int64_t civil_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_date(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100), shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(years + era * 400 + (*month <= 2));
}

int civil_month_days(int year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* ---- reading ---- */

static bool number(const char **at, int count, int least, int most, int *to)
{
    *to = 0;
    for (; count > 0; count--, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        *to = *to * 10 + (**at - '0');
    }
    return *to >= least && *to <= most;
}

/* One of these characters; 0: it is none of them. */
static char mark(const char **at, const char *any)
{
    char c = **at;
    if (!c || !strchr(any, c))
        return 0;
    ++*at;
    return c;
}

static bool read_date(const char **at, struct civil_time *to)
{
    return number(at, 4, 0, 9999, &to->year) && mark(at, "-") && number(at, 2, 1, 12, &to->month) &&
           mark(at, "-") && number(at, 2, 1, civil_month_days(to->year, to->month), &to->day);
}

static bool read_time(const char **at, struct civil_time *to)
{
    return number(at, 2, 0, 23, &to->hour) && mark(at, ":") && number(at, 2, 0, 59, &to->minute) &&
           mark(at, ":") && number(at, 2, 0, 60, &to->second);
}

static bool read_fraction(const char **at, struct civil_time *to)
{
    int64_t unit = 100000;
    if (!mark(at, "."))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
        to->micros += (**at - '0') * unit;
    return true;
}

static bool read_zone(const char **at, struct civil_time *to)
{
    to->zone = mark(at, "Zz+-");
    if (to->zone != '+' && to->zone != '-')
        return true;
    return number(at, 2, 0, 23, &to->hours) && mark(at, ":") && number(at, 2, 0, 59, &to->minutes);
}

bool civil_read(const char *text, struct civil_time *to)
{
    *to = (struct civil_time){0};
    return read_date(&text, to) && (to->separator = mark(&text, "Tt ")) && read_time(&text, to) &&
           read_fraction(&text, to) && read_zone(&text, to) && !*text;
}

int64_t civil_seconds(const struct civil_time *t)
{
    int64_t ahead = (t->hours * 60 + t->minutes) * 60;
    int64_t local =
        civil_days(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 + t->second;
    return t->zone == '-' ? local + ahead : local - ahead;
}
