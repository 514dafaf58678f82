/* What was cancelled and must end by itself soon: when it does not, the plugin hangs, and the process gives
 * up. */
#ifndef HOST_GRACE_H
#define HOST_GRACE_H

#include <uv.h>

#include <accord/base.h>

struct process;
struct accord_instance;

struct grace {
    struct grace *next, *previous; /* NULL: not in the list */
    uint64_t deadline;             /* of uv_now */
    const struct accord_instance *instance;
};

/* All have the same time, so the list is in order of deadline. */
struct grace_list {
    struct process *process;
    struct grace head;
    uv_timer_t timer;
};

void grace_init(struct grace_list *, struct process *);
/* Nothing expires any more. The timer is closed by the loop. */
void grace_fini(struct grace_list *);
void grace_begin(struct grace_list *, struct grace *, const struct accord_instance *);
void grace_end(struct grace_list *, struct grace *);

#endif
