/* The fake host's life, clock, timers, watches, threads and records. */
#include "testkit/host_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void testhost_complain(struct testhost *host, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    host->complaints++;
    fprintf(stderr, "contract broken: %s\n", text);
}

bool testhost_callable(struct testhost *host, const char *what, bool ending)
{
    if (host->phase == TESTHOST_CLOSED || (host->phase == TESTHOST_CLOSING && !ending))
        testhost_complain(host, "%s called %s close", what, host->phase == TESTHOST_CLOSED ? "after" : "in");
    return host->phase != TESTHOST_CLOSED;
}

struct testhost_entry *testhost_find(struct testhost_entry *list, const char *name)
{
    while (list && strcmp(list->name, name) != 0)
        list = list->next;
    return list;
}

struct testhost_entry *testhost_put(struct testhost_entry **list, const char *name, const void *value,
                                    size_t size)
{
    struct testhost_entry *entry = testhost_find(*list, name);
    if (!entry) {
        entry = calloc(1, sizeof *entry);
        entry->name = strdup(name);
        entry->next = *list;
        *list = entry;
    }
    free(entry->value);
    entry->value = value ? calloc(1, size + 1) : NULL;
    if (value && size)
        memcpy(entry->value, value, size);
    entry->size = size;
    return entry;
}

static void free_entries(struct testhost_entry *list)
{
    while (list) {
        struct testhost_entry *next = list->next;
        free(list->name);
        free(list->value);
        free(list);
        list = next;
    }
}

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
        wait = 0; /* what has run may be what the caller waits for */
    if (host->clock == TESTHOST_REAL_CLOCK && host->timers) {
        int64_t due = host->timers->due - testhost_ticks(host);
        if (due < wait)
            wait = due > 0 ? due : 0;
    }
    if (wait > 0) {
        uv_update_time(&host->loop);
        uv_timer_start(&host->tick, on_tick, (uint64_t)wait, (uint64_t)wait); /* again: it may fall due before the poll */
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
        turn(host, left);
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

static struct accord_timer *do_timer(struct accord_instance *instance, int64_t ms, accord_timer_fn run,
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

static void do_timer_stop(struct accord_timer *timer)
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

static int64_t do_ticks(struct accord_instance *instance)
{
    return testhost_ticks(instance->host);
}

static int64_t do_wall(struct accord_instance *instance)
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

static struct accord_watch *do_watch(struct accord_instance *instance, int fd, accord_watch_fn run, void *arg)
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

static void do_watch_set(struct accord_watch *watch, uint32_t events)
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

static void do_watch_end(struct accord_watch *watch)
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

static int do_work(struct accord_instance *instance, accord_work_fn run, accord_work_fn done, void *arg)
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

/* ---- records ---- */

static void do_log(struct accord_instance *instance, enum accord_level level, const char *event,
                   const char *text)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "log", true);
    testhost_put(&host->logs, event, text, strlen(text))->number++;
    if (getenv("TESTHOST_LOG"))
        fprintf(stderr, "[%d] %s: %s\n", (int)level, event, text);
}

static void do_metric(struct accord_instance *instance, const char *name, int64_t add)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "metric", true);
    struct testhost_entry *entry = testhost_find(host->metrics, name);
    if (!entry)
        entry = testhost_put(&host->metrics, name, NULL, 0);
    entry->number += add;
}

unsigned testhost_logged(const struct testhost *host, const char *event)
{
    const struct testhost_entry *entry = testhost_find(host->logs, event);
    return entry ? (unsigned)entry->number : 0;
}

const char *testhost_last_log(const struct testhost *host, const char *event)
{
    const struct testhost_entry *entry = testhost_find(host->logs, event);
    return entry ? entry->value : NULL;
}

int64_t testhost_metric(const struct testhost *host, const char *name)
{
    const struct testhost_entry *entry = testhost_find(host->metrics, name);
    return entry ? entry->number : 0;
}

size_t testhost_complaints(const struct testhost *host)
{
    return host->complaints;
}

/* ---- life ---- */

const struct accord_host testhost_table = {
    .size = sizeof(struct accord_host),
    .minor = ACCORD_ABI_MINOR,
    .log = do_log,
    .metric = do_metric,
    .wall = do_wall,
    .ticks = do_ticks,
    .timer = do_timer,
    .timer_stop = do_timer_stop,
    .watch = do_watch,
    .watch_set = do_watch_set,
    .watch_end = do_watch_end,
    .work = do_work,
    .dial = testhost_do_dial,
    .profile = testhost_do_profile,
    .report = testhost_do_report,
    .secret = testhost_do_secret,
    .end = testhost_do_end,
    .pull = testhost_do_pull,
    .finish = testhost_do_finish,
    .offer = testhost_do_offer,
    .offer_write = testhost_do_offer_write,
    .offer_abort = testhost_do_offer_abort,
    .park = testhost_do_park,
};

struct testhost *testhost_new(const struct accord_connector *connector, enum testhost_clock clock)
{
    struct testhost *host = calloc(1, sizeof *host);
    uv_loop_init(&host->loop);
    uv_timer_init(&host->loop, &host->tick);
    host->connector = connector;
    host->clock = clock;
    host->instance.host = host;
    host->events_tail = &host->events;
    host->now = 1000;
    host->piece = ACCORD_PIECE_MAX;
    host->offer_room = 16;
    return host;
}

int testhost_open(struct testhost *host, const struct accord_link_setup *setup)
{
    const struct accord_connector *connector = host->connector;
    host->setup = setup;
    if (connector->check) {
        int result = connector->check(setup, host->why, sizeof host->why);
        if (result < 0)
            return result;
    }
    host->state = aligned_alloc(16, (connector->state_size + 15) / 16 * 16);
    memset(host->state, 0, (connector->state_size + 15) / 16 * 16);
    host->phase = TESTHOST_OPEN;
    int result =
        connector->open(host->state, &host->instance, &testhost_table, setup, host->why, sizeof host->why);
    if (result < 0)
        host->phase = TESTHOST_CLOSED;
    return result;
}

const char *testhost_why(const struct testhost *host)
{
    return host->why;
}

void testhost_start(struct testhost *host)
{
    host->phase = TESTHOST_STARTED;
    host->connector->start(host->state);
}

void testhost_stop(struct testhost *host)
{
    host->phase = TESTHOST_STOPPED;
    host->connector->stop(host->state);
}

static bool no_works(void *arg)
{
    const struct testhost *host = arg;
    return host->works == 0;
}

void testhost_close(struct testhost *host)
{
    if (host->phase == TESTHOST_STARTED)
        testhost_stop(host);
    host->phase = TESTHOST_CLOSING;
    testhost_drop_events(host, NULL);
    host->connector->close(host->state);
    testhost_check_flow(host);
    testhost_check_sessions(host);
    if (host->timers)
        testhost_complain(host, "close left %zu timer(s) running", testhost_timers(host));
    if (host->watches)
        testhost_complain(host, "close left a watch");
    host->phase = TESTHOST_CLOSED;
    if (!testhost_run_until(host, no_works, host, 30000))
        testhost_complain(host, "a function on a thread has not ended within 30 s after close");
    testhost_drop_events(host, NULL);
}

void *testhost_state(struct testhost *host)
{
    return host->state;
}

uv_loop_t *testhost_loop(struct testhost *host)
{
    return &host->loop;
}

void testhost_free(struct testhost *host)
{
    if (host->phase > TESTHOST_NEW && host->phase < TESTHOST_CLOSING)
        testhost_close(host);
    while (host->timers)
        do_timer_stop(host->timers);
    while (host->watches)
        do_watch_end(host->watches);
    uv_close((uv_handle_t *)&host->tick, NULL);
    uv_run(&host->loop, UV_RUN_DEFAULT);
    uv_loop_close(&host->loop);
    testhost_drop_events(host, NULL);
    testhost_free_flow(host);
    while (host->sessions) {
        struct accord_session *next = host->sessions->next;
        free(host->sessions);
        host->sessions = next;
    }
    free_entries(host->profile);
    free_entries(host->secrets);
    free_entries(host->facts);
    free_entries(host->logs);
    free_entries(host->metrics);
    free(host->state);
    free(host);
}
