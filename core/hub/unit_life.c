#include "hub/unit_life.h"

static struct unit_decision stay(const struct unit_facts *facts, unsigned actions, enum unit_obstacle why)
{
    return (struct unit_decision){.to = facts->state, .actions = actions, .why = why};
}

/* What is under way may still use the old configuration. */
static struct unit_decision down(const struct unit_facts *facts)
{
    if (facts->changed)
        return stay(facts, facts->busy ? 0 : UNIT_DO_ADOPT | UNIT_DO_AGAIN, facts->obstacle);
    if (facts->obstacle == UNIT_STOPPING)
        return stay(facts, 0, UNIT_STOPPING); /* what waits goes on waiting, for the next start */
    if (facts->obstacle == UNIT_UNKNOWN)
        return stay(facts, 0, UNIT_UNKNOWN);
    if (facts->obstacle)
        return stay(facts, UNIT_DO_HOLD, facts->obstacle);
    return (struct unit_decision){
        .to = UNIT_STARTING, .actions = UNIT_DO_START | UNIT_DO_TEND, .wanted = true};
}

static struct unit_decision end(const struct unit_facts *facts)
{
    enum unit_obstacle why = facts->obstacle ? facts->obstacle : UNIT_CHANGED;
    unsigned off = why == UNIT_STOPPING ? UNIT_DO_PAUSE : UNIT_DO_HOLD;
    return (struct unit_decision){
        .to = UNIT_DRAINING, .actions = off | UNIT_DO_DRAIN | UNIT_DO_AGAIN, .why = why};
}

static struct unit_decision running(const struct unit_facts *facts)
{
    struct unit_decision decision = {.to = facts->state, .actions = UNIT_DO_TEND, .wanted = true};
    if (facts->obstacle || facts->changed)
        return end(facts);
    if (facts->state == UNIT_STARTING && facts->ready) {
        decision.to = UNIT_UP;
        decision.actions |= UNIT_DO_RECORD;
    }
    decision.actions |= decision.to == UNIT_UP && facts->judged ? UNIT_DO_SERVE : UNIT_DO_PAUSE;
    return decision;
}

/* Suspended meanwhile: nothing has time any more. */
static struct unit_decision draining(const struct unit_facts *facts)
{
    enum unit_obstacle why = facts->obstacle ? facts->obstacle : UNIT_CHANGED;
    unsigned stop = why == UNIT_SUSPENDED ? UNIT_DO_HOLD | UNIT_DO_CUT : UNIT_DO_STOP;
    if (why != UNIT_SUSPENDED && !facts->late && facts->busy)
        return stay(facts, 0, why);
    if (facts->running || facts->busy)
        return stay(facts, stop, why);
    return (struct unit_decision){.to = UNIT_DOWN, .actions = UNIT_DO_RECORD | UNIT_DO_PAUSE, .why = why};
}

struct unit_decision unit_decide(const struct unit_facts *facts)
{
    if (facts->state == UNIT_DOWN)
        return down(facts);
    return facts->state == UNIT_DRAINING ? draining(facts) : running(facts);
}
