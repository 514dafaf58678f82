/* Time that is held stands still for its thread, and goes on afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "util/clock.h"

#include <cmocka.h> /* last: its fail() is a macro */

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void pass(int64_t us)
{
    for (int64_t begin = now_us(); now_us() < begin + us;)
        ;
}

static void held_time_stands_still_until_it_is_released(void **state)
{
    (void)state;
    clock_hold();
    int64_t wall = clock_wall(), ticks = clock_ticks();
    pass(3000);
    assert_int_equal(clock_wall(), wall);
    assert_int_equal(clock_ticks(), ticks);
    clock_release();
    assert_true(clock_wall() > wall);
    assert_true(clock_ticks() > ticks);
}

static void time_that_is_held_again_is_a_later_one(void **state)
{
    (void)state;
    clock_hold();
    int64_t wall = clock_wall(), ticks = clock_ticks();
    clock_release();
    pass(3000);
    clock_hold();
    assert_true(clock_wall() > wall);
    assert_true(clock_ticks() > ticks);
    clock_release();
}

static void the_clock_of_tests_is_never_held(void **state)
{
    (void)state;
    struct clock_source source = {.wall = 10, .ticks = 20};
    clock_use(&source);
    clock_hold();
    assert_int_equal(clock_wall(), 10);
    source = (struct clock_source){.wall = 11, .ticks = 21};
    assert_int_equal(clock_wall(), 11);
    assert_int_equal(clock_ticks(), 21);
    clock_release();
    clock_use(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_time_stands_still_until_it_is_released),
        cmocka_unit_test(time_that_is_held_again_is_a_later_one),
        cmocka_unit_test(the_clock_of_tests_is_never_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
