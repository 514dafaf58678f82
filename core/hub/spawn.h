/* Starts the process of a child from the hub's own binary. */
#ifndef HUB_SPAWN_H
#define HUB_SPAWN_H

#include "hub/child.h"

/* `theirs`: its end of the channel, the caller's to close. The handle is in use afterwards, and must be closed,
 * whatever the result; a negative one is libuv's. */
int child_spawn(struct child *, int theirs, uv_exit_cb exited);

#endif
