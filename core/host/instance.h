/* The host's side of one open plugin instance, a link or a policy module, and the services that every
 * plugin has: log, metric, clocks (here), timers, watches, work on a thread (loop.h).
 */
#ifndef HOST_INSTANCE_H
#define HOST_INSTANCE_H

#include <accord/host.h>

#include "host/process.h"

/* Embedded first in the structs of link and module. */
struct accord_instance {
    struct process *process;
    const char *name; /* of the link or module */
    bool closing;     /* the plugin's `close` was called: no callback follows */
    struct accord_timer *timers;
    struct accord_timer *spare; /* timers that are over, for the next: loop.c */
    size_t spare_count;
    struct accord_watch *watches;
};

/* Before every call into a plugin: whatever goes wrong from here is this one's doing. */
static inline void instance_enter(struct accord_instance *instance)
{
    instance->process->inside = instance;
}

/* The part of the table that every plugin has; the rest stays NULL and beyond `size`. */
void instance_base_services(struct accord_host *);
/* Copies a plugin's vtable, which may be older and shorter than ours; what it lacks is NULL. */
void instance_vtable(void *to, size_t room, const void *from);
/* A line in the log about this instance, from the host. */
void instance_say(struct accord_instance *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
