#include "conf/calendar.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <accord/base.h>

enum { YEARS = -1 }; /* stands for the unit whose length is not fixed */

static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    {"ms", 1},         {"s", 1000},        {"sec", 1000},       {"second", 1000},
    {"seconds", 1000}, {"min", 60000},     {"minute", 60000},   {"minutes", 60000},
    {"h", 3600000},    {"hour", 3600000},  {"hours", 3600000},  {"d", 86400000},
    {"day", 86400000}, {"days", 86400000}, {"week", 604800000}, {"weeks", 604800000},
    {"year", YEARS},   {"years", YEARS},
};

/* Reads digits at *at and moves behind them. */
static int read_number(const char **at, int64_t *number)
{
    if (!isdigit((unsigned char)**at))
        return ACCORD_EINVAL;
    *number = 0;
    for (; isdigit((unsigned char)**at); (*at)++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, **at - '0', number))
            return ACCORD_ELIMIT;
    return 0;
}

static int read_unit(const char **at, int64_t *ms)
{
    size_t size = 0;
    while (isalpha((unsigned char)(*at)[size]))
        size++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != size || strncasecmp(units[i].name, *at, size) != 0)
            continue;
        *ms = units[i].ms;
        *at += size;
        return 0;
    }
    return ACCORD_EINVAL;
}

static int add_part(struct duration *duration, int64_t number, int64_t unit)
{
    if (unit == YEARS) {
        duration->years = number;
        return number > 100000 ? ACCORD_ELIMIT : 0;
    }
    int64_t ms;
    if (__builtin_mul_overflow(number, unit, &ms) || __builtin_add_overflow(duration->ms, ms, &duration->ms))
        return ACCORD_ELIMIT;
    return 0;
}

int duration_parse(const char *text, struct duration *duration)
{
    *duration = (struct duration){0};
    if (!strcmp(text, "0"))
        return 0;
    int64_t smallest = INT64_MAX;
    do {
        int64_t number, unit;
        int result = read_number(&text, &number);
        if (result)
            return result;
        text += strspn(text, " ");
        if (read_unit(&text, &unit))
            return ACCORD_EINVAL;
        int64_t rank = unit == YEARS ? INT64_MAX - 1 : unit;
        if (rank >= smallest)
            return ACCORD_EINVAL;
        smallest = rank;
        result = add_part(duration, number, unit);
        if (result)
            return result;
        text += strspn(text, " ");
    } while (*text);
    return 0;
}

static int with_days(const struct duration *duration, int64_t days, int64_t *ms)
{
    return __builtin_add_overflow(days * CALENDAR_DAY_MS, duration->ms, ms) ? ACCORD_ELIMIT : 0;
}

int duration_ms(const struct duration *duration, int64_t *ms)
{
    return with_days(duration, duration->years * 365, ms);
}

int duration_keep_ms(const struct duration *duration, int64_t *ms)
{
    return with_days(duration, duration->years * 365 + (duration->years + 3) / 4, ms);
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

int date_parse(const char *text, int64_t *us)
{
    static const char shape[] = "dddd-dd-dd";
    if (strlen(text) != sizeof shape - 1)
        return ACCORD_EINVAL;
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != '-')
            return ACCORD_EINVAL;
    int year, month, day;
    if (sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3)
        return ACCORD_EINVAL;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return ACCORD_EINVAL;
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    *us = (int64_t)timegm(&tm) * 1000000;
    return 0;
}

int date_add(int64_t us, const struct duration *duration, int64_t *end)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || duration->years > 10000)
        return ACCORD_ELIMIT;
    tm.tm_year += (int)duration->years;
    int64_t rest;
    if (__builtin_mul_overflow(duration->ms, 1000, &rest) ||
        __builtin_add_overflow((int64_t)timegm(&tm) * 1000000, rest, end))
        return ACCORD_ELIMIT;
    return 0;
}

void date_text(char to[16], int64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || !strftime(to, 16, "%Y-%m-%d", &tm))
        to[0] = 0;
}
