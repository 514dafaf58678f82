#include "expiry.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define HOUR   (INT64_C(3600) * 1000)
#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

/* The threshold that so much is below; -1: none. */
static int64_t threshold(int64_t left)
{
    static const int64_t days[] = {0, 7, 30, 90};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        if (left <= days[i] * DAY)
            return days[i];
    return -1;
}

static void write_time(int64_t wall, char *to, size_t room)
{
    time_t seconds = (time_t)(wall / SECOND);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || !strftime(to, room, "%Y-%m-%d %H:%M UTC", &tm))
        snprintf(to, room, "an unreadable date");
}

static void tell(const struct tls_expiry *expiry, int64_t days, int64_t left)
{
    const char *partner = expiry->partner ? expiry->partner : "the partner";
    char until[40], text[ACCORD_REASON_MAX];
    write_time(expiry->until, until, sizeof until);
    if (days == 0)
        snprintf(text, sizeof text,
                 "our certificate for %.200s ended at %s: put a new one in the place of `certificate` (and "
                 "`key`); it is used from the next connection on",
                 partner, until);
    else
        snprintf(text, sizeof text,
                 "our certificate for %.200s ends in %" PRId64 " days, at %s: renew it in time and put it in "
                 "the place of `certificate` (and `key`); it is used from the next connection on",
                 partner, left / DAY, until);
    expiry->host->log(expiry->instance, days > 7 ? ACCORD_WARNING : ACCORD_ERROR, expiry->rule, text);
    expiry->host->incident(expiry->instance, expiry->rule, text);
}

static void on_hour(void *arg);

static void look(void *arg)
{
    struct tls_expiry *expiry = arg;
    const struct accord_host *host = expiry->host;
    int64_t left = expiry->until - host->wall(expiry->instance), days = threshold(left);
    host->gauge(expiry->instance, "certificate_days_left", left > 0 ? left / DAY : left / DAY - 1);
    if (days >= 0 && days != expiry->told)
        tell(expiry, days, left);
    expiry->told = days;
    expiry->timer = host->timer(expiry->instance, HOUR, on_hour, expiry);
}

static void on_hour(void *arg)
{
    const struct tls_expiry *expiry = arg;
    look(arg);
    if (expiry->read_anew)
        expiry->read_anew(expiry->arg);
}

void tls_expiry_learnt(struct tls_expiry *expiry, int64_t until)
{
    if (until == expiry->until)
        return;
    expiry->until = until;
    tls_expiry_stop(expiry);
    /* Not inside the session's own beginning. */
    expiry->timer = expiry->host->timer(expiry->instance, 0, look, expiry);
}

void tls_expiry_stop(struct tls_expiry *expiry)
{
    if (expiry->timer)
        expiry->host->timer_stop(expiry->timer);
    expiry->timer = NULL;
}
