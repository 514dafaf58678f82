/* Polling: windows, parts, the cursor, and blocks on their way to the bus. */
#include "taxii_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- windows ---- */

static void the_first_poll_begins_at_start_and_goes_on_window_by_window(void **state)
{
    (void)state;
    open_plain();
    assert_string_equal(partner_path(partner_call(0)), "/poll");
    assert_true(partner_again(partner_call(0)));
    assert_non_null(strstr(partner_body(partner_call(0)), "collection_name=\"AIS\""));
    asks(W0, W1);
    answer(&bench, "POLL AIS|1|last||" W1 "\n");
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    asks(W1, W2);
    answer(&bench, "POLL AIS|1|last||" W2 "\n");
    assert_string_equal(cursor(), "1 " W2 " - 1 -");
    assert_int_equal(partner_waiting(), 0);
    ais_pass(&bench, 299000);
    assert_int_equal(partner_waiting(), 0);
    ais_pass(&bench, 1000);
    asks(W2, "2025-11-22T02:05:00.000000Z");
    answer(&bench, "POLL AIS|1|last||\n");
    assert_int_equal(partner_waiting(), 0);
    ais_close(&bench);
}

static void the_end_stays_behind_our_clock(void **state)
{
    static const struct accord_pair options[] = {
        {"collection", "AIS"}, {"settle", "10 s"}, {"start", "1 hour"}, {NULL, NULL}};
    (void)state;
    open_with(NULL, options, "");
    asks("2025-11-22T00:59:50.000000Z", "2025-11-22T01:59:50.000000Z");
    answer(&bench, "POLL AIS|1|last||\n");
    ais_close(&bench);
}

static void a_narrowed_window_goes_on_where_it_ended(void **state)
{
    (void)state;
    open_plain();
    answer(&bench, "POLL AIS|1|last||2025-11-21T18:00:00Z\n");
    asks("2025-11-21T18:00:00.000000Z", "2025-11-22T00:00:00.000000Z");
    answer(&bench, "POLL AIS|1|last||2099-01-01T00:00:00Z\n");
    asks("2025-11-22T00:00:00.000000Z", W2);
    answer(&bench, "POLL AIS|1|last||1999-01-01T00:00:00Z\n");
    assert_string_equal(cursor(), "1 " W2 " - 1 -");
    ais_close(&bench);
}

static void a_window_that_is_narrowed_to_nothing_much_is_not_followed_at_once(void **state)
{
    (void)state;
    open_plain();
    answer(&bench, "POLL AIS|1|last||2025-11-21T14:00:00.000001Z\n");
    assert_int_equal(partner_waiting(), 0);
    ais_pass(&bench, 300000);
    assert_int_equal(partner_waiting(), 1);
    answer(&bench, "POLL AIS|1|last||\n");
    while (partner_waiting())
        answer(&bench, "POLL AIS|1|last||\n");
    ais_close(&bench);
}

static void a_clock_that_was_set_back_is_waited_for(void **state)
{
    (void)state;
    open_with(NULL, NULL, "1 2025-11-22T04:00:00.000000Z - 1 -");
    assert_int_equal(partner_waiting(), 0);
    assert_non_null(testhost_incident(bench.host, "taxii.clock"));
    ais_pass(&bench, 2 * 3600000 + 300000);
    assert_int_equal(partner_waiting(), 1);
    answer(&bench, "POLL AIS|1|last||\n");
    ais_close(&bench);
}

static void a_damaged_cursor_begins_at_start_and_is_an_incident(void **state)
{
    (void)state;
    open_with(NULL, NULL, "1 2025-11-22T01:00:00.000000Z - 1");
    assert_non_null(testhost_incident(bench.host, "taxii.cursor"));
    asks(W0, W1);
    ais_close(&bench);
}

/* ---- blocks and parts ---- */

static void blocks_are_messages_and_the_last_of_a_part_has_the_cursor(void **state)
{
    (void)state;
    open_plain();
    answer(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>"));
    assert_int_equal(testhost_offers(bench.host), 2);
    const struct accord_offer *first = testhost_offer(bench.host, 0), *second = testhost_offer(bench.host, 1);
    assert_memory_equal(first->bytes, "<a/>", 4);
    assert_int_equal(first->declared, 4);
    assert_false(first->has_cursor);
    assert_int_equal(strncmp(first->source_id, "content:", 8), 0);
    assert_int_equal(strlen(first->source_id), 40);
    assert_int_equal(strncmp(first->name, "AIS-", 4), 0);
    assert_memory_equal(second->bytes, "<b/>", 4);
    assert_string_equal(second->cursor, "1 " W1 " - 1 -");
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    asks(W1, W2);
    assert_int_equal(testhost_metric(bench.host, "blocks_received"), 2);
    ais_close(&bench);
}

static void all_parts_are_asked_for(void **state)
{
    (void)state;
    open_plain();
    answer(&bench, "POLL AIS|1|more|r 1|" W1 "\n" BLOCK("<a/>"));
    assert_string_equal(cursor(), "1 " W0 " " W1 " 2 r%201");
    asks_part("r 1", 2);
    answer(&bench, "POLL AIS|2|more||" W1 "\n" BLOCK("<b/>"));
    assert_string_equal(cursor(), "1 " W0 " " W1 " 3 r%201");
    asks_part("r 1", 3);
    answer(&bench, "POLL AIS|3|last|r 1|" W1 "\n");
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    assert_int_equal(taken(), 2);
    asks(W1, W2);
    ais_close(&bench);
}

static void a_restart_goes_on_with_the_part(void **state)
{
    (void)state;
    open_with(NULL, NULL, "1 " W0 " " W1 " 3 r");
    asks_part("r", 3);
    answer(&bench, "POLL AIS|3|last|r|" W1 "\n" BLOCK("<c/>"));
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    ais_close(&bench);
}

static void a_result_that_is_gone_leads_to_the_window_again(void **state)
{
    (void)state;
    open_with(NULL, NULL, "1 " W0 " " W1 " 3 r");
    answer(&bench, "STATUS NOT_FOUND||ITEM=r\n");
    ais_pass(&bench, 2000);
    asks(W0, W1);
    answer(&bench, "POLL AIS|1|more|q|" W1 "\n" BLOCK("<a/>"));
    asks_part("q", 2);
    ais_close(&bench);
}

static void fewer_parts_than_promised_are_all_there_are(void **state)
{
    (void)state;
    open_plain();
    answer(&bench, "POLL AIS|1|more|r|" W1 "\n" BLOCK("<a/>"));
    answer(&bench, "STATUS INVALID_RESPONSE_PART||MAX_PART_NUMBER=1\n");
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    asks(W1, W2);
    answer(&bench, "POLL AIS|1|more|r|" W1 "\n" BLOCK("<a/>"));
    answer(&bench, "STATUS INVALID_RESPONSE_PART||MAX_PART_NUMBER=7\n");
    ais_pass(&bench, 2000);
    asks(W1, W2);
    ais_close(&bench);
}

static void parts_that_never_end_are_ended(void **state)
{
    char lines[300];
    (void)state;
    open_plain();
    for (int part = 1; part <= 5; part++) {
        snprintf(lines, sizeof lines, "POLL AIS|%d|more|r|\n" BLOCK("<a n='%d'/>"), part, part);
        answer(&bench, lines);
    }
    assert_int_equal(partner_waiting(), 0);
    assert_string_equal(cursor(), "1 " W0 " " W1 " 5 r");
    ais_pass(&bench, 2000);
    asks(W0, W1); /* and smaller ones, if it does not stop */
    for (int round = 0; round < 4; round++) {
        for (int part = 1; part <= 5; part++) {
            snprintf(lines, sizeof lines, "POLL AIS|%d|more|r|\n" BLOCK("<a n='%d'/>"), part, part);
            answer(&bench, lines);
        }
        ais_pass(&bench, 20000);
    }
    assert_null(strstr(partner_body(partner_call(0)), W1));
    assert_non_null(testhost_incident(bench.host, "taxii.too-many-parts"));
    ais_close(&bench);
}

static void a_part_that_is_repeated_is_noticed(void **state)
{
    (void)state;
    open_plain();
    answer(&bench, "POLL AIS|1|more|r|\n" BLOCK("<a/>"));
    answer(&bench, "POLL AIS|2|more|r|\n" BLOCK("<a/>"));
    assert_int_equal(partner_waiting(), 0);
    assert_non_null(strstr(testhost_last_log(bench.host, "taxii.poll-failed"), "the same blocks"));
    ais_pass(&bench, 2000);
    asks(W0, W1);
    ais_close(&bench);
}

static void an_answer_to_something_else_is_refused(void **state)
{
    static const char *const wrong[] = {"POLL XYZ|1|last||\n",
                                        "POLL AIS|2|last||\n",
                                        "POLL AIS|0|last||\n",
                                        "POLL AIS|1|more||\n",
                                        "STATUS SUCCESS|\n",
                                        "COLLECTION AIS|feed|||\n",
                                        ""};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        open_plain();
        answer(&bench, wrong[i]);
        assert_string_equal(cursor(), "");
        assert_int_equal(partner_waiting(), 0);
        assert_int_equal(testhost_logged(bench.host, "taxii.poll-failed"), 1);
        ais_pass(&bench, 2000);
        asks(W0, W1);
        ais_close(&bench);
    }
}

static void a_data_set_is_taken_whole_each_time(void **state)
{
    static const struct accord_pair link[] = {{"trust", "t"}, {"discovery", "/disc"}, {NULL, NULL}};
    static const struct accord_pair options[] = {{"collection", "SET"}, {"poll", "1 min"}, {NULL, NULL}};
    (void)state;
    open_with(link, options, "");
    answer_catalogue(&bench);
    assert_null(strstr(partner_body(partner_call(0)), "Timestamp"));
    answer(&bench, "POLL SET|1|more|r|\n" BLOCK("<a/>"));
    answer(&bench, "POLL SET|2|last|r|\n" BLOCK("<b/>"));
    assert_int_equal(partner_waiting(), 0);
    ais_pass(&bench, 60000);
    assert_null(strstr(partner_body(partner_call(0)), "Timestamp"));
    answer(&bench, "POLL SET|1|last||\n" BLOCK("<a/>"));
    assert_int_equal(testhost_offers(bench.host), 3);
    assert_string_equal(testhost_offer(bench.host, 0)->source_id, testhost_offer(bench.host, 2)->source_id);
    ais_close(&bench);
}

static void a_subscription_and_bindings_are_asked_with(void **state)
{
    static const struct accord_pair first[] = {{"collection", "AIS"}, {"subscription", "s-1"}, {NULL, NULL}};
    static const struct accord_pair second[] = {
        {"collection", "AIS"}, {"bindings", "urn:a, urn:b"}, {NULL, NULL}};
    (void)state;
    open_with(NULL, first, "");
    assert_non_null(strstr(partner_body(partner_call(0)), "<t:Subscription_ID>s-1<"));
    ais_close(&bench);
    open_with(NULL, second, "");
    assert_non_null(strstr(partner_body(partner_call(0)), "binding_id=\"urn:b\""));
    ais_close(&bench);
}

/* ---- large ones ---- */

static void a_large_block_is_handed_over_as_it_comes(void **state)
{
    (void)state;
    open_plain();
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") "BLOCK urn:a\nMANY 5000000 x\n");
    assert_int_equal(testhost_offers(bench.host), 2);
    const struct accord_offer *offer = testhost_offer(bench.host, 1);
    assert_int_equal(offer->declared, -1);
    assert_int_equal(strncmp(offer->source_id, "prefix:", 7), 0);
    assert_true(offer->size > 4000000);
    assert_false(offer->complete);
    answer(&bench, "MANY 2000000 y\nLABEL x\n");
    assert_true(offer->complete);
    assert_int_equal(offer->size, 7000000);
    assert_int_equal(offer->bytes[4999999], 'x');
    assert_int_equal(offer->bytes[5000000], 'y');
    assert_false(offer->has_cursor);
    assert_string_equal(cursor(), "1 " W1 " - 1 -"); /* on its own, behind it */
    ais_close(&bench);
}

static void a_host_that_is_slow_slows_down_the_partner(void **state)
{
    (void)state;
    open_plain();
    testhost_hold_admissions(bench.host, true);
    testhost_offer_room(bench.host, 1);
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\n");
    for (int i = 0; i < 40; i++) {
        char lines[100];
        snprintf(lines, sizeof lines, "BLOCK urn:a\nMANY 1000000 %c\nLABEL x\n", 'A' + i);
        answer_begin(&bench, lines);
    }
    assert_true(partner_paused(partner_call(0)));
    assert_int_equal(testhost_offers(bench.host), 1);
    testhost_offer_room(bench.host, 16);
    testhost_hold_admissions(bench.host, false);
    ais_run(&bench);
    answer(&bench, "");
    assert_int_equal(taken(), 40);
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    ais_close(&bench);
}

static void what_the_host_did_not_take_in_time_goes_over_the_next_session(void **state)
{
    (void)state;
    open_plain();
    testhost_offer_room(bench.host, 0);
    answer(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>"));
    assert_int_equal(testhost_offers(bench.host), 0);
    assert_string_equal(cursor(), "");
    testhost_offer_room(bench.host, 16);
    ais_run(&bench);
    asks(W1, W2);
    answer(&bench, "POLL AIS|1|last||" W2 "\n" BLOCK("<b/>"));
    assert_int_equal(taken(), 2);
    assert_memory_equal(testhost_offer(bench.host, 0)->bytes, "<a/>", 4);
    assert_string_equal(cursor(), "1 " W2 " - 1 -");
    ais_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_poll_begins_at_start_and_goes_on_window_by_window),
        cmocka_unit_test(the_end_stays_behind_our_clock),
        cmocka_unit_test(a_narrowed_window_goes_on_where_it_ended),
        cmocka_unit_test(a_window_that_is_narrowed_to_nothing_much_is_not_followed_at_once),
        cmocka_unit_test(a_clock_that_was_set_back_is_waited_for),
        cmocka_unit_test(a_damaged_cursor_begins_at_start_and_is_an_incident),
        cmocka_unit_test(blocks_are_messages_and_the_last_of_a_part_has_the_cursor),
        cmocka_unit_test(all_parts_are_asked_for),
        cmocka_unit_test(a_restart_goes_on_with_the_part),
        cmocka_unit_test(a_result_that_is_gone_leads_to_the_window_again),
        cmocka_unit_test(fewer_parts_than_promised_are_all_there_are),
        cmocka_unit_test(parts_that_never_end_are_ended),
        cmocka_unit_test(a_part_that_is_repeated_is_noticed),
        cmocka_unit_test(an_answer_to_something_else_is_refused),
        cmocka_unit_test(a_data_set_is_taken_whole_each_time),
        cmocka_unit_test(a_subscription_and_bindings_are_asked_with),
        cmocka_unit_test(a_large_block_is_handed_over_as_it_comes),
        cmocka_unit_test(a_host_that_is_slow_slows_down_the_partner),
        cmocka_unit_test(what_the_host_did_not_take_in_time_goes_over_the_next_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
