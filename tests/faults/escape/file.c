/* Files and folders that the sandbox was not given. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "probe.h"

static const char *in(const struct ground *g, const char *name)
{
    static char paths[2][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, PATH_MAX, "%s/%s", g->outside, name);
    return path;
}

static enum escape open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    enum escape result = escape_outcome(fd >= 0);
    if (fd >= 0)
        close(fd);
    return result;
}

#define OPEN(name, path, flags)                                                                              \
    static enum escape name(const struct ground *g)                                                          \
    {                                                                                                        \
        (void)g;                                                                                             \
        return open_file(path, flags);                                                                       \
    }

OPEN(file_read, in(g, "canary"), O_RDONLY)
OPEN(file_write, in(g, "canary"), O_WRONLY)
OPEN(file_append, in(g, "canary"), O_WRONLY | O_APPEND)
OPEN(file_truncating_open, in(g, "canary"), O_RDONLY | O_TRUNC)
OPEN(file_create, in(g, "new"), O_WRONLY | O_CREAT | O_EXCL)
OPEN(file_temporary, g->outside, O_WRONLY | O_TMPFILE)
OPEN(file_read_passwd, "/etc/passwd", O_RDONLY)
OPEN(file_write_tmp, "/tmp", O_WRONLY | O_TMPFILE)
OPEN(file_device_open, "/dev/zero", O_RDWR)

/* The same file by another name. */
static enum escape file_through_root(const struct ground *g)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/root%s", in(g, "canary"));
    return open_file(path, O_RDONLY);
}

static enum escape file_through_dots(const struct ground *g)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/usr/lib/../..%s", in(g, "canary"));
    return open_file(path, O_RDONLY);
}

static enum escape file_openat2(const struct ground *g)
{
    uint64_t how[3] = {O_RDONLY, 0, 0};
    return escape_outcome(syscall(SYS_openat2, AT_FDCWD, in(g, "canary"), how, sizeof how) >= 0);
}

static enum escape file_creat(const struct ground *g)
{
    return escape_outcome(syscall(SYS_creat, in(g, "new"), 0600) >= 0);
}

static enum escape folder_list(const struct ground *g)
{
    DIR *folder = opendir(g->outside);
    enum escape result = escape_outcome(folder && readdir(folder));
    if (folder)
        closedir(folder);
    return result;
}

static enum escape folder_enter(const struct ground *g)
{
    char before[PATH_MAX];
    bool done = getcwd(before, sizeof before) && chdir(g->outside) == 0;
    enum escape result = escape_outcome(done);
    return done && chdir(before) < 0 ? ESCAPE_DONE : result;
}

#define CALL(name, expression)                                                                               \
    static enum escape name(const struct ground *g)                                                          \
    {                                                                                                        \
        return escape_outcome((expression) == 0);                                                            \
    }

CALL(file_rename, rename(in(g, "victim"), in(g, "renamed")))
CALL(file_unlink, unlink(in(g, "victim")))
CALL(file_link, link(in(g, "victim"), in(g, "linked")))
CALL(file_symlink, symlink("/etc/shadow", in(g, "symbolic")))
CALL(file_truncate, truncate(in(g, "victim"), 0))
CALL(file_chmod, chmod(in(g, "victim"), 0666))
CALL(file_fchmodat, fchmodat(AT_FDCWD, in(g, "victim"), 0666, 0))
CALL(file_chown, chown(in(g, "victim"), getuid(), getgid()))
CALL(file_times, utimes(in(g, "victim"), NULL))
CALL(file_xattr, setxattr(in(g, "victim"), "user.accord", "x", 1, 0))
CALL(file_fifo, mkfifo(in(g, "fifo"), 0600))
CALL(file_device, mknod(in(g, "device"), S_IFCHR | 0600, makedev(1, 3)))
CALL(folder_make, mkdir(in(g, "folder"), 0700))
CALL(folder_remove, rmdir(in(g, "empty")))

/* From the folders that a link may write in to those that it may not, and back. */
static enum escape across(const struct ground *g, int (*call)(const char *, const char *), bool out)
{
    char inside[PATH_MAX];
    snprintf(inside, sizeof inside, "%s/%s", g->inside, out ? "own" : "taken");
    const char *outside = in(g, out ? "given" : "victim");
    return escape_outcome(call(out ? inside : outside, out ? outside : inside) == 0);
}

static enum escape file_take(const struct ground *g)
{
    return across(g, rename, false);
}

static enum escape file_take_link(const struct ground *g)
{
    return across(g, link, false);
}

static enum escape file_give(const struct ground *g)
{
    return across(g, rename, true);
}

static enum escape file_give_link(const struct ground *g)
{
    return across(g, link, true);
}

static enum escape open_parent(const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)getppid(), name);
    return open_file(path, flags);
}

#define OPEN_PARENT(name, file, flags)                                                                       \
    static enum escape name(const struct ground *g)                                                          \
    {                                                                                                        \
        (void)g;                                                                                             \
        return open_parent(file, flags);                                                                     \
    }

OPEN_PARENT(parent_memory, "mem", O_RDWR)
OPEN_PARENT(parent_memory_read, "mem", O_RDONLY)
OPEN_PARENT(parent_environment, "environ", O_RDONLY)
OPEN_PARENT(parent_maps, "maps", O_RDONLY)
OPEN_PARENT(parent_arguments, "cmdline", O_RDONLY)

static enum escape parent_descriptor(const struct ground *g)
{
    (void)g;
    char path[64], target[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/fd/0", (int)getppid());
    return escape_outcome(readlink(path, target, sizeof target) > 0);
}

static enum escape parent_root(const struct ground *g)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)getppid(), in(g, "canary"));
    return open_file(path, O_RDONLY);
}

const struct probe probes_file[] = {
    {.name = "file-read", .run = file_read},
    {.name = "file-write", .run = file_write},
    {.name = "file-append", .run = file_append},
    {.name = "file-truncating-open", .run = file_truncating_open},
    {.name = "file-create", .run = file_create},
    {.name = "file-creat", .run = file_creat},
    {.name = "file-temporary", .run = file_temporary},
    {.name = "file-read-passwd", .run = file_read_passwd},
    {.name = "file-write-tmp", .run = file_write_tmp},
    {.name = "file-device-open", .run = file_device_open},
    {.name = "file-through-root", .run = file_through_root},
    {.name = "file-through-dots", .run = file_through_dots},
    {.name = "file-openat2", .run = file_openat2},
    {.name = "file-rename", .run = file_rename},
    {.name = "file-take", .run = file_take},
    {.name = "file-take-link", .run = file_take_link},
    {.name = "file-give-link", .run = file_give_link},
    {.name = "file-give", .run = file_give},
    {.name = "file-unlink", .run = file_unlink},
    {.name = "file-link", .run = file_link},
    {.name = "file-symlink", .run = file_symlink},
    {.name = "file-truncate", .run = file_truncate},
    {.name = "file-chmod", .run = file_chmod},
    {.name = "file-fchmodat", .run = file_fchmodat},
    {.name = "file-chown", .run = file_chown},
    {.name = "file-times", .run = file_times},
    {.name = "file-xattr", .run = file_xattr},
    {.name = "file-fifo", .run = file_fifo},
    {.name = "file-device", .run = file_device},
    {.name = "folder-list", .run = folder_list},
    {.name = "folder-enter", .run = folder_enter},
    {.name = "folder-make", .run = folder_make},
    {.name = "folder-remove", .run = folder_remove},
    {.name = "parent-memory", .run = parent_memory},
    {.name = "parent-memory-read", .run = parent_memory_read},
    {.name = "parent-environment", .run = parent_environment},
    {.name = "parent-maps", .run = parent_maps},
    {.name = "parent-arguments", .run = parent_arguments},
    {.name = "parent-descriptor", .run = parent_descriptor},
    {.name = "parent-root", .run = parent_root},
    {0},
};
