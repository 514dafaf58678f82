/* The taxii connector's HTTP client: limits and deadlines, and what partners answer that is not as it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "connectors/taxii/http_headers.h"
#include "http_bench.h"

#include <cmocka.h>

/* ---- an answer, said over and over ---- */

struct said {
    const char *before, *again, *after;
    int times; /* 0: until the client goes */
};

static void serve_said(struct web_connection *c)
{
    const struct said *said = web_arg(c);
    bool good = web_head(c) && web_body(c) && web_say(c, said->before);
    for (int i = 0; good && said->again && (!said->times || i < said->times); i++)
        good = web_say(c, said->again);
    if (good && said->after)
        web_say(c, said->after);
}

static struct ask ask_said(const struct said *said, int64_t answer_limit)
{
    const struct http_settings change = {.answer_limit = answer_limit};
    struct bench bench;
    bench_open(&bench,
               &(struct bench_setting){.change = &change, .web = {.serve = serve_said, .arg = (void *)said}});
    struct ask ask = ask_once(&bench, "/poll", "<poll/>");
    bench_close(&bench);
    return ask;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void heads_have_a_limit(void **state)
{
    static const struct said endless[] = {
        {OK_HEAD "X: y", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", NULL, 0},
        {OK_HEAD, "X-Header: of many\r\n", NULL, 0},
        {OK_HEAD, "X:\r\n", NULL, 0},
        {"", "HTTP/1.1 102 Processing\r\n\r\n", NULL, 0},
        {"", "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", NULL, 0},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: of many\r\n", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        struct ask ask = ask_said(&endless[i], 0);
        if (i == 0) /* libcurl looks at whole lines; it has a limit of its own for one */
            assert_int_equal(ask.end, HTTP_UNCERTAIN);
        else
            ask_expect(&ask, HTTP_UNCERTAIN, "", "the head of the answer is larger than 16384 bytes");
    }
}

static void answers_have_a_limit(void **state)
{
    static const struct said announced = {OK_HEAD "Content-Length: 1001\r\n\r\n", NULL, NULL, 0};
    static const struct said endless = {OK_HEAD "\r\n", "<block/><block/><block/>", NULL, 0};
    static const struct said chunks = {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", NULL, 0};
    static const struct said whole = {OK_HEAD "Content-Length: 1000\r\n\r\n", "0123456789", NULL, 100};
    (void)state;
    struct ask ask = ask_said(&announced, 1000);
    ask_expect(&ask, HTTP_UNCERTAIN, "", "announces more");
    ask = ask_said(&endless, 1000);
    ask_expect(&ask, HTTP_UNCERTAIN, "", "the answer is larger than 1000 bytes");
    assert_true(ask.got_size <= 1000);
    ask = ask_said(&chunks, 1000);
    ask_expect(&ask, HTTP_UNCERTAIN, "", "the answer is larger than 1000 bytes");
    assert_true(ask.got_size <= 1000);
    ask = ask_said(&whole, 1000);
    ask_expect(&ask, HTTP_ANSWERED, "", "");
    assert_int_equal(ask.got_size, 1000);
}

/* ---- compression ---- */

struct packed {
    uint8_t *bytes;
    size_t size;
};

/* `size` bytes of blanks, as gzip. */
static struct packed pack(size_t size)
{
    static uint8_t blanks[65536];
    struct packed packed = {malloc(size / 500 + 4096), 0};
    z_stream z = {.next_out = packed.bytes, .avail_out = (uInt)(size / 500 + 4096)};
    memset(blanks, ' ', sizeof blanks);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16 /* gzip */, 9, Z_DEFAULT_STRATEGY), Z_OK);
    while (size) {
        z.next_in = blanks;
        z.avail_in = size < sizeof blanks ? (uInt)size : (uInt)sizeof blanks;
        size -= z.avail_in;
        deflate(&z, size ? Z_NO_FLUSH : Z_FINISH);
    }
    packed.size = z.total_out;
    deflateEnd(&z);
    return packed;
}

static void serve_packed(struct web_connection *c)
{
    const struct packed *packed = web_arg(c);
    char head[128];
    snprintf(head, sizeof head, OK_HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             packed->size);
    if (web_head(c) && web_body(c) && web_say(c, head) && web_write(c, packed->bytes, packed->size))
        web_linger(c);
}

static void compressed_answers_are_unpacked(void **state)
{
    struct packed packed = pack(3000000);
    struct bench bench;
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_open(&bench, &(struct bench_setting){.web = {.serve = serve_packed, .arg = &packed}});
        struct ask ask = ask_of(&bench, "/poll", "<poll/>");
        ask.pause_each = (unsigned)i;
        ask_whole(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.got_size, 3000000);
        bench_close(&bench);
    }
    free(packed.bytes);
}

static void a_bomb_does_not_go_off(void **state)
{
    const struct http_settings change = {.answer_limit = 2000000};
    struct packed packed = pack((size_t)1 << 30);
    struct bench bench;
    (void)state;
    bench_open(&bench,
               &(struct bench_setting){.change = &change, .web = {.serve = serve_packed, .arg = &packed}});
    assert_true(packed.size < 1100000);
    size_t before = memory_used();
    struct ask ask = ask_once(&bench, "/poll", "<poll/>");
    ask_expect(&ask, HTTP_UNCERTAIN, "", "larger than 2000000 bytes");
    assert_true(ask.got_size <= 2000000);
    assert_true(memory_used() < before + 48 * 1024);
    bench_close(&bench);
    free(packed.bytes);
}

/* ---- not as it should be ---- */

static void nonsense_is_told(void **state)
{
    static const struct {
        struct said said;
        const char *reason;
    } cases[] = {
        {{"<html>hello</html>", NULL, NULL, 0}, "no answer of HTTP/1.1"},
        {{"SSH-2.0-OpenSSH_9.2\r\n", NULL, NULL, 0}, "no answer of HTTP/1.1"},
        {{"HTTP/2 200\r\n\r\n", NULL, NULL, 0}, "no answer of HTTP/1.1"},
        {{"HTTP/1.1 abc\r\n\r\n", NULL, NULL, 0}, "no answer of HTTP/1.1"},
        {{"HTTP/1.1 20", NULL, NULL, 0}, ""},
        {{OK_HEAD "Content-Length: 10\r\n\r\nhalf", NULL, NULL, 0}, "ends before its end"},
        {{OK_HEAD "Content-Length: -1\r\n\r\n", NULL, NULL, 0}, "Invalid Content-Length"},
        {{OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", NULL, NULL, 0}, "ends before its end"},
        {{OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", NULL, NULL, 0}, "chunk"},
        {{OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX", NULL, NULL, 0}, "chunk"},
        {{OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip", NULL, NULL, 0},
         "compression"},
        {{OK_HEAD "Content-Encoding: rot13\r\nContent-Length: 3\r\n\r\nabc", NULL, NULL, 0}, "compression"},
        {{"HTTP/1.1 100 Continue\r\n\r\n", NULL, NULL, 0}, "answered nothing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ask ask = ask_said(&cases[i].said, 0);
        ask_expect(&ask, HTTP_UNCERTAIN, "", cases[i].reason);
    }
}

static void strange_answers_that_are_whole_are_given(void **state)
{
    static const struct {
        struct said said;
        long status;
        const char *got;
        int64_t wait;
    } cases[] = {
        {{"HTTP/1.0 200 OK\r\n\r\nuntil the end", NULL, NULL, 0}, 200, "until the end", 0},
        {{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK_HEAD
          "Content-Length: 2\r\n\r\nok",
          NULL, NULL, 0},
         200,
         "ok",
         0},
        {{"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n", NULL, NULL,
          0},
         302,
         "",
         0},
        {{"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy", NULL, NULL, 0},
         503,
         "busy",
         120000},
        {{"HTTP/1.1 503 Busy\r\nRetry-After: Thu, 01 Jan 2026 00:01:00 GMT\r\nContent-Length: 0\r\n\r\n",
          NULL, NULL, 0},
         503,
         "",
         60000},
        {{"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", NULL, NULL, 0},
         401,
         "",
         0},
        {{"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n", NULL, NULL, 0}, 599, "", 0},
        {{OK_HEAD "Content-Length: 2\r\n\r\nok and more than was said", NULL, NULL, 0}, 200, "ok", 0},
        {{OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2;extension=x\r\nok\r\n0\r\nX-Trailer: y\r\n\r\n", NULL,
          NULL, 0},
         200,
         "ok",
         0},
        {{OK_HEAD "Content-Type: text/plain\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", NULL,
          NULL, 0},
         200,
         "",
         0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ask ask = ask_said(&cases[i].said, 0);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.status, cases[i].status);
        assert_int_equal(ask.head_status, cases[i].status);
        assert_string_equal(ask.got, cases[i].got);
        assert_true(ask.wait >= cases[i].wait - 2000 && ask.wait <= cases[i].wait);
        if (i + 1 == sizeof cases / sizeof *cases)
            assert_string_equal(ask.type, "text/html");
    }
}

/* ---- deadlines ---- */

static void serve_silence(struct web_connection *c)
{
    if (web_head(c) && web_body(c) && web_await(c) && web_say(c, OK_HEAD "Content-Length: 4\r\n\r\nha"))
        web_await(c);
}

static bool has_some(void *arg)
{
    const struct ask *ask = arg;
    return ask->got_size > 0;
}

static void silence_is_not_waited_out(void **state)
{
    struct bench bench;
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_open(&bench,
                   &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK, .web.serve = serve_silence});
        struct ask ask = ask_of(&bench, "/poll", "<poll/>");
        ask_begin(&ask);
        bench_until(&bench, web_heads, 1);
        testhost_advance(bench.host, 15000);
        if (i == 1) {
            web_go(bench.web);
            assert_true(testhost_run_until(bench.host, has_some, &ask, 20000));
            testhost_advance(bench.host, 15000); /* since then it is less */
        }
        assert_int_equal(ask.ended, 0);
        testhost_advance(bench.host, 20000);
        ask_expect(&ask, HTTP_UNCERTAIN, "",
                   i ? "waited 20 s in vain for the rest of the answer"
                     : "waited 20 s in vain for an answer");
        assert_int_equal(testhost_sessions(bench.host), 0);
        bench_close(&bench);
    }
}

static void serve_head_only(struct web_connection *c)
{
    if (web_head(c))
        web_await(c);
}

static void a_partner_that_does_not_read_is_silent(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench,
               &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK, .web.serve = serve_head_only});
    struct ask ask = ask_of(&bench, "/inbox", "");
    ask.made = ask.request.size = INT64_C(64) << 20;
    ask_begin(&ask);
    bench_until(&bench, web_heads, 1);
    for (int i = 0; i < 200; i++)
        testhost_turn(bench.host);
    testhost_advance(bench.host, 20000);
    testhost_advance(bench.host, 20000);
    ask_expect(&ask, HTTP_LOST, "", "waited 20 s in vain");
    bench_close(&bench);
}

static void serve_drops(struct web_connection *c)
{
    bool good = web_head(c) && web_body(c) && web_say(c, OK_HEAD "Content-Length: 400\r\n\r\n");
    for (int i = 0; i < 300 && good; i++)
        good = web_await(c) && web_say(c, ".");
}

static int64_t drops_awaited;

static bool so_many(void *arg)
{
    const struct ask *ask = arg;
    return ask->ended || ask->got_size >= drops_awaited;
}

static void drops_are_not_silence_but_have_an_end(void **state)
{
    const struct http_settings change = {.whole = 3600000};
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){
                           .clock = TESTHOST_VIRTUAL_CLOCK, .web.serve = serve_drops, .change = &change});
    struct ask ask = ask_of(&bench, "/poll", "<poll/>");
    ask_begin(&ask);
    bench_until(&bench, web_heads, 1);
    for (drops_awaited = 1; !ask.ended && drops_awaited < 300; drops_awaited++) {
        web_go(bench.web);
        assert_true(testhost_run_until(bench.host, so_many, &ask, 20000));
        testhost_advance(bench.host, 19000);
    }
    ask_expect(&ask, HTTP_UNCERTAIN, "", "waited 3600 s in vain");
    assert_true(ask.got_size > 180);
    bench_close(&bench);
}

static void our_own_waiting_is_no_silence(void **state)
{
    struct bench bench;
    (void)state;
    for (int i = 0; i < 2; i++) {
        bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK});
        struct ask ask = ask_of(&bench, "/poll", "<poll/>");
        ask.holds = i == 0;
        ask.pauses = i == 1;
        ask_begin(&ask);
        bench_until(&bench, web_heads, 1);
        for (int j = 0; j < 100; j++) {
            testhost_turn(bench.host);
            testhost_advance(bench.host, i && !ask.headed ? 0 : 7000);
        }
        assert_int_equal(ask.ended, 0);
        ask.holds = ask.pauses = false;
        http_go_on(ask.call);
        ask_wait(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_string_equal(ask.got, "fine");
        bench_close(&bench);
    }
}

/* ---- what we read ourselves ---- */

static void retry_after_is_read(void **state)
{
    const int64_t now = INT64_C(784111777) * 1000000; /* Sun, 06 Nov 1994 08:49:37 GMT */
    (void)state;
    assert_int_equal(http_retry_after(NULL, now), 0);
    assert_int_equal(http_retry_after("", now), 0);
    assert_int_equal(http_retry_after("0", now), 0);
    assert_int_equal(http_retry_after("7", now), 7000);
    assert_int_equal(http_retry_after(" 7 ", now), 7000);
    assert_int_equal(http_retry_after("-7", now), 0);
    assert_int_equal(http_retry_after("7s", now), 0);
    assert_int_equal(http_retry_after("99999999999999999999999999", now), HTTP_WAIT_MAX);
    assert_int_equal(http_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), 10000);
    assert_int_equal(http_retry_after("Sunday, 06-Nov-94 08:49:47 GMT", now), 10000);
    assert_int_equal(http_retry_after("Sun Nov  6 08:49:47 1994", now), 10000);
    assert_int_equal(http_retry_after("Sun, 06 Nov 1994 08:49:27 GMT", now), 0); /* past */
    assert_int_equal(http_retry_after("Sun, 06 Nov 2994 08:49:27 GMT", now), HTTP_WAIT_MAX);
    assert_int_equal(http_retry_after("Sun, 36 Nov 1994 08:49:47 GMT", now), 0);
    assert_int_equal(http_retry_after("Sun, 06 Foo 1994 08:49:47 GMT", now), 0);
    assert_int_equal(http_retry_after("Sun, 06 Nov 1994 08:49:47", now), 0);
    assert_int_equal(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(http_date("Thu, 01 Jan 1970 -1:00:00 GMT"), -1);
}

static void content_types_are_compared(void **state)
{
    (void)state;
    assert_true(http_is_type("application/xml", "application/xml"));
    assert_true(http_is_type(" Application/XML ; charset=utf-8", "application/xml"));
    assert_false(http_is_type("application/xmlx", "application/xml"));
    assert_false(http_is_type("application", "application/xml"));
    assert_false(http_is_type("", "application/xml"));
    assert_false(http_is_type(NULL, "application/xml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_have_a_limit),
        cmocka_unit_test(answers_have_a_limit),
        cmocka_unit_test(compressed_answers_are_unpacked),
        cmocka_unit_test(a_bomb_does_not_go_off),
        cmocka_unit_test(nonsense_is_told),
        cmocka_unit_test(strange_answers_that_are_whole_are_given),
        cmocka_unit_test(silence_is_not_waited_out),
        cmocka_unit_test(a_partner_that_does_not_read_is_silent),
        cmocka_unit_test(drops_are_not_silence_but_have_an_end),
        cmocka_unit_test(our_own_waiting_is_no_silence),
        cmocka_unit_test(retry_after_is_read),
        cmocka_unit_test(content_types_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
