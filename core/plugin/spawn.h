/* Starts and ends a child of the same machine room as the hub's: accordd with a role, its channel at
 * descriptor 3. For callers without a loop (describe, accord validate); the hub uses uv_spawn.
 */
#ifndef PLUGIN_SPAWN_H
#define PLUGIN_SPAWN_H

#include <sys/types.h>

#include "util/error.h"

/* Runs `executable` --role=ROLE --name=NAME --parent=(this process). `*channel` is our end of the SEQPACKET pair. */
int spawn_child(const char *executable, const char *role, const char *name, pid_t *pid, int *channel,
                struct reason *why);
/* Gives it `patience_ms` to end by itself, and no more. Returns its wait status. */
int spawn_end(pid_t, int patience_ms);

#endif
