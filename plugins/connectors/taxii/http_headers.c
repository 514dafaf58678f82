#include "http_headers.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "http.h"

/* ---- Content-Type ---- */

bool http_is_type(const char *content_type, const char *type)
{
    size_t size = strlen(type);
    if (!content_type)
        return false;
    content_type += strspn(content_type, " \t");
    if (strncasecmp(content_type, type, size) != 0)
        return false;
    content_type += size;
    content_type += strspn(content_type, " \t");
    return *content_type == 0 || *content_type == ';';
}

/* ---- Retry-After ---- */

static int month_of(const char *name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncmp(months + 3 * i, name, 3) == 0)
            return i;
    return -1;
}

struct date {
    int year, day, hour, minute, second;
    char month[4];
};

static int64_t seconds_of(const struct date *date)
{
    struct tm tm = {.tm_year = date->year - 1900,
                    .tm_mon = month_of(date->month),
                    .tm_mday = date->day,
                    .tm_hour = date->hour,
                    .tm_min = date->minute,
                    .tm_sec = date->second};
    if (tm.tm_mon < 0 || date->year < 1970 || date->day < 1 || date->day > 31 || date->hour < 0 ||
        date->hour > 23 || date->minute < 0 || date->minute > 59 || date->second < 0 || date->second > 60)
        return -1;
    return (int64_t)timegm(&tm);
}

int64_t http_date(const char *text)
{
    struct date d = {0};
    int end = 0;
    text += strspn(text, " \t");
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &d.day, d.month, &d.year, &d.hour,
               &d.minute, &d.second, &end) == 6 &&
        end)
        return seconds_of(&d);
    if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &d.day, d.month, &d.year, &d.hour,
               &d.minute, &d.second, &end) == 6 &&
        end) {
        d.year += d.year < 70 ? 2000 : 1900;
        return seconds_of(&d);
    }
    if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", d.month, &d.day, &d.hour, &d.minute,
               &d.second, &d.year, &end) == 6 &&
        end)
        return seconds_of(&d);
    return -1;
}

static int64_t clamp(int64_t ms)
{
    return ms < 0 ? 0 : ms > HTTP_WAIT_MAX ? HTTP_WAIT_MAX : ms;
}

int64_t http_retry_after(const char *value, int64_t now)
{
    if (!value)
        return 0;
    value += strspn(value, " \t");
    size_t digits = strspn(value, "0123456789");
    if (digits == 0) {
        int64_t at = http_date(value);
        return at < 0 ? 0 : clamp(at * 1000 - now / 1000);
    }
    if (value[digits + strspn(value + digits, " \t")] != 0)
        return 0;
    int64_t seconds = 0;
    for (size_t i = 0; i < digits && seconds < HTTP_WAIT_MAX; i++)
        seconds = seconds * 10 + (value[i] - '0');
    return clamp(seconds * 1000);
}
