/* The fake host's life. */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool testhost_callable(struct testhost *host, const char *what, bool ending)
{
    if (host->phase == TESTHOST_CLOSED || (host->phase == TESTHOST_CLOSING && !ending))
        testhost_complain(host, "%s called %s close", what, host->phase == TESTHOST_CLOSED ? "after" : "in");
    return host->phase != TESTHOST_CLOSED;
}

bool testhost_fails(struct testhost *host, enum testhost_call call)
{
    host->calls[call]++;
    return host->fail_at[call] && --host->fail_at[call] == 0;
}

void testhost_fail(struct testhost *host, enum testhost_call call, unsigned n)
{
    host->fail_at[call] = n;
}

unsigned testhost_calls(const struct testhost *host, enum testhost_call call)
{
    return host->calls[call];
}

void testhost_patience(struct testhost *host, int64_t ms)
{
    host->patience = ms;
}

/* ---- into the plugin ---- */

void testhost_enter(struct testhost *host, const char *slot)
{
    host->inside = slot;
    host->entered = uv_hrtime();
    if (testkit_watched)
        snprintf(testkit_watched, TESTKIT_WATCHED, "%s", slot);
    testkit_plugin_runs(true);
}

void testhost_leave(struct testhost *host)
{
    testkit_plugin_runs(false);
    int64_t took = (int64_t)((uv_hrtime() - host->entered) / 1000000);
    if (host->patience && took > host->patience)
        testhost_complain(host, "%s held the loop for %lld ms: nothing else of this process ran meanwhile",
                          host->inside, (long long)took);
    host->inside = NULL;
    if (testkit_watched)
        *testkit_watched = 0;
}

/* ---- the tables ---- */

#define BASE                                                                                                 \
    .minor = ACCORD_ABI_MINOR, .log = testhost_do_log, .metric = testhost_do_metric,                         \
    .gauge = testhost_do_gauge, .incident = testhost_do_incident, .wall = testhost_do_wall,                  \
    .ticks = testhost_do_ticks, .timer = testhost_do_timer, .timer_stop = testhost_do_timer_stop,            \
    .watch = testhost_do_watch, .watch_set = testhost_do_watch_set, .watch_end = testhost_do_watch_end,      \
    .work = testhost_do_work

const struct accord_host testhost_base_table = {.size = offsetof(struct accord_host, dial), BASE};

const struct accord_host testhost_table = {
    .size = sizeof(struct accord_host),
    BASE,
    .dial = testhost_do_dial,
    .profile = testhost_do_profile,
    .report = testhost_do_report,
    .secret = testhost_do_secret,
    .end = testhost_do_end,
    .window = testhost_do_window,
    .pull = testhost_do_pull,
    .finish = testhost_do_finish,
    .offer = testhost_do_offer,
    .offer_write = testhost_do_offer_write,
    .offer_abort = testhost_do_offer_abort,
    .advance = testhost_do_advance,
    .park = testhost_do_park,
    .probed = testhost_do_probed,
};

/* ---- life ---- */

struct testhost *testhost_new(const struct accord_connector *connector, enum testhost_clock clock)
{
    struct testhost *host = testkit_alloc(sizeof *host);
    uv_loop_init(&host->loop);
    uv_timer_init(&host->loop, &host->tick);
    host->connector = connector;
    host->clock = clock;
    host->instance.host = host;
    host->events_tail = &host->events;
    host->now = 1000;
    host->piece = ACCORD_PIECE_MAX;
    host->ask = 256 * 1024;
    host->offer_room = 16;
    return host;
}

int testhost_open(struct testhost *host, const struct accord_link_setup *setup)
{
    const struct accord_connector *connector = host->connector;
    host->setup = setup;
    int result = 0;
    if (connector->check)
        INTO_PLUGIN(host, "check", result = connector->check(setup, host->why, sizeof host->why));
    if (result == 0) {
        host->state = aligned_alloc(16, (connector->state_size + 16) / 16 * 16);
        memset(host->state, 0, (connector->state_size + 16) / 16 * 16);
        host->phase = TESTHOST_OPEN;
        INTO_PLUGIN(host, "open",
                    result = connector->open(host->state, &host->instance, &testhost_table, setup, host->why,
                                             sizeof host->why));
    }
    if (result > 0)
        testhost_complain(host, "check or open returned %d: 0 or a negative accord_error", result);
    if (result < 0) {
        if (host->timers || host->watches || host->works)
            testhost_complain(host, "open failed and left a timer, a watch or a thread behind");
        host->phase = TESTHOST_CLOSED;
    }
    return result;
}

const char *testhost_why(const struct testhost *host)
{
    return host->why;
}

void testhost_start(struct testhost *host)
{
    host->phase = TESTHOST_STARTED;
    INTO_PLUGIN(host, "start", host->connector->start(host->state));
    testhost_offer_started(host);
}

void testhost_stop(struct testhost *host)
{
    host->phase = TESTHOST_STOPPED;
    INTO_PLUGIN(host, "stop", host->connector->stop(host->state));
}

void testhost_close(struct testhost *host)
{
    if (host->phase == TESTHOST_STARTED)
        testhost_stop(host);
    host->phase = TESTHOST_CLOSING;
    testhost_drop_events(host, NULL);
    INTO_PLUGIN(host, "close", host->connector->close(host->state));
    testhost_check_deliveries(host);
    testhost_check_sessions(host);
    testhost_check_loop(host);
}

void *testhost_state(struct testhost *host)
{
    return host->state;
}

struct uv_loop_s *testhost_loop(struct testhost *host)
{
    return &host->loop;
}

void testhost_free(struct testhost *host)
{
    if (host->phase > TESTHOST_NEW && host->phase < TESTHOST_CLOSING)
        testhost_close(host);
    testhost_free_loop(host);
    testhost_drop_events(host, NULL);
    testhost_free_marks(host);
    testhost_free_deliveries(host);
    testhost_free_offers(host);
    testhost_free_records(host);
    while (host->sessions) {
        struct accord_session *next = host->sessions->next;
        free(host->sessions);
        host->sessions = next;
    }
    testhost_free_entries(host->profile);
    testhost_free_entries(host->secrets);
    testhost_free_entries(host->facts);
    free(host->state);
    free(host);
}
