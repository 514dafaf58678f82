/* Submitting: batches, what every answer does to the deliveries in one, cancelling. */
#include "taxii_partner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ais_bench bench;

/* ---- one message ---- */

static void nothing_is_asked_while_there_is_nothing_to_submit(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    ais_pass(&bench, 86400000);
    assert_int_equal(partner_asked(), 0);
    ais_close(&bench);
}

static void check_message(bool whole)
{
    ais_open_submit(&bench, NULL, NULL);
    if (whole)
        partner_takes_whole();
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    assert_string_equal(partner_path(partner_call(0)), "/inbox");
    assert_string_equal(partner_body(partner_call(0)),
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<t:Inbox_Message xmlns:t=\"http://taxii.mitre.org/messages/taxii_xml_binding-1.1\" "
                        "message_id=\"urn:accord:abc\">"
                        "<t:Destination_Collection_Name>AIS_INGEST</t:Destination_Collection_Name>"
                        "<t:Record_Count>1</t:Record_Count><t:Content_Block>"
                        "<t:Content_Binding binding_id=\"urn:stix.mitre.org:xml:1.1.1\"/><t:Content>"
                        "                     <a/></t:Content></t:Content_Block></t:Inbox_Message>\n");
    assert_false(delivery->finished);
    assert_false(partner_again(partner_call(0))); /* content never goes twice by itself */
    answer(&bench, "STATUS SUCCESS|thank you\n");
    ais_ended(delivery, ACCORD_DELIVERED, "SUCCESS for urn:accord:abc at /inbox: thank you");
    ais_close(&bench);
}

/* Asked for bit by bit, or taken at once. */
static void a_message_is_a_block_with_its_id(void **state)
{
    (void)state;
    check_message(false);
    check_message(true);
}

static void the_destination_is_left_out_when_it_must_be(void **state)
{
    static const struct accord_pair options[] = {
        {"collection", "AIS_INGEST"}, {"destination", "no"}, {"subtype", "s"}, {NULL, NULL}};
    (void)state;
    ais_open_submit(&bench, NULL, options);
    ais_send_one(&bench, "abc");
    assert_null(strstr(partner_body(partner_call(0)), "Destination"));
    assert_non_null(strstr(partner_body(partner_call(0)), "<t:Subtype subtype_id=\"s\"/>"));
    answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void escaped_content_goes_without_a_size(void **state)
{
    static const struct accord_pair options[] = {{"collection", "X"}, {"form", "escaped"}, {NULL, NULL}};
    (void)state;
    ais_open_submit(&bench, NULL, options);
    struct accord_delivery *empty = ais_send(&bench, "abd", "");
    ais_send_one(&bench, "abc");
    assert_int_equal(partner_declared(partner_call(1)), -1);
    assert_non_null(strstr(partner_body(partner_call(1)),
                           "<t:Content>&lt;?xml version='1.0'?&gt;&lt;a/&gt;</t:Content>"));
    answer(&bench, "STATUS SUCCESS|\n");
    ais_ended(empty, ACCORD_DELIVERED, "SUCCESS");
    answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void a_large_message_is_streamed(void **state)
{
    size_t size = 3 << 20;
    char *big = malloc(size + 1);
    (void)state;
    memset(big, 'x', size);
    memcpy(big, "<a>", 3);
    memcpy(big + size - 4, "</a>", 5);
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send(&bench, "big", big);
    for (int i = 0; i < 1000 && !partner_whole(partner_call(0)); i++) {
        assert_true(delivery->credit - delivery->sent <= 600000); /* no more is asked for than is soon sent */
        ais_run(&bench);
    }
    assert_true(partner_whole(partner_call(0)));
    assert_non_null(strstr(partner_body(partner_call(0)), "xxx</a></t:Content>"));
    answer(&bench, "STATUS SUCCESS|\n");
    ais_ended(delivery, ACCORD_DELIVERED, "SUCCESS");
    ais_close(&bench);
    free(big);
}

/* ---- what is answered ---- */

static void a_refusal_ends_the_message(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer(&bench, "STATUS BAD_MESSAGE|not well-formed\n");
    ais_ended(delivery, ACCORD_REFUSED, "not well-formed");
    delivery = ais_send_one(&bench, "abd");
    answer(&bench, "STATUS UNSUPPORTED_CONTENT||SUPPORTED_CONTENT=urn:b\n");
    ais_ended(delivery, ACCORD_REFUSED, "urn:b");
    ais_close(&bench);
}

static void a_wait_is_kept(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer(&bench, "STATUS RETRY|busy|ESTIMATED_WAIT=120\n");
    ais_ended(delivery, ACCORD_RETRY, "busy");
    assert_int_equal(delivery->wait, 120000);
    ais_close(&bench);
}

static void who_is_not_let_in_parks_and_burns_nothing(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc"), *second = ais_send_one(&bench, "abd");
    answer(&bench, "STATUS UNAUTHORIZED|who are you?\n");
    ais_ended(delivery, ACCORD_RETRY, "who are you?");
    assert_string_equal(testhost_parked(bench.host), "taxii.unauthorized");
    answer_end(&bench, HTTP_REFUSED, "tls.client-certificate", "the partner does not accept our certificate");
    ais_ended(second, ACCORD_RETRY, "certificate");
    assert_string_equal(testhost_parked(bench.host), "tls.client-certificate");
    assert_true(partner_dropped() > 0);
    ais_close(&bench);
}

static void a_page_about_the_certificate_parks(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer_page(&bench, 400, "text/html", "<html>400 No required SSL certificate was sent</html>");
    ais_ended(delivery, ACCORD_RETRY, "certificate");
    assert_string_equal(testhost_parked(bench.host), "taxii.certificate-refused");
    ais_close(&bench);
}

static void what_nobody_knows_is_uncertain(void **state)
{
    static const struct {
        long code;
        const char *type, *page;
    } pages[] = {
        {200, "text/html", "<html>Welcome</html>"}, {200, NULL, ""}, {502, "text/html", "Bad Gateway"}};
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct accord_delivery *delivery = ais_send_one(&bench, "abc");
        answer_page(&bench, pages[i].code, pages[i].type, pages[i].page);
        ais_ended(delivery, ACCORD_UNCERTAIN, "not known");
    }
    struct accord_delivery *delivery = ais_send_one(&bench, "abd");
    answer(&bench, "BROKEN line 2: a tag is not closed\n");
    ais_ended(delivery, ACCORD_UNCERTAIN, "line 2");
    delivery = ais_send_one(&bench, "abe");
    answer(&bench, "STATUS SUCCESS|\nBROKEN more behind the end\n");
    ais_ended(delivery, ACCORD_UNCERTAIN, "more behind the end");
    delivery = ais_send_one(&bench, "abf");
    answer(&bench, "POLL AIS|1|last||\n");
    ais_ended(delivery, ACCORD_UNCERTAIN, "another kind");
    delivery = ais_send_one(&bench, "abg");
    answer_end(&bench, HTTP_UNCERTAIN, "", "the connection broke");
    ais_ended(delivery, ACCORD_UNCERTAIN, "the connection broke");
    ais_close(&bench);
}

static void a_status_counts_whatever_code_it_comes_with(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send_one(&bench, "abc");
    answer_code(&bench, 500, "STATUS RETRY|later|ESTIMATED_WAIT=7\n");
    ais_ended(delivery, ACCORD_RETRY, "later");
    assert_int_equal(delivery->wait, 7000);
    ais_close(&bench);
}

static void without_a_connection_all_that_waits_is_tried_later(void **state)
{
    static const struct accord_pair link[] = {
        {"trust", "t"}, {"inbox", "/inbox"}, {"connections", "1"}, {NULL, NULL}};
    struct accord_delivery *delivery[7];
    (void)state;
    ais_open_submit(&bench, link, NULL);
    for (int i = 0; i < 7; i++)
        delivery[i] = ais_send(&bench, NULL, "<a/>");
    ais_run(&bench);
    assert_int_equal(partner_waiting(), 5);
    answer_end(&bench, HTTP_LOST, "", "connection refused");
    answer_end(&bench, HTTP_LOST, "", "connection refused");
    for (int i = 0; i < 7; i++)
        if (delivery[i]->finished)
            assert_int_equal(delivery[i]->outcome, ACCORD_RETRY);
    while (partner_waiting())
        answer_end(&bench, HTTP_LOST, "", "connection refused");
    for (int i = 0; i < 7; i++)
        ais_ended(delivery[i], ACCORD_RETRY, "refused");
    ais_close(&bench);
}

static void what_is_no_xml_is_refused_and_not_sent(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send(&bench, "abc", "ISA*00*");
    ais_run(&bench);
    ais_ended(delivery, ACCORD_REFUSED, "escaped");
    assert_int_equal(partner_waiting(), 0);
    ais_close(&bench);
}

/* ---- batches ---- */

static const struct accord_pair batches[] = {
    {"collection", "X"}, {"batch", "3"}, {"batch-size", "1 KiB"}, {NULL, NULL}};

static unsigned blocks_in(const char *body)
{
    unsigned count = 0;
    for (const char *at = body; (at = strstr(at, "<t:Content_Block>")); at++)
        count++;
    return count;
}

static void what_comes_at_once_goes_as_one_message(void **state)
{
    struct accord_delivery *delivery[5];
    char id[24];
    (void)state;
    ais_open_submit(&bench, NULL, batches);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "m%d", i);
        delivery[i] = ais_send(&bench, id, "<a/>");
    }
    ais_run(&bench);
    assert_int_equal(partner_waiting(), 2);
    assert_int_equal(blocks_in(partner_body(partner_call(0))), 3);
    assert_int_equal(blocks_in(partner_body(partner_call(1))), 2);
    assert_non_null(strstr(partner_body(partner_call(0)), "message_id=\"urn:accord:batch:"));
    assert_non_null(strstr(partner_body(partner_call(0)), "<t:Record_Count>3<"));
    answer(&bench, "STATUS SUCCESS|\n");
    for (int i = 0; i < 3; i++)
        ais_ended(delivery[i], ACCORD_DELIVERED, "urn:accord:batch:");
    assert_false(delivery[3]->finished);
    answer(&bench, "STATUS SUCCESS|\n");
    ais_ended(delivery[4], ACCORD_DELIVERED, "SUCCESS");
    ais_close(&bench);
}

static void a_batch_has_its_limit_in_bytes(void **state)
{
    char big[700];
    (void)state;
    memset(big, ' ', sizeof big);
    memcpy(big + sizeof big - 5, "<a/>", 5);
    ais_open_submit(&bench, NULL, batches);
    for (int i = 0; i < 3; i++)
        ais_send(&bench, NULL, big);
    ais_run(&bench);
    assert_int_equal(partner_waiting(), 3);
    for (int i = 0; i < 3; i++)
        answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void what_was_tried_before_goes_alone(void **state)
{
    const struct testhost_message again = {
        .id = "old", .type = "stix-1", .name = "x", .bytes = "<a/>", .size = 4, .attempt = 2};
    (void)state;
    ais_open_submit(&bench, NULL, batches);
    ais_send(&bench, "m1", "<a/>");
    testhost_deliver(bench.host, 0, &again);
    ais_send(&bench, "m2", "<a/>");
    ais_run(&bench);
    assert_int_equal(partner_waiting(), 3);
    assert_non_null(strstr(partner_body(partner_call(1)), "message_id=\"urn:accord:old\""));
    for (int i = 0; i < 3; i++)
        answer(&bench, "STATUS SUCCESS|\n");
    ais_close(&bench);
}

static void a_batch_that_is_refused_is_tried_one_by_one(void **state)
{
    struct accord_delivery *delivery[3];
    (void)state;
    ais_open_submit(&bench, NULL, batches);
    for (int i = 0; i < 3; i++)
        delivery[i] = ais_send(&bench, NULL, "<a/>");
    ais_run(&bench);
    answer_page(&bench, 413, "text/html", "Request Entity Too Large");
    for (int i = 0; i < 3; i++)
        ais_ended(delivery[i], ACCORD_RETRY, "sent alone next");
    ais_close(&bench);
}

static void one_that_cannot_be_sent_does_not_take_the_others_with_it(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, batches);
    struct accord_delivery *first = ais_send(&bench, "m1", "<a/>"),
                           *second = ais_send(&bench, "m2", "no xml"),
                           *third = ais_send(&bench, "m3", "<a/>");
    ais_run(&bench);
    ais_ended(second, ACCORD_REFUSED, "not XML");
    ais_ended(first, ACCORD_RETRY, "");
    if (!third->finished) {
        assert_int_equal(blocks_in(partner_body(partner_call(0))), 1);
        answer(&bench, "STATUS SUCCESS|\n");
    }
    assert_true(third->finished && third->outcome != ACCORD_REFUSED);
    ais_close(&bench);
}

/* ---- giving up ---- */

static void a_cancelled_one_ends_at_once_before_it_is_gone(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *delivery = ais_send(&bench, "abc", "<a>text</a>");
    delivery->stall_at = 5;
    ais_run(&bench);
    testhost_cancel(bench.host, delivery);
    ais_run(&bench);
    ais_ended(delivery, ACCORD_RETRY, "cancelled");
    assert_int_equal(partner_waiting(), 0);
    ais_close(&bench);
}

static void cancel_what_is_gone(bool whole)
{
    ais_open_submit(&bench, NULL, NULL);
    if (whole)
        partner_takes_whole();
    struct accord_delivery *first = ais_send_one(&bench, "abc"), *second = ais_send_one(&bench, "abd");
    testhost_cancel(bench.host, first);
    testhost_cancel(bench.host, second);
    ais_pass(&bench, 1000);
    assert_false(first->finished);
    answer(&bench, "STATUS SUCCESS|\n");
    ais_ended(first, ACCORD_DELIVERED, "SUCCESS");
    ais_pass(&bench, 3000);
    ais_ended(second, ACCORD_UNCERTAIN, "cancelled");
    ais_close(&bench);
}

static void a_cancelled_one_that_is_gone_waits_a_little_for_its_answer(void **state)
{
    (void)state;
    cancel_what_is_gone(false);
    cancel_what_is_gone(true);
}

/* Nor a batch of several: its parts are gathered as they go. */
static void what_is_not_there_is_not_offered_as_a_whole(void **state)
{
    static const struct accord_pair options[] = {{"collection", "AIS_INGEST"}, {"batch", "2"}, {NULL, NULL}};
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    partner_takes_whole();
    struct accord_delivery *delivery = ais_send(&bench, "abc", "<a>text</a>");
    delivery->stall_at = 5;
    ais_run(&bench);
    assert_false(partner_whole(partner_call(0)));
    testhost_cancel(bench.host, delivery);
    ais_run(&bench);
    ais_ended(delivery, ACCORD_RETRY, "cancelled");
    ais_close(&bench);
    ais_open_submit(&bench, NULL, options);
    partner_takes_whole();
    ais_send(&bench, "abd", "<a/>");
    ais_send(&bench, "abe", "<a/>");
    ais_run(&bench);
    assert_false(partner_whole(partner_call(0)));
    ais_close(&bench);
}

static void what_waits_ends_with_a_stop_and_what_is_under_way_does_not(void **state)
{
    static const struct accord_pair link[] = {
        {"trust", "t"}, {"inbox", "/inbox"}, {"connections", "1"}, {NULL, NULL}};
    struct accord_delivery *delivery[6];
    (void)state;
    ais_open_submit(&bench, link, NULL);
    for (int i = 0; i < 6; i++)
        delivery[i] = ais_send(&bench, NULL, "<a/>");
    ais_run(&bench);
    testhost_stop(bench.host);
    ais_run(&bench);
    ais_ended(delivery[5], ACCORD_RETRY, "stopping");
    answer(&bench, "STATUS SUCCESS|\n");
    ais_ended(delivery[0], ACCORD_DELIVERED, "SUCCESS");
    ais_close(&bench);
    bench.host = NULL;
}

static void a_close_in_mid_flight_says_what_is_known(void **state)
{
    (void)state;
    ais_open_submit(&bench, NULL, NULL);
    struct accord_delivery *gone = ais_send_one(&bench, "abc"),
                           *half = ais_send(&bench, "abd", "<a>text</a>");
    half->stall_at = 5;
    ais_run(&bench);
    testhost_close(bench.host);
    ais_ended(gone, ACCORD_UNCERTAIN, "closed");
    ais_ended(half, ACCORD_RETRY, "closed");
    ais_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_asked_while_there_is_nothing_to_submit),
        cmocka_unit_test(a_message_is_a_block_with_its_id),
        cmocka_unit_test(the_destination_is_left_out_when_it_must_be),
        cmocka_unit_test(escaped_content_goes_without_a_size),
        cmocka_unit_test(a_large_message_is_streamed),
        cmocka_unit_test(a_refusal_ends_the_message),
        cmocka_unit_test(a_wait_is_kept),
        cmocka_unit_test(who_is_not_let_in_parks_and_burns_nothing),
        cmocka_unit_test(a_page_about_the_certificate_parks),
        cmocka_unit_test(what_nobody_knows_is_uncertain),
        cmocka_unit_test(a_status_counts_whatever_code_it_comes_with),
        cmocka_unit_test(without_a_connection_all_that_waits_is_tried_later),
        cmocka_unit_test(what_is_no_xml_is_refused_and_not_sent),
        cmocka_unit_test(what_comes_at_once_goes_as_one_message),
        cmocka_unit_test(a_batch_has_its_limit_in_bytes),
        cmocka_unit_test(what_was_tried_before_goes_alone),
        cmocka_unit_test(a_batch_that_is_refused_is_tried_one_by_one),
        cmocka_unit_test(one_that_cannot_be_sent_does_not_take_the_others_with_it),
        cmocka_unit_test(a_cancelled_one_ends_at_once_before_it_is_gone),
        cmocka_unit_test(a_cancelled_one_that_is_gone_waits_a_little_for_its_answer),
        cmocka_unit_test(what_is_not_there_is_not_offered_as_a_whole),
        cmocka_unit_test(what_waits_ends_with_a_stop_and_what_is_under_way_does_not),
        cmocka_unit_test(a_close_in_mid_flight_says_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
