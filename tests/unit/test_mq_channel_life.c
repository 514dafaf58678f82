/* The mq connector's channel once the login is over: closing, deadlines, heartbeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_bench.h"

#include <cmocka.h>

/* ---- brokers ---- */

static void say_nothing(struct web_connection *c)
{
    web_linger(c);
}

static void say_nothing_after_sasl(struct web_connection *c)
{
    if (broker_login(c, BROKER_OFFERS))
        web_linger(c);
}

static void say_nothing_after_the_password(struct web_connection *c)
{
    struct broker_frame init;
    if (broker_mechanisms(c, BROKER_OFFERS, &init))
        web_linger(c);
}

static void hang_up_on_the_password(struct web_connection *c)
{
    struct broker_frame init;
    broker_mechanisms(c, BROKER_OFFERS, &init);
}

static void say_nothing_after_open(struct web_connection *c)
{
    if (broker_welcome(c, BROKER_OFFERS))
        web_linger(c);
}

static void break_off_after_open(struct web_connection *c)
{
    if (broker_welcome(c, BROKER_OFFERS))
        web_reset(c);
}

/* ---- ends that brokers bring about ---- */

static struct {
    const char *condition, *words;
    bool opens; /* before it closes */
} closing;

static void close_with_a_reason(struct web_connection *c)
{
    struct broker_frame open;
    if (!broker_login(c, BROKER_OFFERS) || !broker_header(c, &open))
        return;
    if (closing.opens)
        broker_open(c, 0, 0);
    broker_close(c, closing.condition, closing.words);
    broker_until(c, BROKER_CLOSE, &open);
}

static void a_close_says_whether_to_come_again(void **state)
{
    static const struct {
        const char *condition, *words;
        enum channel_end end;
        const char *rule, *reason;
    } cases[] = {
        {"amqp:connection:forced", "node is going down", CHANNEL_LOST, "mq.connection-forced",
         "node is going down"},
        {"amqp:unauthorized-access", "no vhost", CHANNEL_REFUSED, "mq.unauthorized-access", "no vhost"},
        {"amqp:not-allowed", "\x1b[31m\"x\"", CHANNEL_REFUSED, "mq.not-allowed", "?[31m?x?"},
        {"amqp:not-found", "", CHANNEL_REFUSED, "mq.not-found", "hostname"},
        {"amqp:connection:redirect", "there", CHANNEL_REFUSED, "mq.redirect", "there"},
        {"vendor:thing", "odd", CHANNEL_LOST, "mq.connection-closed", "vendor:thing: odd"},
        {NULL, NULL, CHANNEL_LOST, "mq.connection-closed", "closed the connection;"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        closing.condition = cases[i / 2].condition;
        closing.words = cases[i / 2].words;
        closing.opens = i % 2;
        bench_open(&bench, &(struct bench_setting){.web = {.serve = close_with_a_reason}});
        bench_dial(&bench);
        bench_until(&bench, bench_closed);
        bench_expect(&bench, cases[i / 2].end, cases[i / 2].rule, cases[i / 2].reason);
        bench_close(&bench);
    }
}

static void a_cut_is_a_loss(void **state)
{
    static const struct {
        void (*serve)(struct web_connection *);
        const char *reason;
    } cases[] = {
        {broker_hangs_up, "closed"},
        {break_off_after_open, ""},
        {hang_up_on_the_password, "it may be that it does not take our credentials"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        bench_open(&bench, &(struct bench_setting){.web = {.serve = cases[i].serve}});
        bench_dial(&bench);
        bench_until(&bench, bench_closed);
        bench_expect(&bench, CHANNEL_LOST, "", cases[i].reason);
        bench_close(&bench);
    }
}

static void a_host_that_revokes_ends_it(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = broker_takes_us}});
    bench_dial(&bench);
    testhost_revoke(bench.host);
    bench_until(&bench, bench_closed);
    bench_expect(&bench, CHANNEL_LOST, "", BENCH_NAME);
    bench_close(&bench);
}

/* ---- deadlines ---- */

static bool waits_long(void *arg)
{
    struct bench *bench = arg;
    return testhost_timers(bench->host) == 1 && web_shaken(bench->web) == 1;
}

static void each_step_has_its_deadline(void **state)
{
    static const struct {
        void (*serve)(struct web_connection *);
        const char *steps, *reason;
    } cases[] = {
        {say_nothing, "connect 0;tls 0;authenticate -8;",
         "waited 10000 ms in vain for the broker's SASL mechanisms"},
        {say_nothing_after_the_password, "connect 0;tls 0;authenticate -8;",
         "in vain for the outcome of SASL"},
        {say_nothing_after_sasl, "connect 0;tls 0;authenticate 0;open -8;",
         "in vain for the broker's open frame"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK,
                                                   .web = {.serve = cases[i].serve}});
        bench.channel = channel_open(&bench.set, &bench.owner);
        bench_until(&bench, waits_long);
        assert_true(testhost_within(bench.host, bench_closed, &bench, 60000));
        bench_expect(&bench, CHANNEL_LOST, "mq.timeout", cases[i].reason);
        assert_string_equal(bench.steps, cases[i].steps);
        assert_int_equal(testhost_timers(bench.host), 0);
        bench_close(&bench);
    }
}

/* Without TLS on the other side there is no answer to the first flight. */
static void a_handshake_without_end_ends(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench,
               &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK, .web = {.serve = say_nothing}});
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    testhost_endpoint(bench.host, ntohs(at.sin_port));
    bench.channel = channel_open(&bench.set, &bench.owner);
    assert_true(testhost_within(bench.host, bench_closed, &bench, 60000));
    bench_expect(&bench, CHANNEL_LOST, "mq.timeout", "the TLS handshake");
    close(listener);
    bench_close(&bench);
}

static void a_close_that_is_not_answered_ends_too(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK,
                                               .web = {.serve = say_nothing_after_open},
                                               .heartbeat = -1});
    bench_dial(&bench);
    channel_close(bench.channel, "enough");
    testhost_advance(bench.host, 9000);
    assert_int_equal(bench.closes, 0);
    testhost_advance(bench.host, 2000);
    bench_expect(&bench, CHANNEL_CLOSED, "", "enough");
    bench_close(&bench);
}

/* ---- heartbeats ---- */

static atomic_uint heartbeats;

static void count_heartbeats(struct web_connection *c)
{
    struct broker_frame frame;
    if (!broker_login(c, BROKER_OFFERS) || !broker_header(c, &frame) || !broker_open(c, 0, 4000))
        return;
    while (broker_next(c, &frame) >= 0)
        if (frame.code == BROKER_EMPTY)
            atomic_fetch_add(&heartbeats, 1);
}

static bool three_heartbeats(void *arg)
{
    (void)arg;
    return heartbeats >= 3;
}

static void keeps_the_brokers_idle_time(void **state)
{
    struct bench bench;
    (void)state;
    heartbeats = 0;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK,
                                               .web = {.serve = count_heartbeats},
                                               .heartbeat = -1});
    bench_dial(&bench);
    testhost_advance(bench.host, 1000);
    assert_int_equal(heartbeats, 0);
    testhost_advance(bench.host, 3000);
    testhost_advance(bench.host, 4000);
    testhost_advance(bench.host, 4000);
    bench_until(&bench, three_heartbeats);
    assert_true(heartbeats <= 8);
    assert_int_equal(bench.closes, 0);
    bench_close(&bench);
}

static void a_silent_broker_is_gone(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK,
                                               .web = {.serve = say_nothing_after_open},
                                               .heartbeat = 30000});
    bench_dial(&bench);
    testhost_advance(bench.host, 29000);
    assert_int_equal(bench.closes, 0);
    assert_true(testhost_within(bench.host, bench_closed, &bench, 40000));
    bench_expect(&bench, CHANNEL_LOST, "mq.silent", "not a sign of life for 30000 ms");
    bench_close(&bench);
}

static void beat(struct web_connection *c)
{
    if (broker_welcome(c, BROKER_OFFERS))
        while (web_await(c) && broker_send(c, 0, 0, NULL, 0))
            ;
}

static void a_broker_that_only_beats_is_there(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){
                           .clock = TESTHOST_VIRTUAL_CLOCK, .web = {.serve = beat}, .heartbeat = 30000});
    bench_dial(&bench);
    for (int i = 0; i < 8; i++) {
        web_go(bench.web);
        for (int turn = 0; turn < 20; turn++) /* until it is here */
            testhost_run_until(bench.host, bench_closed, &bench, 1);
        testhost_advance(bench.host, 14000);
        assert_int_equal(bench.closes, 0);
    }
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_close_says_whether_to_come_again),
        cmocka_unit_test(a_cut_is_a_loss),
        cmocka_unit_test(a_host_that_revokes_ends_it),
        cmocka_unit_test(each_step_has_its_deadline),
        cmocka_unit_test(a_handshake_without_end_ends),
        cmocka_unit_test(a_close_that_is_not_answered_ends_too),
        cmocka_unit_test(keeps_the_brokers_idle_time),
        cmocka_unit_test(a_silent_broker_is_gone),
        cmocka_unit_test(a_broker_that_only_beats_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
