/* The fake host's loop: events of a later turn, clock and timers. */
#include "host_private.h"

#include <stdlib.h>

#define DEAD_TIMERS 4096 /* kept, so that their late use is found */

/* ---- events ---- */

struct testhost_event *testhost_post(struct testhost *host,
                                     void (*run)(struct testhost *, struct testhost_event *))
{
    struct testhost_event *event = testkit_alloc(sizeof *event);
    event->run = run;
    *host->events_tail = event;
    host->events_tail = &event->next;
    return event;
}

void testhost_event_free(struct testhost_event *event)
{
    free(event->option);
    free(event);
}

void testhost_drop_events(struct testhost *host, const struct accord_session *session)
{
    struct testhost_event **at = &host->events;
    while (*at) {
        struct testhost_event *event = *at;
        if (!session || event->session == session) {
            *at = event->next;
            testhost_event_free(event);
        } else {
            at = &event->next;
        }
    }
    host->events_tail = at;
}

static bool run_events(struct testhost *host)
{
    /* Only those that are there now: what they start is for the next turn. */
    size_t count = 0;
    for (struct testhost_event *event = host->events; event; event = event->next)
        count++;
    bool ran = count > 0;
    while (count-- && host->events) {
        struct testhost_event *event = host->events;
        host->events = event->next;
        if (!host->events)
            host->events_tail = &host->events;
        event->run(host, event);
        testhost_event_free(event);
    }
    return ran;
}

/* ---- the loop ---- */

static int64_t real_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

int64_t testhost_ticks(const struct testhost *host)
{
    return host->clock == TESTHOST_VIRTUAL_CLOCK ? host->now : real_ms();
}

static void bury(struct testhost *host, struct accord_timer *timer)
{
    timer->dead = true;
    timer->next = host->dead_timers;
    host->dead_timers = timer;
    if (++host->dead_timer_count < 2 * DEAD_TIMERS)
        return;
    struct accord_timer *last = timer;
    for (size_t i = 1; i < DEAD_TIMERS; i++)
        last = last->next;
    struct accord_timer *old = last->next;
    last->next = NULL;
    host->dead_timer_count = DEAD_TIMERS;
    while (old) {
        struct accord_timer *next = old->next;
        free(old);
        old = next;
    }
}

static bool run_due_timer(struct testhost *host)
{
    struct accord_timer *timer = host->timers;
    if (!timer || timer->due > testhost_ticks(host))
        return false;
    host->timers = timer->next;
    accord_timer_fn run = timer->run;
    void *arg = timer->arg;
    bury(host, timer);
    INTO_PLUGIN(host, "a timer", run(arg));
    return true;
}

static void on_tick(uv_timer_t *tick)
{
    (void)tick; /* only wakes the loop */
}

void testhost_one_turn(struct testhost *host, int64_t wait)
{
    bool ran = run_events(host);
    /* A timer of 0 ms that starts another is for the next turn, or it would never end. */
    for (size_t most = testhost_timers(host); most && run_due_timer(host); most--)
        ran = true;
    if (ran || host->events)
        wait = 0; /* what ran may be what the caller waits for */
    if (host->clock == TESTHOST_REAL_CLOCK && host->timers) {
        int64_t due = host->timers->due - testhost_ticks(host);
        if (due < wait)
            wait = due > 0 ? due : 0;
    }
    if (wait > 0) {
        uv_update_time(&host->loop);
        uv_timer_start(&host->tick, on_tick, (uint64_t)wait,
                       (uint64_t)wait); /* again: it may fall due before the poll */
    }
    uv_run(&host->loop, wait > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv_timer_stop(&host->tick);
}

bool testhost_run_until(struct testhost *host, bool (*condition)(void *arg), void *arg, int64_t ms)
{
    int64_t until = real_ms() + ms;
    while (!condition(arg)) {
        int64_t left = until - real_ms();
        if (left <= 0)
            return false;
        testhost_one_turn(host, left < 100 ? left : 100); /* the condition may be about the world outside */
    }
    return true;
}

static bool is_due(const struct testhost *host)
{
    return host->timers && host->timers->due <= testhost_ticks(host);
}

void testhost_turn(struct testhost *host)
{
    int64_t until = real_ms() + 10000; /* events that begin each other for ever */
    do
        testhost_one_turn(host, 0);
    while ((host->events || is_due(host)) && real_ms() < until);
}

void testhost_advance(struct testhost *host, int64_t ms)
{
    int64_t until = host->now + ms;
    testhost_turn(host);
    while (host->timers && host->timers->due <= until) {
        host->now = host->timers->due > host->now ? host->timers->due : host->now;
        testhost_turn(host);
    }
    host->now = until;
}

static bool no_works(void *arg)
{
    const struct testhost *host = arg;
    return host->works == 0;
}

bool testhost_within(struct testhost *host, bool (*condition)(void *arg), void *arg, int64_t ms)
{
    if (host->clock == TESTHOST_REAL_CLOCK)
        return testhost_run_until(host, condition, arg, ms);
    for (int64_t until = host->now + ms; host->now < until;) {
        testhost_turn(host);
        if (condition(arg))
            return true;
        /* What happens outside of the virtual time comes first. */
        if (host->works)
            testhost_run_until(host, no_works, host, 1000);
        if (testhost_run_until(host, condition, arg, host->watches ? 2 : 0))
            return true;
        testhost_advance(host, until - host->now < 50 ? until - host->now : 50);
    }
    return condition(arg);
}

/* ---- clocks and timers ---- */

size_t testhost_timers(const struct testhost *host)
{
    size_t count = 0;
    for (const struct accord_timer *timer = host->timers; timer; timer = timer->next)
        count++;
    return count;
}

struct accord_timer *testhost_do_timer(struct accord_instance *instance, int64_t ms, accord_timer_fn run,
                                       void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "timer", false);
    if (testhost_fails(host, TESTHOST_TIMER))
        return NULL;
    struct accord_timer *timer = testkit_alloc(sizeof *timer);
    timer->host = host;
    timer->due = testhost_ticks(host) + (ms > 0 ? ms : 0);
    timer->run = run;
    timer->arg = arg;
    struct accord_timer **at = &host->timers;
    while (*at && (*at)->due <= timer->due)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
    return timer;
}

void testhost_do_timer_stop(struct accord_timer *timer)
{
    if (!timer)
        return;
    struct testhost *host = timer->host;
    testhost_callable(host, "timer_stop", true);
    if (timer->dead) {
        testhost_complain(host, "timer_stop of a dead timer: it has run, or was stopped before");
        return;
    }
    struct accord_timer **at = &host->timers;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    bury(host, timer);
}

int64_t testhost_do_ticks(struct accord_instance *instance)
{
    return testhost_ticks(instance->host);
}

static int64_t wall_base(const struct testhost *host)
{
    const int64_t start = 1735689600000000; /* 2025-01-01 */
    if (host->clock == TESTHOST_VIRTUAL_CLOCK)
        return start + host->now * 1000;
    uv_timeval64_t now;
    uv_gettimeofday(&now);
    return now.tv_sec * 1000000 + now.tv_usec;
}

int64_t testhost_do_wall(struct accord_instance *instance)
{
    return wall_base(instance->host) + instance->host->wall_ahead;
}

void testhost_set_wall(struct testhost *host, int64_t wall)
{
    host->wall_ahead = wall - wall_base(host);
}
