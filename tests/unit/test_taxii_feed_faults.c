/* Polling when something fails: verdicts, answers cut off, pages, silence, stops. The bus keeps one of each source id, so what
 * is asked for twice does no harm; what must never happen is a cursor beyond what it holds. */
#include "taxii_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- verdicts ---- */

static void what_is_deferred_is_asked_for_again_and_no_cursor_passes_it(void **state)
{
    (void)state;
    open_plain();
    testhost_hold_admissions(bench.host, true);
    answer(&bench, "POLL AIS|1|more|r|" W1 "\n" BLOCK("<a/>") BLOCK("<b/>") BLOCK("<c/>"));
    assert_int_equal(testhost_offers(bench.host), 3);
    testhost_tell(bench.host, testhost_offer(bench.host, 1), ACCORD_DEFERRED, "malware.down",
                  "the scanner is down");
    testhost_tell(bench.host, testhost_offer(bench.host, 2), ACCORD_ACCEPTED, "", "");
    ais_run(&bench);
    ais_pass(&bench, 2000);
    assert_int_equal(partner_waiting(), 0); /* the first is not decided yet */
    testhost_tell(bench.host, testhost_offer(bench.host, 0), ACCORD_ACCEPTED, "", "");
    testhost_hold_admissions(bench.host, false);
    ais_pass(&bench, 2000);
    assert_string_equal(cursor(), "");
    asks(W0, W1);
    answer(&bench, "POLL AIS|1|more|r|" W1 "\n" BLOCK("<a/>") BLOCK("<b/>") BLOCK("<c/>"));
    assert_string_equal(cursor(), "1 " W0 " " W1 " 2 r");
    ais_close(&bench);
}

static void a_deferral_in_mid_answer_cuts_it(void **state)
{
    (void)state;
    open_plain();
    testhost_admission(bench.host, ACCORD_DEFERRED, "malware.down", "the scanner is down");
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>") BLOCK("<c/>"));
    assert_int_equal(partner_waiting(), 0);
    testhost_admission(bench.host, ACCORD_ACCEPTED, "", "");
    ais_pass(&bench, 4000);
    asks(W0, W1);
    answer(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>") BLOCK("<c/>"));
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    ais_close(&bench);
}

static void what_is_quarantined_or_rejected_is_passed(void **state)
{
    (void)state;
    open_plain();
    testhost_admission(bench.host, ACCORD_QUARANTINED, "stix-1.marking", "no AIS marking");
    answer(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>"));
    testhost_admission(bench.host, ACCORD_REJECTED, "hub.size", "too large");
    answer(&bench, "POLL AIS|1|last||" W2 "\n" BLOCK("<b/>"));
    assert_string_equal(cursor(), "1 " W2 " - 1 -");
    assert_int_equal(testhost_logged(bench.host, "taxii.quarantined"), 1);
    assert_int_equal(testhost_logged(bench.host, "taxii.rejected"), 1);
    assert_non_null(testhost_incident(bench.host, "taxii.block-rejected"));
    ais_close(&bench);
}

static void a_large_block_may_be_rejected_in_its_middle(void **state)
{
    (void)state;
    open_plain();
    testhost_hold_admissions(bench.host, true);
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\nBLOCK urn:a\nMANY 5000000 x\n");
    testhost_tell(bench.host, testhost_offer(bench.host, 0), ACCORD_REJECTED, "hub.size", "too large");
    testhost_hold_admissions(bench.host, false);
    answer_begin(&bench, "MANY 60000000 x\nLABEL x\n");
    answer(&bench, BLOCK("<b/>"));
    assert_int_equal(testhost_offers(bench.host), 2);
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    ais_close(&bench);
}

/* ---- what fails ---- */

static void what_came_before_a_cut_is_kept_and_the_rest_comes_again(void **state)
{
    (void)state;
    open_plain();
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>") "BLOCK urn:a\nTEXT <c>\n");
    answer_end(&bench, HTTP_UNCERTAIN, "", "the connection broke");
    assert_int_equal(taken(), 2);
    assert_string_equal(cursor(), "");
    ais_pass(&bench, 1000);
    asks(W0, W1);
    answer(&bench,
           "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>") "BLOCK urn:a\nTEXT <c></c>\nLABEL x\n");
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    for (size_t i = 0; i < testhost_offers(bench.host); i++)
        assert_true(testhost_offer(bench.host, i)->size != 3);
    ais_close(&bench);
}

static void a_large_block_that_is_cut_is_given_up(void **state)
{
    (void)state;
    open_plain();
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\nBLOCK urn:a\nMANY 5000000 x\n");
    answer(&bench, "BROKEN line 7: mismatched tag\n");
    assert_true(testhost_offer(bench.host, 0)->aborted);
    assert_string_equal(cursor(), "");
    ais_pass(&bench, 1000);
    asks(W0, W1);
    ais_close(&bench);
}

static void pauses_grow_and_end_when_it_works(void **state)
{
    int64_t pause = 1000;
    (void)state;
    open_plain();
    for (int i = 0; i < 12; i++) {
        answer_end(&bench, HTTP_LOST, "", "connection refused");
        ais_pass(&bench, pause - 1);
        assert_int_equal(partner_waiting(), 0);
        ais_pass(&bench, 1);
        assert_int_equal(partner_waiting(), 1);
        pause = pause * 2 > 300000 ? 300000 : pause * 2;
    }
    assert_int_equal(testhost_logged(bench.host, "taxii.poll-failed"), 1); /* once */
    answer(&bench, "POLL AIS|1|last||" W1 "\n");
    assert_int_equal(testhost_logged(bench.host, "taxii.poll-works"), 1);
    answer_end(&bench, HTTP_LOST, "", "connection refused");
    ais_pass(&bench, 1000);
    assert_int_equal(partner_waiting(), 1);
    ais_close(&bench);
}

static void an_answer_that_can_never_be_read_is_asked_for_in_smaller_windows(void **state)
{
    (void)state;
    open_plain();
    for (int i = 0; i < 4; i++) {
        asks(W0, i < 3 ? W1 : "2025-11-21T17:00:00.000000Z");
        answer(&bench, "POLL AIS|1|last||\nBROKEN line 2: no\n");
        assert_true((testhost_incident(bench.host, "taxii.bad-answer") != NULL) == (i >= 2));
        ais_pass(&bench, 60000);
    }
    asks(W0, "2025-11-21T15:30:00.000000Z");
    answer(&bench, "POLL AIS|1|last||\n");
    asks("2025-11-21T15:30:00.000000Z", "2025-11-21T18:30:00.000000Z"); /* and grows again */
    ais_close(&bench);
}

static void the_partner_s_wait_is_kept(void **state)
{
    static const char *const waits[] = {"STATUS RETRY||ESTIMATED_WAIT=600\n",
                                        "STATUS PENDING||ESTIMATED_WAIT=600\n"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        open_plain();
        answer(&bench, waits[i]);
        ais_pass(&bench, 599000);
        assert_int_equal(partner_waiting(), 0);
        ais_pass(&bench, 1000);
        asks(W0, W1);
        ais_close(&bench);
    }
}

static void who_is_not_let_in_parks_and_asks_again_at_its_pace(void **state)
{
    (void)state;
    open_plain();
    answer_end(&bench, HTTP_REFUSED, "tls.expired", "our certificate has ended");
    assert_string_equal(testhost_parked(bench.host), "tls.expired");
    ais_pass(&bench, 299000);
    assert_int_equal(partner_waiting(), 0);
    ais_pass(&bench, 1000);
    asks(W0, W1);
    ais_close(&bench);
}

static void pages_are_no_answers(void **state)
{
    static const struct {
        long code;
        const char *type, *page, *words;
    } pages[] = {{200, "text/html", "<html>Login</html>", "Login"},
                 {200, NULL, "", "nothing"},
                 {404, "text/html", "", "correct the paths"},
                 {500, "text/html", "oops", "oops"}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        open_plain();
        answer_page(&bench, pages[i].code, pages[i].type, pages[i].page);
        assert_non_null(strstr(testhost_last_log(bench.host, "taxii.poll-failed"), pages[i].words));
        assert_int_equal(testhost_offers(bench.host), 0);
        assert_string_equal(cursor(), "");
        ais_close(&bench);
    }
}

static void silence_is_an_incident_once_a_day(void **state)
{
    (void)state;
    open_plain();
    for (int hours = 0; hours < 26; hours++) {
        while (partner_waiting())
            answer(&bench, hours == 2 ? "POLL AIS|1|last||\n" BLOCK("<a/>") : "POLL AIS|1|last||\n");
        ais_pass(&bench, 3600000);
        if ((testhost_incident(bench.host, "taxii.feed-silent") != NULL) != (hours >= 25))
            fail_msg("after %d hours", hours);
    }
    assert_int_equal(testhost_logged(bench.host, "taxii.feed-silent"), 1);
    ais_close(&bench);
}

/* ---- stopping ---- */

static void a_stop_takes_nothing_new_and_a_start_goes_on(void **state)
{
    (void)state;
    open_plain();
    testhost_hold_admissions(bench.host, true);
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>"));
    assert_int_equal(testhost_offers(bench.host), 1);
    testhost_stop(bench.host);
    ais_run(&bench);
    assert_int_equal(partner_waiting(), 0);
    testhost_hold_admissions(bench.host, false);
    ais_pass(&bench, 600000);
    assert_int_equal(testhost_offers(bench.host), 1);
    assert_int_equal(taken(), 1);
    testhost_start(bench.host);
    ais_run(&bench);
    asks(W0, W1);
    answer(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") BLOCK("<b/>"));
    assert_string_equal(cursor(), "1 " W1 " - 1 -");
    ais_close(&bench);
}

static void a_close_in_mid_answer_leaves_nothing(void **state)
{
    (void)state;
    open_plain();
    testhost_hold_admissions(bench.host, true);
    answer_begin(&bench, "POLL AIS|1|last||" W1 "\n" BLOCK("<a/>") "BLOCK urn:a\nMANY 5000000 x\n");
    ais_close(&bench);
}

static void a_stop_while_the_catalogue_is_asked_for_is_fine(void **state)
{
    static const struct accord_pair link[] = {{"trust", "t"}, {"discovery", "/disc"}, {NULL, NULL}};
    (void)state;
    open_with(link, NULL, "");
    testhost_stop(bench.host);
    answer_catalogue(&bench);
    assert_int_equal(partner_waiting(), 0);
    testhost_start(bench.host);
    ais_run(&bench);
    asks(W0, W1);
    ais_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_deferred_is_asked_for_again_and_no_cursor_passes_it),
        cmocka_unit_test(a_deferral_in_mid_answer_cuts_it),
        cmocka_unit_test(what_is_quarantined_or_rejected_is_passed),
        cmocka_unit_test(a_large_block_may_be_rejected_in_its_middle),
        cmocka_unit_test(what_came_before_a_cut_is_kept_and_the_rest_comes_again),
        cmocka_unit_test(a_large_block_that_is_cut_is_given_up),
        cmocka_unit_test(pauses_grow_and_end_when_it_works),
        cmocka_unit_test(an_answer_that_can_never_be_read_is_asked_for_in_smaller_windows),
        cmocka_unit_test(the_partner_s_wait_is_kept),
        cmocka_unit_test(who_is_not_let_in_parks_and_asks_again_at_its_pace),
        cmocka_unit_test(pages_are_no_answers),
        cmocka_unit_test(silence_is_an_incident_once_a_day),
        cmocka_unit_test(a_stop_takes_nothing_new_and_a_start_goes_on),
        cmocka_unit_test(a_close_in_mid_answer_leaves_nothing),
        cmocka_unit_test(a_stop_while_the_catalogue_is_asked_for_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
