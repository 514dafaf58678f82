/* The link process: runs the connectors of one agreement (or of one link of the site), inside the sandbox. */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <sys/types.h>

#include "host/process.h"

/* The role's main(): returns the exit status. */
int link_main(const char *name, pid_t parent);

/* The role without the sandbox, over any channel: for tests. One at a time in a process. */
int link_run(const struct process_setup *);

#endif
