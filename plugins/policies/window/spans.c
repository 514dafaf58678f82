#include "spans.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/time/civil.h"

void spans_print(char *to, size_t room, int64_t local)
{
    int year, month, day;
    int64_t days = local / SPANS_DAY, minute = local % SPANS_DAY;
    civil_date(days, &year, &month, &day);
    snprintf(to, room, "%04d-%02d-%02d %02d:%02d", year, month, day, (int)(minute / 60), (int)(minute % 60));
}

/* ---- reading ---- */

struct reading {
    struct spans *spans;
    size_t item;      /* from 1 */
    const char *text; /* the item */
    const char *at;
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int complain(struct reading *r, const char *format, ...)
{
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(r->why, r->why_size, "%s: \"%.60s\", at character %d: %s", r->spans->option, r->text,
             (int)(r->at - r->text) + 1, what);
    return ACCORD_EINVAL;
}

static void skip_blanks(struct reading *r)
{
    while (*r->at == ' ' || *r->at == '\t')
        r->at++;
}

static bool took(struct reading *r, char c)
{
    skip_blanks(r);
    if (*r->at != c)
        return false;
    r->at++;
    skip_blanks(r);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* So many digits; -1: not there. */
static int digits(struct reading *r, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(r->at[i]))
            return -1;
        value = value * 10 + (r->at[i] - '0');
    }
    r->at += count;
    return value;
}

static bool looks_like_date(const struct reading *r)
{
    const char *at = r->at;
    return is_digit(at[0]) && is_digit(at[1]) && is_digit(at[2]) && is_digit(at[3]) && at[4] == '-';
}

static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/* From 0, Monday; -1: no day stands here. */
static int day_of_week(struct reading *r)
{
    for (int i = 0; i < 7; i++)
        if (strncmp(r->at, day_names[i], 3) == 0 && !(r->at[3] >= 'A' && r->at[3] <= 'z')) {
            r->at += 3;
            skip_blanks(r);
            return i;
        }
    return -1;
}

/* Minutes since midnight, up to 24:00; negative: complained. */
static int time_of_day(struct reading *r)
{
    const char *begin = r->at;
    int hour = digits(r, 2), minute = hour >= 0 && *r->at == ':' ? (r->at++, digits(r, 2)) : -1;
    if (hour < 0 || minute < 0 || is_digit(*r->at)) {
        r->at = begin;
        return complain(r, "a time of day such as 06:00 is expected here%s",
                        *begin >= 'A' ? ", or one of Mon Tue Wed Thu Fri Sat Sun" : "");
    }
    if (minute > 59 || hour * 60 + minute > SPANS_DAY) {
        r->at = begin;
        return complain(r, "%02d:%02d is not a time of day (00:00 to 24:00)", hour, minute);
    }
    skip_blanks(r);
    return hour * 60 + minute;
}

/* Days since 1970; negative: complained. */
static int64_t date(struct reading *r)
{
    const char *begin = r->at;
    int year = digits(r, 4), month = *r->at == '-' ? (r->at++, digits(r, 2)) : -1;
    int day = month >= 0 && *r->at == '-' ? (r->at++, digits(r, 2)) : -1;
    if (year < 0 || day < 0 || is_digit(*r->at)) {
        r->at = begin;
        return complain(r, "a day such as 2026-12-24 is expected here");
    }
    if (year < 2000 || year > 2199 || month < 1 || month > 12 || day < 1 ||
        day > civil_month_days(year, month)) {
        r->at = begin;
        return complain(r, "%04d-%02d-%02d is not a day between 2000 and 2199", year, month, day);
    }
    skip_blanks(r);
    return civil_days(year, month, day);
}

static int ended(struct reading *r)
{
    return *r->at ? complain(r, "nothing more is expected here") : ACCORD_OK;
}

/* ---- every week ---- */

static int overlap(struct reading *r, size_t other)
{
    snprintf(r->why, r->why_size, "%s: \"%.60s\" and \"%.60s\" overlap; write them as one", r->spans->option,
             r->spans->items->items[other - 1], r->text);
    return ACCORD_EINVAL;
}

static int mark(struct reading *r, int from, int until)
{
    for (int minute = from; minute < until; minute++) {
        uint8_t *place = &r->spans->week[minute % SPANS_WEEK];
        if (*place)
            return overlap(r, *place);
        *place = (uint8_t)r->item;
    }
    return ACCORD_OK;
}

/* The same hours on each of these days. */
static int mark_days(struct reading *r, int first, int last, int from, int until)
{
    int result = ended(r), days = (last - first + 7) % 7 + 1;
    for (int i = 0; i < days && !result; i++) {
        int day = (first + i) % 7 * SPANS_DAY;
        result = mark(r, day + from, day + (until > from ? until : until + SPANS_DAY));
    }
    return result;
}

static int hours(struct reading *r, int first, int last)
{
    int from = time_of_day(r);
    if (from < 0)
        return from;
    if (from == SPANS_DAY)
        return complain(r, "24:00 can only be an end; the next day's beginning is 00:00");
    if (!took(r, '-'))
        return complain(r, "- and the end is expected here");
    int end_day = first == last ? day_of_week(r) : -1;
    int until = time_of_day(r);
    if (until < 0)
        return until;
    if (end_day < 0 && from == until)
        return complain(r, "it ends when it begins");
    if (end_day < 0)
        return mark_days(r, first, last, from, until);
    int result = ended(r), begin = first * SPANS_DAY + from, end = end_day * SPANS_DAY + until;
    return result ? result : mark(r, begin, end > begin ? end : end + SPANS_WEEK);
}

static int weekly(struct reading *r)
{
    int first = day_of_week(r), last = first;
    if (first >= 0 && took(r, '-') && (last = day_of_week(r)) < 0)
        return complain(r, "one of Mon Tue Wed Thu Fri Sat Sun is expected here");
    if (first >= 0 && !*r->at)
        return mark_days(r, first, last, 0, SPANS_DAY);
    return first >= 0 ? hours(r, first, last) : hours(r, 0, 6);
}

/* ---- once ---- */

static int moment(struct reading *r, bool is_end, int64_t *local)
{
    int64_t day = date(r);
    int minute = is_end ? SPANS_DAY : 0;
    if (day >= 0 && is_digit(*r->at) && !looks_like_date(r))
        minute = time_of_day(r);
    if (day < 0 || minute < 0)
        return ACCORD_EINVAL;
    *local = day * SPANS_DAY + minute;
    return ACCORD_OK;
}

static int once(struct reading *r)
{
    struct span span = {.item = r->item};
    const char *begin = r->at;
    int result = moment(r, false, &span.from);
    if (!result && took(r, '-')) {
        result = moment(r, true, &span.until);
    } else if (!result && span.from % SPANS_DAY == 0 && !strchr(begin, ':')) {
        span.until = span.from + SPANS_DAY;
    } else if (!result) {
        return complain(r, "- and the day of the end are expected here");
    }
    if (!result)
        result = ended(r);
    if (!result && span.until <= span.from)
        result = complain(r, "the end is not after the beginning");
    for (size_t i = 0; !result && i < r->spans->once_count; i++)
        if (span.from < r->spans->once[i].until && r->spans->once[i].from < span.until)
            result = overlap(r, r->spans->once[i].item);
    if (!result)
        r->spans->once[r->spans->once_count++] = span;
    return result;
}

int spans_parse(struct spans *spans, const char *option, const struct accord_list *items, char *why,
                size_t why_size)
{
    *spans = (struct spans){.option = option, .items = items};
    if (items->count > SPANS_MAX) {
        snprintf(why, why_size, "%s: at most %d times", option, SPANS_MAX);
        return ACCORD_EINVAL;
    }
    for (size_t i = 0; i < items->count; i++) {
        struct reading r = {spans, i + 1, items->items[i], items->items[i], why, why_size};
        skip_blanks(&r);
        int result = looks_like_date(&r) ? once(&r) : weekly(&r);
        if (result)
            return result;
    }
    return ACCORD_OK;
}

size_t spans_at(const struct spans *spans, int64_t local)
{
    for (size_t i = 0; i < spans->once_count; i++)
        if (local >= spans->once[i].from && local < spans->once[i].until)
            return spans->once[i].item;
    int64_t minute = (local + 3 * SPANS_DAY) % SPANS_WEEK; /* 1970-01-01 was a Thursday */
    return spans->week[minute < 0 ? minute + SPANS_WEEK : minute];
}
