/* A plugin's file, before anything of it runs: whose it is, who could change it, and its hash. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/elf.h"
#include "plugin/loader.h"
#include "util/buf.h"
#include "util/text.h"

#define FILE_MAX ((size_t)64 << 20)

static int refuse(char rule[ACCORD_RULE_MAX], const char *name, int code)
{
    text_copy(rule, ACCORD_RULE_MAX, name);
    return code;
}

/* In a user namespace root's number is another: the owner of / has it. */
static bool trusted_owner(uid_t uid)
{
    struct stat root;
    return uid == geteuid() || uid == 0 || (stat("/", &root) == 0 && uid == root.st_uid);
}

static int check_owner(const struct stat *st, const char *path, const char *file, struct reason *why)
{
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
    if (!trusted_owner(st->st_uid))
        return fail(why, ACCORD_EDENIED,
                    "%s belongs to uid %u; it must belong to root or to the agent's user (%s)", path,
                    (unsigned)st->st_uid, file);
    if ((st->st_mode & 022) && !sticky)
        return fail(why, ACCORD_EDENIED,
                    "%s can be changed by other users (mode %04o); run: chmod go-w %s (%s)", path,
                    (unsigned)st->st_mode & 07777, path, file);
    return 0;
}

/* Whoever may write to a folder above the file may put another file there. */
static int check_folders(const char *path, struct reason *why)
{
    char above[512];
    text_copy(above, sizeof above, path);
    const char *name = strrchr(path, '/') + 1;
    for (char *slash; (slash = strrchr(above, '/'));) {
        slash[slash == above] = 0;
        struct stat st;
        if (stat(above, &st) < 0)
            return fail(why, ACCORD_EDENIED, "cannot examine %s: %s", above, strerror(errno));
        int result = check_owner(&st, above, name, why);
        if (result || slash == above)
            return result;
    }
    return 0;
}

static int check_path(const char *path, struct reason *why)
{
    size_t size = strlen(path);
    if (path[0] != '/' || size >= 512 || size < 5 || strcmp(path + size - 3, ".so") != 0)
        return fail(why, ACCORD_EINVAL, "%.200s: a plugin is named by its absolute path, ending in .so",
                    path);
    if (strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//"))
        return fail(why, ACCORD_EINVAL, "%.200s: a plugin's path may not take detours", path);
    return 0;
}

static int read_whole(int fd, const char *path, struct buf *out, struct reason *why)
{
    for (;;) {
        uint8_t *to = buf_reserve(out, 65536);
        if (!to)
            return fail(why, ACCORD_ENOMEM, "out of memory reading %s", path);
        ssize_t n = read(fd, to, 65536);
        if (n < 0)
            return fail(why, ACCORD_EIO, "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            return 0;
        out->size += (size_t)n;
        if (out->size > FILE_MAX)
            return fail(why, ACCORD_ELIMIT, "%s is larger than %zu MiB", path, FILE_MAX >> 20);
    }
}

static int inspect_open(int fd, const char *path, char sha256[DIGEST_HEX], char rule[ACCORD_RULE_MAX],
                        struct reason *why)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return refuse(rule, "plugin.unsafe-file", fail(why, ACCORD_EINVAL, "%s is not a regular file", path));
    int result = check_owner(&st, path, "the plugin itself", why);
    if (!result)
        result = check_folders(path, why);
    if (result)
        return refuse(rule, "plugin.unsafe-file", result);
    struct buf bytes = {0};
    uint8_t hash[DIGEST_SIZE];
    struct reason cause;
    result = read_whole(fd, path, &bytes, why);
    if (!result && digest_of(bytes.data, bytes.size, hash) < 0)
        result = fail(why, ACCORD_EIO, "cannot take the SHA-256 of %s", path);
    if (!result)
        hex_encode(sha256, hash, sizeof hash);
    if (!result && elf_check(bytes.data, bytes.size, &cause) < 0)
        result = fail(why, ACCORD_EFORMAT, "%s is damaged: %.300s; install it again", path, cause.text);
    buf_fini(&bytes);
    return result ? refuse(rule, "plugin.corrupt", result) : 0;
}

int plugin_inspect_file(const char *path, char sha256[DIGEST_HEX], char rule[ACCORD_RULE_MAX],
                        struct reason *why)
{
    sha256[0] = 0;
    int result = check_path(path, why);
    if (result)
        return refuse(rule, "plugin.unsafe-file", result);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return refuse(rule, "plugin.unsafe-file",
                      fail(why, ACCORD_EDENIED, "%s is a symbolic link; put the file itself there", path));
    if (fd < 0)
        return refuse(
            rule, "plugin.missing",
            fail(why, error_from_errno(errno), "cannot open the plugin %s: %s", path, strerror(errno)));
    result = inspect_open(fd, path, sha256, rule, why);
    close(fd);
    return result;
}
