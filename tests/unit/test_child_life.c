/* The life of a child process: every event in every state it can be in, and the walks that matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/child_life.h"

#define NOW    1000000
#define ANSWER 9000

static struct child_clock at(int64_t ticks)
{
    return (struct child_clock){.ticks = ticks, .answer_within = ANSWER, .wanted = true};
}

static unsigned step_at(struct child_life *life, enum child_event event, int64_t ticks)
{
    struct child_clock clock = at(ticks);
    return child_life_step(life, event, &clock);
}

/* ---- every situation ---- */

static const struct child_life down = {.state = CHILD_DOWN};
static const struct child_life waiting = {.state = CHILD_DOWN, .failures = 1, .retry_at = NOW + 50};
static const struct child_life spawning = {.state = CHILD_STARTING, .deadline = NOW + CHILD_START_TIME};
static const struct child_life starting = {.state = CHILD_STARTING,
                                           .handle = true,
                                           .alive = true,
                                           .channel = true,
                                           .deadline = NOW + CHILD_START_TIME};
static const struct child_life ready = {.state = CHILD_READY,
                                        .handle = true,
                                        .alive = true,
                                        .channel = true,
                                        .ready_since = NOW - 10,
                                        .pinged = NOW - 10};
/* Its end was asked for. */
static const struct child_life stopping = {
    .state = CHILD_ENDING, .handle = true, .alive = true, .stopping = true, .deadline = NOW + CHILD_END_TIME};
/* It has exited, and what it said last is still in the channel. */
static const struct child_life last_words = {
    .state = CHILD_ENDING, .handle = true, .channel = true, .deadline = NOW + CHILD_LAST_WORDS_TIME};
static const struct child_life reaped_with_channel = {
    .state = CHILD_ENDING, .channel = true, .deadline = NOW + CHILD_LAST_WORDS_TIME};
/* It broke a promise, and has been killed. */
static const struct child_life killed = {
    .state = CHILD_ENDING, .handle = true, .alive = true, .deadline = NOW + CHILD_END_TIME};
static const struct child_life exited_closed = {
    .state = CHILD_ENDING, .handle = true, .deadline = NOW + CHILD_END_TIME};

enum { TELL = CHILD_DO_TELL, FAIL_TELL = CHILD_DO_RECORD_FAILED | CHILD_DO_TELL };

struct row {
    const char *name;
    const struct child_life *from;
    struct {
        unsigned actions; /* 0: no action, and the state stays */
        enum child_state to;
    } on[CHILD_EVENTS];
};

/* What is not named here does nothing. */
static const struct row table[] = {
    {"down", &down, {[CHILD_WANTED] = {CHILD_DO_SPAWN, CHILD_STARTING}}},
    {"waiting after a failure", &waiting, {{0}}},
    {"being spawned",
     &spawning,
     {[CHILD_NOT_SPAWNED] = {FAIL_TELL, CHILD_DOWN},
      [CHILD_HALF_SPAWNED] = {CHILD_DO_CLOSE_HANDLE, CHILD_ENDING}}},
    {"starting",
     &starting,
     {[CHILD_SAID_READY] = {CHILD_DO_RECORD_READY | TELL, CHILD_READY},
      [CHILD_FAILED] = {CHILD_DO_KILL | CHILD_DO_DISCONNECT | TELL, CHILD_ENDING},
      [CHILD_STOP] = {CHILD_DO_REVOKE | CHILD_DO_DISCONNECT, CHILD_ENDING},
      [CHILD_CUT] = {CHILD_DO_REVOKE | CHILD_DO_KILL | CHILD_DO_DISCONNECT, CHILD_ENDING},
      [CHILD_HUNG_UP] = {CHILD_DO_DISCONNECT | TELL, CHILD_ENDING},
      [CHILD_EXITED] = {CHILD_DO_CLOSE_HANDLE | TELL, CHILD_ENDING}}},
    {"ready",
     &ready,
     {[CHILD_FAILED] = {CHILD_DO_KILL | CHILD_DO_DISCONNECT | TELL, CHILD_ENDING},
      [CHILD_STOP] = {CHILD_DO_REVOKE | CHILD_DO_DISCONNECT, CHILD_ENDING},
      [CHILD_CUT] = {CHILD_DO_REVOKE | CHILD_DO_KILL | CHILD_DO_DISCONNECT, CHILD_ENDING},
      [CHILD_HUNG_UP] = {CHILD_DO_DISCONNECT | TELL, CHILD_ENDING},
      [CHILD_EXITED] = {CHILD_DO_CLOSE_HANDLE | TELL, CHILD_ENDING},
      [CHILD_TICK] = {CHILD_DO_SERVE, CHILD_READY}}},
    {"stopping",
     &stopping,
     {[CHILD_FAILED] = {CHILD_DO_KILL | TELL, CHILD_ENDING},
      [CHILD_CUT] = {CHILD_DO_KILL, CHILD_ENDING},
      [CHILD_EXITED] = {CHILD_DO_CLOSE_HANDLE, CHILD_ENDING}}},
    {"exited, its last words in the channel",
     &last_words,
     {[CHILD_FAILED] = {CHILD_DO_DISCONNECT | TELL, CHILD_ENDING},
      [CHILD_CUT] = {CHILD_DO_REVOKE | CHILD_DO_DISCONNECT, CHILD_ENDING},
      [CHILD_HUNG_UP] = {CHILD_DO_DISCONNECT | TELL, CHILD_ENDING}}},
    {"reaped, its last words in the channel",
     &reaped_with_channel,
     {[CHILD_FAILED] = {CHILD_DO_DISCONNECT | FAIL_TELL, CHILD_DOWN},
      [CHILD_CUT] = {CHILD_DO_REVOKE | CHILD_DO_DISCONNECT | TELL, CHILD_DOWN},
      [CHILD_HUNG_UP] = {CHILD_DO_DISCONNECT | FAIL_TELL, CHILD_DOWN}}},
    {"killed",
     &killed,
     {[CHILD_FAILED] = {CHILD_DO_KILL | TELL, CHILD_ENDING},
      [CHILD_CUT] = {CHILD_DO_KILL, CHILD_ENDING},
      [CHILD_EXITED] = {CHILD_DO_CLOSE_HANDLE, CHILD_ENDING}}},
    {"exited, channel closed",
     &exited_closed,
     {[CHILD_FAILED] = {TELL, CHILD_ENDING}, [CHILD_REAPED] = {FAIL_TELL, CHILD_DOWN}}},
};

static void every_event_in_every_situation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int event = 0; event < CHILD_EVENTS; event++) {
            const struct row *row = &table[i];
            struct child_life life = *row->from;
            unsigned due = row->on[event].actions, actions = step_at(&life, (enum child_event)event, NOW);
            if (actions != due || life.state != (due ? row->on[event].to : row->from->state))
                fail_msg("%s, event %d: actions %#x, state %d", row->name, event, actions, life.state);
        }
}

/* What holds whatever happens, in every order: checked along pseudo-random walks. */
static void check_sound(const struct child_life *before, const struct child_life *life, unsigned actions)
{
    assert_true(life->handle || !life->alive);
    if (life->state == CHILD_DOWN)
        assert_false(life->handle || life->channel || life->deadline);
    else
        assert_true(life->deadline || life->state == CHILD_READY); /* nothing waits for ever */
    if (life->state == CHILD_READY)
        assert_true(life->ready_since);
    if (actions & CHILD_DO_DISCONNECT)
        assert_true(before->channel && !life->channel);
    if (before->channel && !life->channel)
        assert_true(actions & CHILD_DO_DISCONNECT);
    if (actions & CHILD_DO_KILL)
        assert_true(before->alive); /* never a pid that is somebody else's by now */
    if (actions & CHILD_DO_RECORD_FAILED)
        assert_true(life->retry_at && !life->stopping);
    if (before->state != CHILD_DOWN && life->state == CHILD_DOWN)
        assert_true(actions & CHILD_DO_TELL);
}

static void no_walk_leaves_it_stuck_or_unsound(void **state)
{
    (void)state;
    uint64_t random = 42;
    for (int walk = 0; walk < 2000; walk++) {
        struct child_life life = down;
        int64_t ticks = NOW;
        for (int i = 0; i < 60; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            enum child_event event = (enum child_event)((random >> 33) % CHILD_EVENTS);
            struct child_life before = life;
            ticks += (int64_t)((random >> 50) % 4000);
            check_sound(&before, &life, 0);
            unsigned actions = step_at(&life, event, ticks);
            if (actions & CHILD_DO_SPAWN) {
                before = life;
                actions = step_at(&life, (random >> 40) % 4 ? CHILD_SPAWNED : CHILD_NOT_SPAWNED, ticks);
            }
            check_sound(&before, &life, actions);
        }
        /* Left alone, with a kernel that does its part, it is ready or ends. */
        step_at(&life, CHILD_STOP, ticks);
        for (int i = 0; i < 10 && life.state != CHILD_DOWN; i++) {
            step_at(&life, CHILD_TICK, ticks += CHILD_END_TIME);
            step_at(&life, CHILD_EXITED, ticks);
            step_at(&life, CHILD_REAPED, ticks);
        }
        assert_int_equal(life.state, CHILD_DOWN);
    }
}

/* ---- time ---- */

static void slow_start_is_blamed(void **state)
{
    (void)state;
    struct child_life life = starting;
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + CHILD_START_TIME - 1), 0);
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + CHILD_START_TIME), CHILD_DO_BLAME_SLOW);
}

static void pinged_at_a_third_and_blamed_when_silent(void **state)
{
    (void)state;
    struct child_life life = ready;
    life.pinged = NOW;
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + ANSWER / 3 - 1), CHILD_DO_SERVE);
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + ANSWER / 3), CHILD_DO_PING | CHILD_DO_SERVE);
    int64_t silent = NOW + ANSWER / 3;
    assert_int_equal(step_at(&life, CHILD_TICK, silent + ANSWER - 1), CHILD_DO_SERVE); /* not pinged again */
    struct child_life answers = life;
    assert_int_equal(step_at(&life, CHILD_TICK, silent + ANSWER), CHILD_DO_BLAME_HUNG);
    step_at(&answers, CHILD_PONGED, silent + ANSWER - 1);
    assert_int_equal(step_at(&answers, CHILD_TICK, silent + ANSWER), CHILD_DO_PING | CHILD_DO_SERVE);
}

static void one_that_does_not_end_is_killed(void **state)
{
    (void)state;
    struct child_life life = stopping;
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + CHILD_END_TIME - 1), 0);
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + CHILD_END_TIME), CHILD_DO_KILL);
    life = killed;
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + CHILD_END_TIME), CHILD_DO_KILL | CHILD_DO_NOTE_STUCK);
    life = last_words; /* the channel's end never came */
    assert_int_equal(step_at(&life, CHILD_TICK, NOW + CHILD_LAST_WORDS_TIME), CHILD_DO_DISCONNECT);
}

/* Spawns, says ready when `calm` is not 0, lives that long, dies; returns the pause before the next start. */
static int64_t live_and_die(struct child_life *life, int64_t *ticks, int64_t calm)
{
    *ticks = life->retry_at ? life->retry_at : *ticks;
    assert_int_equal(step_at(life, CHILD_TICK, *ticks) | step_at(life, CHILD_WANTED, *ticks), CHILD_DO_SPAWN);
    step_at(life, CHILD_SPAWNED, *ticks);
    if (calm)
        step_at(life, CHILD_SAID_READY, *ticks);
    *ticks += calm;
    step_at(life, CHILD_EXITED, *ticks);
    step_at(life, CHILD_HUNG_UP, *ticks);
    assert_true(step_at(life, CHILD_REAPED, *ticks) & CHILD_DO_RECORD_FAILED);
    return life->retry_at - *ticks;
}

static void pauses_double_up_to_half_a_minute(void **state)
{
    (void)state;
    struct child_life life = down;
    int64_t ticks = NOW, due = CHILD_BACKOFF_LEAST;
    for (int i = 0; i < 20; i++, due = due * 2 < CHILD_BACKOFF_MOST ? due * 2 : CHILD_BACKOFF_MOST)
        assert_int_equal(live_and_die(&life, &ticks, i % 2 ? 100 : 0),
                         due); /* being ready for a moment is no cure */
    assert_int_equal(life.crashes, 20);
    assert_int_equal(live_and_die(&life, &ticks, CHILD_CALM_TIME + 1), CHILD_BACKOFF_LEAST);
}

static void nobody_is_started_who_is_not_wanted(void **state)
{
    (void)state;
    struct child_life life = waiting;
    struct child_clock clock = at(NOW + 1000);
    clock.wanted = false;
    assert_int_equal(child_life_step(&life, CHILD_TICK, &clock), 0);
    step_at(&life, CHILD_STOP, NOW + 1000); /* switched off: its pause is over, too */
    assert_int_equal(step_at(&life, CHILD_WANTED, NOW + 1000), CHILD_DO_SPAWN);
}

static void asked_for_end_is_no_failure(void **state)
{
    (void)state;
    struct child_life life = ready;
    step_at(&life, CHILD_STOP, NOW);
    step_at(&life, CHILD_EXITED, NOW);
    assert_int_equal(step_at(&life, CHILD_REAPED, NOW), CHILD_DO_TELL);
    assert_int_equal(life.failures, 0);
    assert_int_equal(life.retry_at, 0);
    assert_int_equal(life.crashes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_situation),
        cmocka_unit_test(no_walk_leaves_it_stuck_or_unsound),
        cmocka_unit_test(slow_start_is_blamed),
        cmocka_unit_test(pinged_at_a_third_and_blamed_when_silent),
        cmocka_unit_test(one_that_does_not_end_is_killed),
        cmocka_unit_test(pauses_double_up_to_half_a_minute),
        cmocka_unit_test(nobody_is_started_who_is_not_wanted),
        cmocka_unit_test(asked_for_end_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
