/* When a folder has come to rest, and which refusals are recorded, in a time of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hub/quiet.h"

#include <cmocka.h>

static void a_change_is_due_when_nothing_follows(void **state)
{
    (void)state;
    struct quiet quiet = {0};
    assert_false(quiet_due(&quiet, 1000));
    quiet_note(&quiet, 1000);
    assert_false(quiet_due(&quiet, 1000 + QUIET_FOR - 1));
    assert_true(quiet_due(&quiet, 1000 + QUIET_FOR));
    assert_false(quiet_due(&quiet, 1000 + QUIET_FOR + 1));
}

static void changes_that_follow_each_other_are_one_set(void **state)
{
    (void)state;
    struct quiet quiet = {0};
    int64_t now = 1000;
    for (int i = 0; i < 5; i++, now += QUIET_FOR / 2) {
        quiet_note(&quiet, now);
        assert_false(quiet_due(&quiet, now + QUIET_FOR / 2 - 1));
    }
    assert_true(quiet_due(&quiet, now + QUIET_FOR));
    assert_false(quiet_due(&quiet, now + 10 * QUIET_FOR));
}

static void changes_that_never_end_are_taken_on_all_the_same(void **state)
{
    (void)state;
    struct quiet quiet = {0};
    int64_t now = 1000;
    int sets = 0;
    for (; now < 1000 + 2 * QUIET_MOST + 1000; now += 100) {
        quiet_note(&quiet, now);
        sets += quiet_due(&quiet, now);
    }
    assert_int_equal(sets, 2);
}

static void key_of(uint8_t key[DIGEST_SIZE], uint8_t which)
{
    memset(key, which, DIGEST_SIZE);
}

static void the_same_refusal_is_recorded_once_in_its_window(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    uint8_t one[DIGEST_SIZE], two[DIGEST_SIZE];
    key_of(one, 1);
    key_of(two, 2);
    assert_true(refusals_note(&refusals, one, 0));
    assert_true(refusals_note(&refusals, two, 10));
    for (int i = 0; i < 500; i++)
        assert_false(refusals_note(&refusals, one, 20 + i));
    assert_int_equal(refusals_over(&refusals, REFUSAL_WINDOW - 1, false), 0);
    assert_int_equal(refusals_over(&refusals, REFUSAL_WINDOW + 10, false), 500);
    assert_int_equal(refusals_over(&refusals, REFUSAL_WINDOW + 10, false), 0);
    assert_int_equal(refusals.count, 0);
    assert_true(refusals_note(&refusals, one, REFUSAL_WINDOW + 20));
}

static void what_is_counted_at_the_end_is_told(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    uint8_t one[DIGEST_SIZE];
    key_of(one, 1);
    refusals_note(&refusals, one, 0);
    refusals_note(&refusals, one, 1);
    assert_int_equal(refusals_over(&refusals, 2, false), 0);
    assert_int_equal(refusals_over(&refusals, 2, true), 1);
}

static void more_different_refusals_than_are_known_are_recorded(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    uint8_t key[DIGEST_SIZE];
    for (uint8_t i = 0; i < 3 * REFUSALS_MAX; i++) {
        key_of(key, i);
        assert_true(refusals_note(&refusals, key, i));
    }
    assert_int_equal(refusals.count, REFUSALS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_due_when_nothing_follows),
        cmocka_unit_test(changes_that_follow_each_other_are_one_set),
        cmocka_unit_test(changes_that_never_end_are_taken_on_all_the_same),
        cmocka_unit_test(the_same_refusal_is_recorded_once_in_its_window),
        cmocka_unit_test(what_is_counted_at_the_end_is_told),
        cmocka_unit_test(more_different_refusals_than_are_known_are_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
