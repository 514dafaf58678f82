/* The guard and the inspect process: run the policy modules of one agreement, inside the sandbox. The
 * inspect process has those that read payloads, and asks them all at once over one stream; the guard asks
 * one after the other.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <sys/types.h>

#include "host/process.h"

/* The role's main(): returns the exit status. */
int guard_main(const char *name, pid_t parent, bool inspect);

/* The role without the sandbox, over any channel: for tests. One at a time in a process. */
int guard_run(const struct process_setup *, bool inspect);

#endif
