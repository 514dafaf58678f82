/* Other programs, other processes, and the hub's own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

static char *const say[] = {"sh", "-c", "exit 10", NULL};
static char *const nothing[] = {NULL};

/* Success does not return: the new program ends with ESCAPE_EXIT. */
static enum escape exec_program(const struct ground *g)
{
    (void)g;
    execve("/bin/sh", say, nothing);
    return escape_outcome(false);
}

static enum escape exec_at(const struct ground *g)
{
    (void)g;
    syscall(SYS_execveat, AT_FDCWD, "/bin/sh", say, nothing, 0);
    return escape_outcome(false);
}

/* A program that is in no file system. */
static enum escape exec_memory(const struct ground *g)
{
    (void)g;
    static const char script[] = "#!/bin/sh\nexit 10\n";
    int fd = memfd_create("escape", 0);
    if (fd >= 0)
        (void)!write(fd, script, sizeof script - 1);
    syscall(SYS_execveat, fd, "", say, nothing, AT_EMPTY_PATH);
    return escape_outcome(false);
}

static enum escape memory_file(const struct ground *g)
{
    (void)g;
    int fd = memfd_create("escape", 0);
    enum escape result = escape_outcome(fd >= 0);
    if (fd >= 0)
        close(fd);
    return result;
}

/* In the new process: it ends. In the old one: whether there was one. */
static enum escape after_fork(long pid)
{
    if (pid == 0)
        _exit(ESCAPE_EXIT);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, __WALL);
    return escape_outcome(pid > 0);
}

static enum escape fork_call(const struct ground *g)
{
    (void)g;
    return after_fork(syscall(SYS_fork));
}

static enum escape fork_library(const struct ground *g)
{
    (void)g;
    return after_fork(fork());
}

static enum escape vfork_call(const struct ground *g)
{
    (void)g;
    pid_t pid = vfork();
    if (pid == 0)
        _exit(ESCAPE_EXIT);
    return after_fork(pid);
}

static enum escape clone_process(const struct ground *g)
{
    (void)g;
    return after_fork(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static enum escape clone_in_user_namespace(const struct ground *g)
{
    (void)g;
    return after_fork(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static enum escape clone3_process(const struct ground *g)
{
    (void)g;
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return after_fork(syscall(SYS_clone3, &arguments, sizeof arguments));
}

static enum escape trace_parent(const struct ground *g)
{
    (void)g;
    return escape_outcome(ptrace(PTRACE_SEIZE, getppid(), 0, 0) == 0);
}

static enum escape trace_me(const struct ground *g)
{
    (void)g;
    return escape_outcome(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
}

static enum escape parent_vm_read(const struct ground *g)
{
    char bytes[8] = {0};
    struct iovec here = {bytes, sizeof bytes}, there = {(void *)g->address, sizeof bytes};
    return escape_outcome(process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 8 &&
                          memcmp(bytes, "accord-1", 8) == 0);
}

static enum escape parent_vm_write(const struct ground *g)
{
    char bytes[8] = "accord-1";
    struct iovec here = {bytes, sizeof bytes}, there = {(void *)g->address, sizeof bytes};
    return escape_outcome(process_vm_writev(getppid(), &here, 1, &there, 1, 0) == 8);
}

static enum escape pidfd_parent(const struct ground *g)
{
    (void)g;
    long fd = syscall(SYS_pidfd_open, getppid(), 0);
    enum escape result = escape_outcome(fd >= 0);
    if (fd >= 0)
        close((int)fd);
    return result;
}

static enum escape pidfd_steal(const struct ground *g)
{
    (void)g;
    long handle = syscall(SYS_pidfd_open, getppid(), 0);
    return escape_outcome(syscall(SYS_pidfd_getfd, handle, 0, 0) >= 0);
}

static enum escape pidfd_signal(const struct ground *g)
{
    (void)g;
    long handle = syscall(SYS_pidfd_open, getppid(), 0);
    return escape_outcome(syscall(SYS_pidfd_send_signal, handle, 0, NULL, 0) == 0);
}

static enum escape pidfd_advise(const struct ground *g)
{
    struct iovec there = {(void *)(g->address & ~(uintptr_t)4095), 4096};
    long handle = syscall(SYS_pidfd_open, getppid(), 0);
    return escape_outcome(syscall(SYS_process_madvise, handle, &there, 1, MADV_COLD, 0) == 4096);
}

/* Signal 0: whether it might. */
static enum escape kill_parent(const struct ground *g)
{
    (void)g;
    return escape_outcome(kill(getppid(), 0) == 0);
}

static enum escape kill_all(const struct ground *g)
{
    (void)g;
    return escape_outcome(kill(-1, 0) == 0);
}

static enum escape tkill_parent(const struct ground *g)
{
    (void)g;
    return escape_outcome(syscall(SYS_tkill, getppid(), 0) == 0);
}

static enum escape tgkill_parent(const struct ground *g)
{
    (void)g;
    return escape_outcome(syscall(SYS_tgkill, getppid(), getppid(), 0) == 0);
}

static enum escape queue_signal(const struct ground *g)
{
    (void)g;
    union sigval value = {0};
    return escape_outcome(sigqueue(getppid(), 0, value) == 0);
}

static enum escape limits_of_parent(const struct ground *g)
{
    (void)g;
    struct rlimit limit;
    return escape_outcome(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) == 0);
}

static enum escape limits_set(const struct ground *g)
{
    (void)g;
    struct rlimit limit;
    return escape_outcome(getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                          prlimit(0, RLIMIT_NOFILE, &limit, NULL) == 0);
}

static enum escape schedule_parent(const struct ground *g)
{
    (void)g;
    cpu_set_t all;
    return escape_outcome(sched_getaffinity(0, sizeof all, &all) == 0 &&
                          sched_setaffinity(getppid(), sizeof all, &all) == 0);
}

static enum escape priority_of_parent(const struct ground *g)
{
    (void)g;
    errno = 0;
    int now = getpriority(PRIO_PROCESS, (id_t)getppid());
    return escape_outcome(errno == 0 && setpriority(PRIO_PROCESS, (id_t)getppid(), now) == 0);
}

static enum escape session_of_its_own(const struct ground *g)
{
    (void)g;
    return escape_outcome(setsid() >= 0);
}

static enum escape control(int option, unsigned long value)
{
    return escape_outcome(prctl(option, value, 0, 0, 0) == 0);
}

#define CONTROL(name, option, value)                                                                         \
    static enum escape name(const struct ground *g)                                                          \
    {                                                                                                        \
        (void)g;                                                                                             \
        return control(option, value);                                                                       \
    }

CONTROL(prctl_dumpable, PR_SET_DUMPABLE, 1)
CONTROL(prctl_outlive_parent, PR_SET_PDEATHSIG, 0)
CONTROL(prctl_keep_capabilities, PR_SET_KEEPCAPS, 1)
CONTROL(prctl_subreaper, PR_SET_CHILD_SUBREAPER, 1)
CONTROL(prctl_bounding_set, PR_CAPBSET_DROP, 0)

const struct probe probes_process[] = {
    {.name = "exec-program", .run = exec_program, .alone = true},
    {.name = "exec-at", .run = exec_at, .alone = true},
    {.name = "exec-memory", .run = exec_memory, .alone = true},
    {.name = "memory-file", .run = memory_file},
    {.name = "fork-call", .run = fork_call, .alone = true},
    {.name = "fork-library", .run = fork_library, .alone = true},
    {.name = "vfork-call", .run = vfork_call, .alone = true},
    {.name = "clone-process", .run = clone_process},
    {.name = "clone-in-user-namespace", .run = clone_in_user_namespace},
    {.name = "clone3-process", .run = clone3_process},
    {.name = "trace-parent", .run = trace_parent, .alone = true},
    {.name = "trace-me", .run = trace_me, .alone = true},
    {.name = "parent-vm-read", .run = parent_vm_read, .alone = true},
    {.name = "parent-vm-write", .run = parent_vm_write, .alone = true},
    {.name = "pidfd-parent", .run = pidfd_parent},
    {.name = "pidfd-steal", .run = pidfd_steal, .alone = true},
    {.name = "pidfd-signal", .run = pidfd_signal},
    {.name = "pidfd-advise", .run = pidfd_advise},
    {.name = "kill-parent", .run = kill_parent},
    {.name = "kill-all", .run = kill_all},
    {.name = "tkill-parent", .run = tkill_parent},
    {.name = "tgkill-parent", .run = tgkill_parent},
    {.name = "queue-signal", .run = queue_signal},
    {.name = "limits-of-parent", .run = limits_of_parent},
    {.name = "limits-set", .run = limits_set},
    {.name = "schedule-parent", .run = schedule_parent},
    {.name = "priority-of-parent", .run = priority_of_parent},
    {.name = "session-of-its-own", .run = session_of_its_own},
    {.name = "prctl-dumpable", .run = prctl_dumpable},
    {.name = "prctl-outlive-parent", .run = prctl_outlive_parent},
    {.name = "prctl-keep-capabilities", .run = prctl_keep_capabilities},
    {.name = "prctl-subreaper", .run = prctl_subreaper},
    {.name = "prctl-bounding-set", .run = prctl_bounding_set},
    {0},
};
