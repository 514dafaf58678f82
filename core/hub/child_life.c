#include "hub/child_life.h"

#include <stddef.h>

bool child_life_running(const struct child_life *life)
{
    return life->handle || life->channel;
}

static int64_t back_off(unsigned failures)
{
    int64_t pause = CHILD_BACKOFF_LEAST;
    for (unsigned i = 1; i < failures && pause < CHILD_BACKOFF_MOST; i++)
        pause *= 2;
    return pause < CHILD_BACKOFF_MOST ? pause : CHILD_BACKOFF_MOST;
}

/* ---- parts of an end ---- */

static unsigned failed_again(struct child_life *life, int64_t ticks)
{
    if (life->ready_since && ticks - life->ready_since > CHILD_CALM_TIME)
        life->failures = 0;
    life->failures++;
    life->crashes++;
    life->retry_at = ticks + back_off(life->failures);
    return CHILD_DO_RECORD_FAILED;
}

static unsigned end_if_over(struct child_life *life, int64_t ticks)
{
    unsigned actions = CHILD_DO_TELL;
    if (child_life_running(life) || life->state != CHILD_ENDING)
        return 0;
    life->state = CHILD_DOWN;
    life->deadline = 0;
    if (!life->stopping)
        actions |= failed_again(life, ticks);
    life->ready_since = 0;
    return actions;
}

/* From now on nothing is asked of it; it must be gone in time. */
static void begin_end(struct child_life *life, int64_t ticks, int64_t patience)
{
    life->state = CHILD_ENDING;
    life->deadline = ticks + patience;
}

static unsigned disconnect(struct child_life *life)
{
    unsigned actions = life->channel ? CHILD_DO_DISCONNECT : 0;
    life->channel = false;
    return actions;
}

static unsigned kill_it(const struct child_life *life)
{
    return life->alive ? CHILD_DO_KILL : 0;
}

/* ---- one function for each event ---- */

static unsigned wanted(struct child_life *life, const struct child_clock *clock)
{
    if (child_life_running(life) || life->state != CHILD_DOWN)
        return 0;
    life->state = CHILD_STARTING;
    life->retry_at = 0;
    life->stopping = false;
    life->ready_since = 0;
    life->starts++;
    life->deadline = clock->ticks + CHILD_START_TIME;
    return CHILD_DO_SPAWN;
}

static unsigned spawned(struct child_life *life)
{
    if (life->state == CHILD_STARTING)
        life->handle = life->alive = life->channel = true;
    return 0;
}

static unsigned not_spawned(struct child_life *life, int64_t ticks, bool half)
{
    if (life->state != CHILD_STARTING || child_life_running(life))
        return 0;
    begin_end(life, ticks, CHILD_END_TIME);
    life->handle = half;
    return half ? CHILD_DO_CLOSE_HANDLE : end_if_over(life, ticks);
}

static unsigned said_ready(struct child_life *life, int64_t ticks)
{
    if (life->state != CHILD_STARTING || !life->channel)
        return 0;
    life->state = CHILD_READY;
    life->ready_since = life->pinged = ticks;
    life->deadline = 0;
    return CHILD_DO_RECORD_READY | CHILD_DO_TELL;
}

static unsigned ponged(struct child_life *life)
{
    if (life->state == CHILD_READY)
        life->deadline = 0;
    return 0;
}

/* One whose end was asked for keeps the time that it was given. */
static unsigned failed(struct child_life *life, int64_t ticks)
{
    if (!child_life_running(life))
        return 0;
    unsigned actions = kill_it(life);
    if (life->state != CHILD_ENDING)
        begin_end(life, ticks, CHILD_END_TIME);
    return actions | disconnect(life) | CHILD_DO_TELL | end_if_over(life, ticks);
}

static unsigned stop(struct child_life *life, int64_t ticks)
{
    life->retry_at = 0;
    if (!child_life_running(life) || life->state == CHILD_ENDING)
        return 0;
    life->stopping = true;
    begin_end(life, ticks, CHILD_END_TIME);
    return CHILD_DO_REVOKE | disconnect(life) | end_if_over(life, ticks);
}

/* Not even its last words count. */
static unsigned cut(struct child_life *life, int64_t ticks)
{
    unsigned actions = stop(life, ticks);
    if (!child_life_running(life))
        return actions;
    life->stopping = true;
    return actions | (life->channel ? CHILD_DO_REVOKE : 0) | kill_it(life) | disconnect(life) |
           end_if_over(life, ticks);
}

/* One that closes its channel without having ended is as good as gone, and is helped along in time. */
static unsigned hung_up(struct child_life *life, int64_t ticks)
{
    if (!life->channel)
        return 0;
    if (life->state != CHILD_ENDING)
        begin_end(life, ticks, CHILD_END_TIME);
    return disconnect(life) | CHILD_DO_TELL | end_if_over(life, ticks);
}

static unsigned exited(struct child_life *life, int64_t ticks)
{
    if (!life->alive)
        return 0;
    life->alive = false;
    if (life->state == CHILD_ENDING)
        return CHILD_DO_CLOSE_HANDLE;
    begin_end(life, ticks, CHILD_LAST_WORDS_TIME);
    return CHILD_DO_CLOSE_HANDLE | CHILD_DO_TELL;
}

static unsigned reaped(struct child_life *life, int64_t ticks)
{
    if (!life->handle || life->alive)
        return 0;
    life->handle = false;
    return end_if_over(life, ticks);
}

static unsigned overdue(struct child_life *life, int64_t ticks)
{
    if (life->state == CHILD_STARTING)
        return CHILD_DO_BLAME_SLOW;
    if (life->state == CHILD_READY)
        return CHILD_DO_BLAME_HUNG;
    unsigned stuck = life->alive && !life->stopping ? CHILD_DO_NOTE_STUCK : 0;
    return stuck | kill_it(life) | disconnect(life) | end_if_over(life, ticks);
}

static unsigned tick(struct child_life *life, const struct child_clock *clock)
{
    unsigned ping = 0;
    if (life->state == CHILD_DOWN)
        return life->retry_at && clock->ticks >= life->retry_at && clock->wanted ? wanted(life, clock) : 0;
    if (life->deadline && clock->ticks >= life->deadline)
        return overdue(life, clock->ticks);
    if (life->state != CHILD_READY)
        return 0;
    if (!life->deadline && clock->ticks - life->pinged >= clock->answer_within / 3) {
        life->pinged = clock->ticks;
        life->deadline = clock->ticks + clock->answer_within;
        ping = CHILD_DO_PING;
    }
    return ping | CHILD_DO_SERVE;
}

unsigned child_life_step(struct child_life *life, enum child_event event, const struct child_clock *clock)
{
    switch (event) {
    case CHILD_WANTED:
        return life->retry_at ? 0 : wanted(life, clock);
    case CHILD_SPAWNED:
        return spawned(life);
    case CHILD_NOT_SPAWNED:
        return not_spawned(life, clock->ticks, false);
    case CHILD_HALF_SPAWNED:
        return not_spawned(life, clock->ticks, true);
    case CHILD_SAID_READY:
        return said_ready(life, clock->ticks);
    case CHILD_PONGED:
        return ponged(life);
    case CHILD_FAILED:
        return failed(life, clock->ticks);
    case CHILD_STOP:
        return stop(life, clock->ticks);
    case CHILD_CUT:
        return cut(life, clock->ticks);
    case CHILD_HUNG_UP:
        return hung_up(life, clock->ticks);
    case CHILD_EXITED:
        return exited(life, clock->ticks);
    case CHILD_REAPED:
        return reaped(life, clock->ticks);
    case CHILD_TICK:
        return tick(life, clock);
    default:
        return 0;
    }
}
