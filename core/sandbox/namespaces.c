/* The second wall: a new socket, should seccomp ever let one through, reaches no network and no abstract
 * Unix name. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/walls.h"

static int write_proc(const char *path, const char *text, struct reason *why)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
    int number = errno;
    if (fd >= 0)
        close(fd);
    return n < 0 ? fail(why, error_from_errno(number), "cannot write %s: %s", path, strerror(number)) : 0;
}

/* The same numbers inside as outside: files keep their owners. */
static int map_identity(uid_t uid, gid_t gid, struct reason *why)
{
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%u %u 1\n", (unsigned)uid, (unsigned)uid);
    snprintf(gids, sizeof gids, "%u %u 1\n", (unsigned)gid, (unsigned)gid);
    int result = write_proc("/proc/self/uid_map", uids, why);
    if (!result)
        result = write_proc("/proc/self/setgroups", "deny", why);
    if (!result)
        result = write_proc("/proc/self/gid_map", gids, why);
    return result;
}

int wall_namespaces(struct reason *why)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0) /* root that may */
        return 0;
    if (access("/proc/self/uid_map", W_OK) < 0)
        return fail(why, ACCORD_ENOTSUP, "a user namespace needs /proc/self/uid_map: %s", strerror(errno));
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) < 0)
        return fail(why, error_from_errno(errno),
                    "the system gives no user namespace (%s); allow unprivileged user namespaces",
                    strerror(errno));
    /* Half way: a user namespace without its map owns no file any more. */
    return map_identity(uid, gid, why) ? ACCORD_ESTATE : 0;
}

int wall_capabilities(struct reason *why)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0,
              0); /* needs CAP_SETPCAP; without it there is nothing to drop */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capset, &header, none) < 0)
        return fail(why, ACCORD_EIO, "cannot drop capabilities: %s", strerror(errno));
    return 0;
}
