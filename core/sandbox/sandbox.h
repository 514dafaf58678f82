/* Confines a child process (design: "always on"). Three walls: seccomp default deny (without it: refuse), an
 * empty network namespace, Landlock (missing: go on and say so).
 *
 * Order in a child: sandbox_begin() at the very start; read SETUP; initialise libraries; sandbox_close(); only
 * then load plugins. Before any thread starts.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <accord/base.h>
#include <sys/types.h>

#include "util/error.h"

enum sandbox_role { SANDBOX_LINK, SANDBOX_GUARD, SANDBOX_INSPECT, SANDBOX_DESCRIBE };

/* Closes every inherited descriptor above 3, dies with `parent` (PR_SET_PDEATHSIG, then getppid() is checked),
 * clears LTDL_LIBRARY_PATH and the like from the environment, no core files, not dumpable. */
int sandbox_begin(pid_t parent, struct reason *why);

struct sandbox_folder {
    const char *path;
    bool write;
};

enum sandbox_wall { SANDBOX_UP, SANDBOX_MISSING };
/* Which walls stand, with the reason for each that does not. */
struct sandbox_walls {
    enum sandbox_wall seccomp, namespaces, landlock;
    int landlock_abi;
    struct reason namespaces_why, landlock_why;
};

/* Readable without being named: the system's libraries, CA bundle and locale data (read only). Fails only when
 * seccomp cannot be had. */
int sandbox_close(enum sandbox_role, const struct sandbox_folder *, size_t count, struct sandbox_walls *,
                  struct reason *why);

/* For the hub: not dumpable, no core files, no new privileges. */
int sandbox_protect_hub(struct reason *why);

#endif
