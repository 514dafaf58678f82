/* What one process is given at the same time, and the clock of retries. */
#include "bus/gate.h"
#include "bus/pace.h"
#include "util/clock.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define THINGS 8

struct thing {
    struct gate_item item; /* first */
    struct place *place;
    char name;
    bool quick; /* leaves at once */
};

struct place {
    struct gate gate;
    struct clock_source clock;
    struct thing things[THINGS];
    char entered[32];
};

static struct place *here;

static void enter(struct gate_item *item)
{
    struct thing *thing = (struct thing *)item;
    struct place *place = thing->place;
    place->entered[strlen(place->entered)] = thing->name;
    if (thing->quick)
        gate_leave(&place->gate);
}

static int set_up(void **state)
{
    static struct place place;
    place = (struct place){.gate.enter = enter, .clock = {.wall = 1000000000, .ticks = 5000}};
    for (int i = 0; i < THINGS; i++)
        place.things[i] = (struct thing){.place = &place, .name = (char)('a' + i)};
    clock_use(&place.clock);
    *state = here = &place;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_use(NULL);
    return 0;
}

static void come(char name, bool suspect)
{
    struct thing *thing = &here->things[name - 'a'];
    thing->item.suspect = suspect;
    gate_enter(&here->gate, &thing->item);
}

static void leave(int count)
{
    while (count--)
        gate_leave(&here->gate);
}

static void those_that_nobody_suspects_go_in_together(void **state)
{
    (void)state;
    come('a', false);
    come('b', false);
    come('c', false);
    assert_string_equal(here->entered, "abc");
}

static void suspect_goes_in_alone(void **state)
{
    (void)state;
    come('a', false);
    come('b', true);
    assert_string_equal(here->entered, "a"); /* not empty */
    leave(1);
    assert_string_equal(here->entered, "ab");
    come('c', false);
    come('d', true);
    assert_string_equal(here->entered, "ab"); /* it is alone */
    leave(1);
    assert_string_equal(here->entered, "abc"); /* others first */
    leave(1);
    assert_string_equal(here->entered, "abcd");
}

static void suspect_has_its_turn_under_load(void **state)
{
    (void)state;
    come('a', false);
    come('b', true);
    come('c', false);
    assert_string_equal(here->entered, "ac"); /* others go on */
    here->clock.ticks += GATE_TURN;
    come('d', false);
    assert_string_equal(here->entered, "ac"); /* and now they wait, until those inside are out */
    leave(1);
    assert_string_equal(here->entered, "ac");
    leave(1);
    assert_string_equal(here->entered, "acb");
    leave(1);
    assert_string_equal(here->entered, "acbd");
}

static void nothing_goes_in_while_it_is_shut(void **state)
{
    (void)state;
    gate_shut(&here->gate, true);
    come('a', true);
    come('b', false);
    assert_string_equal(here->entered, "");
    gate_shut(&here->gate, false);
    assert_string_equal(here->entered, "b");
    leave(1);
    assert_string_equal(here->entered, "ba");
}

static void those_that_leave_at_once_need_no_stack_of_their_own(void **state)
{
    (void)state;
    gate_shut(&here->gate, true);
    for (int i = 0; i < THINGS; i++) {
        here->things[i].quick = true;
        come((char)('a' + i), i % 2);
    }
    gate_shut(&here->gate, false);
    assert_string_equal(here->entered, "acegbdfh");
    assert_int_equal(here->gate.inside, 0);
}

static void all_that_waits_can_be_taken_out(void **state)
{
    (void)state;
    gate_shut(&here->gate, true);
    come('a', true);
    come('b', false);
    assert_ptr_equal(gate_take(&here->gate), &here->things[1].item);
    assert_ptr_equal(gate_take(&here->gate), &here->things[0].item);
    assert_null(gate_take(&here->gate));
}

/* ---- the clock of retries ---- */

static void pass(int64_t ms)
{
    here->clock.ticks += ms;
    here->clock.wall += ms * 1000;
}

static void jump(int64_t ms)
{
    here->clock.wall += ms * 1000;
}

static void retry_is_not_delayed_when_the_clock_is_put_back(void **state)
{
    (void)state;
    struct pace pace = {0};
    int64_t due = pace_now(&pace) + 30000000;
    pass(10000);
    jump(-500000);
    assert_true(pace_now(&pace) < due);
    pass(20000);
    assert_true(pace_now(&pace) >= due);
}

static void retry_clock_follows_a_jump_ahead(void **state)
{
    (void)state;
    struct pace pace = {0};
    int64_t then = pace_now(&pace);
    jump(86400000);
    assert_true(pace_now(&pace) >= then + 86400000000);
}

static void age_does_not_grow_by_a_jump_ahead(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_now(&pace);
    int64_t before = here->clock.wall;
    pass(5000);
    jump(86400000);
    pass(1000);
    int64_t after = here->clock.wall;
    assert_in_range(pace_age(&pace, before), 6000000, 6001000);
    pass(2000);
    assert_in_range(pace_age(&pace, after), 2000000, 2001000);
    jump(86400000);
    assert_in_range(pace_age(&pace, before), 8000000, 8001000);
    assert_in_range(pace_age(&pace, after), 2000000, 2001000);
}

static void jump_back_may_only_lengthen_an_age(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_now(&pace);
    int64_t before = here->clock.wall;
    pass(5000);
    jump(-3600000);
    assert_true(pace_age(&pace, before) <= 5000000);
}

static void clock_that_is_slewed_does_not_jump(void **state)
{
    (void)state;
    struct pace pace = {0};
    int64_t start = pace_now(&pace);
    for (int i = 0; i < 1000; i++) {
        pass(1000);
        here->clock.wall += 500; /* 500 ppm */
        pace_now(&pace);
    }
    assert_int_equal(pace.jump_count, 0);
    assert_in_range(pace_age(&pace, start), 1000500000, 1000500000);
}

static void back_off_doubles_up_to_the_longest_and_varies(void **state)
{
    (void)state;
    const struct conf_service service = {.retry_first = 1000, .retry_longest = 5000};
    for (int i = 0; i < 100; i++) {
        assert_in_range(pace_back_off(&service, 1), 800, 1200);
        assert_in_range(pace_back_off(&service, 3), 3200, 4800);
        assert_in_range(pace_back_off(&service, 50), 4000, 6000);
    }
    assert_true(pace_longest(&service) >= 6000000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(those_that_nobody_suspects_go_in_together),
        T(suspect_goes_in_alone),
        T(suspect_has_its_turn_under_load),
        T(nothing_goes_in_while_it_is_shut),
        T(those_that_leave_at_once_need_no_stack_of_their_own),
        T(all_that_waits_can_be_taken_out),
        T(retry_is_not_delayed_when_the_clock_is_put_back),
        T(retry_clock_follows_a_jump_ahead),
        T(age_does_not_grow_by_a_jump_ahead),
        T(jump_back_may_only_lengthen_an_age),
        T(clock_that_is_slewed_does_not_jump),
        T(back_off_doubles_up_to_the_longest_and_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
