/* The first wall and the guarantee: a list of system calls by role, everything else refused.
 *
 * What a plugin could use to get at another process or program kills; what a library tries and can do without
 * gets the error that makes it fall back. Arguments are compared in 64 bits: junk in the upper half of an int
 * can only turn an allowed call into a refused one, or is masked off where the kernel ignores it.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/walls.h"

#define FOR_LINK     (1u << SANDBOX_LINK)
#define FOR_GUARD    (1u << SANDBOX_GUARD)
#define FOR_INSPECT  (1u << SANDBOX_INSPECT)
#define FOR_DESCRIBE (1u << SANDBOX_DESCRIBE)
#define FOR_LOOPS    (FOR_LINK | FOR_GUARD | FOR_INSPECT)
#define FOR_ALL      (FOR_LOOPS | FOR_DESCRIBE)

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- calls allowed whatever their arguments ---- */

/* Memory, clocks, own identity, and descriptors that are already open. */
static const int plain_all[] = {
    SCMP_SYS(read),           SCMP_SYS(readv),
    SCMP_SYS(pread64),        SCMP_SYS(write),
    SCMP_SYS(writev),         SCMP_SYS(close),
    SCMP_SYS(lseek),          SCMP_SYS(fstat),
    SCMP_SYS(stat),           SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),     SCMP_SYS(statx),
    SCMP_SYS(access),         SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),     SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),     SCMP_SYS(getcwd),
    SCMP_SYS(mmap),           SCMP_SYS(munmap),
    SCMP_SYS(mremap),         SCMP_SYS(mprotect),
    SCMP_SYS(madvise),        SCMP_SYS(brk),
    SCMP_SYS(futex),          SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),    SCMP_SYS(getpid),
    SCMP_SYS(gettid),         SCMP_SYS(getppid),
    SCMP_SYS(getuid),         SCMP_SYS(geteuid),
    SCMP_SYS(getgid),         SCMP_SYS(getegid),
    SCMP_SYS(uname),          SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),      SCMP_SYS(getrusage),
    SCMP_SYS(getrandom),      SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),   SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),      SCMP_SYS(gettimeofday),
    SCMP_SYS(time),           SCMP_SYS(times),
    SCMP_SYS(sched_yield),    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(membarrier),     SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),           SCMP_SYS(poll),
    SCMP_SYS(ppoll),          SCMP_SYS(select),
    SCMP_SYS(pselect6),       SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),       SCMP_SYS(exit),
    SCMP_SYS(exit_group),     SCMP_SYS(restart_syscall),
};

/* An event loop and its threads. */
static const int plain_loops[] = {
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getsockopt),
};

/* A passed connection, and files in the folders of a `dir` link. Where Landlock has no say (mode, owner,
 * times, extended attributes) or no link needs it (truncation by name, links by symbol, devices) there is
 * no call at all. What remains outside those folders: whether a name exists (stat, access, readlink), and
 * notice of changes in a folder that this user may read (inotify). */
static const int plain_link[] = {
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(pwrite64),
    SCMP_SYS(getdents64),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(flock),
    SCMP_SYS(fstatfs),
    SCMP_SYS(statfs),
    SCMP_SYS(umask),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(sendfile),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
};

/* ---- calls that end the process: nothing harmless leads here ---- */

static const int killing[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(pidfd_getfd),
};

/* ---- calls that libraries try and can do without ---- */

static const struct {
    int call, error;
} refused[] = {
    {SCMP_SYS(socket), EACCES},
    {SCMP_SYS(connect), EACCES},
    {SCMP_SYS(bind), EACCES},
    {SCMP_SYS(listen), EACCES},
    {SCMP_SYS(accept), EACCES},
    {SCMP_SYS(accept4), EACCES},
    {SCMP_SYS(clone3), ENOSYS},
    {SCMP_SYS(openat2), ENOSYS},
    {SCMP_SYS(io_uring_setup), ENOSYS},
    {SCMP_SYS(io_uring_enter), ENOSYS},
    {SCMP_SYS(io_uring_register), ENOSYS},
};

/* ---- calls allowed with these arguments ---- */

#define IS(index, value)                                                                                     \
    {                                                                                                        \
        .arg = (index), .op = SCMP_CMP_EQ, .datum_a = (uint64_t)(value)                                      \
    }
#define BITS(index, mask, value)                                                                             \
    {                                                                                                        \
        .arg = (index), .op = SCMP_CMP_MASKED_EQ, .datum_a = (uint64_t)(mask), .datum_b = (uint64_t)(value)  \
    }

#define CLONE_SPACES                                                                                         \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |               \
     CLONE_NEWCGROUP)
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

struct allowed {
    unsigned roles;
    int call;
    unsigned count;
    struct scmp_arg_cmp args[3];
};

#define SOCKET_OPTION(level, name)                                                                           \
    {                                                                                                        \
        FOR_LINK, SCMP_SYS(setsockopt), 2,                                                                   \
        {                                                                                                    \
            IS(1, level), IS(2, name)                                                                        \
        }                                                                                                    \
    }
#define FCNTL(command)                                                                                       \
    {                                                                                                        \
        FOR_ALL, SCMP_SYS(fcntl), 1,                                                                         \
        {                                                                                                    \
            IS(1, command)                                                                                   \
        }                                                                                                    \
    }
#define IOCTL(command)                                                                                       \
    {                                                                                                        \
        FOR_LOOPS, SCMP_SYS(ioctl), 1,                                                                       \
        {                                                                                                    \
            IS(1, command)                                                                                   \
        }                                                                                                    \
    }

static const struct allowed with_arguments[] = {
    {FOR_LOOPS, SCMP_SYS(clone), 1, {BITS(0, CLONE_THREAD | CLONE_SPACES, CLONE_THREAD)}},
    /* Not the hub's process, nor anyone's limits. */
    {FOR_ALL, SCMP_SYS(prlimit64), 2, {IS(0, 0), IS(2, 0)}},
    {FOR_ALL, SCMP_SYS(prctl), 1, {IS(0, PR_SET_NAME)}},
    {FOR_ALL, SCMP_SYS(prctl), 1, {IS(0, PR_SET_NO_NEW_PRIVS)}},
    /* Without an address, and not opening a connection: MSG_FASTOPEN re-aims a socket whose peer has reset
     * it. */
    {FOR_ALL, SCMP_SYS(sendto), 2, {BITS(3, MSG_FASTOPEN, 0), IS(4, 0)}},
    /* A name in the header is invisible here; a connected TCP socket ignores it, and there are no others. */
    {FOR_ALL, SCMP_SYS(sendmsg), 1, {BITS(2, MSG_FASTOPEN, 0)}},
    /* Not DGRAM, which could be sent to any Unix socket by path. */
    {FOR_LINK,
     SCMP_SYS(socketpair),
     2,
     {IS(0, AF_UNIX), BITS(1, ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM)}},
    {FOR_ALL & ~FOR_LINK, SCMP_SYS(open), 1, {BITS(1, OPEN_CHANGES, O_RDONLY)}},
    {FOR_ALL & ~FOR_LINK, SCMP_SYS(openat), 1, {BITS(2, OPEN_CHANGES, O_RDONLY)}},
    SOCKET_OPTION(SOL_SOCKET, SO_KEEPALIVE),
    SOCKET_OPTION(SOL_SOCKET, SO_SNDBUF),
    SOCKET_OPTION(SOL_SOCKET, SO_RCVBUF),
    SOCKET_OPTION(IPPROTO_TCP, TCP_NODELAY),
    SOCKET_OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
    SOCKET_OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
    SOCKET_OPTION(IPPROTO_TCP, TCP_KEEPCNT),
    SOCKET_OPTION(IPPROTO_TCP, TCP_CORK),
    SOCKET_OPTION(IPPROTO_TCP, TCP_QUICKACK),
    IOCTL(FIONREAD),
    IOCTL(FIONBIO),
    IOCTL(FIOCLEX),
    /* F_SETOWN and F_SETSIG would have the kernel signal the hub. */
    FCNTL(F_DUPFD),
    FCNTL(F_DUPFD_CLOEXEC),
    FCNTL(F_GETFD),
    FCNTL(F_SETFD),
    FCNTL(F_GETFL),
    FCNTL(F_GETLK),
    FCNTL(F_SETLK),
    FCNTL(F_SETLKW),
    FCNTL(F_OFD_GETLK),
    FCNTL(F_OFD_SETLK),
    FCNTL(F_OFD_SETLKW),
    /* O_ASYNC likewise. */
    {FOR_ALL, SCMP_SYS(fcntl), 2, {IS(1, F_SETFL), BITS(2, O_ASYNC, 0)}},
};

/* ---- the filter ---- */

struct filter {
    scmp_filter_ctx context;
    unsigned role;
    int result; /* of the first rule that failed, negative errno */
};

static void rule(struct filter *f, uint32_t action, int call, unsigned count, const struct scmp_arg_cmp *args)
{
    int result = seccomp_rule_add_array(f->context, action, call, count, args);
    /* A call that this architecture does not have needs no rule. */
    if (result < 0 && result != -EDOM && !f->result)
        f->result = result;
}

static void allow_plain(struct filter *f, unsigned roles, const int *calls, size_t count)
{
    for (size_t i = 0; i < count && (roles & f->role); i++)
        rule(f, SCMP_ACT_ALLOW, calls[i], 0, NULL);
}

static void allow_own_signals(struct filter *f)
{
    struct scmp_arg_cmp self = IS(0, (uint64_t)getpid());
    rule(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self); /* abort() */
}

static void fill(struct filter *f)
{
    for (size_t i = 0; i < COUNT(killing); i++)
        rule(f, SCMP_ACT_KILL_PROCESS, killing[i], 0, NULL);
    for (size_t i = 0; i < COUNT(refused); i++)
        rule(f, SCMP_ACT_ERRNO((uint32_t)refused[i].error), refused[i].call, 0, NULL);
    allow_plain(f, FOR_ALL, plain_all, COUNT(plain_all));
    allow_plain(f, FOR_LOOPS, plain_loops, COUNT(plain_loops));
    allow_plain(f, FOR_LINK, plain_link, COUNT(plain_link));
    for (size_t i = 0; i < COUNT(with_arguments); i++)
        if (with_arguments[i].roles & f->role)
            rule(f, SCMP_ACT_ALLOW, with_arguments[i].call, with_arguments[i].count, with_arguments[i].args);
    allow_own_signals(f);
}

static void set_attributes(struct filter *f)
{
    static const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
    } attributes[] = {
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS}, /* 32-bit calls, and x32 */
        {SCMP_FLTATR_CTL_NNP, 1},
        {SCMP_FLTATR_CTL_TSYNC, 1},
        {SCMP_FLTATR_CTL_OPTIMIZE, 2}, /* a binary tree */
    };
    for (size_t i = 0; i < COUNT(attributes) && !f->result; i++)
        f->result = seccomp_attr_set(f->context, attributes[i].attribute, attributes[i].value);
}

int wall_seccomp(enum sandbox_role role, struct reason *why)
{
    struct filter f = {seccomp_init(SCMP_ACT_ERRNO(EPERM)), 1u << role, 0};
    if (!f.context)
        return fail(why, ACCORD_ENOTSUP, "libseccomp does not start: this kernel cannot confine a plugin");
    set_attributes(&f);
    fill(&f);
    if (!f.result)
        f.result = seccomp_load(f.context);
    seccomp_release(f.context);
    if (f.result < 0)
        return fail(why, ACCORD_ENOTSUP,
                    "this system refuses a seccomp filter (%s); a plugin cannot be confined",
                    strerror(-f.result));
    return 0;
}
