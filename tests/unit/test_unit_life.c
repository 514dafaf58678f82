/* The life of a unit: every combination of facts against what must hold, and the rows that matter by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/unit_life.h"

#define STATES    4
#define OBSTACLES UNIT_CHANGED /* the facts never say UNIT_CHANGED: `changed` does */

static struct unit_facts facts_of(int state, int obstacle, int bits)
{
    return (struct unit_facts){
        .state = (enum unit_state)state,
        .obstacle = (enum unit_obstacle)obstacle,
        .changed = bits & 1,
        .busy = bits & 2,
        .running = bits & 4,
        .ready = bits & 8,
        .judged = bits & 16,
        .late = bits & 32,
    };
}

/* Calls `check` for every combination. */
static void everywhere(void (*check)(const struct unit_facts *, const struct unit_decision *))
{
    for (int state = 0; state < STATES; state++)
        for (int obstacle = 0; obstacle < OBSTACLES; obstacle++)
            for (int bits = 0; bits < 64; bits++) {
                struct unit_facts facts = facts_of(state, obstacle, bits);
                struct unit_decision decision = unit_decide(&facts);
                check(&facts, &decision);
            }
}

static void check_obstacle(const struct unit_facts *facts, const struct unit_decision *decision)
{
    if (!facts->obstacle)
        return;
    assert_true(decision->to == UNIT_DOWN || decision->to == UNIT_DRAINING);
    assert_false(decision->wanted);
    assert_false(decision->actions & (UNIT_DO_START | UNIT_DO_TEND | UNIT_DO_SERVE));
    assert_int_equal(decision->why, facts->obstacle);
}

static void nothing_runs_against_an_obstacle(void **state)
{
    (void)state;
    everywhere(check_obstacle);
}

static void check_adopt(const struct unit_facts *facts, const struct unit_decision *decision)
{
    if (decision->actions & UNIT_DO_ADOPT) {
        assert_int_equal(facts->state, UNIT_DOWN);
        assert_false(facts->busy);
        assert_true(facts->changed);
    }
    if (facts->changed)
        assert_false(decision->actions & (UNIT_DO_START | UNIT_DO_SERVE));
}

static void configuration_is_replaced_only_when_nothing_uses_it(void **state)
{
    (void)state;
    everywhere(check_adopt);
}

static void check_down(const struct unit_facts *facts, const struct unit_decision *decision)
{
    if (facts->state == UNIT_DRAINING && decision->to == UNIT_DOWN)
        assert_false(facts->running || facts->busy);
    if (facts->state == UNIT_STARTING || facts->state == UNIT_UP)
        assert_true(decision->to != UNIT_DOWN); /* it drains first */
    if (decision->actions & UNIT_DO_SERVE)
        assert_true(decision->to == UNIT_UP && facts->judged);
    if (decision->to == UNIT_UP && facts->state != UNIT_UP)
        assert_true(facts->ready && decision->actions & UNIT_DO_RECORD);
    if (decision->to == UNIT_DOWN && facts->state != UNIT_DOWN)
        assert_true(decision->actions & UNIT_DO_RECORD);
}

static void down_means_nothing_is_left_and_up_means_all_is_there(void **state)
{
    (void)state;
    everywhere(check_down);
}

static void check_cut(const struct unit_facts *facts, const struct unit_decision *decision)
{
    if (decision->actions & UNIT_DO_CUT)
        assert_int_equal(facts->obstacle, UNIT_SUSPENDED);
    if (facts->obstacle == UNIT_SUSPENDED && facts->state == UNIT_DRAINING && facts->running)
        assert_true(decision->actions & UNIT_DO_CUT);
    if (facts->state == UNIT_DRAINING && facts->obstacle != UNIT_SUSPENDED && facts->busy && !facts->late)
        assert_int_equal(decision->actions, 0); /* it has its time */
}

static void suspended_is_cut_and_the_others_have_their_time(void **state)
{
    (void)state;
    everywhere(check_cut);
}

static void check_hold(const struct unit_facts *facts, const struct unit_decision *decision)
{
    if (facts->obstacle == UNIT_STOPPING || facts->obstacle == UNIT_UNKNOWN)
        if (facts->state == UNIT_DOWN || facts->obstacle == UNIT_STOPPING)
            assert_false(decision->actions & UNIT_DO_HOLD);
    if (decision->actions & UNIT_DO_HOLD)
        assert_true(facts->obstacle || facts->changed);
}

/* What waits goes on waiting for the next start; and nothing is held on a guess. */
static void stopping_agent_holds_nothing(void **state)
{
    (void)state;
    everywhere(check_hold);
}

/* Follows the decisions as unit.c does until nothing more is decided on the same facts. */
static void check_settles(const struct unit_facts *facts, const struct unit_decision *first)
{
    struct unit_facts now = *facts;
    struct unit_decision decision = *first;
    int turns = 0;
    for (; decision.actions & UNIT_DO_AGAIN; decision = unit_decide(&now)) {
        assert_true(++turns < 4);
        now.state = decision.to;
        if (decision.actions & UNIT_DO_ADOPT)
            now.changed = false;
        if (decision.actions & UNIT_DO_DRAIN)
            now.late = false;
    }
}

static void deciding_comes_to_an_end(void **state)
{
    (void)state;
    everywhere(check_settles);
}

/* ---- rows by name ---- */

static void expect(struct unit_facts facts, enum unit_state to, unsigned actions, enum unit_obstacle why)
{
    struct unit_decision decision = unit_decide(&facts);
    assert_int_equal(decision.to, to);
    assert_int_equal(decision.actions, actions);
    assert_int_equal(decision.why, why);
}

#define FACTS(...) ((struct unit_facts){__VA_ARGS__})

static void goes_up_step_by_step(void **state)
{
    (void)state;
    expect(FACTS(.state = UNIT_DOWN, .changed = true), UNIT_DOWN, UNIT_DO_ADOPT | UNIT_DO_AGAIN, UNIT_FREE);
    expect(FACTS(.state = UNIT_DOWN), UNIT_STARTING, UNIT_DO_START | UNIT_DO_TEND, UNIT_FREE);
    expect(FACTS(.state = UNIT_STARTING, .running = true), UNIT_STARTING, UNIT_DO_TEND | UNIT_DO_PAUSE,
           UNIT_FREE);
    expect(FACTS(.state = UNIT_STARTING, .running = true, .ready = true, .judged = true), UNIT_UP,
           UNIT_DO_TEND | UNIT_DO_RECORD | UNIT_DO_SERVE, UNIT_FREE);
    expect(FACTS(.state = UNIT_UP, .running = true, .ready = true, .judged = true), UNIT_UP,
           UNIT_DO_TEND | UNIT_DO_SERVE, UNIT_FREE);
}

static void pauses_while_a_judge_is_away(void **state)
{
    (void)state;
    expect(FACTS(.state = UNIT_UP, .running = true), UNIT_UP, UNIT_DO_TEND | UNIT_DO_PAUSE, UNIT_FREE);
    expect(FACTS(.state = UNIT_UP, .running = true, .judged = true), UNIT_UP, UNIT_DO_TEND | UNIT_DO_SERVE,
           UNIT_FREE);
}

static void drains_then_stops_then_is_down(void **state)
{
    (void)state;
    const unsigned off = UNIT_DO_HOLD | UNIT_DO_DRAIN | UNIT_DO_AGAIN;
    expect(FACTS(.state = UNIT_UP, .obstacle = UNIT_DISABLED, .running = true, .busy = true), UNIT_DRAINING,
           off, UNIT_DISABLED);
    expect(FACTS(.state = UNIT_DRAINING, .obstacle = UNIT_DISABLED, .running = true, .busy = true),
           UNIT_DRAINING, 0, UNIT_DISABLED);
    expect(FACTS(.state = UNIT_DRAINING, .obstacle = UNIT_DISABLED, .running = true), UNIT_DRAINING,
           UNIT_DO_STOP, UNIT_DISABLED);
    expect(
        FACTS(.state = UNIT_DRAINING, .obstacle = UNIT_DISABLED, .running = true, .busy = true, .late = true),
        UNIT_DRAINING, UNIT_DO_STOP, UNIT_DISABLED);
    expect(FACTS(.state = UNIT_DRAINING, .obstacle = UNIT_DISABLED), UNIT_DOWN,
           UNIT_DO_RECORD | UNIT_DO_PAUSE, UNIT_DISABLED);
    expect(FACTS(.state = UNIT_DOWN, .obstacle = UNIT_DISABLED), UNIT_DOWN, UNIT_DO_HOLD, UNIT_DISABLED);
}

static void changed_configuration_drains_first(void **state)
{
    (void)state;
    expect(FACTS(.state = UNIT_UP, .changed = true, .running = true, .busy = true), UNIT_DRAINING,
           UNIT_DO_HOLD | UNIT_DO_DRAIN | UNIT_DO_AGAIN, UNIT_CHANGED);
    expect(FACTS(.state = UNIT_DOWN, .changed = true, .busy = true), UNIT_DOWN, 0, UNIT_FREE);
}

static void suspending_cuts_what_drains(void **state)
{
    (void)state;
    expect(FACTS(.state = UNIT_DRAINING, .obstacle = UNIT_SUSPENDED, .running = true, .busy = true),
           UNIT_DRAINING, UNIT_DO_HOLD | UNIT_DO_CUT, UNIT_SUSPENDED);
    expect(FACTS(.state = UNIT_DOWN, .obstacle = UNIT_SUSPENDED), UNIT_DOWN, UNIT_DO_HOLD, UNIT_SUSPENDED);
}

static void unknown_suspension_waits(void **state)
{
    (void)state;
    expect(FACTS(.state = UNIT_DOWN, .obstacle = UNIT_UNKNOWN), UNIT_DOWN, 0, UNIT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_runs_against_an_obstacle),
        cmocka_unit_test(configuration_is_replaced_only_when_nothing_uses_it),
        cmocka_unit_test(down_means_nothing_is_left_and_up_means_all_is_there),
        cmocka_unit_test(suspended_is_cut_and_the_others_have_their_time),
        cmocka_unit_test(stopping_agent_holds_nothing),
        cmocka_unit_test(deciding_comes_to_an_end),
        cmocka_unit_test(goes_up_step_by_step),
        cmocka_unit_test(pauses_while_a_judge_is_away),
        cmocka_unit_test(drains_then_stops_then_is_down),
        cmocka_unit_test(changed_configuration_drains_first),
        cmocka_unit_test(suspending_cuts_what_drains),
        cmocka_unit_test(unknown_suspension_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
