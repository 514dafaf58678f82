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

static int64_t seconds_of(int year, const char *month, int day, int hour, int minute, int second)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month_of(month),
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    if (tm.tm_mon < 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1970)
        return -1;
    return (int64_t)timegm(&tm);
}

int64_t http_date(const char *text)
{
    int year, day, hour, minute, second;
    unsigned end = 0;
    char month[4];
    text += strspn(text, " \t");
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute,
               &second, (int *)&end) == 6 &&
        end)
        return hour < 0 || minute < 0 || second < 0 ? -1 : seconds_of(year, month, day, hour, minute, second);
    if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute,
               &second, (int *)&end) == 6 &&
        end)
        return hour < 0 || minute < 0 || second < 0 || year < 0
                   ? -1
                   : seconds_of(year + (year < 70 ? 2000 : 1900), month, day, hour, minute, second);
    if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &day, &hour, &minute, &second,
               &year, (int *)&end) == 6 &&
        end)
        return hour < 0 || minute < 0 || second < 0 ? -1 : seconds_of(year, month, day, hour, minute, second);
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
