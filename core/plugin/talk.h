/* A short talk with a describing child: frames go out, datagrams come back, each within a deadline, and at the end it is
 * known how the child ended. Blocks; any thread.
 */
#ifndef PLUGIN_TALK_H
#define PLUGIN_TALK_H

#include <stdatomic.h>
#include <sys/types.h>

#include "util/buf.h"
#include "util/error.h"

struct talk {
    pid_t pid;
    int channel;
    const atomic_bool *cancel; /* NULL; becomes true: give up soon, with ACCORD_ECANCELED */
    bool gone;                 /* it has hung up */
};

/* `name` is for the list of processes. */
int talk_open(struct talk *, const char *executable, const char *name, const atomic_bool *cancel, struct reason *why);
/* Whole frames, in as few datagrams as they fit in. ACCORD_ETIMEOUT: the child does not read. */
int talk_send(struct talk *, const struct buf *frames, int64_t deadline, struct reason *why);
/* 1 a datagram, 0 it has hung up, or an error: ACCORD_ETIMEOUT, ... */
int talk_receive(struct talk *, int64_t deadline, struct buf *datagram, struct reason *why);
/* Ends the child. When it hung up by itself, `how` says how it ended: "crashed while loading (signal 11, ...)". */
void talk_close(struct talk *, const char *doing, struct reason *how);

/* Milliseconds of real time, also in tests with a virtual clock: the child lives in real time. */
int64_t talk_now(void);

#endif
