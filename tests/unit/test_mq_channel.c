/* The mq connector's channel: from the dial to the broker's open frame, and what is judged before anything leaves. */
#include <accord/testkit/peer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "channel_bench.h"

#include <cmocka.h>

/* ---- brokers ---- */

/* What the broker does, and what it was told; one connection at a time. */
static struct {
    const char *offers;
    int outcome;
    atomic_uint bytes; /* that came before anything was said */
    atomic_uint inits, opens;
    struct broker_frame init, open;
} heard;

static void expect_broker(const char *offers, int outcome)
{
    memset(&heard, 0, sizeof heard);
    heard.offers = offers;
    heard.outcome = outcome;
}

static void take_us(struct web_connection *c)
{
    struct broker_frame frame;
    if (broker_mechanisms(c, heard.offers, &heard.init)) {
        atomic_fetch_add(&heard.inits, 1);
        broker_outcome(c, heard.outcome);
    }
    if (heard.init.code == BROKER_INIT && broker_header(c, &heard.open)) {
        atomic_fetch_add(&heard.opens, 1);
        if (broker_open(c, 0, 0) && broker_until(c, BROKER_CLOSE, &frame))
            broker_close(c, NULL, NULL);
    }
    web_linger(c);
}

static void only_listen(struct web_connection *c)
{
    uint8_t byte;
    while (broker_read(c, &byte, 1))
        atomic_fetch_add(&heard.bytes, 1);
}

static bool has(const struct broker_frame *frame, const void *bytes, size_t size)
{
    return memmem(frame->bytes, frame->size, bytes, size) != NULL;
}

/* ---- the whole way ---- */

static void opens_and_closes(void **state)
{
    struct bench bench;
    (void)state;
    expect_broker("ANONYMOUS,PLAIN", 0);
    bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us}, .hostname = "vhost:cbp"});
    bench_dial(&bench);
    assert_string_equal(bench.steps, "connect 0;tls 0;authenticate 0;open 0;");
    assert_int_equal(bench.opens, 1);
    assert_true(broker_has(&heard.open, "accord"));
    assert_true(broker_has(&heard.open, "vhost:cbp"));
    assert_string_equal(testhost_fact(bench.host, "sasl.offered"), "ANONYMOUS,PLAIN");
    assert_string_equal(testhost_fact(bench.host, "tls.identity"), BENCH_NAME);
    channel_close(bench.channel, "enough");
    channel_close(bench.channel, "once more");
    assert_int_equal(bench.closes, 0);
    bench_until(&bench, bench_closed);
    bench_expect(&bench, CHANNEL_CLOSED, "", "enough");
    assert_int_equal(testhost_sessions(bench.host), 0);
    channel_wake(bench.channel);
    channel_close(bench.channel, "too late");
    bench_close(&bench);
}

/* Each version of TLS with each mechanism, and each with each verdict. */
static const struct way {
    const char *mechanism; /* of the link */
    const char *allowed;   /* by the profile */
    const char *used;
    bool shows;
    const char *response;
    size_t size;
} ways[] = {
    {"PLAIN", "EXTERNAL,PLAIN", "PLAIN", false, "PLAIN\xb0\0\0\0\x11\0filer\0" BENCH_PASSWORD "\xa1", 28},
    {NULL, "EXTERNAL,PLAIN", "PLAIN", false, "PLAIN\xb0\0\0\0\x11\0filer\0" BENCH_PASSWORD "\xa1", 28},
    {"EXTERNAL", "EXTERNAL,PLAIN", "EXTERNAL", true, "EXTERNAL\xb0\0\0\0\0\xa1", 14},
    {NULL, "EXTERNAL,PLAIN", "EXTERNAL", true, "EXTERNAL\xb0\0\0\0\0\xa1", 14},
    {NULL, "PLAIN,EXTERNAL", "PLAIN", true, "PLAIN\xb0\0\0\0\x11\0filer\0" BENCH_PASSWORD "\xa1", 28},
    {"ANONYMOUS", "PLAIN,ANONYMOUS", "ANONYMOUS", false, "ANONYMOUS\xb0\0\0\0\0\xa1", 15},
};

static void one_way(const struct way *way, int version, enum accord_stage stage, enum accord_answer verdict)
{
    struct bench bench;
    bool judged_late = stage == ACCORD_AUTHENTICATED;
    expect_broker("PLAIN,EXTERNAL,ANONYMOUS", 0);
    bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us, .least = version, .most = version},
                                               .asks = true,
                                               .shows = way->shows,
                                               .mechanism = way->mechanism,
                                               .allowed = way->allowed});
    testhost_verdict(bench.host, stage, verdict, verdict == ACCORD_ALLOW ? "" : "encryption.rule",
                     "it says so");
    bench_dial(&bench);
    assert_int_equal(bench.opens, verdict == ACCORD_ALLOW);
    if (verdict != ACCORD_ALLOW) {
        bench_expect(&bench, verdict == ACCORD_DENY ? CHANNEL_REFUSED : CHANNEL_LOST, "encryption.rule",
                     "it says so");
        assert_int_equal(bench.closed.deferred, verdict == ACCORD_DEFER);
        assert_string_equal(bench.steps, judged_late ? "connect 0;tls 0;authenticate 0;authenticate -4;"
                                                     : "connect 0;tls 0;tls -4;");
    }
    bench_close(&bench);
    assert_int_equal(heard.inits, verdict == ACCORD_ALLOW || judged_late);
    assert_int_equal(heard.opens, verdict == ACCORD_ALLOW);
    if (heard.inits)
        assert_true(has(&heard.init, way->response, way->size));
}

static void each_version_with_each_mechanism_and_verdict(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            one_way(&ways[i], versions[v], ACCORD_HANDSHAKE, ACCORD_ALLOW);
            one_way(&ways[i], versions[v], ACCORD_HANDSHAKE, ACCORD_DENY);
            one_way(&ways[i], versions[v], ACCORD_AUTHENTICATED, ACCORD_DENY);
        }
}

static void tells_what_was_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct bench bench;
        expect_broker("PLAIN,EXTERNAL,ANONYMOUS,LOGIN", 0);
        bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us},
                                                   .asks = true,
                                                   .shows = ways[i].shows,
                                                   .mechanism = ways[i].mechanism,
                                                   .allowed = ways[i].allowed});
        bench_dial(&bench);
        assert_string_equal(testhost_fact(bench.host, "sasl.mechanism"), ways[i].used);
        assert_string_equal(testhost_fact(bench.host, "sasl.offered"), "PLAIN,EXTERNAL,ANONYMOUS,LOGIN");
        assert_string_equal(testhost_fact(bench.host, "tls.client.subject"), ways[i].shows ? "CN=Us" : "");
        assert_int_equal(bench.until > 0, ways[i].shows);
        bench_close(&bench);
    }
}

/* ---- nothing leaves before ---- */

static void a_deferred_session_may_be_tried_again(void **state)
{
    (void)state;
    one_way(&ways[0], TLS1_3_VERSION, ACCORD_HANDSHAKE, ACCORD_DEFER);
    one_way(&ways[0], TLS1_3_VERSION, ACCORD_AUTHENTICATED, ACCORD_DEFER);
}

static void nothing_leaves_before_the_first_verdict(void **state)
{
    struct bench bench;
    (void)state;
    expect_broker("PLAIN", 0);
    bench_open(&bench, &(struct bench_setting){.web = {.serve = only_listen}});
    testhost_hold_verdicts(bench.host, true);
    bench.channel = channel_open(&bench.set, &bench.owner);
    while (web_shaken(bench.web) < 1)
        testhost_turn(bench.host);
    for (int i = 0; i < 50; i++)
        testhost_turn(bench.host);
    assert_int_equal(testhost_calls(bench.host, TESTHOST_REPORT), 1);
    assert_int_equal(testhost_secrets(bench.host), 1); /* the trust bundle */
    bench_close(&bench);
    assert_int_equal(heard.bytes, 0);
}

static bool judged_twice(void *arg)
{
    const struct bench *bench = arg;
    return testhost_calls(bench->host, TESTHOST_REPORT) == 2;
}

static void no_frame_leaves_before_the_second_verdict(void **state)
{
    struct bench bench;
    (void)state;
    expect_broker("PLAIN", 0);
    bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us}});
    bench.channel = channel_open(&bench.set, &bench.owner);
    bench_until(&bench, judged_twice);
    testhost_hold_verdicts(bench.host, true);
    for (int i = 0; i < 50; i++)
        testhost_turn(bench.host);
    assert_int_equal(bench.opens, 0);
    assert_int_equal(heard.opens, 0);
    testhost_hold_verdicts(bench.host, false);
    bench_until(&bench, bench_settled);
    assert_int_equal(bench.opens, 1);
    bench_close(&bench);
}

/* ---- mechanisms that do not fit ---- */

static void a_broker_without_an_allowed_mechanism_is_refused(void **state)
{
    static const struct {
        const char *offers, *mechanism, *allowed;
        bool nobody;
        const char *reason;
    } cases[] = {
        {"ANONYMOUS", NULL, NULL, false, "offers ANONYMOUS to log in; allowed is EXTERNAL,PLAIN"},
        {"ANONYMOUS", "PLAIN", NULL, false, "offers ANONYMOUS to log in"},
        {"ANONYMOUS", "ANONYMOUS", NULL, false, "allowed is EXTERNAL,PLAIN"},
        {"ANONYMOUS", NULL, "PLAIN,ANONYMOUS", false, "the link wants any of them"},
        {"PLAIN", "PLAIN", "EXTERNAL", false, "allowed is EXTERNAL "},
        {"PLAIN", NULL, "", false, "allowed is nothing"},
        {"PLAIN", NULL, "-", false, "allowed is nothing"},
        {"PLAIN", NULL, NULL, true, "are missing in the link"},
        {"PLAIN", "PLAIN", NULL, true, "user and password are missing"},
        {"EXTERNAL", "EXTERNAL", NULL, false, "it has not asked for our certificate"},
        {"SCRAM-SHA-256,GSSAPI", NULL, NULL, false, "offers SCRAM-SHA-256,GSSAPI"},
        {"", NULL, NULL, false, "offers nothing"},
        {"plain,PLAIN2,\x1b[2J,P", NULL, NULL, false, "offers PLAIN2,P to"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        expect_broker(cases[i].offers, 0);
        bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us},
                                                   .mechanism = cases[i].mechanism,
                                                   .allowed = cases[i].allowed,
                                                   .nobody = cases[i].nobody});
        bench_dial(&bench);
        bench_expect(&bench, CHANNEL_REFUSED, "mq.sasl-mechanism", cases[i].reason);
        assert_string_equal(bench.steps, "connect 0;tls 0;authenticate -4;");
        assert_int_equal(testhost_secrets(bench.host), 1); /* not the password */
        bench_close(&bench);
        assert_int_equal(heard.inits, 0);
    }
}

/* ---- how SASL ends ---- */

static void the_outcome_decides(void **state)
{
    static const struct {
        const char *offers;
        int outcome;
        enum channel_end end;
        const char *rule, *reason;
    } cases[] = {
        {"PLAIN", 1, CHANNEL_REFUSED, "mq.credentials", "refuses user filer or the password"},
        {"EXTERNAL", 1, CHANNEL_REFUSED, "mq.credentials", "refuses us with EXTERNAL"},
        {"PLAIN", 2, CHANNEL_LOST, "mq.sasl-outcome", "tried again"},
        {"PLAIN", 3, CHANNEL_REFUSED, "mq.sasl-outcome", "the partner has to"},
        {"PLAIN", 4, CHANNEL_LOST, "mq.sasl-outcome", "outcome 4"},
        {"PLAIN", 77, CHANNEL_REFUSED, "mq.credentials", "refuses user filer"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        expect_broker(cases[i].offers, cases[i].outcome);
        bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us}, .asks = true, .shows = true});
        bench_dial(&bench);
        bench_expect(&bench, cases[i].end, cases[i].rule, cases[i].reason);
        assert_null(strstr(bench.reason, BENCH_PASSWORD));
        bench_close(&bench);
        assert_int_equal(heard.opens, 0);
    }
}

static void a_password_that_cannot_be_sent_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{"", 0}, {"\n", 1}, {"a\0b", 3}};
    static char large[9000];
    (void)state;
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        bool is_large = i == sizeof cases / sizeof *cases;
        expect_broker("PLAIN", 0);
        bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us}});
        testhost_secret(bench.host, "password", is_large ? large : cases[i].bytes,
                        is_large ? sizeof large : cases[i].size);
        bench_dial(&bench);
        bench_expect(&bench, CHANNEL_REFUSED, "mq.credentials", "empty, too long, or");
        bench_close(&bench);
        assert_int_equal(heard.inits, 0);
    }
}

/* ---- TLS ---- */

static void a_certificate_that_the_broker_refuses_parks(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench bench;
        expect_broker("EXTERNAL", 0);
        bench_open(&bench,
                   &(struct bench_setting){
                       .web = {.serve = take_us, .insists = true, .least = versions[i], .most = versions[i]},
                       .stranger = true});
        bench_dial(&bench);
        bench_expect(&bench, CHANNEL_REFUSED, "tls.client-certificate", "refuses our certificate");
        bench_close(&bench);
        assert_int_equal(heard.inits, 0);
    }
}

static void a_broker_that_is_not_who_it_should_be_is_refused(void **state)
{
    static const char *const pins[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    struct accord_list pinned = {pins, 1};
    struct bench bench;
    (void)state;
    expect_broker("PLAIN", 0);
    for (int i = 0; i < 3; i++) {
        bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us,
                                                           .ciphers = "DEFAULT:@SECLEVEL=0",
                                                           .least = i == 2 ? TLS1_VERSION : 0,
                                                           .most = i == 2 ? TLS1_1_VERSION : 0}});
        if (i == 0)
            bench.set.name = "other.example";
        if (i == 1)
            bench.set.pins = &pinned;
        bench_dial(&bench);
        bench_expect(&bench, CHANNEL_REFUSED, i == 0 ? "tls.name" : i == 1 ? "tls.pin" : "tls.version", "");
        assert_string_equal(bench.steps, "connect 0;tls -4;");
        bench_close(&bench);
    }
    assert_int_equal(heard.inits, 0);
}

static void a_profile_that_allows_nothing_lets_nothing_begin(void **state)
{
    struct bench bench;
    (void)state;
    expect_broker("PLAIN", 0);
    bench_open(&bench, &(struct bench_setting){.web = {.serve = take_us}});
    testhost_profile(bench.host, "tls.versions", NULL);
    bench_dial(&bench);
    bench_expect(&bench, CHANNEL_REFUSED, "tls.profile", "tls.versions allows nothing");
    assert_int_equal(web_shaken(bench.web), 0);
    bench_close(&bench);
}

/* ---- without TLS, where the agreement allows it ---- */

static void plain_sessions(const char *mechanism, const struct testpeer_step *script, bool opens)
{
    struct testpeer *peer = testpeer_new(script);
    struct bench bench;
    bench_open(&bench, &(struct bench_setting){.mechanism = mechanism, .allowed = "PLAIN,ANONYMOUS"});
    testhost_endpoint(bench.host, testpeer_port(peer));
    testhost_profile(bench.host, "session.encryption", "none");
    bench_dial(&bench);
    assert_int_equal(bench.opens, opens);
    assert_string_equal(testhost_fact(bench.host, "session.encryption"), "none");
    if (opens)
        assert_string_equal(testhost_fact(bench.host, "sasl.mechanism"), "ANONYMOUS");
    else
        bench_expect(&bench, CHANNEL_REFUSED, "mq.sasl-mechanism", "without encryption carries no login");
    assert_int_equal(testhost_secrets(bench.host), 0);
    bench_close(&bench);
    assert_true(testpeer_join(peer, 10000));
    assert_null(testpeer_why(peer));
    testpeer_free(peer);
}

#define SASL_HEADER_SAYS "AMQP\3\1\0\0"
#define BOTH                                                                                                 \
    "\0\0\0\x22\2\1\0\0\0\x53\x40\xc0\x15\1\xe0\x12\2\xa3\5PLAIN\x09"                                        \
    "ANONYMOUS"

static void a_plain_session_carries_no_login(void **state)
{
    static const struct testpeer_step taken[] = {
        TESTPEER_EXPECTS(SASL_HEADER_SAYS),
        TESTPEER_SENDS(SASL_HEADER_SAYS),
        TESTPEER_SENDS(BOTH),
        {TESTPEER_UNTIL, "ANONYMOUS\xb0\0\0\0\0\xa1\x0amq.example", 26, 0},
        TESTPEER_SENDS("\0\0\0\x10\2\1\0\0\0\x53\x44\xc0\3\1\x50\0"),
        {TESTPEER_UNTIL, "AMQP\0\1\0\0", 8, 0},
        TESTPEER_SENDS("AMQP\0\1\0\0\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1"
                       "\xa1\1b"),
        {TESTPEER_EOF, NULL, 0, 0},
        {TESTPEER_END, NULL, 0, 0}};
    static const struct testpeer_step refused[] = {TESTPEER_EXPECTS(SASL_HEADER_SAYS),
                                                   TESTPEER_SENDS(SASL_HEADER_SAYS BOTH),
                                                   {TESTPEER_EOF, NULL, 0, 0},
                                                   {TESTPEER_END, NULL, 0, 0}};
    (void)state;
    plain_sessions("ANONYMOUS", taken, true);
    plain_sessions("PLAIN", refused, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),
        cmocka_unit_test(each_version_with_each_mechanism_and_verdict),
        cmocka_unit_test(tells_what_was_used),
        cmocka_unit_test(a_deferred_session_may_be_tried_again),
        cmocka_unit_test(nothing_leaves_before_the_first_verdict),
        cmocka_unit_test(no_frame_leaves_before_the_second_verdict),
        cmocka_unit_test(a_broker_without_an_allowed_mechanism_is_refused),
        cmocka_unit_test(the_outcome_decides),
        cmocka_unit_test(a_password_that_cannot_be_sent_is_told),
        cmocka_unit_test(a_certificate_that_the_broker_refuses_parks),
        cmocka_unit_test(a_broker_that_is_not_who_it_should_be_is_refused),
        cmocka_unit_test(a_profile_that_allows_nothing_lets_nothing_begin),
        cmocka_unit_test(a_plain_session_carries_no_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
