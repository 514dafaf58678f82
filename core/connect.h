/* Which connect() a process has. */
#ifndef CORE_CONNECT_H
#define CORE_CONNECT_H

#include <stdbool.h>

/* From now on connect() succeeds, doing nothing, for a socket that is connected, and fails with EACCES for any other. A
 * link's process, before it loads plugins. Until then it is the system call: the hub's second connect() (hub/dialer.c)
 * must reach the kernel. */
void connect_only_connected(void);

#endif
