/* How long a verdict holds: when a deferred question is put again, and what an allow is worth later on. */
#include "bus_world.h"
#include "bus/lane.h"
#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static struct clock_source stopped;

static struct world *world_with_stopped_clock(void)
{
    struct world *w = world_new(false);
    stopped = (struct clock_source){.wall = clock_wall(), .ticks = clock_ticks()};
    clock_use(&stopped);
    w->services[1].retry_longest = 3600000;
    return w;
}

static void later(struct world *w, int64_t ms)
{
    stopped.ticks += ms;
    stopped.wall += ms * 1000;
    bus_timer_set(w->bus);
    turn_some(w);
}

static void end(struct world *w)
{
    clock_use(NULL);
    world_free(w);
}

/* ---- wait ---- */

static void deferred_message_is_asked_for_again_when_its_policy_said(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->guard = ACCORD_DEFER;
    w->wait = 600000;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->asked_guard, 1);
    later(w, 599000);
    assert_int_equal(w->asked_guard, 1);
    later(w, 1001);
    assert_int_equal(w->asked_guard, 2);
    later(w, 599000); /* and so at dispatch */
    assert_int_equal(w->asked_guard, 2);
    w->guard = ACCORD_ALLOW;
    later(w, 1001);
    assert_int_equal(w->sent, 1);
    end(w);
}

static void policies_wait_is_not_longer_than_the_services_own(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->services[1].retry_longest = 60000;
    w->guard = ACCORD_DEFER;
    w->wait = 86400000;
    offer(w, "1");
    w->guard = ACCORD_ALLOW;
    later(w, 60001);
    assert_int_equal(w->sent, 1);
    end(w);
}

static void wait_of_nothing_does_not_spin(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->guard = ACCORD_DEFER;
    w->wait = 1;
    offer(w, "1");
    later(w, 50);
    assert_int_equal(w->asked_guard, 1);
    later(w, 51);
    assert_int_equal(w->asked_guard, 2);
    end(w);
}

/* ---- good_for ---- */

static void allow_that_holds_long_enough_is_not_asked_for_again(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->good_for[BUS_GUARD] = 1000;
    offer(w, "1");
    assert_int_equal(w->asked_guard, 1);
    assert_int_equal(w->sent, 1);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    end(w);
}

static void allow_with_an_end_is_asked_for_again_when_the_message_has_waited(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->good_for[BUS_GUARD] = 1000;
    bus_party_block(w->isa, "link", true);
    offer(w, "1");
    assert_int_equal(w->asked_guard, 1);
    w->guard = ACCORD_DEFER;
    later(w, 5000);
    bus_party_block(w->isa, "link", false);
    turn_some(w);
    assert_int_equal(w->asked_guard, 2);
    assert_int_equal(w->sent, 0);
    w->guard = ACCORD_ALLOW;
    later(w, 60001);
    assert_int_equal(w->sent, 1);
    end(w);
}

/* A process is given one thing at a time when it has died: what waits for it may wait for long. */
static void allow_that_runs_out_while_others_go_before_is_worth_nothing(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    struct bus_lane *lane = bus_lane_find(w->isa, "plan");
    lane->gate->most = 1;
    w->keep_dispatch = true;
    offer(w, "1");
    assert_int_equal(w->sent, 1);
    w->good_for[BUS_GUARD] = 1000;
    offer(w, "2");
    assert_int_equal(w->asked_guard, 2);
    stopped.ticks += 1000;
    w->guard = ACCORD_DENY;
    w->keep_dispatch = false;
    finish(w);
    later(w, 1000);
    assert_int_equal(w->sent, 1);
    assert_int_equal(w->asked_guard, 3);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    lane->gate->most = 0;
    end(w);
}

static void the_shorter_of_guard_and_inspector_counts(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->keep_dispatch = true;
    struct bus_lane *lane = bus_lane_find(w->isa, "plan");
    lane->gate->most = 1;
    offer(w, "1");
    w->good_for[BUS_GUARD] = 60000;
    w->good_for[BUS_INSPECT] = 1000;
    offer(w, "2");
    assert_int_equal(w->asked_inspect, 2);
    stopped.ticks += 1000;
    w->keep_dispatch = false;
    finish(w);
    later(w, 1000);
    assert_int_equal(w->asked_inspect, 3);
    assert_int_equal(w->sent, 2);
    lane->gate->most = 0;
    end(w);
}

/* The store does not keep until when: a delivery that is tried again is judged again. */
static void retried_message_is_judged_again(void **state)
{
    (void)state;
    struct world *w = world_with_stopped_clock();
    w->services[1].retry_longest = 40;
    w->good_for[BUS_GUARD] = 3600000;
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    assert_int_equal(w->asked_guard, 1);
    w->outcome = ACCORD_DELIVERED;
    later(w, 1000);
    assert_int_equal(w->sent, 2);
    assert_int_equal(w->asked_guard, 2);
    end(w);
}

#define T(name) cmocka_unit_test_teardown(name, message_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(deferred_message_is_asked_for_again_when_its_policy_said),
        T(policies_wait_is_not_longer_than_the_services_own),
        T(wait_of_nothing_does_not_spin),
        T(allow_that_holds_long_enough_is_not_asked_for_again),
        T(allow_with_an_end_is_asked_for_again_when_the_message_has_waited),
        T(allow_that_runs_out_while_others_go_before_is_worth_nothing),
        T(the_shorter_of_guard_and_inspector_counts),
        T(retried_message_is_judged_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
