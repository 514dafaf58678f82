/* The taxii connector's HTTP client: how a request ends, and the connections that carry it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_bench.h"

#include <cmocka.h>

#define BIG (INT64_C(24) << 20) /* more than what sockets take without a reader */

static struct ask big_ask(struct bench *bench)
{
    struct ask ask = ask_of(bench, "/inbox", "");
    ask.made = ask.request.size = BIG;
    return ask;
}

/* ---- answered ---- */

static void a_request_is_answered(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.shows = true, .asks = true});
    struct ask ask = ask_once(&bench, "/inbox?x=1", "<hello/>");
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    assert_int_equal(ask.status, 200);
    assert_string_equal(ask.got, "fine");
    assert_string_equal(ask.type, "application/xml");
    assert_int_equal(ask.readied, 1);
    assert_string_equal(ask.steps, "connect 0;tls 0;authenticate 0;");
    assert_string_equal(testhost_fact(bench.host, "tls.version"), "1.3");
    assert_non_null(strstr(testhost_fact(bench.host, "tls.client.subject"), "Us"));
    assert_true(bench.until > 0);
    bench_close(&bench);
}

static void serve_request_itself(struct web_connection *c)
{
    char head[64];
    if (!web_head(c) || !web_body(c))
        return;
    size_t size = strlen(c->head);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size + c->size);
    web_say(c, head);
    web_say(c, c->head);
    web_write(c, c->body, c->size);
    web_linger(c);
}

static void a_request_is_what_it_should_be(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_request_itself});
    struct ask ask = ask_of(&bench, "/a/../b;c?d=%20", "<body/>");
    ask_whole(&ask);
    assert_string_equal(ask.got, "POST /a/../b;c?d=%20 HTTP/1.1\r\n"
                                 "Host: " BENCH_NAME ":8443\r\n"
                                 "User-Agent: Accord\r\n"
                                 "Accept-Encoding: gzip\r\n"
                                 "Content-Type: application/xml\r\n"
                                 "Accept: application/xml\r\n"
                                 "Content-Length: 7\r\n\r\n<body/>");
    bench_close(&bench);
}

static void a_body_of_unknown_size_goes_in_chunks(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_request_itself});
    struct ask ask = ask_of(&bench, "/inbox", "<several pieces='yes'/>");
    ask.request.size = -1;
    ask.piece = 5;
    ask_whole(&ask);
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    assert_non_null(strstr(ask.got, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(ask.got, "Content-Length"));
    assert_null(strstr(ask.got, "Expect"));
    assert_string_equal(strstr(ask.got, "\r\n\r\n"), "\r\n\r\n<several pieces='yes'/>");
    bench_close(&bench);
}

static void what_would_break_a_request_in_two_is_not_sent(void **state)
{
    static const struct accord_pair split[] = {{"Accept", "a\r\nHost: b"}};
    const char *paths[] = {"inbox", "/in box", "/inbox\r\nX: y", "/inbox#x"};
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){0});
    for (size_t i = 0; i <= sizeof paths / sizeof *paths; i++) {
        struct ask ask = ask_of(&bench, i ? paths[i - 1] : "/inbox", "<x/>");
        if (!i) {
            ask.request.headers = split;
            ask.request.header_count = 1;
        }
        ask_whole(&ask);
        ask_expect(&ask, HTTP_LOST, "", "cannot be sent");
    }
    assert_int_equal(web_heads(bench.web), 0);
    bench_close(&bench);
}

/* ---- connections ---- */

static void a_connection_is_used_again(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){0});
    for (int i = 0; i < 5; i++) {
        struct ask ask = ask_once(&bench, "/poll", "<poll/>");
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.readied, 1);
    }
    assert_int_equal(testhost_dials(bench.host), 1);
    assert_int_equal(testhost_secrets(bench.host), 1);
    assert_int_equal(web_connections(bench.web), 1);
    bench_close(&bench);
}

static void requests_wait_in_line_for_so_many_connections(void **state)
{
    struct bench bench;
    struct ask asks[5];
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_when_told});
    for (int i = 0; i < 5; i++) {
        asks[i] = ask_of(&bench, "/poll", "<poll/>");
        ask_begin(&asks[i]);
    }
    bench_until(&bench, web_heads, 2);
    assert_int_equal(testhost_dials(bench.host), 2);
    for (int i = 0; i < 5; i++)
        web_go(bench.web);
    for (int i = 0; i < 5; i++) {
        ask_wait(&asks[i]);
        ask_expect(&asks[i], HTTP_ANSWERED, "", "");
        assert_int_equal(asks[i].status, 204);
    }
    assert_int_equal(testhost_dials(bench.host), 2);
    bench_close(&bench);
}

static void an_idle_connection_is_closed_in_time(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK});
    ask_once(&bench, "/poll", "<poll/>");
    testhost_advance(bench.host, 29999);
    assert_int_equal(testhost_sessions(bench.host), 1);
    testhost_advance(bench.host, 1);
    assert_int_equal(testhost_sessions(bench.host), 0);
    assert_int_equal(testhost_timers(bench.host), 0);
    bench_close(&bench);
}

/* libcurl's is for later than its call: it stays for the next one, and finds nothing to do when nobody calls. */
static void a_timer_stays_from_call_to_call(void **state)
{
    const struct http_settings change = {.idle_close = 200000};
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK, .change = &change});
    for (int i = 0; i < 3; i++) {
        ask_once(&bench, "/poll", "<poll/>");
        assert_int_equal(testhost_timers(bench.host), 2); /* and one for idle_close */
    }
    testhost_advance(bench.host, 100000);
    assert_int_equal(testhost_timers(bench.host), 1);
    struct ask ask = ask_once(&bench, "/poll", "<poll/>");
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    assert_int_equal(testhost_dials(bench.host), 1);
    bench_close(&bench);
}

static void without_idle_close_it_is_closed_at_once(void **state)
{
    const struct http_settings change = {.idle_close = -1};
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.change = &change});
    ask_once(&bench, "/poll", "<poll/>");
    assert_int_equal(testhost_sessions(bench.host), 0);
    bench_close(&bench);
}

static void serve_one(struct web_connection *c)
{
    if (web_head(c) && web_body(c) && web_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        web_await(c);
}

static bool no_session(void *host)
{
    return testhost_sessions(host) == 0;
}

static void the_partner_may_close_an_idle_connection(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_one});
    for (int i = 0; i < 3; i++) {
        struct ask ask = ask_once(&bench, "/poll", "<poll/>");
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(testhost_sessions(bench.host), 1);
        web_go(bench.web);
        assert_true(testhost_run_until(bench.host, no_session, bench.host, 10000));
    }
    assert_int_equal(testhost_dials(bench.host), 3);
    bench_close(&bench);
}

static void serve_and_say_close(struct web_connection *c)
{
    if (web_head(c) && web_body(c))
        web_say(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

static void connection_close_is_obeyed(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_and_say_close});
    for (int i = 0; i < 2; i++) {
        struct ask ask = ask_once(&bench, "/poll", "<poll/>");
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(testhost_sessions(bench.host), 0);
    }
    bench_close(&bench);
}

/* Answers the first request of each connection, and dies of the second. */
static void serve_one_and_die(struct web_connection *c)
{
    if (web_head(c) && web_body(c) && web_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") &&
        web_head(c))
        web_body(c);
}

/* The second request over a connection that does not outlive the first; in chunks or in one piece. */
static struct ask ask_second(struct bench *bench, bool again, bool chunked)
{
    bench_open(bench, &(struct bench_setting){.web.serve = serve_one_and_die});
    ask_once(bench, "/inbox", "<a/>");
    struct ask second = ask_of(bench, "/inbox", "<b/>");
    second.request.again = again;
    second.request.size = chunked ? -1 : second.request.size;
    ask_whole(&second);
    return second;
}

static void a_reused_connection_that_was_dead_costs_nothing(void **state)
{
    struct bench bench;
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct ask second = ask_second(&bench, true, chunked);
        ask_expect(&second, HTTP_ANSWERED, "", "");
        assert_int_equal(second.readied, 2);
        assert_int_equal(web_connections(bench.web), 2);
        bench_close(&bench);
    }
}

static void what_may_not_be_sent_twice_is_uncertain_then(void **state)
{
    struct bench bench;
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct ask second = ask_second(&bench, false, chunked);
        ask_expect(&second, HTTP_UNCERTAIN, "", "answered nothing");
        assert_int_equal(second.readied, 1);
        bench_close(&bench);
    }
}

static void new_secrets_are_read_after_drop_idle(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.shows = true, .asks = true});
    struct ask ask = ask_once(&bench, "/poll", "<poll/>");
    assert_int_equal(testhost_secrets(bench.host), 3);
    http_drop_idle(bench.http);
    assert_int_equal(testhost_sessions(bench.host), 0);
    testhost_secret(bench.host, "certificate", "nonsense", 8);
    ask = ask_once(&bench, "/poll", "<poll/>");
    assert_int_equal(ask.end, HTTP_REFUSED);
    assert_int_equal(testhost_secrets(bench.host), 6);
    bench_close(&bench);
}

/* ---- uncertain and lost ---- */

static void serve_nothing(struct web_connection *c)
{
    if (web_head(c))
        web_body(c);
}

static void a_request_without_answer_is_uncertain(void **state)
{
    struct bench bench;
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_nothing});
        struct ask ask = ask_of(&bench, "/inbox", "<x/>");
        ask.request.size = chunked ? -1 : ask.request.size;
        ask.request.again = true; /* only for reused ones */
        ask_whole(&ask);
        ask_expect(&ask, HTTP_UNCERTAIN, "", "answered nothing");
        assert_string_equal(ask.steps, "connect 0;tls 0;authenticate -8;");
        bench_close(&bench);
    }
}

static void serve_half_an_answer(struct web_connection *c)
{
    if (web_head(c) && web_body(c))
        web_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    web_reset(c);
}

static void half_an_answer_is_uncertain(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_half_an_answer});
    struct ask ask = ask_once(&bench, "/inbox", "<x/>");
    ask_expect(&ask, HTTP_UNCERTAIN, "", "");
    assert_int_equal(ask.status, 200);
    assert_string_equal(ask.got, "half");
    bench_close(&bench);
}

static void serve_head_and_reset(struct web_connection *c)
{
    web_head(c);
    web_reset(c);
}

static void half_a_request_is_lost(void **state)
{
    struct bench bench;
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_head_and_reset});
        struct ask ask = big_ask(&bench);
        if (chunked)
            ask.request.size = -1;
        ask_whole(&ask);
        ask_expect(&ask, HTTP_LOST, "", "");
        assert_true((int64_t)ask.at < BIG);
        bench_close(&bench);
    }
}

static void serve_too_large(struct web_connection *c)
{
    if (web_head(c)) /* and leaves the body unread, which breaks the connection */
        web_say(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
}

static void an_early_answer_is_read_though_the_body_cannot_leave(void **state)
{
    struct bench bench;
    (void)state;
    for (int i = 0; i < 5; i++) {
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_too_large});
        struct ask ask = big_ask(&bench);
        ask_whole(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.status, 413);
        assert_string_equal(ask.got, "no!");
        assert_true((int64_t)ask.at < BIG);
        bench_close(&bench);
    }
}

static void a_body_that_ends_early_is_lost(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){0});
    struct ask ask = ask_of(&bench, "/inbox", "<x/>");
    ask.request.size = 100;
    ask_whole(&ask);
    ask_expect(&ask, HTTP_LOST, "", "ended after 4 of 100 bytes");
    bench_close(&bench);
}

static void a_dial_that_fails_is_told(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){0});
    testhost_fail_dials(bench.host, 1, "no route to host");
    struct ask ask = ask_once(&bench, "/inbox", "<x/>");
    ask_expect(&ask, HTTP_LOST, "", "no route to host");
    assert_string_equal(ask.steps, "connect -8;");
    testhost_fail(bench.host, TESTHOST_DIAL, 1);
    ask = ask_once(&bench, "/inbox", "<x/>");
    ask_expect(&ask, HTTP_LOST, "", "does not dial");
    testhost_secret(bench.host, "trust", NULL, 0);
    ask = ask_once(&bench, "/inbox", "<x/>");
    ask_expect(&ask, HTTP_LOST, "", "`trust` cannot be read");
    bench_close(&bench);
}

static void a_revoked_session_is_over(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_when_told});
    struct ask ask = ask_of(&bench, "/inbox", "<x/>");
    ask_begin(&ask);
    bench_until(&bench, web_heads, 1);
    testhost_revoke(bench.host);
    ask_wait(&ask);
    ask_expect(&ask, HTTP_UNCERTAIN, "", "");
    web_go(bench.web); /* the first connection's */
    web_go(bench.web);
    ask = ask_once(&bench, "/inbox", "<x/>");
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    testhost_revoke(bench.host);
    assert_true(testhost_run_until(bench.host, no_session, bench.host, 10000));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_request_is_what_it_should_be),
        cmocka_unit_test(a_body_of_unknown_size_goes_in_chunks),
        cmocka_unit_test(what_would_break_a_request_in_two_is_not_sent),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(requests_wait_in_line_for_so_many_connections),
        cmocka_unit_test(an_idle_connection_is_closed_in_time),
        cmocka_unit_test(a_timer_stays_from_call_to_call),
        cmocka_unit_test(without_idle_close_it_is_closed_at_once),
        cmocka_unit_test(the_partner_may_close_an_idle_connection),
        cmocka_unit_test(connection_close_is_obeyed),
        cmocka_unit_test(a_reused_connection_that_was_dead_costs_nothing),
        cmocka_unit_test(what_may_not_be_sent_twice_is_uncertain_then),
        cmocka_unit_test(new_secrets_are_read_after_drop_idle),
        cmocka_unit_test(a_request_without_answer_is_uncertain),
        cmocka_unit_test(half_an_answer_is_uncertain),
        cmocka_unit_test(half_a_request_is_lost),
        cmocka_unit_test(an_early_answer_is_read_though_the_body_cannot_leave),
        cmocka_unit_test(a_body_that_ends_early_is_lost),
        cmocka_unit_test(a_dial_that_fails_is_told),
        cmocka_unit_test(a_revoked_session_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
