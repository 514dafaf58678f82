#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(struct reason *why, const char *what, const char *path)
{
    int number = errno;
    return fail(why, error_from_errno(number), "cannot %s %s: %s", what, path, strerror(number));
}

static int read_all(int fd, const char *path, size_t limit, struct buf *out, struct reason *why)
{
    for (;;) {
        uint8_t *to = buf_reserve(out, 65536);
        if (!to)
            return fail(why, ACCORD_ENOMEM, "out of memory reading %s", path);
        ssize_t n = read(fd, to, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(why, "read", path);
        if (n == 0)
            return 0;
        out->size += (size_t)n;
        if (out->size > limit)
            return fail(why, ACCORD_ELIMIT, "%s is larger than %zu bytes", path, limit);
    }
}

bool file_is_credential(const struct stat *st, const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t size = folder ? strlen(folder) : 0;
    return size && st->st_uid == 0 && !(st->st_mode & 037) && strncmp(path, folder, size) == 0 &&
           path[size] == '/';
}

static int check_private(const struct stat *st, const char *path, struct reason *why)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return fail(why, ACCORD_EDENIED, "%s belongs to uid %u; it must belong to the agent's user (uid %u)",
                    path, (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_mode & 077 && !file_is_credential(st, path))
        return fail(why, ACCORD_EDENIED, "%s is open to other users (mode %04o); run: chmod 600 %s", path,
                    (unsigned)st->st_mode & 07777, path);
    return 0;
}

/* Private files are for a person to put right. */
static int fail_private(const char *path, struct reason *why)
{
    int number = errno;
    unsigned uid = (unsigned)geteuid();
    if (number == ENOENT || number == ENOTDIR)
        return fail(
            why, ACCORD_ENOENT,
            "there is no file %s; put the secret there, owned by the agent's user (uid %u), mode 0600", path,
            uid);
    if (number == EACCES)
        return fail(why, ACCORD_EDENIED,
                    "the agent's user (uid %u) may not read %s: %s; give it that file and run: chmod 600 %s",
                    uid, path, strerror(number), path);
    if (number == ELOOP)
        return fail(why, ACCORD_EDENIED, "%s is a symbolic link; put the file itself there", path);
    return fail_errno(why, "open", path);
}

static int read_file(const char *path, size_t limit, bool private, struct buf *out, struct reason *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (private ? O_NOFOLLOW : 0));
    if (fd < 0)
        return private ? fail_private(path, why) : fail_errno(why, "open", path);
    struct stat st;
    int result = fstat(fd, &st) < 0 ? fail_errno(why, "examine", path) : 0;
    if (!result && !S_ISREG(st.st_mode))
        result = fail(why, ACCORD_EINVAL, "%s is not a regular file", path);
    if (!result && private)
        result = check_private(&st, path, why);
    if (!result)
        result = read_all(fd, path, limit, out, why);
    close(fd);
    return result;
}

int file_read(const char *path, size_t limit, struct buf *out, struct reason *why)
{
    return read_file(path, limit, false, out, why);
}

int file_read_secret(const char *path, size_t limit, struct buf *out, struct reason *why)
{
    return read_file(path, limit, true, out, why);
}

int file_write_all(int fd, const void *all, size_t size)
{
    const char *bytes = all;
    while (size) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

int file_replace(const char *path, const void *bytes, size_t size, unsigned mode, struct reason *why)
{
    char temporary[PATH_MAX], folder[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return fail(why, ACCORD_EINVAL, "path too long: %s", path);
    unlink(temporary); /* one that is left, or that somebody put there, has an owner and a mode of its own */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return fail_errno(why, "create", temporary);
    int result =
        file_write_all(fd, bytes, size) < 0 || fsync(fd) < 0 ? fail_errno(why, "write", temporary) : 0;
    close(fd);
    if (!result && rename(temporary, path) < 0)
        result = fail_errno(why, "rename to", path);
    if (result) {
        unlink(temporary);
        return result;
    }
    snprintf(folder, sizeof folder, "%s", path);
    return file_sync_folder(dirname(folder), why);
}

int file_sync_folder(const char *folder, struct reason *why)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(why, "open", folder);
    int result = fsync(fd) < 0 ? fail_errno(why, "sync", folder) : 0;
    close(fd);
    return result;
}

int file_make_folder(const char *path, struct reason *why)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (!size || size >= sizeof part)
        return fail(why, ACCORD_EINVAL, "unusable folder name: %s", path);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return fail_errno(why, "make folder", part);
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return fail_errno(why, "examine", path);
    return S_ISDIR(st.st_mode) ? 0 : fail(why, ACCORD_EINVAL, "%s is not a folder", path);
}

int file_path(char *to, size_t room, const char *folder, const char *name)
{
    int n = snprintf(to, room, "%s/%s", folder, name);
    return n < 0 || (size_t)n >= room ? ACCORD_ELIMIT : 0;
}
