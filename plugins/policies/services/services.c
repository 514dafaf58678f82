/* The services policy: only what a [service] section authorises, and only while the agreement is in force
 * (CBP-1b: no other service; CBP-4.1, AIS-4.1: three years). The hub checks type, direction, size and dates
 * from its own tables as well: this allow is necessary, never sufficient. What this module alone enforces is
 * names and rate.
 */
#include <accord/plugin.h>

#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTE   60000   /* ms */
#define RATE_MAX 1000000 /* messages a minute: eight bytes are kept for each */

/* The last `rate` messages that were allowed: exact over every window of a minute, not only on average. */
struct window {
    int64_t *at; /* ticks; INT64_MIN: never */
    int64_t rate, oldest;
};

struct services {
    const struct accord_policy_host *host;
    struct accord_instance *instance;
    const struct accord_policy_setup *setup;
    struct window *windows; /* one for each service of the setup */
};

struct ruling {
    enum accord_answer answer;
    const char *rule;
    char reason[ACCORD_REASON_MAX];
};

__attribute__((format(printf, 4, 5))) static bool rule(struct ruling *ruling, enum accord_answer answer,
                                                       const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ruling->reason, sizeof ruling->reason, format, arguments);
    va_end(arguments);
    ruling->answer = answer;
    ruling->rule = name;
    return false;
}

static void moment(char *to, size_t room, int64_t wall)
{
    time_t seconds = (time_t)(wall / 1000000);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || !strftime(to, room, "%Y-%m-%d %H:%M:%S UTC", &utc))
        snprintf(to, room, "%" PRId64 " s after 1970", (int64_t)seconds);
}

static bool in_force(const struct services *s, struct ruling *ruling)
{
    int64_t now = s->host->base->wall(s->instance);
    if (now >= s->setup->in_force_from && now < s->setup->in_force_until)
        return true;
    bool early = now < s->setup->in_force_from;
    char limit[32], today[32];
    moment(limit, sizeof limit, early ? s->setup->in_force_from : s->setup->in_force_until);
    moment(today, sizeof today, now);
    return rule(ruling, ACCORD_DENY, "services.not-in-force", "the agreement %s %s %s; it is now %s",
                s->setup->agreement, early ? "is not in force before" : "ended on", limit, today);
}

static bool direction(const struct accord_inquiry *inquiry, struct ruling *ruling)
{
    bool in = inquiry->question == ACCORD_ASK_IN;
    if (inquiry->service->direction == (in ? ACCORD_RECEIVE : ACCORD_SEND))
        return true;
    return rule(ruling, ACCORD_DENY, "services.direction",
                "service %s only %s messages, this one is on its way %s", inquiry->service->name,
                in ? "sends" : "receives", in ? "in" : "out");
}

static bool kind_and_size(const struct accord_inquiry *inquiry, struct ruling *ruling)
{
    const struct accord_policy_service *service = inquiry->service;
    const struct accord_envelope *envelope = inquiry->envelope;
    if (strcmp(envelope->type, service->type))
        return rule(ruling, ACCORD_DENY, "services.type", "service %s carries %s, this message is %s",
                    service->name, service->type, envelope->type);
    /* A size that is not known yet (-1) is the hub's to watch while the bytes come. */
    if (envelope->size > service->max_size)
        return rule(ruling, ACCORD_DENY, "services.size",
                    "%" PRId64 " bytes, and service %s carries at most %" PRId64, envelope->size,
                    service->name, service->max_size);
    if (*service->names && fnmatch(service->names, envelope->name, 0))
        return rule(ruling, ACCORD_DENY, "services.name",
                    "the name \"%s\" does not match \"%s\" of service %s", envelope->name, service->names,
                    service->name);
    return true;
}

/* Deferred, not denied: the message keeps its place and goes on when there is room. */
static bool within_rate(struct services *s, const struct accord_policy_service *service,
                        struct ruling *ruling)
{
    size_t i = 0;
    while (i < s->setup->service_count && strcmp(s->setup->services[i]->name, service->name))
        i++;
    if (i == s->setup->service_count || !s->windows[i].rate)
        return true;
    struct window *window = &s->windows[i];
    int64_t now = s->host->base->ticks(s->instance), *oldest = &window->at[window->oldest];
    if (*oldest == INT64_MIN || now - *oldest >= MINUTE) {
        *oldest = now;
        window->oldest = (window->oldest + 1) % window->rate;
        return true;
    }
    int64_t wait = MINUTE - (now - *oldest);
    char when[32];
    moment(when, sizeof when, s->host->base->wall(s->instance) + wait * 1000);
    return rule(ruling, ACCORD_DEFER, "services.rate",
                "service %s carries %" PRId64 " messages a minute; there is room again in %" PRId64
                ".%" PRId64 " s, at %s",
                service->name, window->rate, wait / 1000, wait % 1000 / 100, when);
}

static bool message(struct services *s, const struct accord_inquiry *inquiry, struct ruling *ruling)
{
    if (!inquiry->service || !inquiry->envelope)
        return rule(ruling, ACCORD_DENY, "services.no-service", "no service of the agreement %s carries this",
                    s->setup->agreement);
    return direction(inquiry, ruling) && kind_and_size(inquiry, ruling) &&
           within_rate(s, inquiry->service, ruling);
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct services *s = state;
    struct ruling ruling; /* its reason is long: it is not cleared for each message */
    ruling.answer = ACCORD_ALLOW;
    ruling.rule = "";
    ruling.reason[0] = 0;
    bool asked_of_message = inquiry->question == ACCORD_ASK_IN || inquiry->question == ACCORD_ASK_OUT;
    if (in_force(s, &ruling) && asked_of_message)
        message(s, inquiry, &ruling);
    s->host->answer(
        inquiry->handle,
        &(struct accord_verdict){.answer = ruling.answer, .rule = ruling.rule, .reason = ruling.reason});
}

static void close_module(void *state)
{
    struct services *s = state;
    for (size_t i = 0; s->windows && i < s->setup->service_count; i++)
        free(s->windows[i].at);
    free(s->windows);
    s->windows = NULL;
}

static int open_window(struct window *window, const struct accord_policy_service *service, char *why,
                       size_t why_size)
{
    if (service->rate < 0 || service->rate > RATE_MAX) {
        snprintf(why, why_size, "service %s: rate = %" PRId64 ", at most %d messages a minute can be counted",
                 service->name, service->rate, RATE_MAX);
        return ACCORD_EINVAL;
    }
    window->rate = service->rate;
    window->at = service->rate ? malloc((size_t)service->rate * sizeof *window->at) : NULL;
    if (service->rate && !window->at) {
        window->rate = 0;
        snprintf(why, why_size, "out of memory");
        return ACCORD_ENOMEM;
    }
    for (int64_t i = 0; i < window->rate; i++)
        window->at[i] = INT64_MIN;
    return 0;
}

static int open_module(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    struct services *s = state;
    *s = (struct services){.host = host, .instance = instance, .setup = setup};
    s->windows = calloc(setup->service_count ? setup->service_count : 1, sizeof *s->windows);
    int result = s->windows ? 0 : ACCORD_ENOMEM;
    if (result)
        snprintf(why, why_size, "out of memory");
    for (size_t i = 0; !result && i < setup->service_count; i++)
        result = open_window(&s->windows[i], setup->services[i], why, why_size);
    if (result)
        close_module(s);
    return result;
}

/* Answers at once, so there is never anything to cancel. */
static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static const struct accord_policy services = {
    .size = sizeof services,
    .asks = ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_AUTHENTICATED) |
            ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),
    .state_size = sizeof(struct services),
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
    .name = "services",
    .version = "0.1",
    .summary =
        "Lets pass what a service of the agreement names, at its rate, while the agreement is in force.",
    .policy = &services,
};
