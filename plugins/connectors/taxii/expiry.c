/* Our certificate's last days (AIS 3.4b): a gauge, and an incident when 90, 30 and 7 days are left and when there are
 * none. It is known from the first session on, and looked at once an hour. */
#include <stdio.h>

#include "stamp.h"
#include "taxii.h"

#define HOUR (INT64_C(3600) * 1000)
#define DAY  (INT64_C(86400) * 1000000)

static void look(void *arg);

/* The threshold that `days` is below; -1: none. */
static int64_t threshold(int64_t left)
{
    static const int64_t days[] = {0, 7, 30, 90};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        if (left <= days[i] * DAY)
            return days[i];
    return -1;
}

static void tell(struct link *link, int64_t days, int64_t left)
{
    char until[STAMP_TEXT], text[ACCORD_REASON_MAX];
    stamp_write(link->expiry.until, until);
    if (days == 0)
        snprintf(text, sizeof text,
                 "our certificate for %.200s ended at %s: put a new one in the place of `certificate` (and "
                 "`key`); it is "
                 "used from the next connection on",
                 link->setup->endpoint_host ? link->setup->endpoint_host : "the partner", until);
    else
        snprintf(text, sizeof text,
                 "our certificate for %.200s ends in %lld days, at %s: renew it in time and put it in the "
                 "place of "
                 "`certificate` (and `key`); no restart is needed",
                 link->setup->endpoint_host ? link->setup->endpoint_host : "the partner",
                 (long long)(left / DAY), until);
    link_log(link, days > 7 ? ACCORD_WARNING : ACCORD_ERROR, "taxii.certificate-expires", "%s", text);
    link->host->incident(link->instance, "taxii.certificate-expires", text);
}

static void look(void *arg)
{
    struct link *link = arg;
    struct expiry *expiry = &link->expiry;
    int64_t left = expiry->until - link->host->wall(link->instance), days = threshold(left);
    link->host->gauge(link->instance, "certificate_days_left", left > 0 ? left / DAY : left / DAY - 1);
    if (days >= 0 && days != expiry->told)
        tell(link, days, left);
    expiry->told = days;
    http_drop_idle(link->http); /* a renewed one is taken up, however busy the link is */
    expiry->timer = link->host->timer(link->instance, HOUR, look, link);
}

void expiry_learnt(struct link *link, int64_t until)
{
    if (until == link->expiry.until)
        return;
    link->expiry.until = until;
    expiry_stop(link);
    link->expiry.timer =
        link->host->timer(link->instance, 0, look, link); /* not inside the session's own beginning */
}

void expiry_stop(struct link *link)
{
    if (link->expiry.timer)
        link->host->timer_stop(link->expiry.timer);
    link->expiry.timer = NULL;
}
