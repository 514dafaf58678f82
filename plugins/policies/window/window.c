/* The window policy: when an agreement's traffic may flow, for a partner's maintenance windows and quiet hours.
 *
 * Outside of its times nothing is begun: no message goes out, none comes in and no session is opened. Messages are
 * deferred, not refused: what goes out waits in the store until it may, what comes in stays with its source. What is
 * under way when the time comes may finish, unless the file says `under-way = cut`; then its sessions are ended, and
 * it is tried again later.
 *
 * The wall clock decides, as a person at the partner's would read it. It may jump, so that no answer holds for more than
 * a minute.
 */
#include <accord/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spans.h"
#include "zone.h"

#define HORIZON (400 * SPANS_DAY) /* minutes that are looked ahead */
#define MINUTE  INT64_C(60000000) /* us */
#define TRUSTED 60000             /* ms that an answer holds at most */

enum ways { EITHER_WAY, SENDING, RECEIVING };
enum under_way { FINISH, CUT };

struct window_options {
    struct accord_list closed, open, services;
    const char *zone;
    int64_t ways, under_way;
};

struct window {
    const struct accord_policy_host *host;
    struct accord_instance *instance;
    const struct accord_policy_setup *setup;
    struct spans closed, open;
    struct zone zone;
    /* What holds in these minutes (UTC); from == until: nothing is known yet. */
    int64_t from, until;
    bool is_open, changes; /* changes: it is otherwise from `until` on, as far as can be seen */
};

#define OPTION(field) offsetof(struct window_options, field)

static const char *const ways[] = {"both", "send", "receive", NULL};
static const char *const under_way[] = {"finish", "cut", NULL};

static const struct accord_option options[] = {
    {.name = "closed",
     .kind = ACCORD_LIST,
     .offset = OPTION(closed),
     .help = "When nothing may be begun: HH:MM-HH:MM every day, or with a day or days before it (Sun "
             "02:00-06:00, "
             "Mon-Fri 20:00-06:00, Fri 18:00-Mon 06:00), or once (2026-12-24 18:00 - 2026-12-26 06:00)."},
    {.name = "open",
     .kind = ACCORD_LIST,
     .offset = OPTION(open),
     .help = "When something may be begun, written likewise; `closed` goes before it. Not set: always."},
    {.name = "time-zone",
     .kind = ACCORD_TEXT,
     .offset = OPTION(zone),
     .fallback = "UTC",
     .max = ZONE_NAME_MAX - 1,
     .help = "UTC, or whose clock the times are read from, such as America/New_York (package tzdata)."},
    {.name = "services",
     .kind = ACCORD_LIST,
     .offset = OPTION(services),
     .help = "The services that this is for. Not set: all of the agreement."},
    {.name = "direction",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(ways),
     .fallback = "both",
     .choices = ways,
     .help = "Whether it is for services that send, that receive, or both."},
    {.name = "under-way",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(under_way),
     .fallback = "finish",
     .choices = under_way,
     .help = "What is under way when it closes may finish; cut: its sessions are ended, and it is tried "
             "again when it is "
             "open."},
    {0},
};

/* ---- what the file says ---- */

static bool names(const struct accord_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

static bool covers(const struct window_options *o, const struct accord_policy_service *service)
{
    bool way = o->ways == EITHER_WAY || (o->ways == SENDING) == (service->direction == ACCORD_SEND);
    return way && (!o->services.count || names(&o->services, service->name));
}

static int check_services(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct window_options *o = setup->options;
    bool any = false;
    for (size_t i = 0; i < o->services.count; i++) {
        size_t j = 0;
        while (j < setup->service_count && strcmp(setup->services[j]->name, o->services.items[i]) != 0)
            j++;
        if (j == setup->service_count) {
            snprintf(why, why_size, "services: the agreement has no service \"%.80s\"", o->services.items[i]);
            return ACCORD_EINVAL;
        }
    }
    for (size_t i = 0; i < setup->service_count; i++)
        any = any || covers(o, setup->services[i]);
    if (any)
        return ACCORD_OK;
    snprintf(why, why_size, "no service of the agreement %s%s: these times would be for nothing",
             o->services.count ? "in `services` " : "", o->ways == SENDING ? "sends" : "receives");
    return ACCORD_EINVAL;
}

static bool open_at(const struct spans *closed, const struct spans *open, int64_t local)
{
    return !spans_at(closed, local) && (!open->items->count || spans_at(open, local));
}

/* In an ordinary week, or in one of the times that come once. */
static bool ever_open(const struct spans *closed, const struct spans *open)
{
    for (int minute = 0; minute < SPANS_WEEK; minute++)
        if (!closed->week[minute] && (!open->items->count || open->week[minute]))
            return true;
    for (size_t i = 0; i < open->once_count; i++)
        for (int64_t at = open->once[i].from; at < open->once[i].until; at++)
            if (!spans_at(closed, at))
                return true;
    return false;
}

static int read_times(const struct window_options *o, struct spans *closed, struct spans *open, char *why,
                      size_t why_size)
{
    int result = spans_parse(closed, "closed", &o->closed, why, why_size);
    if (!result)
        result = spans_parse(open, "open", &o->open, why, why_size);
    if (!result && !o->closed.count && !o->open.count) {
        snprintf(why, why_size, "it says neither when it is closed nor when it is open");
        result = ACCORD_EINVAL;
    }
    if (!result && !ever_open(closed, open)) {
        snprintf(why, why_size,
                 "with these times it is never open; to switch an agreement off write enabled = no");
        result = ACCORD_EINVAL;
    }
    return result;
}

static int check(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct window_options *o = setup->options;
    struct spans *both = calloc(2, sizeof *both);
    struct zone *zone = calloc(1, sizeof *zone);
    int result = ACCORD_ENOMEM;
    snprintf(why, why_size, "out of memory");
    if (both && zone)
        result = zone_open(zone, o->zone, why, why_size);
    if (!result)
        result = read_times(o, &both[0], &both[1], why, why_size);
    if (!result)
        result = check_services(setup, why, why_size);
    free(both);
    free(zone);
    return result;
}

/* ---- now ---- */

static int64_t minute_of(int64_t wall)
{
    return wall / MINUTE;
}

static void look(struct window *w, int64_t minute)
{
    if (minute >= w->from && minute < w->until)
        return;
    w->from = minute;
    w->is_open = open_at(&w->closed, &w->open, zone_local(&w->zone, minute));
    w->changes = false;
    for (w->until = minute + 1; w->until < minute + HORIZON && !w->changes; w->until++)
        w->changes = open_at(&w->closed, &w->open, zone_local(&w->zone, w->until)) != w->is_open;
    w->until -= w->changes; /* the minute that it was found in */
}

/* Milliseconds until it changes. */
static int64_t until_change(const struct window *w, int64_t wall)
{
    return (w->until * MINUTE - wall + 999) / 1000;
}

static const char *item_at(const struct window *w, int64_t minute)
{
    size_t item = spans_at(&w->closed, zone_local((struct zone *)&w->zone, minute));
    return item ? w->closed.items->items[item - 1] : NULL;
}

static void say_closed(struct window *w, int64_t minute, const char *what, const char *name, char *reason,
                       size_t room)
{
    char when[48] = "further notice";
    const char *item = item_at(w, minute);
    if (w->changes)
        spans_print(when, sizeof when, zone_local(&w->zone, w->until));
    snprintf(reason, room, "%s %s is closed until %s %s ([policy window] %s%.80s)", what, name, when,
             w->zone.name, item ? "closed = " : "open has no such time", item ? item : "");
}

static void answer(struct window *w, const struct accord_inquiry *inquiry, const char *what, const char *name,
                   bool hold)
{
    char reason[ACCORD_REASON_MAX];
    struct accord_verdict verdict = {.answer = ACCORD_ALLOW, .rule = "", .reason = ""};
    int64_t wall = w->host->base->wall(w->instance), left;
    look(w, minute_of(wall));
    left = until_change(w, wall);
    if (!w->is_open) {
        say_closed(w, minute_of(wall), what, name, reason, sizeof reason);
        verdict = (struct accord_verdict){
            .answer = ACCORD_DEFER, .rule = "window.closed", .reason = reason, .wait = w->changes ? left : 0};
    } else if (hold) {
        verdict.good_for = w->changes && left < TRUSTED ? left : TRUSTED;
    }
    w->host->answer(inquiry->handle, &verdict);
}

static void allow(struct window *w, const struct accord_inquiry *inquiry)
{
    w->host->answer(inquiry->handle,
                    &(struct accord_verdict){.answer = ACCORD_ALLOW, .rule = "", .reason = ""});
}

/* A session that serves something else as well is needed for that. */
static bool covers_all_of(const struct window *w, const struct accord_policy_link *link)
{
    bool any = false;
    for (size_t i = 0; i < w->setup->service_count; i++) {
        const struct accord_policy_service *service = w->setup->services[i];
        if (strcmp(service->link, link->name) != 0)
            continue;
        any = true;
        if (!covers(w->setup->options, service))
            return false;
    }
    return any;
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct window *w = state;
    const struct window_options *o = w->setup->options;
    if (inquiry->service && covers(o, inquiry->service))
        answer(w, inquiry, "service", inquiry->service->name, true);
    else if (!inquiry->service && covers_all_of(w, inquiry->link))
        answer(w, inquiry, "link", inquiry->link->name, o->under_way == CUT);
    else
        allow(w, inquiry);
}

/* Answers at once, so there is never anything to cancel. */
static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static int open_module(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    struct window *w = state;
    const struct window_options *o = setup->options;
    w->host = host;
    w->instance = instance;
    w->setup = setup;
    int result = zone_open(&w->zone, o->zone, why, why_size);
    return result ? result : read_times(o, &w->closed, &w->open, why, why_size);
}

static void close_module(void *state)
{
    (void)state;
}

static const struct accord_policy window = {
    .size = sizeof window,
    .asks = ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {options, sizeof(struct window_options)},
    .check = check,
    .state_size = sizeof(struct window),
    .open = open_module,
    .close = close_module,
    .judge = judge,
    .cancel = cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "window",
    .version = "0.1",
    .summary = "Keeps traffic out of a partner's maintenance windows and quiet hours.",
    .policy = &window,
};
