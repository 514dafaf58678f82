/* What one process is given at the same time. When a process dies, all that it had is under suspicion, and each of
 * it is then let in alone: what the process dies of twice, with nothing else in it, is found in this way, and the
 * rest goes on meanwhile.
 *
 * Others go before suspects, but not for ever: under load a suspect has its turn a few times a second.
 */
#ifndef BUS_GATE_H
#define BUS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATE_TURN 200 /* ms that others may go on entering while a suspect waits */

/* A process that died with one thing alone in it: how much that says. Twice is enough when it was doing nothing else;
 * a link that was also taking messages in may have died of those. */
#define GATE_SURE   2
#define GATE_UNSURE 1
#define GATE_GUILTY 4

struct gate_item {
    struct gate_item *next;
    bool suspect; /* goes alone */
};

struct gate_list {
    struct gate_item *first, *last;
};

struct gate {
    /* Hands it over; gate_leave() must follow, perhaps at once. */
    void (*enter)(struct gate_item *);
    size_t inside, most; /* most: inside at a time; 0: any number */
    struct gate_list waiting, suspects;
    bool alone; /* a suspect is inside */
    bool shut;  /* the process is gone: whatever has come waits */
    bool pumping;
    int64_t turn; /* ticks: the first suspect is next, and others wait; 0: none waits */
};

void gate_enter(struct gate *, struct gate_item *);
/* One that was inside is not any more. */
void gate_leave(struct gate *);
void gate_shut(struct gate *, bool shut);
/* Takes out the next of all that wait, in order; NULL: none. */
struct gate_item *gate_take(struct gate *);

#endif
