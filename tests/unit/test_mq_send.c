/* Sending over AMQP: what goes out, what every answer of the broker does to a delivery, what a cut leaves behind. */
#include "mq_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <proton/disposition.h>

static bool has_bytes(size_t index, const void *bytes, size_t size)
{
    size_t whole;
    const uint8_t *message = broker_bytes(index, &whole);
    return memmem(message, whole, bytes, size) != NULL;
}

/* ---- what goes out ---- */

static void nothing_is_dialled_while_there_is_nothing_to_send(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    mq_pass(&bench, 86400000);
    assert_int_equal(broker_connections(), 0);
    assert_int_equal(testhost_window(bench.host), 256);
    mq_close(&bench);
}

static void a_message_is_durable_and_has_our_id(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    struct accord_delivery *delivery = send_one("0123456789abcdefghijklmn");
    ended(delivery, ACCORD_DELIVERED, "accepted by queue ace.requests at broker.example");
    assert_int_equal(broker_got(), 1);
    assert_string_equal(broker_address(0), "ace.requests");
    assert_true(broker_was_durable(0));
    assert_true(broker_has_payload(0, "A2704ABC", 8));
    assert_true(has_bytes(0,
                          "\xa1\x18"
                          "0123456789abcdefghijklmn",
                          26));
    assert_false(has_bytes(0, "\x00\x53\x72", 3)); /* annotations */
    mq_close(&bench);
}

static void headers_become_properties(void **state)
{
    static const struct accord_pair options[] = {{"address", "q"},
                                                 {"reply-to", "answers"},
                                                 {"content-type", "text/plain"},
                                                 {"subject", "standing"},
                                                 {"name-property", "file"},
                                                 {"properties", "batch,absent"},
                                                 {NULL, NULL}};
    static const struct accord_pair headers[] = {
        {"correlation-id", "their-id"}, {"subject", "own"}, {"batch", "0042"}, {"other", "stays"}};
    struct testhost_message message = {
        .bytes = "x", .size = 1, .name = "f.txt", .headers = headers, .header_count = 4};
    (void)state;
    open_with(NULL, options);
    mq_send(&bench, 0, &message);
    mq_run(&bench);
    assert_true(has_bytes(0,
                          "\xa1\x03own\xa1\x07"
                          "answers\xa1\x08their-id\xa3\x0atext/plain",
                          36));
    assert_true(has_bytes(0, "\x00\x53\x74\xd1", 4));
    assert_true(has_bytes(0,
                          "\xa1\x04"
                          "file\xa1\x05"
                          "f.txt\xa1\x05"
                          "batch\xa1\x04"
                          "0042",
                          26));
    assert_false(has_bytes(0, "stays", 5));
    assert_false(has_bytes(0, "absent", 6));
    mq_close(&bench);
}

static void ids_go_as_binary_when_the_other_side_wants_that(void **state)
{
    static const struct accord_pair options[] = {{"address", "q"}, {"id-form", "binary"}, {NULL, NULL}};
    (void)state;
    open_with(NULL, options);
    send_one("0123456789abcdefghijklmn");
    assert_true(has_bytes(0,
                          "\xa0\x18"
                          "0123456789abcdefghijklmn",
                          26));
    mq_close(&bench);
}

static void payloads_of_all_sizes_arrive_whole_and_in_order(void **state)
{
    static const size_t sizes[] = {0, 1, 255, 256, 70000, 131072, 131073, 5000000, 3, 0, 900000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    struct accord_delivery *delivery[COUNT];
    uint8_t *bytes = malloc(5000000);
    (void)state;
    for (size_t i = 0; i < 5000000; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 1000);
    open_with(NULL, NULL);
    for (size_t i = 0; i < COUNT; i++)
        delivery[i] = send_bytes(NULL, bytes, sizes[i]);
    mq_run(&bench);
    assert_int_equal(broker_got(), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        ended(delivery[i], ACCORD_DELIVERED, "accepted");
        assert_true(broker_has_payload(i, bytes, sizes[i]));
    }
    mq_close(&bench);
    free(bytes);
}

static void a_large_message_is_not_held(void **state)
{
    size_t size = 20 << 20;
    uint8_t *bytes = calloc(1, size);
    (void)state;
    open_with(NULL, NULL);
    send_one("abc");
    broker.stalled = true;
    struct accord_delivery *delivery = send_bytes("big", bytes, size);
    mq_run(&bench);
    assert_true(delivery->sent <= 4 << 20); /* nothing is asked for that would only lie about */
    broker.stalled = false;
    mq_run(&bench);
    ended(delivery, ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
    free(bytes);
}

static void the_window_is_never_exceeded(void **state)
{
    static const struct accord_pair options[] = {{"address", "q"}, {"window", "10"}, {NULL, NULL}};
    struct accord_delivery *delivery[25];
    (void)state;
    open_with(NULL, options);
    broker.silent = true;
    for (int i = 0; i < 25; i++)
        delivery[i] = send_bytes(NULL, "x", 1);
    mq_run(&bench);
    assert_int_equal(broker_got(), 10);
    broker_answer(&bench);
    assert_int_equal(broker_got(), 20);
    broker.silent = false;
    broker_answer(&bench);
    for (int i = 0; i < 25; i++)
        ended(delivery[i], ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

static void the_brokers_credit_is_kept(void **state)
{
    struct accord_delivery *delivery[9];
    (void)state;
    open_with(NULL, NULL);
    broker.credit = 4;
    broker.silent = true;
    for (int i = 0; i < 9; i++)
        delivery[i] = send_bytes(NULL, "x", 1);
    mq_run(&bench);
    assert_int_equal(broker_got(), 4);
    assert_int_equal(delivery[4]->sent, 0); /* nor is its payload asked for */
    broker.silent = false;
    broker_answer(&bench);
    ended(delivery[8], ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

/* ---- what the broker says ---- */

static void the_outcome_decides(void **state)
{
    static const struct {
        uint64_t outcome;
        const char *error;
        enum accord_outcome ends;
        const char *words;
    } rows[] = {{PN_RELEASED, NULL, ACCORD_RETRY, "released"},
                {PN_MODIFIED, NULL, ACCORD_RETRY, "modified"},
                {PN_REJECTED, NULL, ACCORD_REFUSED, "does not say why"},
                {PN_REJECTED, "amqp:decode-error", ACCORD_REFUSED, "their words"},
                {PN_REJECTED, "amqp:resource-limit-exceeded", ACCORD_RETRY, "full"},
                {PN_REJECTED, "amqp:internal-error", ACCORD_RETRY, "their words"},
                {PN_REJECTED, "amqp:unauthorized-access", ACCORD_RETRY, "right to it"},
                {0, NULL, ACCORD_UNCERTAIN, "without saying"}};
    (void)state;
    open_with(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        broker.outcome = rows[i].outcome;
        broker.error = rows[i].error;
        ended(send_one(NULL), rows[i].ends, rows[i].words);
    }
    assert_string_equal(testhost_parked(bench.host), "mq.unauthorized-access");
    mq_close(&bench);
}

static void rabbitmq_rejects_without_a_word_what_does_not_fit(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "rabbitmq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    (void)state;
    open_with(link, NULL);
    broker.outcome = PN_REJECTED;
    ended(send_one(NULL), ACCORD_RETRY, "full");
    mq_close(&bench);
}

static void what_is_too_large_for_the_broker_is_refused_with_both_numbers(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.most = 100;
    char bytes[101] = "";
    struct accord_delivery *large = send_bytes(NULL, bytes, 101), *small = send_bytes(NULL, bytes, 20);
    mq_run(&bench);
    ended(large, ACCORD_REFUSED, "at most 100");
    assert_int_equal(large->sent, 0);
    ended(small, ACCORD_DELIVERED, "accepted");
    assert_int_equal(broker_got(), 1);
    mq_close(&bench);
}

static void a_correlation_that_ibm_mq_cannot_hold_is_refused(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "ibm-mq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    static const struct accord_pair headers[] = {{"correlation-id", "longer-than-24-bytes-by-1"}};
    struct testhost_message message = {.bytes = "x", .size = 1, .headers = headers, .header_count = 1};
    (void)state;
    open_with(link, NULL);
    struct accord_delivery *delivery = mq_send(&bench, 0, &message);
    mq_run(&bench);
    ended(delivery, ACCORD_REFUSED, "25 bytes");
    mq_close(&bench);
}

/* ---- cuts ---- */

static void after_a_cut_what_had_left_is_uncertain_and_the_rest_is_tried_again(void **state)
{
    struct accord_delivery *left, *behind;
    (void)state;
    open_with(NULL, NULL);
    broker.silent = true;
    left = send_one(NULL);
    broker.credit = 0;
    broker.stalled = true;
    uint8_t *bytes = calloc(1, 8 << 20);
    behind = send_bytes(NULL, bytes, 8 << 20);
    mq_run(&bench);
    assert_true(behind->sent > 0);
    broker_cut(&bench);
    ended(left, ACCORD_UNCERTAIN, "the connection broke");
    ended(behind, ACCORD_RETRY, "the connection broke");
    broker.stalled = broker.silent = false;
    broker.credit = 10;
    struct accord_delivery *again = send_one(NULL);
    assert_false(again->finished); /* not at once */
    mq_pass(&bench, 1000);
    ended(again, ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
    free(bytes);
}

static void pauses_grow_and_are_forgotten(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    int64_t pause = 1000;
    for (int i = 0; i < 12; i++) {
        struct accord_delivery *delivery = send_one(NULL);
        unsigned before = broker_connections();
        if (i > 0) {
            mq_pass(&bench, pause - 1);
            assert_int_equal(broker_connections(), before);
            broker_hold_open(true);
            mq_pass(&bench, 1);
            assert_int_equal(broker_connections(), before + 1);
            pause = pause * 2 > 300000 ? 300000 : pause * 2;
        }
        broker_cut(&bench);
        assert_true(delivery->finished);
        broker_hold_open(true);
    }
    broker_hold_open(false);
    struct accord_delivery *delivery = send_one(NULL);
    mq_pass(&bench, 300000);
    ended(delivery, ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

static void a_broker_that_does_not_let_us_in_parks(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker_hold_open(true);
    struct accord_delivery *delivery = send_one(NULL);
    broker_refuse(&bench, "mq.credentials");
    ended(delivery, ACCORD_RETRY, "does not let us in");
    assert_string_equal(testhost_parked(bench.host), "mq.credentials");
    broker_hold_open(false);
    mq_close(&bench);
}

static void a_host_that_does_not_dial_ends_it(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker_fail_open();
    ended(send_one(NULL), ACCORD_RETRY, "does not dial");
    mq_close(&bench);
}

/* ---- silence ---- */

static void a_broker_that_does_not_answer_is_left(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.silent = true;
    struct accord_delivery *delivery = send_one(NULL);
    mq_pass(&bench, 59000);
    assert_false(delivery->finished);
    mq_pass(&bench, 2000);
    ended(delivery, ACCORD_UNCERTAIN, "answer-timeout");
    assert_int_equal(broker_links(), 0);
    mq_close(&bench);
}

static void without_credit_nothing_waits_for_ever(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.no_credit = true;
    struct accord_delivery *delivery = send_one(NULL);
    mq_pass(&bench, 59000);
    assert_false(delivery->finished);
    mq_pass(&bench, 2000);
    ended(delivery, ACCORD_RETRY, "no credit");
    delivery = send_one(NULL);
    broker_grant(&bench, 1);
    ended(delivery, ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

static void an_attach_that_is_not_answered_is_given_up(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.silent_attach = true;
    struct accord_delivery *delivery = send_one(NULL);
    mq_pass(&bench, 61000);
    ended(delivery, ACCORD_RETRY, "not answered the attach");
    assert_int_equal(delivery->wait, 60000);
    mq_close(&bench);
}

/* ---- cancelling, stopping ---- */

static void what_is_cancelled_ends_soon(void **state)
{
    static const struct accord_pair options[] = {{"address", "q"}, {"window", "1"}, {NULL, NULL}};
    (void)state;
    open_with(NULL, options);
    broker.silent = true;
    struct accord_delivery *sent = send_one(NULL);
    testhost_cancel(bench.host, sent);
    mq_pass(&bench, 2000);
    assert_false(sent->finished);
    mq_pass(&bench, 1000);
    ended(sent, ACCORD_UNCERTAIN, "cancelled");
    broker.silent = false;
    broker_answer(&bench); /* nobody asks for that any more */
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

static void a_part_of_a_message_that_is_cancelled_costs_the_connection(void **state)
{
    uint8_t *bytes = calloc(1, 8 << 20);
    (void)state;
    open_with(NULL, NULL);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    broker.stalled = true;
    struct accord_delivery *delivery = send_bytes(NULL, bytes, 8 << 20);
    struct accord_delivery *behind = send_bytes(NULL, bytes, 10);
    mq_run(&bench);
    testhost_cancel(bench.host, behind);
    ended(behind, ACCORD_RETRY, "cancelled");
    testhost_cancel(bench.host, delivery);
    mq_pass(&bench, 3000);
    ended(delivery, ACCORD_RETRY, "cancelled");
    assert_int_equal(broker_got(), 1);
    mq_close(&bench);
    free(bytes);
}

static void stopping_lets_what_was_sent_finish(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker.silent = true;
    struct accord_delivery *sent = send_one(NULL);
    broker.stalled = true;
    testhost_stop(bench.host);
    struct accord_delivery *late = send_one(NULL);
    ended(late, ACCORD_RETRY, "stopping");
    assert_false(sent->finished);
    broker.stalled = broker.silent = false;
    broker_answer(&bench);
    ended(sent, ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

/* ---- connections ---- */

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    mq_pass(&bench, 9000);
    assert_int_equal(broker_links(), 1);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    mq_pass(&bench, 9000);
    assert_int_equal(broker_links(), 1);
    mq_pass(&bench, 1001);
    assert_int_equal(broker_links(), 0);
    ended(send_one(NULL), ACCORD_DELIVERED, "accepted");
    assert_int_equal(broker_connections(), 2);
    mq_close(&bench);
}

static void more_connections_share_the_window(void **state)
{
    static const struct accord_pair link[] = {MQ_LINK, {"connections", "3"}, {NULL, NULL}};
    static const struct accord_pair options[] = {{"address", "q"}, {"window", "9"}, {NULL, NULL}};
    struct accord_delivery *delivery[9];
    (void)state;
    open_with(link, options);
    broker.silent = true;
    for (int i = 0; i < 3; i++)
        delivery[i] = send_bytes(NULL, "x", 1);
    mq_run(&bench);
    assert_int_equal(broker_connections(), 1); /* one is enough */
    for (int i = 3; i < 9; i++)
        delivery[i] = send_bytes(NULL, "x", 1);
    mq_run(&bench);
    assert_int_equal(broker_connections(), 3);
    assert_int_equal(broker_got(), 9);
    broker_answer(&bench);
    for (int i = 0; i < 9; i++)
        ended(delivery[i], ACCORD_DELIVERED, "accepted");
    mq_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_dialled_while_there_is_nothing_to_send),
        cmocka_unit_test(a_message_is_durable_and_has_our_id),
        cmocka_unit_test(headers_become_properties),
        cmocka_unit_test(ids_go_as_binary_when_the_other_side_wants_that),
        cmocka_unit_test(payloads_of_all_sizes_arrive_whole_and_in_order),
        cmocka_unit_test(a_large_message_is_not_held),
        cmocka_unit_test(the_window_is_never_exceeded),
        cmocka_unit_test(the_brokers_credit_is_kept),
        cmocka_unit_test(the_outcome_decides),
        cmocka_unit_test(rabbitmq_rejects_without_a_word_what_does_not_fit),
        cmocka_unit_test(what_is_too_large_for_the_broker_is_refused_with_both_numbers),
        cmocka_unit_test(a_correlation_that_ibm_mq_cannot_hold_is_refused),
        cmocka_unit_test(after_a_cut_what_had_left_is_uncertain_and_the_rest_is_tried_again),
        cmocka_unit_test(pauses_grow_and_are_forgotten),
        cmocka_unit_test(a_broker_that_does_not_let_us_in_parks),
        cmocka_unit_test(a_host_that_does_not_dial_ends_it),
        cmocka_unit_test(a_broker_that_does_not_answer_is_left),
        cmocka_unit_test(without_credit_nothing_waits_for_ever),
        cmocka_unit_test(an_attach_that_is_not_answered_is_given_up),
        cmocka_unit_test(what_is_cancelled_ends_soon),
        cmocka_unit_test(a_part_of_a_message_that_is_cancelled_costs_the_connection),
        cmocka_unit_test(stopping_lets_what_was_sent_finish),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(more_connections_share_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
