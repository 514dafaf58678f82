/* Rare and powerful parts of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"

#define X32_BIT 0x40000000

static enum escape descriptor(long fd)
{
    enum escape result = escape_outcome(fd >= 0);
    if (fd >= 0)
        close((int)fd);
    return result;
}

#define CALL(name, expression)                                                                               \
    static enum escape name(const struct ground *g)                                                          \
    {                                                                                                        \
        (void)g;                                                                                             \
        return escape_outcome((expression) >= 0);                                                            \
    }

static enum escape ring(const struct ground *g)
{
    (void)g;
    uint64_t parameters[15] = {0};
    return descriptor(syscall(SYS_io_uring_setup, 4, parameters));
}

static enum escape berkeley_filter(const struct ground *g)
{
    (void)g;
    union bpf_attr attributes = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return descriptor(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

static enum escape page_faults(const struct ground *g)
{
    (void)g;
    return descriptor(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */));
}

static enum escape performance(const struct ground *g)
{
    (void)g;
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .exclude_kernel = 1, .exclude_hv = 1};
    return descriptor(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static enum escape file_notices(const struct ground *g)
{
    (void)g;
    return descriptor(syscall(SYS_fanotify_init, 0, O_RDONLY));
}

static enum escape secret_memory(const struct ground *g)
{
    (void)g;
    return descriptor(syscall(SYS_memfd_secret, 0));
}

static enum escape handle_of_file(const struct ground *g)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[128];
    } name = {.handle.handle_bytes = 128};
    int mount;
    return escape_outcome(name_to_handle_at(AT_FDCWD, g->outside, &name.handle, &mount, 0) == 0);
}

static enum escape file_by_handle(const struct ground *g)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[128];
    } name = {.handle.handle_bytes = 128};
    int mount;
    (void)!name_to_handle_at(AT_FDCWD, g->outside, &name.handle, &mount, 0);
    int root = open("/", O_RDONLY | O_DIRECTORY);
    return descriptor(syscall(SYS_open_by_handle_at, root, &name, O_RDONLY));
}

static enum escape join_namespace(const struct ground *g)
{
    (void)g;
    int fd = open("/proc/self/ns/net", O_RDONLY);
    return escape_outcome(setns(fd, CLONE_NEWNET) == 0);
}

static enum escape message_queue(const struct ground *g)
{
    (void)g;
    mqd_t queue = mq_open("/accord-escape", O_RDWR | O_CREAT, 0600, NULL);
    if (queue != (mqd_t)-1)
        mq_unlink("/accord-escape");
    return descriptor((long)queue);
}

static enum escape shared_memory(const struct ground *g)
{
    (void)g;
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    if (id >= 0)
        shmctl(id, IPC_RMID, NULL);
    return escape_outcome(id >= 0);
}

static enum escape semaphores(const struct ground *g)
{
    (void)g;
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    if (id >= 0)
        semctl(id, 0, IPC_RMID);
    return escape_outcome(id >= 0);
}

static enum escape system_messages(const struct ground *g)
{
    (void)g;
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (id >= 0)
        msgctl(id, IPC_RMID, NULL);
    return escape_outcome(id >= 0);
}

static enum escape capabilities(const struct ground *g)
{
    (void)g;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    return escape_outcome(syscall(SYS_capget, &header, data) == 0 && data[0].effective != 0);
}

static enum escape capabilities_set(const struct ground *g)
{
    (void)g;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    return escape_outcome(syscall(SYS_capset, &header, none) == 0);
}

/* Keystrokes for the terminal of whoever reads it: a shell. */
static enum escape terminal_input(const struct ground *g)
{
    (void)g;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || unlockpt(terminal) < 0)
        return escape_outcome(false);
    int end = (int)ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    setsid();
    ioctl(end, TIOCSCTTY, 0);
    return escape_outcome(ioctl(end, TIOCSTI, "x") == 0);
}

/* System calls by the numbers of another architecture, past a filter that looks at the number alone. */
static enum escape call_32_bit(const struct ground *g)
{
    (void)g;
    long result = -ENOSYS;
#if defined(__x86_64__)
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11"); /* getpid */
#endif
    errno = result > 0 ? 0 : ENOSYS;
    return escape_outcome(result > 0);
}

static enum escape call_x32(const struct ground *g)
{
    (void)g;
    return escape_outcome(syscall(X32_BIT | SYS_getpid) > 0);
}

static enum escape descriptor_table(const struct ground *g)
{
    (void)g;
    char bytes[16];
    return escape_outcome(syscall(SYS_modify_ldt, 0, bytes, sizeof bytes) >= 0);
}

static enum escape mount_folder(const struct ground *g)
{
    bool done = mount("none", g->outside, "tmpfs", 0, "") == 0;
    enum escape result = escape_outcome(done);
    if (done)
        umount2(g->outside, MNT_DETACH);
    return result;
}

/* A length that cannot be is refused after the permission was checked. */
static enum escape host_name(const struct ground *g)
{
    (void)g;
    return escape_outcome(syscall(SYS_sethostname, "escape", -1) < 0 && errno == EINVAL);
}

CALL(key_read, syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 1))
CALL(key_add, syscall(SYS_add_key, "user", "accord-escape", "x", 1, -3))
CALL(new_user_namespace, unshare(CLONE_NEWUSER))
CALL(new_network, unshare(CLONE_NEWNET))
CALL(new_mounts, unshare(CLONE_NEWNS))
CALL(mount_tree, syscall(SYS_open_tree, AT_FDCWD, g->outside, 1 /* OPEN_TREE_CLONE */))
CALL(mount_begin, syscall(SYS_fsopen, "tmpfs", 0))
CALL(change_root, chroot(g->outside))
CALL(change_user, setuid(getuid()))
CALL(change_user_root, setresuid(0, 0, 0))
CALL(change_group, setgid(getgid()))
CALL(change_groups, syscall(SYS_setgroups, 0, NULL))
CALL(change_personality, personality(0xffffffff))
CALL(port_access, syscall(SYS_ioperm, 0x80, 1, 1))
CALL(kernel_log, syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0))
CALL(compare_parent, syscall(SYS_kcmp, getpid(), getppid(), 2 /* KCMP_FILES */, 0, 0))
CALL(memory_policy, syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0))
CALL(robust_list, syscall(SYS_get_robust_list, getppid(), &(void *){NULL}, &(size_t){0}))

const struct probe probes_kernel[] = {
    {.name = "ring", .run = ring},
    {.name = "berkeley-filter", .run = berkeley_filter, .alone = true},
    {.name = "page-faults", .run = page_faults},
    {.name = "performance", .run = performance},
    {.name = "file-notices", .run = file_notices},
    {.name = "secret-memory", .run = secret_memory},
    {.name = "handle-of-file", .run = handle_of_file},
    {.name = "file-by-handle", .run = file_by_handle, .alone = true},
    {.name = "join-namespace", .run = join_namespace},
    {.name = "new-user-namespace", .run = new_user_namespace},
    {.name = "new-network", .run = new_network},
    {.name = "new-mounts", .run = new_mounts},
    {.name = "mount-folder", .run = mount_folder},
    {.name = "mount-tree", .run = mount_tree},
    {.name = "mount-begin", .run = mount_begin},
    {.name = "change-root", .run = change_root},
    {.name = "change-user", .run = change_user},
    {.name = "change-user-root", .run = change_user_root},
    {.name = "change-group", .run = change_group},
    {.name = "change-groups", .run = change_groups},
    {.name = "change-personality", .run = change_personality},
    {.name = "host-name", .run = host_name},
    {.name = "capabilities", .run = capabilities},
    {.name = "capabilities-set", .run = capabilities_set},
    {.name = "key-read", .run = key_read},
    {.name = "key-add", .run = key_add},
    {.name = "message-queue", .run = message_queue},
    {.name = "shared-memory", .run = shared_memory},
    {.name = "semaphores", .run = semaphores},
    {.name = "system-messages", .run = system_messages},
    {.name = "terminal-input", .run = terminal_input},
    {.name = "port-access", .run = port_access},
    {.name = "kernel-log", .run = kernel_log},
    {.name = "compare-parent", .run = compare_parent},
    {.name = "memory-policy", .run = memory_policy},
    {.name = "robust-list", .run = robust_list},
    {.name = "descriptor-table", .run = descriptor_table},
    {.name = "call-32-bit", .run = call_32_bit, .alone = true},
    {.name = "call-x32", .run = call_x32, .alone = true},
    {0},
};
