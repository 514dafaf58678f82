/* The taxii connector's HTTP client: large bodies both ways, back-pressure, and little memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_bench.h"

#include <cmocka.h>

#define LARGE   (INT64_C(192) << 20)
#define ROOM_KB (32 * 1024)

/* What is freed is to be free: no more than so much of it may be kept to find its late use. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4";
}

/* ---- downloads ---- */

static char pattern[65536];

static void fill_pattern(void)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i * 31 >> 3);
}

/* How many bytes of the pattern come next. */
static size_t pattern_at(int64_t at, int64_t size)
{
    return size - at < (int64_t)sizeof pattern ? (size_t)(size - at) : sizeof pattern;
}

static uint64_t pattern_sum(int64_t size)
{
    uint64_t sum = 0;
    for (int64_t at = 0; at < size; at += (int64_t)sizeof pattern)
        sum = sum_of(sum, at, pattern, pattern_at(at, size));
    return sum;
}

static void serve_large(struct web_connection *c)
{
    int64_t size = *(int64_t *)web_arg(c);
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n", (long long)size);
    bool good = web_head(c) && web_body(c) && web_say(c, head);
    for (int64_t at = 0; at < size && good; at += (int64_t)sizeof pattern)
        good = web_write(c, pattern, pattern_at(at, size));
    web_linger(c);
}

static void serve_large_in_chunks(struct web_connection *c)
{
    int64_t size = *(int64_t *)web_arg(c);
    bool good =
        web_head(c) && web_body(c) && web_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int64_t at = 0; at < size && good; at += (int64_t)sizeof pattern)
        good = web_say(c, "10000\r\n") && web_write(c, pattern, sizeof pattern) && web_say(c, "\r\n");
    if (good)
        web_say(c, "0\r\n\r\n");
    web_linger(c);
}

static void a_large_answer_takes_little_memory(void **state)
{
    int64_t size = LARGE;
    void (*const serves[])(struct web_connection *) = {serve_large, serve_large_in_chunks};
    struct bench bench;
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_open(&bench, &(struct bench_setting){.web = {.serve = serves[i], .arg = &size}});
        size_t before = memory_used();
        struct ask ask = ask_of(&bench, "/poll", "<poll/>");
        ask.pause_each = 100;
        ask_whole(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.got_size, size);
        assert_true(ask.got_sum == pattern_sum(size));
        assert_true(memory_used() < before + ROOM_KB);
        bench_close(&bench);
    }
}

static bool has_a_mebibyte(void *arg)
{
    const struct ask *ask = arg;
    return ask->got_size > 1 << 20;
}

static void a_paused_answer_stays_with_the_partner(void **state)
{
    int64_t size = LARGE;
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = serve_large, .arg = &size}});
    struct ask ask = ask_of(&bench, "/poll", "<poll/>");
    ask_begin(&ask);
    assert_true(testhost_run_until(bench.host, has_a_mebibyte, &ask, 20000));
    ask.pauses = true;
    size_t before = memory_used();
    for (int i = 0; i < 300; i++) {
        testhost_turn(bench.host);
        if (i % 10 == 0)
            http_go_on(ask.call); /* and is paused again */
    }
    int64_t got = ask.got_size;
    for (int i = 0; i < 300; i++)
        testhost_turn(bench.host);
    assert_int_equal(ask.got_size, got);
    assert_true(got < size && memory_used() < before + ROOM_KB);
    ask.pauses = false;
    http_go_on(ask.call);
    ask_wait(&ask);
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    assert_true(ask.got_size == size && ask.got_sum == pattern_sum(size));
    bench_close(&bench);
}

static void an_answer_of_any_size_is_whole_though_put_off(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 200000};
    struct bench bench;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t size = sizes[i];
        bench_open(&bench, &(struct bench_setting){.web = {.serve = serve_large, .arg = &size}});
        struct ask ask = ask_of(&bench, "/poll", "<poll/>");
        ask.pause_each = 1;
        ask_whole(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_true(ask.got_size == size && ask.got_sum == pattern_sum(size));
        bench_close(&bench);
    }
}

/* ---- uploads ---- */

static void serve_count(struct web_connection *c)
{
    char answer[128];
    while (web_head(c)) {
        int64_t size = c->declared;
        if (size < 0) {
            if (!web_body(c))
                return;
            size = (int64_t)c->size;
        } else if (!web_skip(c, size)) {
            return;
        }
        int room = snprintf(answer, sizeof answer, "%lld bytes", (long long)size);
        char head[64];
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", room);
        if (!web_say(c, head) || !web_say(c, answer))
            return;
    }
}

static void a_large_request_takes_little_memory(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_count});
    size_t before = memory_used();
    struct ask ask = ask_of(&bench, "/inbox", "");
    ask.made = ask.request.size = LARGE;
    ask_whole(&ask);
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    assert_string_equal(ask.got, "201326592 bytes");
    assert_true(memory_used() < before + ROOM_KB);
    bench_close(&bench);
}

static void serve_back(struct web_connection *c)
{
    char head[64];
    while (web_head(c) && web_body(c)) {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", c->size);
        if (!web_say(c, head) || !web_write(c, c->body, c->size))
            return;
    }
}

static struct ask ask_with(struct bench *bench, const char *body, size_t size, bool chunked)
{
    struct ask ask = ask_of(bench, "/inbox", "");
    ask.body = body;
    ask.size = size;
    ask.request.size = chunked ? -1 : (int64_t)size;
    return ask;
}

/* Gives the body in bits, each after a while. */
static void give_on(struct ask *ask)
{
    while (!ask->ended) {
        testhost_turn(ask->bench->host);
        ask->holds = !ask->holds;
        if (!ask->holds && !ask->ended)
            http_go_on(ask->call);
    }
}

static void a_body_may_come_by_and_by(void **state)
{
    static char body[300000];
    struct bench bench;
    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i % 23);
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_back});
    for (int chunked = 0; chunked < 2; chunked++) {
        struct ask ask = ask_with(&bench, body, sizeof body, chunked);
        ask.piece = 3001;
        ask.holds = true;
        ask_begin(&ask);
        give_on(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_true(ask.got_size == sizeof body && ask.got_sum == sum_of(0, 0, body, sizeof body));
    }
    assert_int_equal(testhost_dials(bench.host), 1);
    bench_close(&bench);
}

/* ---- what waits for a connection ---- */

/* Says that it closes with its second answer. */
static void serve_two_when_told(struct web_connection *c)
{
    for (int i = 0; i < 2 && web_head(c) && web_body(c) && web_await(c); i++)
        web_say(c, i ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                     : "HTTP/1.1 204 No Content\r\n\r\n");
}

/* One connection that has been used, one request under way, and one that waits. */
static void begin_and_wait(struct bench *bench, void (*serve)(struct web_connection *), struct ask *under_way,
                           struct ask *waiting)
{
    bench_open(bench, &(struct bench_setting){.web.serve = serve,
                                              .change = &(struct http_settings){.connections = 1}});
    web_go(bench->web);
    ask_once(bench, "/inbox", "<first/>");
    *under_way = ask_of(bench, "/inbox", "<second/>");
    *waiting = ask_of(bench, "/inbox", "<third/>");
    ask_begin(under_way);
    ask_begin(waiting);
    bench_until(bench, web_heads, 2);
}

static void answer_both(struct bench *bench, struct ask *under_way, struct ask *waiting)
{
    web_go(bench->web);
    web_go(bench->web);
    ask_wait(under_way);
    ask_wait(waiting);
    ask_expect(waiting, HTTP_ANSWERED, "", "");
}

static void what_waits_asks_for_its_payload_and_sends_nothing(void **state)
{
    struct bench bench;
    struct ask under_way, waiting;
    (void)state;
    begin_and_wait(&bench, serve_when_told, &under_way, &waiting);
    assert_int_equal(waiting.readied, 1);
    assert_int_equal(waiting.at, 0);
    assert_int_equal(web_heads(bench.web), 2);
    answer_both(&bench, &under_way, &waiting);
    assert_int_equal(waiting.readied, 2); /* again for the connection that carried it */
    assert_int_equal(web_heads(bench.web), 3);
    assert_int_equal(testhost_dials(bench.host), 1);
    bench_close(&bench);
}

/* One connection has four that are ready: when two are left, it asks for two more. */
static void those_that_wait_ask_for_their_payloads_together(void **state)
{
    struct bench bench;
    struct ask asks[7];
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web.serve = serve_when_told,
                                               .change = &(struct http_settings){.connections = 1}});
    web_go(bench.web);
    ask_once(&bench, "/inbox", "<first/>");
    for (int i = 0; i < 7; i++) {
        asks[i] = ask_of(&bench, "/inbox", "<next/>");
        ask_begin(&asks[i]);
    }
    assert_true(testhost_run_until(bench.host, ask_readied, &asks[4], 60000));
    for (int i = 1; i < 7; i++)
        assert_int_equal(asks[i].readied, i <= 4);
    bench_until(&bench, web_heads, 2);
    web_go(bench.web);
    bench_until(&bench, web_heads, 3);
    assert_int_equal(asks[5].readied + asks[6].readied, 0);
    web_go(bench.web);
    assert_true(testhost_run_until(bench.host, ask_readied, &asks[5], 60000));
    assert_int_equal(asks[6].readied, 1);
    assert_int_equal(asks[3].headed, 0); /* before they were needed */
    for (int i = 0; i < 7; i++) {
        web_go(bench.web);
        ask_wait(&asks[i]);
        ask_expect(&asks[i], HTTP_ANSWERED, "", "");
    }
    bench_close(&bench);
}

static void what_waits_goes_over_another_connection_when_that_one_closes(void **state)
{
    struct bench bench;
    struct ask under_way, waiting;
    (void)state;
    begin_and_wait(&bench, serve_two_when_told, &under_way, &waiting);
    assert_int_equal(waiting.readied, 1);
    answer_both(&bench, &under_way, &waiting);
    assert_int_equal(web_heads(bench.web), 3);
    assert_int_equal(testhost_dials(bench.host), 2);
    bench_close(&bench);
}

static void what_waits_can_be_cancelled_when_it_is_ready(void **state)
{
    struct bench bench;
    struct ask under_way, waiting;
    (void)state;
    begin_and_wait(&bench, serve_when_told, &under_way, &waiting);
    http_cancel(waiting.call, "the test does not want it any more");
    ask_wait(&waiting);
    ask_expect(&waiting, HTTP_CANCELED, "", "");
    web_go(bench.web);
    ask_wait(&under_way);
    ask_expect(&under_way, HTTP_ANSWERED, "", "");
    assert_int_equal(web_heads(bench.web), 2);
    bench_close(&bench);
}

static void a_small_socket_holds_a_head_up_but_breaks_nothing(void **state)
{
    static char body[300000];
    struct bench bench;
    (void)state;
    memset(body, 'b', sizeof body);
    for (int chunked = 0; chunked < 2; chunked++) {
        bench_open(&bench, &(struct bench_setting){.web.serve = serve_back});
        testhost_send_buffer(bench.host, 1);
        for (int i = 0; i < 3; i++) {
            struct ask ask = ask_with(&bench, body, sizeof body, chunked);
            ask_whole(&ask);
            ask_expect(&ask, HTTP_ANSWERED, "", "");
            assert_true(ask.got_sum == sum_of(0, 0, body, sizeof body));
        }
        bench_close(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_answer_takes_little_memory),
        cmocka_unit_test(a_paused_answer_stays_with_the_partner),
        cmocka_unit_test(an_answer_of_any_size_is_whole_though_put_off),
        cmocka_unit_test(a_large_request_takes_little_memory),
        cmocka_unit_test(a_body_may_come_by_and_by),
        cmocka_unit_test(what_waits_asks_for_its_payload_and_sends_nothing),
        cmocka_unit_test(those_that_wait_ask_for_their_payloads_together),
        cmocka_unit_test(what_waits_goes_over_another_connection_when_that_one_closes),
        cmocka_unit_test(what_waits_can_be_cancelled_when_it_is_ready),
        cmocka_unit_test(a_small_socket_holds_a_head_up_but_breaks_nothing),
    };
    fill_pattern();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
