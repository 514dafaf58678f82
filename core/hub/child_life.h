/* The life of a child process as decisions: what happened goes in, what must be done comes out. Touches nothing but
 * its own struct; child.c does what it says.
 *
 * Time is in ticks (monotonic milliseconds). A process is over when it is reaped, its handle is free again, and its
 * channel is closed: its last words wait in the channel, whose end comes behind them.
 */
#ifndef HUB_CHILD_LIFE_H
#define HUB_CHILD_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#define CHILD_START_TIME      20000 /* ms from spawn to READY */
#define CHILD_END_TIME        2000  /* ms from closing its channel to SIGKILL */
#define CHILD_LAST_WORDS_TIME 1000  /* ms from its exit to the end of its channel */
#define CHILD_BACKOFF_LEAST   100
#define CHILD_BACKOFF_MOST    30000
#define CHILD_CALM_TIME       60000 /* ready for this long: the next failure is the first again */

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_ENDING };

struct child_life {
    enum child_state state;
    bool handle;       /* the loop uses the process's handle */
    bool alive;        /* the process has not been reaped: its pid is its own */
    bool channel;      /* open: what the process says or holds counts */
    bool stopping;     /* its end was asked for */
    unsigned failures; /* in a row */
    uint64_t starts, crashes;
    int64_t deadline;  /* ready by, pong by, or ended by; 0: none */
    int64_t retry_at;  /* start again; 0: not */
    int64_t ready_since, pinged;
};

enum child_event {
    CHILD_WANTED,       /* it should run; only when it is down and not waiting */
    CHILD_SPAWNED,      /* the process exists, and its channel is open */
    CHILD_NOT_SPAWNED,  /* nothing exists */
    CHILD_HALF_SPAWNED, /* only the handle is in use */
    CHILD_SAID_READY,
    CHILD_PONGED,
    CHILD_FAILED,  /* it broke a promise */
    CHILD_STOP,    /* its end is asked for */
    CHILD_CUT,     /* likewise, and at once */
    CHILD_HUNG_UP, /* it closed its channel */
    CHILD_EXITED,
    CHILD_REAPED, /* the handle is free */
    CHILD_TICK,
    CHILD_EVENTS,
};

struct child_clock {
    int64_t ticks, answer_within; /* ms for a pong; it is pinged at a third of that */
    bool wanted;                  /* it may be started again */
};

/* To be done in this order. */
enum child_action {
    CHILD_DO_SPAWN = 1u << 0,
    CHILD_DO_REVOKE = 1u << 1,       /* cut its sessions */
    CHILD_DO_KILL = 1u << 2,
    CHILD_DO_CLOSE_HANDLE = 1u << 3, /* CHILD_REAPED follows */
    CHILD_DO_DISCONNECT = 1u << 4,   /* close the channel, settle what the process held */
    CHILD_DO_BLAME_SLOW = 1u << 5,   /* fail it: it was not ready in time */
    CHILD_DO_BLAME_HUNG = 1u << 6,   /* fail it: it did not answer in time */
    CHILD_DO_NOTE_STUCK = 1u << 7,   /* it closed its channel and did not end: that is why, unless more is known */
    CHILD_DO_PING = 1u << 8,
    CHILD_DO_SERVE = 1u << 9,        /* deadlines of what it is doing */
    CHILD_DO_RECORD_READY = 1u << 10,
    CHILD_DO_RECORD_FAILED = 1u << 11,
    CHILD_DO_TELL = 1u << 12,        /* the unit must look at it */
};

/* It is not down, or not quite yet. */
bool child_life_running(const struct child_life *);
/* What must be done, as a set of enum child_action. Events that make no sense in a state do nothing. */
unsigned child_life_step(struct child_life *, enum child_event, const struct child_clock *);

#endif
