/* The life of a unit as decisions: what is so goes in, what must be done comes out. Touches nothing; unit.c gathers
 * the facts and does what is decided. Asked again whenever something may have changed, and every tick: a decision
 * depends on how things stand, never on how they came to be so.
 */
#ifndef HUB_UNIT_LIFE_H
#define HUB_UNIT_LIFE_H

#include <stdbool.h>

enum unit_state { UNIT_DOWN, UNIT_STARTING, UNIT_UP, UNIT_DRAINING };

/* Why an agreement must not run; the first that holds is the one that is told. */
enum unit_obstacle {
    UNIT_FREE,      /* it may run */
    UNIT_STOPPING,  /* the agent is */
    UNIT_UNKNOWN,   /* whether it is suspended has not been read yet */
    UNIT_SUSPENDED, /* by a person: ends at once */
    UNIT_ABSENT,    /* its file is gone */
    UNIT_DISABLED,
    UNIT_EARLY,   /* not in force yet */
    UNIT_EXPIRED,
    UNIT_CHANGED, /* it may run again with its new configuration */
};

struct unit_facts {
    enum unit_state state;
    enum unit_obstacle obstacle; /* to the newest configuration; UNIT_FREE or one before UNIT_CHANGED */
    bool changed;                /* a newer configuration waits to be taken on */
    bool busy;                   /* something under way uses the running configuration */
    bool running;                /* a process is there, or not quite gone */
    bool ready;                  /* every process is, and every session profile */
    bool judged;                 /* everything that judges is ready */
    bool late;                   /* what was in flight had its time, or nobody waits for it any more */
};

/* To be done in this order. */
enum unit_action {
    UNIT_DO_ADOPT = 1u << 0, /* take the newer configuration on */
    UNIT_DO_HOLD = 1u << 1,  /* it is off: what it has is held, with the reason */
    UNIT_DO_START = 1u << 2, /* it is on: what was held goes on */
    UNIT_DO_TEND = 1u << 3,  /* start the processes that can be started, ask for profiles */
    UNIT_DO_RECORD = 1u << 4, /* the new state */
    UNIT_DO_SERVE = 1u << 5, /* messages may be judged and sent */
    UNIT_DO_PAUSE = 1u << 6, /* they may not, for now */
    UNIT_DO_DRAIN = 1u << 7, /* nothing new; what is in flight has its time from now on */
    UNIT_DO_STOP = 1u << 8,  /* end every process */
    UNIT_DO_CUT = 1u << 9,   /* likewise, at once */
    UNIT_DO_AGAIN = 1u << 10, /* decide again on the facts as they are then */
};

struct unit_decision {
    enum unit_state to;
    unsigned actions; /* a set of enum unit_action */
    enum unit_obstacle why;
    bool wanted; /* its processes may be started again */
};

struct unit_decision unit_decide(const struct unit_facts *);

#endif
