#include "http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls_allowed.h"
#include "tls_papers.h"

/* ---- a connector that is nothing but its HTTP client ---- */

static struct bench *opened;
static const struct bench_setting *setting;

static void take_until(void *arg, int64_t until)
{
    struct bench *bench = arg;
    bench->until = until;
}

#define CHANGE(name)                                                                                         \
    if (setting->change && setting->change->name)                                                            \
    set.name = setting->change->name

static int probe_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                      const struct accord_link_setup *setup, char *why, size_t room)
{
    struct http_settings set = {.instance = instance,
                                .host = host,
                                .name = setup->endpoint_host,
                                .port = setup->endpoint_port,
                                .trust = "trust",
                                .connections = 2,
                                .connect = 10000,
                                .silence = 20000,
                                .idle_close = 30000,
                                .head_limit = 16384,
                                .answer_limit = INT64_C(1) << 40,
                                .certificate_until = take_until,
                                .arg = opened};
    (void)state, (void)why, (void)room;
    if (setting->shows || setting->stranger) {
        set.certificate = "certificate";
        set.key = "key";
    }
    CHANGE(connections);
    CHANGE(connect);
    CHANGE(silence);
    CHANGE(whole);
    CHANGE(idle_close);
    CHANGE(head_limit);
    CHANGE(answer_limit);
    if (set.idle_close < 0)
        set.idle_close = 0;
    opened->http = http_new(&set);
    return opened->http ? 0 : ACCORD_ENOMEM;
}

static void nothing(void *state)
{
    (void)state;
}

static void probe_close(void *state)
{
    (void)state;
    http_free(opened->http);
    opened->http = NULL;
}

static const struct accord_option options[] = {
    {.name = "trust", .kind = ACCORD_SECRET, .flags = ACCORD_FOR_HANDSHAKE, .help = "x"},
    {.name = "certificate", .kind = ACCORD_SECRET, .flags = ACCORD_FOR_HANDSHAKE, .help = "x"},
    {.name = "key", .kind = ACCORD_SECRET, .flags = ACCORD_FOR_HANDSHAKE, .help = "x"},
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

void bench_open(struct bench *bench, const struct bench_setting *how)
{
    static const struct accord_link_setup setup = {
        .agreement = "cisa", .name = "link", .endpoint_host = BENCH_NAME, .endpoint_port = 8443};
    struct web_wish web = how->web;
    *bench = (struct bench){0};
    papers = papers_make(how->host ? how->host : BENCH_NAME);
    papers_serve(&papers, &web, how->asks);
    if (!web.serve)
        web.serve = serve_ok;
    bench->web = web_start(&web);
    opened = bench;
    setting = how;
    bench->host = testhost_new(&connector, how->clock);
    testhost_endpoint(bench->host, web_port(bench->web));
    papers_tell(&papers, bench->host, how->stranger);
    allow_tls(bench->host);
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

/* ---- asking ---- */

static void cancel(struct ask *ask)
{
    http_cancel(ask->call, "the test does not want it any more");
}

static void on_ready(void *arg, struct accord_session *session)
{
    struct ask *ask = arg;
    assert_non_null(session);
    assert_int_equal(ask->ended, 0);
    ask->readied++;
    ask->at = 0;
    if (ask->cancel_ready)
        cancel(ask);
}

static ptrdiff_t on_body(void *arg, uint8_t *to, size_t size)
{
    struct ask *ask = arg;
    size_t whole = ask->made ? (size_t)ask->made : ask->size, rest = whole - ask->at;
    assert_true(ask->readied > 0 && !ask->ended);
    if (ask->cancel_body) {
        cancel(ask);
        return 0;
    }
    if (ask->aborts)
        return HTTP_ABORT;
    if (ask->holds)
        return 0;
    if (!rest)
        return HTTP_END;
    if (ask->piece && size > ask->piece)
        size = ask->piece;
    if (size > rest)
        size = rest;
    if (ask->made)
        memset(to, 'm', size);
    else
        memcpy(to, ask->body + ask->at, size);
    ask->at += size;
    return (ptrdiff_t)size;
}

static const uint8_t *on_whole(void *arg)
{
    const struct ask *ask = arg;
    assert_int_equal(ask->ended, 0);
    return ask->offers ? (const uint8_t *)ask->body : NULL;
}

static void on_leaves(void *arg)
{
    struct ask *ask = arg;
    assert_true(ask->offers && ask->readied > 0 && !ask->at && !ask->ended);
    ask->left++;
}

static int on_head(void *arg, struct http_call *call, long status)
{
    struct ask *ask = arg;
    const char *type = http_header(call, "CONTENT-type");
    assert_int_equal(ask->ended, 0);
    ask->headed++;
    ask->head_status = status;
    snprintf(ask->type, sizeof ask->type, "%s", type ? type : "");
    if (ask->cancel_head)
        cancel(ask);
    return ask->stop_head;
}

uint64_t sum_of(uint64_t sum, int64_t at, const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < size; i++)
        sum += byte[i] * (uint64_t)(at + (int64_t)i + 1);
    return sum;
}

static int on_answer(void *arg, const uint8_t *bytes, size_t size)
{
    struct ask *ask = arg;
    assert_true(ask->headed == 1 && !ask->ended);
    if (ask->cancel_answer)
        cancel(ask);
    if (ask->free_answer) {
        http_free(ask->bench->http);
        ask->bench->http = NULL;
        return 0;
    }
    if (ask->pauses)
        return HTTP_PAUSE;
    if (ask->pause_each && !ask->put_off && ask->pieces % ask->pause_each == 0) {
        ask->put_off = true;
        http_go_on(ask->call);
        return HTTP_PAUSE;
    }
    ask->put_off = false;
    ask->pieces++;
    if (size > ask->largest)
        ask->largest = size;
    for (size_t i = 0; i < size && ask->got_size + (int64_t)i < (int64_t)sizeof ask->got - 1; i++)
        ask->got[ask->got_size + (int64_t)i] = (char)bytes[i];
    ask->got_sum = sum_of(ask->got_sum, ask->got_size, bytes, size);
    ask->got_size += (int64_t)size;
    return ask->stop_answer;
}

static void on_done(void *arg, const struct http_result *result)
{
    struct ask *ask = arg;
    ask->ended++;
    ask->end = result->end;
    ask->status = result->status;
    ask->wait = result->wait;
    snprintf(ask->rule, sizeof ask->rule, "%s", result->rule);
    snprintf(ask->reason, sizeof ask->reason, "%s", result->reason);
    if (getenv("TESTHOST_LOG"))
        printf("ended %d, status %ld, rule \"%s\": %s\n", result->end, result->status, result->rule,
               result->reason);
    assert_true((result->end == HTTP_ANSWERED) == (result->reason[0] == 0));
    if (ask->free_done) {
        http_free(ask->bench->http);
        ask->bench->http = NULL;
    }
    if (ask->then)
        ask->then(ask);
}

static void on_step(void *arg, const char *step, int result, const char *text)
{
    struct ask *ask = arg;
    size_t used = strlen(ask->steps);
    assert_true(text && *text);
    snprintf(ask->steps + used, sizeof ask->steps - used, "%s %d;", step, result);
}

struct ask ask_of(struct bench *bench, const char *path, const char *body)
{
    static const struct accord_pair headers[] = {{"Content-Type", "application/xml"},
                                                 {"Accept", "application/xml"}};
    return (struct ask){.bench = bench,
                        .body = body,
                        .size = strlen(body),
                        .request = {.path = path,
                                    .headers = headers,
                                    .header_count = 2,
                                    .size = (int64_t)strlen(body),
                                    .ready = on_ready,
                                    .body = on_body,
                                    .whole = on_whole,
                                    .leaves = on_leaves,
                                    .head = on_head,
                                    .answer = on_answer,
                                    .done = on_done}};
}

void ask_begin(struct ask *ask)
{
    ask->request.arg = ask;
    ask->call = http_begin(ask->bench->http, &ask->request);
    assert_non_null(ask->call);
    http_tell_steps(ask->call, on_step, ask);
    assert_int_equal(ask->ended, 0);
}

bool ask_ended(void *arg)
{
    const struct ask *ask = arg;
    return ask->ended > 0;
}

bool ask_readied(void *arg)
{
    const struct ask *ask = arg;
    return ask->readied > 0;
}

void ask_wait(struct ask *ask)
{
    assert_true(testhost_run_until(ask->bench->host, ask_ended, ask, 60000));
    assert_int_equal(ask->ended, 1);
}

void ask_whole(struct ask *ask)
{
    ask_begin(ask);
    ask_wait(ask);
}

struct ask ask_once(struct bench *bench, const char *path, const char *body)
{
    struct ask ask = ask_of(bench, path, body);
    ask_whole(&ask);
    return ask;
}

void ask_expect(const struct ask *ask, enum http_end end, const char *rule, const char *reason)
{
    assert_int_equal(ask->ended, 1);
    assert_int_equal(ask->end, end);
    assert_string_equal(ask->rule, rule);
    if (!strstr(ask->reason, reason))
        fail_msg("\"%s\" does not say \"%s\"", ask->reason, reason);
}

struct until {
    struct web *web;
    unsigned (*number)(struct web *);
    unsigned wanted;
};

static bool reached(void *arg)
{
    const struct until *until = arg;
    return until->number(until->web) >= until->wanted;
}

void bench_until(struct bench *bench, unsigned (*number)(struct web *), unsigned wanted)
{
    struct until until = {bench->web, number, wanted};
    assert_true(testhost_run_until(bench->host, reached, &until, 60000));
}

size_t memory_used(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* ---- servers ---- */

void serve_ok(struct web_connection *c)
{
    while (web_head(c) && web_body(c))
        if (!web_say(c, "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 4\r\n\r\nfine"))
            return;
}

void serve_when_told(struct web_connection *c)
{
    while (web_head(c) && web_body(c) && web_await(c))
        web_say(c, "HTTP/1.1 204 No Content\r\n\r\n");
}
