/* The queues that are sent to: whether they are there, how each kind of broker is asked, and that they may go. */
#include "mq_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- queues that are not there ---- */

static void a_missing_queue_is_told_and_asked_for_later(void **state)
{
    static const bool ends[] = {false, true};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_with(NULL, NULL);
        broker.missing = "ace.requests";
        broker.ends_session = ends[i];
        struct accord_delivery *delivery = send_one(NULL);
        ended(delivery, ACCORD_RETRY, "amqp:not-found, no queue 'x' in vhost '/': have it created");
        assert_int_equal(delivery->wait, 60000);
        assert_non_null(testhost_incident(bench.host, "mq.not-found"));
        broker.missing = NULL;
        ended(send_one(NULL), ACCORD_RETRY, "not-found"); /* not asked again so soon */
        mq_pass(&bench, 60000);
        ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
        mq_close(&bench);
    }
}

static void who_may_not_send_is_parked(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.missing = "ace.requests";
    broker.condition = "amqp:unauthorized-access";
    ended(send_one(NULL), ACCORD_RETRY, "unauthorized");
    assert_string_equal(testhost_parked(bench.host), "mq.unauthorized-access");
    mq_close(&bench);
}

static void another_node_is_not_taken(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.other_node = true;
    ended(send_one(NULL), ACCORD_RETRY, "elsewhere");
    assert_int_equal(broker_got(), 0);
    mq_close(&bench);
}

static void with_old_rabbitmq_a_witness_is_asked(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "rabbitmq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    (void)state;
    open_with(link, NULL);
    broker.product = "RabbitMQ";
    broker.version = "3.10.8";
    broker.loses = broker.ends_session = true;
    broker.missing = "ace.requests";
    ended(send_one(NULL), ACCORD_RETRY, "not-found");
    assert_int_equal(broker_got(), 0);
    broker.missing = NULL;
    mq_pass(&bench, 60000);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    assert_string_equal(broker_address(0), "/amq/queue/ace.requests");
    assert_int_equal(broker_witnesses(), 1); /* and stays, to see the queue go */
    assert_int_equal(broker_sessions(), 1);
    mq_close(&bench);
}

static void the_witness_may_go_or_be_spared(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "rabbitmq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    static const struct accord_pair once[] = {{"address", "a b/c"}, {NULL, NULL}},
                                    no[] = {{"address", "q"}, {"check", "no"}, {NULL, NULL}},
                                    first[] = {{"address", "a.b/c"}, {"check", "once"}, {NULL, NULL}};
    (void)state, (void)once;
    open_with(link, first);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    assert_string_equal(broker_address(0), "/amq/queue/a.b%2Fc");
    assert_int_equal(broker_witnesses(), 0);
    assert_int_equal(broker_links(), 1);
    mq_close(&bench);
    open_with(link, no);
    broker.loses = true;
    broker.missing = "q";
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted"); /* lost, as the guide says */
    mq_close(&bench);
}

static void new_rabbitmq_needs_none(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "rabbitmq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    (void)state;
    open_with(link, NULL);
    broker.product = "RabbitMQ";
    broker.version = "4.1.0";
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    assert_string_equal(broker_address(0), "/queues/ace.requests");
    assert_int_equal(broker_witnesses(), 0);
    assert_true(broker_node_is_durable());
    mq_close(&bench);
}

static void ibm_mq_has_one_session_and_wants_the_capability(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "ibm-mq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    const struct mq_service services[] = {{"requests", ACCORD_SEND, queue},
                                          {"answers", ACCORD_RECEIVE, queue}};
    (void)state;
    mq_open(&bench, link, services, 2);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    assert_int_equal(broker_sessions(), 1);
    assert_int_equal(broker_links(), 2);
    assert_true(broker_node_has_capability("queue"));
    assert_false(broker_node_is_durable());
    mq_close(&bench);
}

/* ---- detached ---- */

static void a_detached_link_is_attached_again(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.silent = true;
    struct accord_delivery *delivery = send_one(NULL);
    broker_detach(&bench, "amqp:link:detach-forced", "maintenance");
    ended(delivery, ACCORD_UNCERTAIN, "maintenance");
    broker.silent = false;
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    broker_end_session(&bench, "amqp:internal-error");
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    assert_int_equal(broker_connections(), 1);
    mq_close(&bench);
}

static void a_deleted_queue_is_told(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.silent = true;
    struct accord_delivery *delivery = send_one(NULL);
    broker_detach(&bench, "amqp:resource-deleted", "gone");
    ended(delivery, ACCORD_UNCERTAIN, "gone");
    assert_non_null(testhost_incident(bench.host, "mq.resource-deleted"));
    ended(send_one(NULL), ACCORD_RETRY, "gone");
    mq_close(&bench);
}

/* ---- our certificate ---- */

static void a_certificate_that_ends_is_told_in_time(void **state)
{
    const int64_t day = INT64_C(86400000000), now = INT64_C(1764000000000000);
    (void)state;
    open_with(NULL, NULL);
    testhost_set_wall(bench.host, now);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    broker_reads_certificate(&bench, now + 31 * day);
    assert_int_equal(testhost_gauge(bench.host, "certificate_days_left"), 31);
    assert_non_null(
        strstr(testhost_incident(bench.host, "mq.certificate-expires"), "broker.example ends in 31 days"));
    mq_pass(&bench, 2 * 86400000);
    assert_non_null(strstr(testhost_incident(bench.host, "mq.certificate-expires"), "ends in 30 days"));
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    broker_reads_certificate(&bench, now + 400 * day);
    assert_int_equal(testhost_gauge(bench.host, "certificate_days_left"), 398);
    mq_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_queue_is_told_and_asked_for_later),
        cmocka_unit_test(who_may_not_send_is_parked),
        cmocka_unit_test(another_node_is_not_taken),
        cmocka_unit_test(with_old_rabbitmq_a_witness_is_asked),
        cmocka_unit_test(the_witness_may_go_or_be_spared),
        cmocka_unit_test(new_rabbitmq_needs_none),
        cmocka_unit_test(ibm_mq_has_one_session_and_wants_the_capability),
        cmocka_unit_test(a_detached_link_is_attached_again),
        cmocka_unit_test(a_deleted_queue_is_told),
        cmocka_unit_test(a_certificate_that_ends_is_told_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
