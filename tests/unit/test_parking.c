/* When a parked link is tried again, and what counts as news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/parking.h"

static const struct parking_clock noon = {.wall = 12000000, .ticks = 500, .retry_after = 1000};

static void parks_once(void **state)
{
    (void)state;
    struct parked parked = {0};
    assert_int_equal(parking_park(&parked, "sftp.auth-refused", "no", &noon), PARKING_NEW);
    assert_int_equal(parking_park(&parked, "sftp.host-key-changed", "other", &noon), PARKING_ALREADY);
    assert_string_equal(parked.rule, "sftp.auth-refused");
    assert_int_equal(parked.since, noon.wall);
}

static void is_tried_by_itself_once(void **state)
{
    (void)state;
    struct parked parked = {0};
    parking_park(&parked, "r", "no", &noon);
    assert_false(parking_retry(&parked, 1499));
    assert_true(parking_retry(&parked, 1500));
    assert_false(parked.is);
    assert_false(parking_retry(&parked, 9999)); /* until it is parked again */
}

static void same_refusal_of_a_retry_is_no_news(void **state)
{
    (void)state;
    struct parked parked = {0};
    struct parking_clock later = {.wall = 99000000, .ticks = 1500, .retry_after = 1000};
    parking_park(&parked, "r", "no", &noon);
    parking_retry(&parked, 1500);
    assert_int_equal(parking_park(&parked, "r", "still no", &later), PARKING_AGAIN);
    assert_int_equal(parked.since, noon.wall);
    assert_string_equal(parked.reason, "still no");
    assert_true(parking_retry(&parked, 2500)); /* and again after the same time */
    assert_int_equal(parking_park(&parked, "r", "no", &later), PARKING_AGAIN);
}

static void another_refusal_is_news(void **state)
{
    (void)state;
    struct parked parked = {0};
    parking_park(&parked, "r", "no", &noon);
    parking_retry(&parked, 1500);
    assert_int_equal(parking_park(&parked, "other", "no", &noon), PARKING_NEW);
}

static void refusal_after_work_is_news(void **state)
{
    (void)state;
    struct parked parked = {0};
    parking_park(&parked, "r", "no", &noon);
    parking_retry(&parked, 1500);
    parking_works(&parked);
    assert_int_equal(parking_park(&parked, "r", "no", &noon), PARKING_NEW);
    parking_works(&parked); /* words that were under way when it was parked */
    assert_true(parked.is);
}

static void refusal_after_a_person_resumed_is_news(void **state)
{
    (void)state;
    struct parked parked = {0};
    assert_false(parking_resume(&parked));
    parking_park(&parked, "r", "no", &noon);
    assert_true(parking_resume(&parked));
    assert_false(parked.is);
    assert_int_equal(parking_park(&parked, "r", "no", &noon), PARKING_NEW);
    parking_retry(&parked, 1500);
    assert_false(parking_resume(&parked)); /* it is being tried; from here on a refusal is news */
    assert_int_equal(parking_park(&parked, "r", "no", &noon), PARKING_NEW);
}

static void no_retry_when_none_is_wanted(void **state)
{
    (void)state;
    struct parked parked = {0};
    struct parking_clock never = {.wall = 1, .ticks = 1};
    parking_park(&parked, "r", "no", &never);
    assert_int_equal(parked.retry_at, 0);
    assert_false(parking_retry(&parked, INT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parks_once),
        cmocka_unit_test(is_tried_by_itself_once),
        cmocka_unit_test(same_refusal_of_a_retry_is_no_news),
        cmocka_unit_test(another_refusal_is_news),
        cmocka_unit_test(refusal_after_work_is_news),
        cmocka_unit_test(refusal_after_a_person_resumed_is_news),
        cmocka_unit_test(no_retry_when_none_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
