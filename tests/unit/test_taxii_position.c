/* Timestamps of TAXII, the cursor of a feed, and how windows and parts follow on each other. */
#include "connectors/taxii/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define NOW    (INT64_C(1763776800) * SECOND) /* 2025-11-22T02:00:00Z */

static int64_t at(const char *text)
{
    int64_t stamp;
    if (!stamp_read(text, &stamp))
        fail_msg("%s is not read", text);
    return stamp;
}

/* ---- times ---- */

static void a_time_is_written_and_read_back(void **state)
{
    static const struct {
        int64_t stamp;
        const char *text;
    } times[] = {{0, "1970-01-01T00:00:00.000000Z"},
                 {NOW, "2025-11-22T02:00:00.000000Z"},
                 {NOW + 123456, "2025-11-22T02:00:00.123456Z"},
                 {INT64_C(951782399) * SECOND, "2000-02-28T23:59:59.000000Z"},
                 {INT64_C(951782400) * SECOND, "2000-02-29T00:00:00.000000Z"},
                 {INT64_C(4107542400) * SECOND, "2100-03-01T00:00:00.000000Z"},
                 {INT64_C(253402300799) * SECOND, "9999-12-31T23:59:59.000000Z"}};
    char text[STAMP_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_string_equal(stamp_write(times[i].stamp, text), times[i].text);
        assert_int_equal(at(times[i].text), times[i].stamp);
    }
    assert_string_equal(stamp_write(-5, text), "1970-01-01T00:00:00.000000Z");
}

static void zones_fractions_and_leap_seconds_are_understood(void **state)
{
    (void)state;
    assert_int_equal(at("2025-11-22T02:00:00Z"), NOW);
    assert_int_equal(at("2025-11-22T02:00:00+00:00"), NOW);
    assert_int_equal(at("2025-11-21T21:00:00-05:00"), NOW);
    assert_int_equal(at("2025-11-22T07:30:00.5+05:30"), NOW + SECOND / 2);
    assert_int_equal(at("2025-11-22t02:00:00.1234569z"), NOW + 123456); /* never later than what was meant */
    assert_int_equal(at("2016-12-31T23:59:60Z"), at("2016-12-31T23:59:59Z"));
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "now",
                                        "2025-11-22",
                                        "2025-11-22T02:00:00",
                                        "2025-11-22T02:00:00Z ",
                                        "2025-11-22T02:00Z",
                                        "2025-13-01T00:00:00Z",
                                        "2025-00-01T00:00:00Z",
                                        "2025-02-29T00:00:00Z",
                                        "2100-02-29T00:00:00Z",
                                        "2025-11-31T00:00:00Z",
                                        "2025-11-22T24:00:00Z",
                                        "2025-11-22T02:60:00Z",
                                        "2025-11-22T02:00:61Z",
                                        "2025-11-22T02:00:00.Z",
                                        "2025-11-22T02:00:00+0100",
                                        "2025-11-22T02:00:00+24:00",
                                        "1969-12-31T23:59:59Z",
                                        "1970-01-01T00:00:00+00:01",
                                        "25-11-22T02:00:00Z",
                                        "+025-11-22T02:00:00Z",
                                        "2025-1-22T02:00:00Z"};
    int64_t stamp;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (stamp_read(wrong[i], &stamp))
            fail_msg("\"%s\" is read", wrong[i]);
}

/* ---- the cursor ---- */

static void comes_back(const struct position *position, const char *text)
{
    char cursor[ACCORD_CURSOR_MAX];
    struct position again;
    assert_true(position_write(position, cursor));
    assert_string_equal(cursor, text);
    assert_true(position_read(&again, cursor));
    assert_true(position_same(position, &again));
}

static void a_cursor_holds_the_window_and_the_part(void **state)
{
    (void)state;
    comes_back(&(struct position){.begin = NOW, .end = STAMP_NONE, .part = 1},
               "1 2025-11-22T02:00:00.000000Z - 1 -");
    comes_back(&(struct position){.begin = NOW, .end = NOW + HOUR, .part = 3, .result = "urn:uuid:5"},
               "1 2025-11-22T02:00:00.000000Z 2025-11-22T03:00:00.000000Z 3 urn:uuid:5");
    comes_back(
        &(struct position){.begin = STAMP_NONE, .end = STAMP_NONE, .part = 2, .result = "a b%\xc3\xa9\n"},
        "1 - - 2 a%20b%25%C3%A9%0A");
}

static void a_result_id_that_does_not_fit_leads_to_the_beginning_of_the_window(void **state)
{
    struct position position = {.begin = NOW, .end = NOW + HOUR, .part = 2}, again;
    char cursor[ACCORD_CURSOR_MAX];
    (void)state;
    memset(position.result, ' ', sizeof position.result - 1);
    assert_false(position_write(&position, cursor));
    assert_true(strlen(cursor) < ACCORD_CURSOR_MAX);
    assert_true(position_read(&again, cursor));
    assert_int_equal(again.part, 1);
    assert_string_equal(again.result, "");
}

static void a_damaged_cursor_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "1",
                                        "1 ",
                                        "2 - - 1 -",
                                        "1 - - 1",
                                        "1 - - 1 - ",
                                        "1 - - 1 - x",
                                        " 1 - - 1 -",
                                        "1  - - 1 -",
                                        "1 - - 0 -",
                                        "1 - - -1 x",
                                        "1 - - 01 -",
                                        "1 - - 2 -",
                                        "1 - - 1 x",
                                        "1 - - 9999999999999999999 x",
                                        "1 - - 2x x",
                                        "1 2025-11-22T02:00:00Z - 1 -",
                                        "1 2025-11-22T02:00:00.000000+00:00 - 1 -",
                                        "1 2025-11-22T02:00:00.000000Z 2025-11-22T02:00:00.000000Z 1 -",
                                        "1 2025-11-22T02:00:00.000000Z 2025-11-22T01:00:00.000000Z 2 x",
                                        "1 - - 2 %00",
                                        "1 - - 2 %2",
                                        "1 - - 2 %zz",
                                        "1 - - 2 %41",
                                        "1 - - 2 \xc3\xa9",
                                        "1 - - 2 a%c3%a9"};
    struct position position = {.part = 77};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (position_read(&position, wrong[i]) || position.part != 77)
            fail_msg("\"%s\" is read", wrong[i]);
    char cut[] = "1 2025-11-22T02:00:00.000000Z 2025-11-22T03:00:00.000000Z 3 urn:uuid:5";
    for (size_t size = strlen(cut) - 11; size-- > 0;) { /* a shorter id is another id */
        cut[size] = '\0';
        if (position_read(&position, cut))
            fail_msg("\"%s\" is read", cut);
    }
}

/* ---- windows ---- */

static struct position begins(int64_t begin)
{
    return (struct position){.begin = begin, .end = STAMP_NONE, .part = 1};
}

static void a_window_ends_at_its_length_or_now(void **state)
{
    struct position position = begins(NOW - 10 * HOUR);
    (void)state;
    assert_true(position_window(&position, 6 * 3600000, NOW));
    assert_int_equal(position.end, NOW - 4 * HOUR);
    position = begins(NOW - 6 * HOUR);
    assert_true(position_window(&position, 6 * 3600000, NOW));
    assert_int_equal(position.end, NOW);
    position = begins(NOW - 1);
    assert_true(position_window(&position, 6 * 3600000, NOW));
    assert_int_equal(position.end, NOW);
}

static void there_is_no_window_that_ends_where_it_begins_or_before(void **state)
{
    struct position position = begins(NOW);
    (void)state;
    assert_false(position_window(&position, 3600000, NOW));
    position = begins(NOW + HOUR);
    assert_false(position_window(&position, 3600000, NOW));
    position = begins(STAMP_NONE);
    assert_false(position_window(&position, 3600000, NOW));
}

/* What the answer says that it has covered, and where the next window begins. */
static void next_is(const char *answered, int64_t expected)
{
    struct position position = {
        .begin = NOW - 2 * HOUR, .end = NOW - HOUR, .part = 4, .result = "urn:uuid:5"};
    position_next_window(&position, answered, NOW);
    if (position.begin != expected)
        fail_msg("\"%s\" leads to %lld, not to %lld", answered, (long long)position.begin,
                 (long long)expected);
    assert_int_equal(position.end, STAMP_NONE);
    assert_int_equal(position.part, 1);
    assert_string_equal(position.result, "");
}

static void the_next_window_begins_where_the_answer_ends_but_never_beyond_what_was_asked(void **state)
{
    (void)state;
    next_is("2025-11-22T01:00:00Z", NOW - HOUR);         /* equal */
    next_is("2025-11-22T00:30:00Z", NOW - HOUR * 3 / 2); /* narrowed */
    next_is("2025-11-22T00:00:00.000001Z", NOW - 2 * HOUR + 1);
    next_is("2025-11-22T01:00:00.000001Z", NOW - HOUR); /* beyond */
    next_is("2099-01-01T00:00:00Z", NOW - HOUR);        /* in the future */
    next_is("2025-11-22T00:00:00Z", NOW - HOUR);        /* where it began */
    next_is("1999-01-01T00:00:00Z", NOW - HOUR);        /* before */
    next_is("", NOW - HOUR);                            /* not said */
    next_is("yesterday", NOW - HOUR);
}

static void nothing_is_taken_from_an_answer_in_the_future_even_if_it_was_asked_for(void **state)
{
    struct position position = {.begin = NOW - HOUR, .end = NOW, .part = 1};
    (void)state;
    position_next_window(&position, "2025-11-22T01:59:59Z", NOW - 5 * SECOND); /* our clock was set back */
    assert_int_equal(position.begin, NOW);
}

static void a_set_has_no_windows(void **state)
{
    struct position position = {.begin = STAMP_NONE, .end = STAMP_NONE, .part = 3, .result = "x"};
    (void)state;
    position_next_window(&position, "2025-11-22T01:00:00Z", NOW);
    assert_int_equal(position.begin, STAMP_NONE);
    assert_int_equal(position.part, 1);
}

static void parts_follow_on_each_other(void **state)
{
    struct position position = {.begin = NOW - HOUR, .end = NOW, .part = 1};
    char big[ACCORD_CURSOR_MAX];
    (void)state;
    assert_true(position_next_part(&position, "urn:uuid:7", 1));
    assert_int_equal(position.part, 2);
    assert_string_equal(position.result, "urn:uuid:7");
    assert_int_equal(position.end, NOW);
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    assert_false(position_next_part(&position, big, 2));
    position_again(&position);
    assert_int_equal(position.part, 1);
    assert_int_equal(position.begin, NOW - HOUR);
    assert_int_equal(position.end, STAMP_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_and_read_back),
        cmocka_unit_test(zones_fractions_and_leap_seconds_are_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(a_cursor_holds_the_window_and_the_part),
        cmocka_unit_test(a_result_id_that_does_not_fit_leads_to_the_beginning_of_the_window),
        cmocka_unit_test(a_damaged_cursor_is_refused),
        cmocka_unit_test(a_window_ends_at_its_length_or_now),
        cmocka_unit_test(there_is_no_window_that_ends_where_it_begins_or_before),
        cmocka_unit_test(the_next_window_begins_where_the_answer_ends_but_never_beyond_what_was_asked),
        cmocka_unit_test(nothing_is_taken_from_an_answer_in_the_future_even_if_it_was_asked_for),
        cmocka_unit_test(a_set_has_no_windows),
        cmocka_unit_test(parts_follow_on_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
