/* Where the inbox is, as discovery and collection information say, and where it is not; what a probe tells of it; and how
 * long our certificate lasts. */
#include "taxii_partner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

static struct ais_bench bench;

static const struct accord_pair learns[] = {{"trust", "t"}, {"discovery", "/disc"}, {NULL, NULL}};

static void the_inbox_is_learnt_and_asked_for_once_a_day(void **state)
{
    (void)state;
    ais_open_submit(&bench, learns, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer_catalogue(&bench);
    assert_string_equal(partner_path(partner_call(0)), "/inbox");
    answer(&bench, "STATUS SUCCESS|\n");
    ais_ended(delivery, ACCORD_DELIVERED, "SUCCESS");
    ais_send_one(&bench, "abd");
    assert_string_equal(partner_path(partner_call(0)), "/inbox");
    answer(&bench, "STATUS SUCCESS|\n");
    ais_pass(&bench, 86400001);
    ais_send_one(&bench, "abe");
    assert_string_equal(partner_path(partner_call(0)), "/disc");
    answer_catalogue(&bench);
    answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void an_address_that_is_gone_is_looked_up_anew(void **state)
{
    (void)state;
    ais_open_submit(&bench, learns, NULL);
    ais_send_one(&bench, "abc");
    answer_catalogue(&bench);
    ais_pass(&bench, 61000);
    answer_page(&bench, 404, "text/html", "Not Found");
    ais_send_one(&bench, "abc");
    assert_string_equal(partner_path(partner_call(0)), "/disc");
    answer_catalogue(&bench);
    answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void elsewhere_is_not_gone_to(void **state)
{
    static const char *const addresses[] = {"https://evil.example/inbox",
                                            "https://taxii.example/inbox",
                                            "https://taxii.example:8444/inbox",
                                            "http://taxii.example:8443/inbox",
                                            "https://taxii.example:8443@evil.example/inbox",
                                            "https://taxii.example.evil.example:8443/inbox",
                                            "https://taxii.example:8443/in box",
                                            "file:///inbox",
                                            "//taxii.example:8443/inbox",
                                            "https://taxii.example:18446744073709560059/inbox",
                                            "https://taxii.example:8443"};
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char lines[300];
        ais_open_submit(&bench, learns, NULL);
        struct accord_delivery *delivery = ais_send_one(&bench, "abc");
        snprintf(lines, sizeof lines, "INSTANCE INBOX|%s|\n", addresses[i]);
        answer(&bench, lines);
        ais_ended(delivery, ACCORD_RETRY, "names no inbox service");
        assert_true(delivery->wait > 0);
        assert_int_equal(partner_waiting(), 0);
        assert_non_null(testhost_incident(bench.host, "taxii.no-address"));
        ais_close(&bench);
    }
}

static void no_other_inbox_stands_in_for_one_that_is_elsewhere(void **state)
{
    (void)state;
    ais_open_submit(&bench, learns, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer(&bench, "INSTANCE INBOX|https://taxii.example:8443/inbox|\n"
                   "INSTANCE COLLECTION_MANAGEMENT|https://taxii.example:8443/coll|\n");
    answer(&bench, "COLLECTION AIS_INGEST|feed||https://evil.example/inbox|\n");
    ais_ended(delivery, ACCORD_RETRY, "evil.example");
    assert_int_equal(testhost_logged(bench.host, "taxii.foreign-address"), 1);
    ais_close(&bench);
}

static void the_same_address_in_other_letters_is_ours(void **state)
{
    (void)state;
    ais_open_submit(&bench, learns, NULL);
    ais_send_one(&bench, "abc");
    answer(&bench, "INSTANCE INBOX|HTTPS://Taxii.EXAMPLE:8443/in?x=1|\n");
    assert_string_equal(partner_path(partner_call(0)), "/in?x=1");
    answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void a_binding_that_they_do_not_take_is_not_sent(void **state)
{
    static const struct accord_pair options[] = {
        {"collection", "AIS_INGEST"}, {"binding", "urn:stix.mitre.org:xml:1.2"}, {NULL, NULL}};
    (void)state;
    ais_open_submit(&bench, learns, options);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer_catalogue(&bench);
    ais_ended(delivery, ACCORD_RETRY, "correct `binding`");
    assert_int_equal(delivery->sent, 0);
    assert_non_null(testhost_incident(bench.host, "taxii.binding"));
    ais_close(&bench);
}

static void a_collection_that_they_have_not_is_told(void **state)
{
    static const struct accord_pair options[] = {{"collection", "AIS_INGESTION"}, {NULL, NULL}};
    (void)state;
    ais_open_submit(&bench, learns, options);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer_catalogue(&bench);
    ais_ended(delivery, ACCORD_RETRY, "correct `collection`");
    ais_close(&bench);
}

static void a_catalogue_that_cannot_be_had_ends_nothing(void **state)
{
    (void)state;
    ais_open_submit(&bench, learns, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer(&bench, "STATUS FAILURE|we are ill\n");
    ais_ended(delivery, ACCORD_RETRY, "we are ill");
    delivery = ais_send_one(&bench, "abd");
    answer_page(&bench, 200, "text/html", "<html>Login</html>");
    ais_ended(delivery, ACCORD_RETRY, "Login");
    delivery = ais_send_one(&bench, "abe");
    testhost_stop(bench.host);
    ais_ended(delivery, ACCORD_RETRY, "stopping");
    answer(&bench, "STATUS FAILURE|we are ill\n");
    ais_close(&bench);
}

static void memory_that_fails_ends_in_another_attempt(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    partner_fail_begin();
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    ais_ended(delivery, ACCORD_RETRY, "memory");
    ais_close(&bench);
}

/* ---- our certificate ---- */

static void a_certificate_that_ends_is_told_in_time(void **state)
{
    int64_t now = INT64_C(1764000000) * SECOND;
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    testhost_set_wall(bench.host, now);
    partner_certificate(now + 91 * DAY);
    ais_run(&bench);
    assert_int_equal(testhost_gauge(bench.host, "certificate_days_left"), 91);
    assert_null(testhost_incident(bench.host, "taxii.certificate-expires"));
    unsigned dropped = partner_dropped();
    ais_pass(&bench, 2 * 86400000);
    const char *told = testhost_incident(bench.host, "taxii.certificate-expires");
    assert_true(told && strstr(told, "ends in 90 days"));
    assert_int_equal(partner_dropped(), dropped + 48); /* every hour, so that a renewed one is taken up */
    ais_close(&bench);
}

/* ---- probing ---- */

static void a_probe_tells_where_everything_is(void **state)
{
    static const struct accord_pair out[] = {{"collection", "AIS_INGEST"}, {NULL, NULL}};
    static const struct accord_pair in[] = {{"collection", "AIS"}, {"start", "0 s"}, {NULL, NULL}};
    const struct ais_service services[] = {{"submit", ACCORD_SEND, out}, {"feed", ACCORD_RECEIVE, in}};
    (void)state;
    memset(&bench, 0, sizeof bench);
    ais_open(&bench, learns, services, 1);
    ais_start(&bench);
    testhost_probe(bench.host);
    ais_run(&bench);
    answer_catalogue(&bench);
    assert_true(testhost_probed(bench.host));
    assert_int_equal(testhost_steps(bench.host), 3);
    assert_string_equal(testhost_step(bench.host, 0)->step, "connect");
    assert_string_equal(testhost_step(bench.host, 1)->step, "catalogue");
    assert_non_null(strstr(testhost_step(bench.host, 2)->text,
                           "AIS_INGEST takes urn:stix.mitre.org:xml:1.1.1 at /inbox"));
    ais_close(&bench);
}

static void a_probe_that_fails_parks_nothing(void **state)
{
    (void)state;
    ais_open_submit(&bench, learns, NULL);
    testhost_probe(bench.host);
    ais_run(&bench);
    answer(&bench, "STATUS UNAUTHORIZED|\n");
    assert_true(testhost_probed(bench.host));
    assert_int_equal(testhost_step(bench.host, 1)->result, ACCORD_EDENIED);
    assert_null(testhost_parked(bench.host));
    ais_close(&bench);
}

static void a_probe_without_discovery_asks_a_service(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    testhost_probe(bench.host);
    ais_run(&bench);
    answer(&bench, "STATUS UNSUPPORTED_MESSAGE|\n");
    assert_true(testhost_probed(bench.host));
    assert_int_equal(testhost_step(bench.host, 1)->result, 0);
    ais_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_inbox_is_learnt_and_asked_for_once_a_day),
        cmocka_unit_test(an_address_that_is_gone_is_looked_up_anew),
        cmocka_unit_test(elsewhere_is_not_gone_to),
        cmocka_unit_test(no_other_inbox_stands_in_for_one_that_is_elsewhere),
        cmocka_unit_test(the_same_address_in_other_letters_is_ours),
        cmocka_unit_test(a_binding_that_they_do_not_take_is_not_sent),
        cmocka_unit_test(a_collection_that_they_have_not_is_told),
        cmocka_unit_test(a_catalogue_that_cannot_be_had_ends_nothing),
        cmocka_unit_test(memory_that_fails_ends_in_another_attempt),
        cmocka_unit_test(a_certificate_that_ends_is_told_in_time),
        cmocka_unit_test(a_probe_tells_where_everything_is),
        cmocka_unit_test(a_probe_that_fails_parks_nothing),
        cmocka_unit_test(a_probe_without_discovery_asks_a_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
