/* What a process does before it knows its role, and what the hub does for itself. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/walls.h"

static pid_t parent_pid;

static int limit(__rlimit_resource_t resource, rlim_t most, const char *name, struct reason *why)
{
    struct rlimit now;
    if (getrlimit(resource, &now) < 0)
        return fail(why, ACCORD_EIO, "cannot read the limit %s: %s", name, strerror(errno));
    struct rlimit to = {now.rlim_max < most ? now.rlim_max : most, now.rlim_max < most ? now.rlim_max : most};
    if (setrlimit(resource, &to) < 0)
        return fail(why, ACCORD_EDENIED, "cannot set the limit %s: %s", name, strerror(errno));
    return 0;
}

/* Search paths, preload lists and library settings end here: no child starts a program, and none takes its
 * configuration from the environment. HOME is for libraries that insist on one. */
static int scrub_environment(struct reason *why)
{
    static const char *const kept[] = {"LANG", "LC_ALL", "LC_CTYPE", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS"};
    char *values[sizeof kept / sizeof *kept] = {0};
    bool lost = false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = getenv(kept[i]);
        values[i] = value ? strdup(value) : NULL;
        lost |= value && !values[i];
    }
    clearenv();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (values[i]) {
            lost |= setenv(kept[i], values[i], 1) < 0;
            free(values[i]);
        }
    lost |= setenv("HOME", "/nonexistent", 1) < 0;
    return lost ? fail(why, ACCORD_ENOMEM, "out of memory") : 0;
}

int wall_parent_death(struct reason *why)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return fail(why, ACCORD_EIO, "cannot ask to die with the hub: %s", strerror(errno));
    if (getppid() != parent_pid)
        return fail(why, ACCORD_ECANCELED, "the process that started this one (%d) is gone", (int)parent_pid);
    return 0;
}

int sandbox_begin(pid_t parent, struct reason *why)
{
    parent_pid = parent;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGINT, SIG_IGN) == SIG_ERR ||
        signal(SIGHUP, SIG_IGN) == SIG_ERR)
        return fail(why, ACCORD_EIO, "cannot ignore signals: %s", strerror(errno));
    if (close_range(4, ~0U, 0) < 0)
        return fail(why, ACCORD_EIO, "cannot close inherited descriptors: %s", strerror(errno));
    int result = wall_parent_death(why);
    if (!result)
        result = scrub_environment(why);
    if (!result)
        result = limit(RLIMIT_CORE, 0, "core", why);
    if (!result)
        result = limit(RLIMIT_NOFILE, 1024, "nofile", why);
    if (!result && !SANDBOX_SANITIZED)
        result = limit(RLIMIT_AS, (rlim_t)4 << 30, "as", why);
    return result;
}

int sandbox_protect_hub(struct reason *why)
{
    int result = limit(RLIMIT_CORE, 0, "core", why);
    if (!result && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result = fail(why, ACCORD_EIO, "cannot give up new privileges: %s", strerror(errno));
    if (!result && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        result = fail(why, ACCORD_EIO, "cannot hide the process from others: %s", strerror(errno));
    return result;
}
