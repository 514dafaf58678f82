/* The taxii connector's HTTP client: given up, freed and short of everything, at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http_bench.h"

#include <cmocka.h>

static void serve_big(struct web_connection *c)
{
    static const char bytes[65536];
    while (web_head(c) && web_body(c)) {
        bool said = web_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 6553600\r\n\r\n");
        for (int i = 0; i < 100 && said; i++)
            said = web_write(c, bytes, sizeof bytes);
    }
}

/* ---- by the caller ---- */

static void a_request_can_be_cancelled_in_its_own_callbacks(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_big});
    for (int i = 0; i < 7; i++) {
        struct ask ask = ask_of(&bench, "/poll", "<poll/>");
        ask.cancel_ready = i == 0;
        ask.cancel_body = i == 1;
        ask.cancel_head = i == 2;
        ask.cancel_answer = i == 3;
        ask.aborts = i == 4;
        ask.stop_head = i == 5;
        ask.stop_answer = i == 6 ? -7 : 0;
        ask_whole(&ask);
        assert_int_equal(ask.end, HTTP_CANCELED);
        if (i < 4)
            ask_expect(&ask, HTTP_CANCELED, "", "does not want it any more");
        assert_int_equal(testhost_sessions(bench.host), 0);
    }
    /* and on a connection that is used again */
    for (int i = 0; i < 4; i++) {
        struct ask first = ask_of(&bench, "/poll", "<poll/>"), ask = first;
        ask_whole(&first);
        ask.cancel_ready = i == 0;
        ask.cancel_body = i == 1;
        ask.cancel_head = i == 2;
        ask.cancel_answer = i == 3;
        ask_whole(&ask);
        ask_expect(&ask, HTTP_CANCELED, "", "does not want it any more");
    }
    bench_close(&bench);
}

static void a_request_can_be_cancelled_at_any_turn(void **state)
{
    struct bench bench;
    bool still = true;
    (void)state;
    for (int turns = 0; turns < 400 && still; turns += 1 + turns / 8) {
        bench_open(&bench, &(struct bench_setting){.shows = true, .asks = true, .web.serve = serve_big});
        struct ask ask = ask_of(&bench, "/poll", "<poll/>"), next = ask;
        ask_begin(&ask);
        ask_begin(&next);
        for (int i = 0; i < turns; i++)
            testhost_turn(bench.host);
        still = !ask.ended;
        if (still)
            http_cancel(ask.call, "the test does not want it any more");
        ask_wait(&ask);
        assert_true(!still || ask.end == HTTP_CANCELED);
        ask_wait(&next);
        ask_expect(&next, HTTP_ANSWERED, "", "");
        bench_close(&bench);
    }
}

static void what_waits_in_line_can_be_cancelled(void **state)
{
    const struct http_settings change = {.connections = 1};
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.change = &change});
    struct ask asks[4];
    for (int i = 0; i < 4; i++) {
        asks[i] = ask_of(&bench, "/poll", "<poll/>");
        ask_begin(&asks[i]);
    }
    http_cancel(asks[0].call, "first");
    http_cancel(asks[2].call, "third");
    http_cancel(asks[2].call, "once more");
    for (int i = 0; i < 4; i++)
        ask_wait(&asks[i]);
    ask_expect(&asks[0], HTTP_CANCELED, "", "first");
    ask_expect(&asks[1], HTTP_ANSWERED, "", "");
    ask_expect(&asks[2], HTTP_CANCELED, "", "third");
    ask_expect(&asks[3], HTTP_ANSWERED, "", "");
    bench_close(&bench);
}

/* ---- freed ---- */

static void everything_can_be_freed_at_any_turn(void **state)
{
    struct bench bench;
    (void)state;
    for (int turns = 0; turns < 60; turns += 1 + turns / 8) {
        bench_open(&bench, &(struct bench_setting){.shows = true, .asks = true, .web.serve = serve_big});
        struct ask asks[4];
        for (int i = 0; i < 4; i++) {
            asks[i] = ask_of(&bench, "/poll", "<poll/>");
            asks[i].pauses = i == 0;
            asks[i].holds = i == 1;
            ask_begin(&asks[i]);
        }
        for (int i = 0; i < turns; i++)
            testhost_turn(bench.host);
        unsigned ended = 0;
        for (int i = 0; i < 4; i++)
            ended += asks[i].ended;
        bench_close(&bench);
        for (int i = 0; i < 4; i++)
            ended -= asks[i].ended;
        assert_int_equal(ended, 0); /* silently */
    }
}

static bool is_freed(void *arg)
{
    const struct bench *bench = arg;
    return !bench->http;
}

static void it_can_be_freed_in_callbacks(void **state)
{
    struct bench bench;
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_big});
        struct ask asks[3];
        for (int j = 0; j < 3; j++) {
            asks[j] = ask_of(&bench, "/poll", "<poll/>");
            asks[j].free_answer = j == 0 && i == 0;
            asks[j].free_done = j == 0 && i == 1;
            asks[j].pauses = j == 1;
            ask_begin(&asks[j]);
        }
        assert_true(testhost_run_until(bench.host, is_freed, &bench, 20000));
        assert_int_equal(testhost_sessions(bench.host), 0);
        assert_int_equal(testhost_timers(bench.host), 0);
        bench_close(&bench);
    }
}

/* ---- short of what the host gives ---- */

static void a_host_that_gives_nothing_ends_requests(void **state)
{
    static const enum testhost_call calls[] = {TESTHOST_WATCH,  TESTHOST_DIAL,   TESTHOST_DIALED,
                                               TESTHOST_REPORT, TESTHOST_SECRET, TESTHOST_TIMER};
    struct bench bench;
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (unsigned n = 1; n < 6; n++) {
            bench_open(&bench, &(struct bench_setting){.shows = true, .asks = true});
            testhost_fail(bench.host, calls[i], n);
            struct ask ask = ask_once(&bench, "/poll", "<poll/>");
            assert_true(ask.end == HTTP_ANSWERED || ask.end == HTTP_LOST);
            assert_true(n > 1 || calls[i] == TESTHOST_TIMER || ask.end == HTTP_LOST);
            ask = ask_once(&bench, "/poll", "<poll/>");
            assert_true(ask.end == HTTP_ANSWERED || ask.end == HTTP_LOST);
            bench_close(&bench);
        }
}

/* ---- one after the other ---- */

static void ask_next(struct ask *ask)
{
    ask->ended--;
    if (ask->readied < 20)
        ask_begin(ask);
    else
        ask->ended = 1;
    ask->headed = 0;
}

static void the_next_request_can_be_begun_in_done(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){0});
    struct ask ask = ask_of(&bench, "/poll", "<poll/>");
    ask.then = ask_next;
    ask_whole(&ask);
    assert_int_equal(ask.readied, 20);
    assert_int_equal(testhost_dials(bench.host), 1);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_can_be_cancelled_in_its_own_callbacks),
        cmocka_unit_test(a_request_can_be_cancelled_at_any_turn),
        cmocka_unit_test(what_waits_in_line_can_be_cancelled),
        cmocka_unit_test(everything_can_be_freed_at_any_turn),
        cmocka_unit_test(it_can_be_freed_in_callbacks),
        cmocka_unit_test(a_host_that_gives_nothing_ends_requests),
        cmocka_unit_test(the_next_request_can_be_begun_in_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
