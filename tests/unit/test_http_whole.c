/* Bodies that are there as a whole when their turn comes: they leave with their heads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_bench.h"

/* Says whether the body came in one record with its head. */
static void serve_how_it_came(struct web_connection *c)
{
    while (web_head(c)) {
        bool together = c->declared > 0 && c->left_size == (size_t)c->declared;
        if (!web_body(c) || !web_say(c, together ? "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ntogether"
                                                 : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\napart"))
            return;
    }
}

static void serve_back(struct web_connection *c)
{
    char head[128];
    while (web_head(c) && web_body(c)) {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", c->size);
        if (!web_say(c, head) || !web_write(c, c->body, c->size))
            return;
    }
}

static struct ask offer(struct bench *bench, const char *body)
{
    struct ask ask = ask_of(bench, "/inbox", body);
    ask.offers = true;
    return ask;
}

static void a_body_that_is_there_leaves_with_its_head(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_how_it_came});
    for (unsigned i = 0; i < 3; i++) {
        struct ask ask = offer(&bench, "<inbox/>");
        ask_whole(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.readied, 1);
        assert_int_equal(ask.left, i > 0); /* the first was sent before its session was judged */
        assert_string_equal(ask.got, i > 0 ? "together" : "apart");
    }
    assert_int_equal(testhost_dials(bench.host), 1);
    bench_close(&bench);
}

static void a_body_that_is_not_there_is_asked_for_as_before(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_how_it_came});
    for (unsigned i = 0; i < 4; i++) {
        struct ask ask = offer(&bench, "<inbox/>");
        ask.offers = i % 2;
        ask_whole(&ask);
        assert_int_equal(ask.left, i % 2);
        assert_int_equal(ask.at, i % 2 ? 0 : strlen("<inbox/>"));
        assert_string_equal(ask.got, i % 2 ? "together" : "apart");
    }
    bench_close(&bench);
}

/* Also when the connection takes little at a time. */
static void of_any_size_it_comes_as_it_is(void **state)
{
    static const size_t sizes[] = {1, 1000, 16384, 20480, 49152, 49153, 200000};
    static char body[200001];
    (void)state;
    for (int small = 0; small < 2; small++) {
        struct bench bench;
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_back});
        if (small)
            testhost_send_buffer(bench.host, 1);
        ask_once(&bench, "/inbox", "<first/>");
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (size_t at = 0; at < sizes[i]; at++)
                body[at] = (char)('a' + at % 23);
            body[sizes[i]] = 0;
            struct ask ask = offer(&bench, body);
            ask_whole(&ask);
            ask_expect(&ask, HTTP_ANSWERED, "", "");
            assert_int_equal(ask.left, sizes[i] <= 49152);
            assert_int_equal(ask.got_size, sizes[i]);
            assert_true(ask.got_sum == sum_of(0, 0, body, sizes[i]));
        }
        assert_int_equal(testhost_dials(bench.host), 1);
        bench_close(&bench);
    }
}

/* Answers the first request of each connection, and dies of the second. */
static void serve_one_and_die(struct web_connection *c)
{
    if (web_head(c) && web_body(c) && web_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") &&
        web_head(c))
        web_body(c);
}

static void without_an_answer_it_is_uncertain_unless_it_may_go_twice(void **state)
{
    struct bench bench;
    (void)state;
    for (int again = 0; again < 2; again++) {
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_one_and_die});
        ask_once(&bench, "/inbox", "<first/>");
        struct ask ask = offer(&bench, "<second/>");
        ask.request.again = again;
        ask_whole(&ask);
        ask_expect(&ask, again ? HTTP_ANSWERED : HTTP_UNCERTAIN, "", again ? "" : "answered nothing");
        assert_int_equal(ask.left, 1);
        assert_int_equal(ask.readied, again ? 2 : 1);
        bench_close(&bench);
    }
}

static void cancelled_when_it_is_ready_it_does_not_leave(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_ok});
    ask_once(&bench, "/inbox", "<first/>");
    struct ask ask = offer(&bench, "<second/>");
    ask.cancel_ready = true;
    ask_whole(&ask);
    ask_expect(&ask, HTTP_CANCELED, "", "");
    assert_int_equal(ask.left, 0);
    assert_int_equal(web_heads(bench.web), 1);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_is_there_leaves_with_its_head),
        cmocka_unit_test(a_body_that_is_not_there_is_asked_for_as_before),
        cmocka_unit_test(of_any_size_it_comes_as_it_is),
        cmocka_unit_test(without_an_answer_it_is_uncertain_unless_it_may_go_twice),
        cmocka_unit_test(cancelled_when_it_is_ready_it_does_not_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
