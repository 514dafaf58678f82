/* The fake host's loop: events of a later turn, clock and timers, watches, work on threads. */
#include "host_private.h"

#include <stdlib.h>

/* ---- events ---- */

struct testhost_event *testhost_post(struct testhost *host,
                                     void (*run)(struct testhost *, struct testhost_event *))
{
    struct testhost_event *event = calloc(1, sizeof *event);
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

/* ---- clock and timers ---- */

int64_t testhost_ticks(const struct testhost *host)
{
    return host->clock == TESTHOST_VIRTUAL_CLOCK ? host->now : (int64_t)(uv_hrtime() / 1000000);
}

size_t testhost_timers(const struct testhost *host)
{
    size_t count = 0;
    for (const struct accord_timer *timer = host->timers; timer; timer = timer->next)
        count++;
    return count;
}

static bool run_due_timer(struct testhost *host)
{
    struct accord_timer *timer = host->timers;
    if (!timer || timer->due > testhost_ticks(host))
        return false;
    host->timers = timer->next;
    accord_timer_fn run = timer->run;
    void *arg = timer->arg;
    free(timer);
    run(arg);
    return true;
}

static void on_tick(uv_timer_t *tick)
{
    (void)tick; /* only wakes the loop */
}

static void turn(struct testhost *host, int64_t wait)
{
    bool ran = run_events(host);
    while (run_due_timer(host))
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
    int64_t until = (int64_t)(uv_hrtime() / 1000000) + ms;
    while (!condition(arg)) {
        int64_t left = until - (int64_t)(uv_hrtime() / 1000000);
        if (left <= 0)
            return false;
        turn(host, left < 100 ? left : 100); /* the condition may be about the world outside */
    }
    return true;
}

void testhost_turn(struct testhost *host)
{
    do
        turn(host, 0);
    while (host->events);
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

struct accord_timer *testhost_do_timer(struct accord_instance *instance, int64_t ms, accord_timer_fn run,
                                       void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "timer", false);
    struct accord_timer *timer = calloc(1, sizeof *timer);
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
    struct testhost *host = timer->host; /* a dead handle: the address sanitizer's find */
    struct accord_timer **at = &host->timers;
    while (*at && *at != timer)
        at = &(*at)->next;
    if (!*at) {
        testhost_complain(host, "timer_stop of a dead timer");
        return;
    }
    *at = timer->next;
    free(timer);
}

int64_t testhost_do_ticks(struct accord_instance *instance)
{
    return testhost_ticks(instance->host);
}

int64_t testhost_do_wall(struct accord_instance *instance)
{
    const int64_t start = 1735689600000000; /* 2025-01-01 */
    struct testhost *host = instance->host;
    if (host->clock == TESTHOST_VIRTUAL_CLOCK)
        return start + host->now * 1000;
    uv_timeval64_t now;
    uv_gettimeofday(&now);
    return now.tv_sec * 1000000 + now.tv_usec;
}

/* ---- watches ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct accord_watch *watch = poll->data;
    uint32_t ready = 0;
    if (status < 0 || (events & UV_READABLE))
        ready |= ACCORD_READABLE;
    if (status < 0 || (events & UV_WRITABLE))
        ready |= ACCORD_WRITABLE;
    watch->run(watch->arg, ready);
}

struct accord_watch *testhost_do_watch(struct accord_instance *instance, int fd, accord_watch_fn run,
                                       void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "watch", false);
    struct accord_watch *watch = calloc(1, sizeof *watch);
    if (uv_poll_init(&host->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->host = host;
    watch->run = run;
    watch->arg = arg;
    watch->next = host->watches;
    host->watches = watch;
    return watch;
}

void testhost_do_watch_set(struct accord_watch *watch, uint32_t events)
{
    int wanted = (events & ACCORD_READABLE ? UV_READABLE : 0) | (events & ACCORD_WRITABLE ? UV_WRITABLE : 0);
    if (wanted)
        uv_poll_start(&watch->poll, wanted, on_poll);
    else
        uv_poll_stop(&watch->poll);
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

void testhost_do_watch_end(struct accord_watch *watch)
{
    struct testhost *host = watch->host;
    struct accord_watch **at = &host->watches;
    while (*at && *at != watch)
        at = &(*at)->next;
    if (!*at) {
        testhost_complain(host, "watch_end of a dead watch");
        return;
    }
    *at = watch->next;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, free_watch);
}

/* ---- work on threads ---- */

struct work {
    uv_work_t request;
    struct testhost *host;
    accord_work_fn run, done;
    void *arg;
};

static void run_work(uv_work_t *request)
{
    struct work *work = request->data;
    work->run(work->arg);
}

static void end_work(uv_work_t *request, int status)
{
    struct work *work = request->data;
    (void)status;
    work->host->works--;
    work->done(work->arg);
    free(work);
}

int testhost_do_work(struct accord_instance *instance, accord_work_fn run, accord_work_fn done, void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "work", false);
    struct work *work = calloc(1, sizeof *work);
    work->request.data = work;
    work->host = host;
    work->run = run;
    work->done = done;
    work->arg = arg;
    host->works++;
    return uv_queue_work(&host->loop, &work->request, run_work, end_work) == 0 ? ACCORD_OK : ACCORD_ENOMEM;
}
