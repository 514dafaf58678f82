/* The mq connector's channel against brokers that do wrong, and who may free what when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>

#include "channel_bench.h"

#include <cmocka.h>

/* ---- what is not AMQP, or not as it should be ---- */

static struct {
    const void *bytes;
    size_t size;
    unsigned times;
} wrong;

static void say_wrong_first(struct web_connection *c)
{
    web_write(c, wrong.bytes, wrong.size);
    web_linger(c);
}

static void say_wrong_in_sasl(struct web_connection *c)
{
    uint8_t header[8];
    broker_read(c, header, 8);
    web_write(c, "AMQP\3\1\0\0", 8);
    web_write(c, wrong.bytes, wrong.size);
    web_linger(c);
}

static void say_wrong_after_sasl(struct web_connection *c)
{
    uint8_t header[8];
    if (broker_login(c, BROKER_OFFERS) && broker_read(c, header, 8))
        web_write(c, wrong.bytes, wrong.size);
    web_linger(c);
}

static void say_wrong_after_open(struct web_connection *c)
{
    if (broker_welcome(c, BROKER_OFFERS))
        for (unsigned i = 0; i < wrong.times; i++)
            if (!web_write(c, wrong.bytes, wrong.size))
                break;
    web_linger(c);
}

#define BYTES(text) text, sizeof(text) - 1

static void what_is_no_amqp_is_told_apart(void **state)
{
    static const struct {
        void (*serve)(struct web_connection *);
        const char *bytes;
        size_t size;
        enum channel_end end;
        const char *rule, *reason;
    } cases[] = {
        {say_wrong_first, BYTES("HTTP/1.1 400 Bad Request\r\n"), CHANNEL_REFUSED, "mq.protocol",
         "does not speak AMQP"},
        {say_wrong_first, BYTES("AMQP\0\0\x09\x01"), CHANNEL_REFUSED, "mq.protocol",
         "AMQP 0-9-1 and not 1.0"},
        {say_wrong_first, BYTES("AMQP\0\1\0\0"), CHANNEL_REFUSED, "mq.protocol", "no authentication"},
        {say_wrong_first, BYTES("AMQP\2\1\0\0"), CHANNEL_REFUSED, "mq.protocol", "TLS to be started inside"},
        {say_wrong_in_sasl, BYTES("\0\0\0\x08\2\0\0\0"), CHANNEL_LOST, "mq.protocol", "another kind"},
        {say_wrong_in_sasl, BYTES("\0\1\0\0\2\1\0\0"), CHANNEL_LOST, "mq.protocol", "too large"},
        {say_wrong_in_sasl, BYTES("\0\0\0\x04\2\1\0\0"), CHANNEL_LOST, "mq.protocol", "sizes are wrong"},
        {say_wrong_in_sasl, BYTES("\0\0\0\x09\2\1\0\0x"), CHANNEL_LOST, "mq.protocol", "that is none"},
        {say_wrong_in_sasl, BYTES("\0\0\0\x10\2\1\0\0\0\x53\x44\xc0\3\1\x50\0"), CHANNEL_LOST, "mq.protocol",
         "out of turn"},
        {say_wrong_in_sasl, BYTES("\0\0\0\x0c\2\1\0\0\0\x53\x42\x45"), CHANNEL_LOST, "mq.protocol",
         "more than"},
        {say_wrong_in_sasl, BYTES("\0\0\0\x14\2\1\0\0\0\x53\x40\xc0\7\1\xe0\4\x7f\xa3\1P"), CHANNEL_LOST,
         "mq.protocol", "cannot be decoded"},
        {say_wrong_after_sasl, BYTES("AMQP\0\0\x09\x01"), CHANNEL_LOST, "mq.framing-error", ""},
        {say_wrong_after_sasl, BYTES("HTTP/1.1 400 Bad Request\r\n"), CHANNEL_LOST, "mq.framing-error", ""},
        {say_wrong_after_open, BYTES("\0\0\0\4\2\0\0\0"), CHANNEL_LOST, "mq.framing-error", ""},
        {say_wrong_after_open, BYTES("\0\1\0\1\2\0\0\0"), CHANNEL_LOST, "mq.framing-error", ""},
        {say_wrong_after_open, BYTES("\x7f\xff\xff\xff\2\0\0\0"), CHANNEL_LOST, "mq.framing-error", ""},
        {say_wrong_after_open, BYTES("\0\0\0\x0f\2\0\0\0\0\x53\x18\xc0\xff\1\x45"), CHANNEL_LOST,
         "mq.framing-error", ""},
        {say_wrong_after_open, BYTES("\0\0\0\x0c\2\0\0\7\0\x53\x14\x45"), CHANNEL_LOST, "mq.framing-error",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        wrong.bytes = cases[i].bytes;
        wrong.size = cases[i].size;
        wrong.times = 1;
        bench_open(&bench, &(struct bench_setting){.web = {.serve = cases[i].serve}});
        bench_dial(&bench);
        bench_until(&bench, bench_closed);
        bench_expect(&bench, cases[i].end, cases[i].rule, cases[i].reason);
        bench_close(&bench);
    }
}

static void begin_unasked(struct web_connection *c)
{
    if (broker_welcome(c, BROKER_OFFERS))
        for (int i = 0; i < 100 && broker_begin(c, -1); i++)
            ;
    web_linger(c);
}

static void sessions_that_nobody_asked_for_end_it(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = begin_unasked}});
    bench_dial(&bench);
    bench_until(&bench, bench_closed);
    bench_expect(&bench, CHANNEL_LOST, "mq.protocol", "a session that nobody asked for");
    bench_close(&bench);
}

static void flood(struct web_connection *c)
{
    static const uint8_t empty[8 * 1024] = {0};
    static uint8_t frames[sizeof empty];
    struct broker_frame frame;
    for (size_t i = 0; i < sizeof frames; i += 8)
        memcpy(frames + i, "\0\0\0\x08\2\0\0\0", 8);
    if (!broker_welcome(c, BROKER_OFFERS))
        return;
    for (int i = 0; i < 200; i++)
        web_write(c, frames, sizeof frames);
    broker_close(c, NULL, NULL);
    broker_until(c, BROKER_CLOSE, &frame);
}

static void empty_frames_without_end_are_borne(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = flood}});
    bench_dial(&bench);
    bench_until(&bench, bench_closed);
    bench_expect(&bench, CHANNEL_LOST, "mq.connection-closed", "");
    bench_close(&bench);
}

/* ---- a broker that does not read ---- */

#define MESSAGE  65536
#define MESSAGES 64

static struct {
    pn_link_t *link;
    unsigned sent;
    size_t most; /* of the backlog */
} sending;

static atomic_size_t transferred;

/* attach of a receiver with handle 0, and credit */
static void read_late(struct web_connection *c)
{
    static const uint8_t attach[] = {0,    0x53, 0x12, 0xc0, 16,   7,    0xa1, 1,    's',  0x43, 0x41,
                                     0x40, 0x40, 0,    0x53, 0x28, 0x45, 0,    0x53, 0x29, 0x45};
    static const char flow[] =
        "\0\x53\x13\xc0\x14\7\x43\x70\0\0\x08\0\x43\x70\0\0\x08\0\x43\x43\x70\0\0\x08\0";
    struct broker_frame frame;
    if (!broker_welcome(c, BROKER_OFFERS) || !broker_until(c, BROKER_BEGIN, &frame) || !broker_begin(c, 0) ||
        !broker_until(c, BROKER_ATTACH, &frame))
        return;
    broker_send(c, 0, 0, attach, sizeof attach);
    broker_send(c, 0, 0, flow, sizeof flow - 1);
    web_await(c);
    while (broker_next(c, &frame) >= 0 && frame.code != BROKER_CLOSE)
        if (frame.code == BROKER_TRANSFER)
            atomic_fetch_add(&transferred, frame.size);
    broker_close(c, NULL, NULL);
    web_linger(c);
}

static void begin_sending(struct bench *bench)
{
    pn_session_t *session = pn_session(channel_connection(bench->channel));
    pn_session_open(session);
    sending.link = pn_sender(session, "s");
    pn_link_open(sending.link);
}

static void send_on(struct bench *bench, pn_event_t *event)
{
    static char bytes[MESSAGE];
    (void)event;
    while (sending.link && sending.sent < MESSAGES && pn_link_credit(sending.link) > 0 &&
           channel_backlog(bench->channel) < 4 * MESSAGE) {
        pn_delivery(sending.link, pn_dtag((const char *)&sending.sent, sizeof sending.sent));
        assert_int_equal(pn_link_send(sending.link, bytes, sizeof bytes), sizeof bytes);
        pn_link_advance(sending.link);
        sending.sent++;
    }
    size_t backlog = channel_backlog(bench->channel);
    sending.most = backlog > sending.most ? backlog : sending.most;
}

static bool is_stuck(void *arg)
{
    struct bench *bench = arg;
    static unsigned sent, same;
    same = sending.sent == sent ? same + 1 : 0;
    sent = sending.sent;
    return sent > 0 && same > 20 && channel_backlog(bench->channel) >= 4 * MESSAGE;
}

static bool all_are_there(void *arg)
{
    (void)arg;
    return transferred >= (size_t)MESSAGE * MESSAGES;
}

static void a_broker_that_does_not_read_holds_the_sender_up(void **state)
{
    struct bench bench;
    (void)state;
    memset(&sending, 0, sizeof sending);
    transferred = 0;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = read_late}});
    testhost_send_buffer(bench.host, 16384);
    bench.opened = begin_sending;
    bench.event = send_on;
    bench_dial(&bench);
    bench_until(&bench, is_stuck);
    assert_true(sending.sent < MESSAGES);
    assert_true(sending.most <= 6 * MESSAGE);
    assert_int_equal(transferred, 0);
    web_go(bench.web);
    bench_until(&bench, all_are_there);
    assert_int_equal(sending.sent, MESSAGES);
    channel_close(bench.channel, "done");
    bench_until(&bench, bench_closed);
    bench_expect(&bench, CHANNEL_CLOSED, "", "done");
    bench_close(&bench);
}

/* ---- who frees what when ---- */

static bool gone(void *arg)
{
    const struct bench *bench = arg;
    return !bench->channel && testhost_sessions(bench->host) == 0;
}

static void may_be_freed_in_each_call(void **state)
{
    static const char *const steps[] = {"connect", "tls", "authenticate", "open"};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct bench bench;
        bench_open(&bench,
                   &(struct bench_setting){.web = {.serve = i == 5 ? broker_hangs_up : broker_takes_us}});
        bench.at_step = i < 4 ? steps[i] : NULL;
        bench.free_step = i < 4;
        bench.free_opened = i == 4;
        bench.free_closed = i == 5;
        bench.channel = channel_open(&bench.set, &bench.owner);
        bench_until(&bench, gone);
        assert_int_equal(bench.closes, i == 5);
        assert_int_equal(testhost_timers(bench.host), 0);
        bench_close(&bench);
    }
}

static void may_be_freed_in_an_event(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = read_late}});
    bench.opened = begin_sending;
    bench.free_event = true;
    bench.channel = channel_open(&bench.set, &bench.owner);
    bench_until(&bench, gone);
    assert_int_equal(bench.events, 1);
    bench_close(&bench);
}

static void may_be_closed_in_each_call(void **state)
{
    static const char *const steps[] = {"connect", "tls", "authenticate", "open"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct bench bench;
        bench_open(&bench, &(struct bench_setting){.web = {.serve = broker_takes_us}});
        bench.at_step = i < 4 ? steps[i] : NULL;
        bench.close_step = i < 4;
        bench.close_opened = i == 4;
        bench.channel = channel_open(&bench.set, &bench.owner);
        bench_until(&bench, bench_closed);
        bench_expect(&bench, CHANNEL_CLOSED, "", "the test has enough");
        bench_close(&bench);
    }
}

static void closing_while_it_dials_waits_for_the_dial(void **state)
{
    struct bench bench;
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        bench_open(&bench, &(struct bench_setting){.web = {.serve = broker_takes_us}});
        if (fails)
            testhost_fail_dials(bench.host, 1, "nobody is there");
        bench.channel = channel_open(&bench.set, &bench.owner);
        channel_close(bench.channel, "not wanted");
        channel_wake(bench.channel);
        assert_int_equal(bench.closes, 0);
        bench_until(&bench, bench_closed);
        bench_expect(&bench, CHANNEL_CLOSED, "", "not wanted");
        assert_string_equal(bench.steps, "");
        bench_close(&bench);
    }
}

/* The plugin's `close` frees it at any moment. */
static void may_be_freed_at_any_turn(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        struct bench bench;
        bench_open(&bench,
                   &(struct bench_setting){.web = {.serve = broker_takes_us}, .asks = true, .shows = true});
        bench.opened = begin_sending;
        bench.channel = channel_open(&bench.set, &bench.owner);
        for (int i = 0; i < turns && bench.opens == 0; i++)
            testhost_run_until(bench.host, bench_settled, &bench, 1);
        bench_close(&bench);
        assert_int_equal(bench.closes, 0);
    }
}

/* ---- a host that fails ---- */

static void what_the_host_cannot_do_ends_it_once(void **state)
{
    static const enum testhost_call calls[] = {TESTHOST_TIMER,  TESTHOST_WATCH,  TESTHOST_DIALED,
                                               TESTHOST_REPORT, TESTHOST_SECRET, TESTHOST_TIMER};
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (unsigned n = 1; n < 20; n++) {
            struct bench bench;
            bench_open(&bench, &(struct bench_setting){
                                   .web = {.serve = broker_takes_us}, .asks = true, .shows = true});
            testhost_fail(bench.host, calls[i], n);
            bench_dial(&bench);
            bool opened = bench.opens > 0;
            if (opened && !bench.closes)
                channel_close(bench.channel, "enough");
            bench_until(&bench, bench_closed);
            bool failed = testhost_calls(bench.host, calls[i]) >= n;
            bench_close(&bench);
            assert_true(failed || opened);
            if (!failed)
                break;
        }
}

static void no_dial_is_no_channel(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.web = {.serve = broker_takes_us}});
    testhost_fail(bench.host, TESTHOST_DIAL, 1);
    assert_null(channel_open(&bench.set, &bench.owner));
    testhost_fail_dials(bench.host, 1, "nobody is there");
    bench_dial(&bench);
    bench_expect(&bench, CHANNEL_LOST, "", "mq.example: nobody is there");
    assert_string_equal(bench.steps, "connect -8;");
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_amqp_is_told_apart),
        cmocka_unit_test(sessions_that_nobody_asked_for_end_it),
        cmocka_unit_test(empty_frames_without_end_are_borne),
        cmocka_unit_test(a_broker_that_does_not_read_holds_the_sender_up),
        cmocka_unit_test(may_be_freed_in_each_call),
        cmocka_unit_test(may_be_freed_in_an_event),
        cmocka_unit_test(may_be_closed_in_each_call),
        cmocka_unit_test(closing_while_it_dials_waits_for_the_dial),
        cmocka_unit_test(may_be_freed_at_any_turn),
        cmocka_unit_test(what_the_host_cannot_do_ends_it_once),
        cmocka_unit_test(no_dial_is_no_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
