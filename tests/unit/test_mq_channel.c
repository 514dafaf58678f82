/* The mq connector's channel: from the dial to the broker's open frame, and what is judged before anything leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <accord/testkit/peer.h>

#include "channel_bench.h"

#include <cmocka.h>

/* ---- a broker that takes us ---- */

static struct {
    const char *offers;
    atomic_uint headers; /* of SASL that came */
    struct broker_frame init, open;
} heard;

static void take_us(struct web_connection *c)
{
    struct broker_frame frame;
    if (broker_mechanisms(c, heard.offers, &heard.init) && broker_outcome(c, 0) &&
        broker_header(c, &heard.open) && broker_open(c, 0, 0) && broker_until(c, BROKER_CLOSE, &frame))
        broker_close(c, NULL, NULL);
    web_linger(c);
}

static void opens_and_closes(void **state)
{
    struct bench bench;
    (void)state;
    heard.offers = "ANONYMOUS,PLAIN";
    bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us}, .hostname = "vhost:cbp"});
    bench_dial(&bench);
    assert_string_equal(bench.steps, "connect 0;tls 0;authenticate 0;open 0;");
    assert_int_equal(bench.opens, 1);
    assert_true(broker_has(&heard.init, "PLAIN"));
    assert_non_null(memmem(heard.init.bytes, heard.init.size, "\0filer\0top secret\xa1", 18));
    assert_true(broker_has(&heard.open, "accord"));
    assert_true(broker_has(&heard.open, "vhost:cbp"));
    assert_string_equal(testhost_fact(bench.host, "sasl.mechanism"), "PLAIN");
    assert_string_equal(testhost_fact(bench.host, "sasl.offered"), "ANONYMOUS,PLAIN");
    assert_string_equal(testhost_fact(bench.host, "tls.version"), "1.3");
    assert_string_equal(testhost_fact(bench.host, "tls.identity"), BENCH_NAME);
    channel_close(bench.channel, "enough");
    assert_int_equal(bench.closes, 0);
    bench_until(&bench, bench_closed);
    bench_expect(&bench, CHANNEL_CLOSED, "", "enough");
    assert_int_equal(testhost_sessions(bench.host), 0);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
