/* What the bus does not take now, what it never takes, and what cannot be read. */
#include "mq_inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <proton/disposition.h>

/* ---- not now, and never ---- */

static void what_is_deferred_comes_again_in_its_place(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    testhost_admission(bench.host, ACCORD_DEFERRED, "hub.room", "the store is full");
    put("1", "one", 3);
    put("2", "two", 3);
    mq_run(&bench);
    assert_int_equal(broker_links(), 0); /* nothing was released or rejected: the link was closed */
    assert_int_equal(broker_depth("answers"), 2);
    size_t before = testhost_offers(bench.host);
    testhost_admission(bench.host, ACCORD_ACCEPTED, "", "");
    mq_pass(&bench, 999);
    assert_int_equal(testhost_offers(bench.host), before);
    mq_pass(&bench, 1);
    has(before, "1", "one", 3);
    has(before + 1, "2", "two", 3);
    assert_int_equal(broker_depth("answers"), 0);
    assert_int_equal(broker_connections(), 1);
    close_bench();
}

static void what_is_rejected_stays_and_people_are_told(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    testhost_admission(bench.host, ACCORD_REJECTED, "hub.size", "it is too large");
    put("1", "one", 3);
    mq_run(&bench);
    assert_non_null(strstr(testhost_incident(bench.host, "mq.poison"), "too large"));
    assert_int_equal(broker_depth("answers"), 1);
    assert_int_equal(broker_links(), 0);
    testhost_admission(bench.host, ACCORD_ACCEPTED, "", "");
    mq_pass(&bench, 299999);
    assert_int_equal(testhost_offers(bench.host), 1);
    mq_pass(&bench, 1);
    has(1, "1", "one", 3);
    assert_int_equal(broker_depth("answers"), 0);
    close_bench();
}

static void what_is_rejected_may_be_dead_lettered(void **state)
{
    static const struct accord_pair options[] = {
        {"address", "answers"}, {"rejected", "dead-letter"}, {NULL, NULL}};
    size_t size = 3 << 20;
    uint8_t *bytes = calloc(1, size);
    (void)state;
    open_with(NULL, options);
    testhost_admission(bench.host, ACCORD_REJECTED, "hub.size", "it is too large");
    put("1", "one", 3);
    mq_run(&bench);
    testhost_hold_admissions(bench.host, true);
    put("2", bytes, size);
    mq_run(&bench);
    testhost_tell(bench.host, offer(1), ACCORD_REJECTED, "hub.size",
                  "it is too large"); /* long before its end */
    mq_run(&bench);
    assert_int_equal(broker_outcome_count(PN_REJECTED), 2);
    testhost_hold_admissions(bench.host, false);
    testhost_admission(bench.host, ACCORD_ACCEPTED, "", "");
    put("3", "three", 5);
    mq_run(&bench);
    has(2, "3", "three", 5);
    assert_int_equal(broker_depth("answers"), 0);
    free(bytes);
    close_bench();
}

static void a_verdict_before_the_last_byte_is_enough(void **state)
{
    size_t size = 3 << 20;
    uint8_t *bytes = calloc(1, size);
    (void)state;
    open_with(NULL, NULL);
    testhost_hold_admissions(bench.host, true);
    testhost_ask(bench.host, 1000);
    put("2", bytes, size);
    mq_run(&bench);
    testhost_tell(bench.host, offer(0), ACCORD_QUARANTINED, "x.y", "no");
    mq_run(&bench);
    assert_int_equal(broker_outcome_count(PN_ACCEPTED), 1);
    put("3", bytes, size);
    mq_run(&bench);
    testhost_tell(bench.host, offer(1), ACCORD_DEFERRED, "x.y", "later");
    mq_run(&bench);
    assert_int_equal(broker_depth("answers"), 1);
    assert_int_equal(broker_links(), 0);
    free(bytes);
    close_bench();
}

static void what_cannot_be_read_is_poison(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } rows[] = {
        {"\x00\x53\x76\x45", 4, "sequence"},
        {"\x00\x53\x77\x70\x00\x00\x00\x01", 8, "something else"},
        {"\x00\x53\x77\xc1\x01\x00", 6, "neither text nor bytes"},
        {"\x00\x53\x75\xa1\x01x", 6, "not binary"},
        {"\x00\x53\x75\xa0\x05"
         "abc",
         8, "ends in the middle"},
        {"\x00\x53\x7f\xc0\x01\x00", 6, "nobody knows"},
        {"\x01", 1, "no section"},
        {"\x00\xa3\x01x", 4, "without a number"},
        {"\x00\x53\x73\xc0\x03\x02\x40", 7, "ends in the middle"},
        {"\x00\x53\x73\xc0\x02\x02\x40\x00\x53\x75\xa0\x00", 12, "not what it says"},
        {"\x00\x53\x74\xc1\x02\x01\x40\x00\x53\x75\xa0\x00", 12, "not what it says"},
        {"\x00\x53\x75\xa0\x00\x00\x53\x73\x45", 9, "out of its place"},
        {"\x00\x53\x73\x45\x00\x53\x73\x45", 8, "out of its place"},
        {"\x00\x53\x74\xd1\x00\x10\x00\x00", 8, "too large"},
    };
    static const struct accord_pair options[] = {
        {"address", "answers"}, {"rejected", "dead-letter"}, {NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_with(NULL, options);
        put_bytes(rows[i].bytes, rows[i].size);
        put("fine", "x", 1);
        mq_run(&bench);
        const char *incident = testhost_incident(bench.host, "mq.undecodable");
        if (!incident || !strstr(incident, rows[i].words))
            fail_msg("%zu: %s, not %s", i, incident ? incident : "no incident", rows[i].words);
        assert_int_equal(broker_outcome_count(PN_REJECTED), 1);
        has(0, "fine", "x", 1);
        close_bench();
    }
    open_with(NULL, NULL);
    put_bytes("\x01", 1);
    put("fine", "x", 1);
    mq_run(&bench);
    assert_int_equal(testhost_offers(bench.host), 0); /* nothing overtakes it */
    assert_int_equal(broker_depth("answers"), 2);
    close_bench();
}

static void a_large_one_that_breaks_in_its_middle_is_given_up(void **state)
{
    size_t whole;
    uint8_t *bytes = calloc(1, 1 << 20);
    (void)state;
    open_with(NULL, NULL);
    uint8_t *message = broker_message("big", NULL, bytes, 1 << 20, &whole);
    broker_put("answers", message, whole - 1);
    mq_run(&bench);
    assert_true(offer(0)->aborted);
    assert_non_null(testhost_incident(bench.host, "mq.undecodable"));
    free(bytes);
    close_bench();
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_deferred_comes_again_in_its_place),
        cmocka_unit_test(what_is_rejected_stays_and_people_are_told),
        cmocka_unit_test(what_is_rejected_may_be_dead_lettered),
        cmocka_unit_test(a_verdict_before_the_last_byte_is_enough),
        cmocka_unit_test(what_cannot_be_read_is_poison),
        cmocka_unit_test(a_large_one_that_breaks_in_its_middle_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
