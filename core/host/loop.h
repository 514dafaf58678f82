/* Timers, watches and work on a thread, for plugins, on the process's loop. See accord/host.h. */
#ifndef HOST_LOOP_H
#define HOST_LOOP_H

#include "host/instance.h"

struct accord_timer *loop_timer(struct accord_instance *, int64_t ms, accord_timer_fn, void *arg);
void loop_timer_stop(struct accord_timer *);
struct accord_watch *loop_watch(struct accord_instance *, int fd, accord_watch_fn, void *arg);
void loop_watch_set(struct accord_watch *, uint32_t events);
void loop_watch_end(struct accord_watch *);
int loop_work(struct accord_instance *, accord_work_fn work, accord_work_fn done, void *arg);

/* Stops the timers and watches that the plugin's `close` left behind, and says so. */
void loop_sweep(struct accord_instance *);

#endif
