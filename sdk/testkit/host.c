/* The fake host's life and records. */
#include "host_private.h"

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
    .wall = testhost_do_wall,
    .ticks = testhost_do_ticks,
    .timer = testhost_do_timer,
    .timer_stop = testhost_do_timer_stop,
    .watch = testhost_do_watch,
    .watch_set = testhost_do_watch_set,
    .watch_end = testhost_do_watch_end,
    .work = testhost_do_work,
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
        testhost_do_timer_stop(host->timers);
    while (host->watches)
        testhost_do_watch_end(host->watches);
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
