#include "channel_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_allowed.h"
#include "tls_papers.h"

/* ---- the owner ---- */

void bench_drop(struct bench *bench)
{
    channel_free(bench->channel);
    bench->channel = NULL;
}

static void on_opened(void *arg, struct channel *channel)
{
    struct bench *bench = arg;
    assert_ptr_equal(channel, bench->channel);
    assert_non_null(channel_connection(channel));
    assert_non_null(channel_session(channel));
    assert_int_equal(bench->closes, 0);
    bench->opens++;
    if (bench->opened)
        bench->opened(bench);
    if (bench->close_opened)
        channel_close(channel, "the test has enough");
    if (bench->free_opened)
        bench_drop(bench);
}

static void on_event(void *arg, struct channel *channel, pn_event_t *event)
{
    struct bench *bench = arg;
    (void)channel;
    assert_int_equal(bench->closes, 0);
    bench->events++;
    if (bench->event)
        bench->event(bench, event);
    if (bench->free_event)
        bench_drop(bench);
}

static void on_closed(void *arg, struct channel *channel, const struct channel_closed *closed)
{
    struct bench *bench = arg;
    assert_ptr_equal(channel, bench->channel);
    assert_int_equal(bench->closes++, 0);
    bench->closed = *closed;
    snprintf(bench->rule, sizeof bench->rule, "%s", closed->rule);
    snprintf(bench->reason, sizeof bench->reason, "%s", closed->reason);
    if (bench->free_closed)
        bench_drop(bench);
}

static void on_step(void *arg, struct channel *channel, const char *step, int result, const char *text)
{
    struct bench *bench = arg;
    char one[64];
    (void)channel;
    assert_int_equal(bench->closes, 0);
    assert_true(*text);
    snprintf(one, sizeof one, "%s %d;", step, result);
    strncat(bench->steps, one, sizeof bench->steps - strlen(bench->steps) - 1);
    if (bench->at_step && strcmp(bench->at_step, step) != 0)
        return;
    if (bench->close_step)
        channel_close(bench->channel, "the test has enough");
    if (bench->free_step)
        bench_drop(bench);
}

static void take_until(void *arg, int64_t until)
{
    struct bench *bench = arg;
    bench->until = until;
}

/* ---- a connector that is nothing but its channel ---- */

static struct bench *making;
static const struct bench_setting *setting;

static int probe_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                      const struct accord_link_setup *setup, char *why, size_t room)
{
    struct bench *bench = making;
    bool shows = setting->shows || setting->stranger;
    (void)state, (void)why, (void)room;
    bench->set = (struct channel_settings){
        .instance = instance,
        .host = host,
        .name = setup->endpoint_host,
        .hostname = setting->hostname,
        .container = "accord",
        .mechanism = setting->mechanism,
        .user = setting->nobody ? NULL : "filer",
        .password = setting->nobody ? NULL : "password",
        .trust = "trust",
        .certificate = shows ? "certificate" : NULL,
        .key = shows ? "key" : NULL,
        .connect = 10000,
        .heartbeat = setting->heartbeat < 0 ? 0
                     : setting->heartbeat   ? setting->heartbeat
                                            : 60000,
        .max_frame = setting->max_frame ? setting->max_frame : 65536,
        .certificate_until = take_until,
    };
    bench->owner = (struct channel_owner){on_opened, on_event, on_closed, on_step, bench};
    return 0;
}

static void nothing(void *state)
{
    (void)state;
}

static void probe_close(void *state)
{
    (void)state;
    bench_drop(making);
}

static const struct accord_option options[] = {
    {.name = "trust", .kind = ACCORD_SECRET, .flags = ACCORD_FOR_HANDSHAKE, .help = "x"},
    {.name = "certificate", .kind = ACCORD_SECRET, .flags = ACCORD_FOR_HANDSHAKE, .help = "x"},
    {.name = "key", .kind = ACCORD_SECRET, .flags = ACCORD_FOR_HANDSHAKE, .help = "x"},
    {.name = "password", .kind = ACCORD_SECRET, .help = "x"},
    {0},
};

static const struct accord_connector connector = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_DIALS,
    .link_options = {options, 0},
    .state_size = 1,
    .open = probe_open,
    .start = nothing,
    .stop = nothing,
    .close = probe_close,
};

static struct papers papers;

/* ---- life ---- */

static void allow(struct testhost *host, const char *mechanisms)
{
    allow_tls(host);
    if (!mechanisms || strcmp(mechanisms, "-") != 0)
        testhost_profile(host, "sasl.mechanisms", mechanisms ? mechanisms : "EXTERNAL,PLAIN");
}

void bench_open(struct bench *bench, const struct bench_setting *how)
{
    static const struct accord_link_setup setup = {
        .agreement = "cbp", .name = "mq", .endpoint_host = BENCH_NAME, .endpoint_port = 5671};
    struct web_wish web = how->web;
    *bench = (struct bench){0};
    papers = papers_make(BENCH_NAME);
    papers_serve(&papers, &web, how->asks);
    bench->web = web_start(&web);
    making = bench;
    setting = how;
    bench->host = testhost_new(&connector, how->clock);
    testhost_endpoint(bench->host, web_port(bench->web));
    papers_tell(&papers, bench->host, how->stranger);
    testhost_secret(bench->host, "password", BENCH_PASSWORD "\n", strlen(BENCH_PASSWORD "\n"));
    allow(bench->host, how->allowed);
    assert_int_equal(testhost_open(bench->host, &setup), 0);
    testhost_start(bench->host);
}

void bench_close(struct bench *bench)
{
    testhost_close(bench->host);
    size_t complaints = testhost_complaints(bench->host);
    testhost_free(bench->host);
    web_stop(bench->web);
    papers_burn(&papers);
    assert_int_equal(complaints, 0);
}

/* ---- going on ---- */

bool bench_closed(void *arg)
{
    const struct bench *bench = arg;
    return bench->closes > 0;
}

bool bench_settled(void *arg)
{
    const struct bench *bench = arg;
    return bench->closes > 0 || bench->opens > 0 || !bench->channel;
}

void bench_until(struct bench *bench, bool (*condition)(void *))
{
    if (testhost_run_until(bench->host, condition, bench, 60000))
        return;
    fail_msg("nothing happened; steps: %s, reason: %s", bench->steps, bench->reason);
}

void bench_dial(struct bench *bench)
{
    bench->channel = channel_open(&bench->set, &bench->owner);
    assert_non_null(bench->channel);
    bench_until(bench, bench_settled);
}

void bench_expect(const struct bench *bench, enum channel_end end, const char *rule, const char *reason)
{
    if (bench->closes != 1 || bench->closed.end != end || strcmp(bench->rule, rule) != 0 ||
        !strstr(bench->reason, reason))
        fail_msg("%u ends, %d, [%s] %s; expected %d, [%s] %s", bench->closes, bench->closed.end, bench->rule,
                 bench->reason, end, rule, reason);
}
