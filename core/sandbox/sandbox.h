/* Confines a child process (design: "always on"). Three walls: seccomp default deny (without it: refuse),
 * an empty network namespace, Landlock (missing: go on and say so).
 *
 * Order in a child: sandbox_begin() at the very start; read SETUP; initialise libraries; sandbox_close();
 * only then load plugins. Before any thread starts.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <accord/base.h>
#include <sys/types.h>

#include "util/error.h"

enum sandbox_role { SANDBOX_LINK, SANDBOX_GUARD, SANDBOX_INSPECT, SANDBOX_DESCRIBE };

/* Closes every inherited descriptor above 3, dies with `parent` (PR_SET_PDEATHSIG, then getppid() is
 * checked), clears the environment but for the locale, no core files, limits on memory and descriptors;
 * ignores SIGPIPE, SIGINT and SIGHUP, since a terminal's ^C is for the hub to handle. */
int sandbox_begin(pid_t parent, struct reason *why);

struct sandbox_folder {
    const char *path; /* what is not there when the sandbox closes stays shut when it comes later */
    bool write;
};

enum sandbox_wall { SANDBOX_UP, SANDBOX_MISSING };
/* Which walls stand, with the reason for each that does not. */
struct sandbox_walls {
    enum sandbox_wall seccomp, namespaces, landlock;
    int landlock_abi;
    struct reason namespaces_why, landlock_why;
};

/* Closes the walls for ever, over all threads there will be; the process is not dumpable from here on.
 * Readable without being named: the system's libraries, CA bundle, time zones and locale data. Fails when
 * seccomp cannot be had, or when the process has a second thread already. */
int sandbox_close(enum sandbox_role, const struct sandbox_folder *, size_t count, struct sandbox_walls *,
                  struct reason *why);

/* For the hub: not dumpable, no core files, no new privileges. */
int sandbox_protect_hub(struct reason *why);

#endif
