#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "sandbox/walls.h"

static bool closed;

/* LeakSanitizer stops the process with ptrace, which a confined one does not survive. It asks this first. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return closed;
}

/* A thread from before would stay outside Landlock and the capabilities' end, which hold for one thread. */
static int check_single_thread(struct reason *why)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 0; /* no /proc: the callers have none by construction */
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count == 1 ? 0
                      : fail(why, ACCORD_ESTATE, "%d threads are running before the sandbox closes", count);
}

static enum sandbox_wall stands(int result)
{
    return result ? SANDBOX_MISSING : SANDBOX_UP;
}

int sandbox_close(enum sandbox_role role, const struct sandbox_folder *folders, size_t count,
                  struct sandbox_walls *walls, struct reason *why)
{
    *walls = (struct sandbox_walls){.seccomp = SANDBOX_MISSING};
    int result = check_single_thread(why);
    if (result)
        return result;
    result = wall_namespaces(&walls->namespaces_why);
    walls->namespaces = stands(result);
    if (result == ACCORD_ESTATE)
        return fail(why, result, "%s", walls->namespaces_why.text);
    result = wall_capabilities(why);
    if (!result && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result = fail(why, ACCORD_EIO, "cannot give up new privileges: %s", strerror(errno));
    if (result)
        return result;
    walls->landlock = stands(wall_landlock(role, folders, count, &walls->landlock_abi, &walls->landlock_why));
    /* After uid_map was written: a process that is not dumpable cannot. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail(why, ACCORD_EIO, "cannot hide the process from others: %s", strerror(errno));
    result = wall_parent_death(why);
    if (!result)
        result = wall_seccomp(role, why);
    walls->seccomp = stands(result);
    closed = !result;
    return result;
}
