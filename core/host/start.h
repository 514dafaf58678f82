/* main() of a child process that runs plugins. */
#ifndef HOST_START_H
#define HOST_START_H

#include <sys/types.h>

#include "host/process.h"
#include "sandbox/sandbox.h"

/* Starts confined (plugin/child.h), then runs the role until the hub is gone. Returns the exit status. */
int start_role(const char *title, const char *name, enum sandbox_role, pid_t parent, struct process *,
               const struct process_role *);

#endif
