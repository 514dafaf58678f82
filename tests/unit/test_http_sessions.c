/* The taxii connector's HTTP client: what is judged before anything leaves, and what TLS says. */
#include <accord/testkit/peer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http_bench.h"

#include <cmocka.h>

/* ---- verdicts ---- */

static void a_verdict_against_us_lets_nothing_leave(void **state)
{
    static const struct {
        enum accord_stage stage;
        enum accord_answer answer;
        enum http_end end;
        const char *steps;
    } cases[] = {
        {ACCORD_HANDSHAKE, ACCORD_DENY, HTTP_REFUSED, "connect 0;tls 0;tls -4;"},
        {ACCORD_HANDSHAKE, ACCORD_DEFER, HTTP_LOST, "connect 0;tls 0;tls -4;"},
        {ACCORD_AUTHENTICATED, ACCORD_DENY, HTTP_REFUSED, "connect 0;tls 0;authenticate -4;"},
        {ACCORD_AUTHENTICATED, ACCORD_DEFER, HTTP_LOST, "connect 0;tls 0;authenticate -4;"},
    };
    struct bench bench;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_open(&bench, &(struct bench_setting){0});
        testhost_verdict(bench.host, cases[i].stage, cases[i].answer, "encryption.rule", "it is not allowed");
        struct ask ask = ask_once(&bench, "/inbox", "<x/>");
        ask_expect(&ask, cases[i].end, "encryption.rule", "it is not allowed");
        assert_string_equal(ask.steps, cases[i].steps);
        assert_int_equal(ask.readied, 0);
        assert_int_equal(testhost_sessions(bench.host), 0);
        bench_until(&bench, web_shaken, 1);
        assert_int_equal(web_heads(bench.web), 0);
        bench_close(&bench);
    }
}

static bool judged_twice(void *host)
{
    return testhost_calls(host, TESTHOST_REPORT) == 2;
}

static void nothing_leaves_while_verdicts_are_awaited(void **state)
{
    struct bench bench;
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        bench_open(&bench, &(struct bench_setting){0});
        testhost_hold_verdicts(bench.host, true);
        struct ask ask = ask_of(&bench, "/inbox", "<x/>");
        ask.request.size = chunked ? -1 : ask.request.size;
        ask_begin(&ask);
        bench_until(&bench, web_shaken, 1);
        for (int i = 0; i < 50; i++)
            testhost_turn(bench.host);
        assert_int_equal(testhost_calls(bench.host, TESTHOST_REPORT), 1);
        testhost_hold_verdicts(bench.host, false);
        assert_true(testhost_run_until(bench.host, judged_twice, bench.host, 10000));
        testhost_hold_verdicts(bench.host, true); /* the first was given, the second is held */
        for (int i = 0; i < 50; i++)
            testhost_turn(bench.host);
        assert_int_equal(ask.readied, 0);
        assert_int_equal(web_heads(bench.web), 0);
        testhost_hold_verdicts(bench.host, false);
        ask_wait(&ask);
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        bench_close(&bench);
    }
}

static void an_empty_body_waits_too(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){0});
    for (int i = 0; i < 2; i++) {
        struct ask ask = ask_once(&bench, "/inbox", "");
        ask_expect(&ask, HTTP_ANSWERED, "", "");
        assert_int_equal(ask.readied, 1);
    }
    bench_close(&bench);
}

/* ---- what TLS says ---- */

static struct ask ask_with(const struct bench_setting *setting)
{
    struct bench bench;
    bench_open(&bench, setting);
    struct ask ask = ask_once(&bench, "/inbox", "<x/>");
    assert_int_equal(testhost_sessions(bench.host), 0);
    bench_close(&bench);
    return ask;
}

static void another_name_is_refused(void **state)
{
    (void)state;
    struct ask ask = ask_with(&(struct bench_setting){.host = "other.example"});
    ask_expect(&ask, HTTP_REFUSED, "tls.name", "other.example");
    assert_string_equal(ask.steps, "connect 0;tls -8;");
}

static void an_old_version_is_refused(void **state)
{
    (void)state;
    struct ask ask = ask_with(&(struct bench_setting){
        .web = {.least = TLS1_VERSION, .most = TLS1_1_VERSION, .ciphers = "DEFAULT:@SECLEVEL=0"}});
    ask_expect(&ask, HTTP_REFUSED, "tls.version", "TLS 1.");
}

static void a_certificate_of_ours_that_is_not_taken_parks_the_link(void **state)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct web_wish web = {.insists = true, .most = versions[i]};
        struct ask ask = ask_with(&(struct bench_setting){.stranger = true, .web = web});
        ask_expect(&ask, HTTP_REFUSED, "tls.client-certificate", "refuses our certificate");
        ask = ask_with(&(struct bench_setting){.web = web});
        ask_expect(&ask, HTTP_REFUSED, "tls.client-certificate", "the link has none");
    }
}

static void a_late_alert_is_seen_though_a_large_body_cannot_leave(void **state)
{
    struct bench bench;
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        bench_open(&bench, &(struct bench_setting){.stranger = true, .web = {.insists = true}});
        struct ask ask = ask_of(&bench, "/inbox", "");
        ask.made = INT64_C(24) << 20;
        ask.request.size = chunked ? -1 : ask.made;
        ask_whole(&ask);
        ask_expect(&ask, HTTP_REFUSED, "tls.client-certificate", "refuses our certificate");
        assert_string_equal(ask.steps, "connect 0;tls 0;authenticate -8;");
        bench_close(&bench);
    }
}

/* ---- no TLS at all ---- */

static void what_is_no_tls_ends_soon(void **state)
{
    static const struct testpeer_step http[] = {TESTPEER_SENDS("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                                {TESTPEER_EOF, NULL, 0, 0},
                                                {TESTPEER_END, NULL, 0, 0}};
    static const struct testpeer_step closes[] = {{TESTPEER_CLOSE, NULL, 0, 0}, {TESTPEER_END, NULL, 0, 0}};
    const struct testpeer_step *const scripts[] = {http, closes};
    struct bench bench;
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct testpeer *peer = testpeer_new(scripts[i]);
        bench_open(&bench, &(struct bench_setting){0});
        testhost_endpoint(bench.host, testpeer_port(peer));
        struct ask ask = ask_once(&bench, "/inbox", "<x/>");
        assert_int_equal(ask.end, HTTP_LOST);
        assert_non_null(strstr(ask.reason, BENCH_NAME));
        assert_string_equal(ask.steps, "connect 0;tls -8;");
        bench_close(&bench);
        testpeer_free(peer);
    }
}

static void a_partner_that_does_not_shake_hands_is_given_up(void **state)
{
    static const struct testpeer_step stalls[] = {{TESTPEER_STALL, NULL, 0, 0}, {TESTPEER_END, NULL, 0, 0}};
    struct testpeer *peer = testpeer_new(stalls);
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK});
    testhost_endpoint(bench.host, testpeer_port(peer));
    struct ask ask = ask_of(&bench, "/inbox", "<x/>");
    ask_begin(&ask);
    testhost_advance(bench.host, 9999);
    assert_int_equal(ask.ended, 0);
    testhost_advance(bench.host, 1);
    ask_expect(&ask, HTTP_LOST, "", "waited 10 s in vain for the TLS handshake");
    assert_string_equal(ask.steps, "connect 0;tls -10;");
    bench_close(&bench);
    testpeer_free(peer);
}

static void a_verdict_is_not_awaited_for_ever(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct bench_setting){.clock = TESTHOST_VIRTUAL_CLOCK});
    testhost_hold_verdicts(bench.host, true);
    struct ask ask = ask_of(&bench, "/inbox", "<x/>");
    ask_begin(&ask);
    bench_until(&bench, web_shaken, 1);
    testhost_turn(bench.host);
    testhost_advance(bench.host, 10000);
    ask_expect(&ask, HTTP_LOST, "", "waited 10 s in vain for the verdict on the handshake");
    assert_int_equal(web_heads(bench.web), 0);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_against_us_lets_nothing_leave),
        cmocka_unit_test(nothing_leaves_while_verdicts_are_awaited),
        cmocka_unit_test(an_empty_body_waits_too),
        cmocka_unit_test(another_name_is_refused),
        cmocka_unit_test(an_old_version_is_refused),
        cmocka_unit_test(a_certificate_of_ours_that_is_not_taken_parks_the_link),
        cmocka_unit_test(a_late_alert_is_seen_though_a_large_body_cannot_leave),
        cmocka_unit_test(what_is_no_tls_ends_soon),
        cmocka_unit_test(a_partner_that_does_not_shake_hands_is_given_up),
        cmocka_unit_test(a_verdict_is_not_awaited_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
