#include "util/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/text.h"

#define CHUNK     (256u << 10)
#define DEPTH_MAX 8

static int fail_copy(const char *what, const char *path, struct reason *why)
{
    int number = errno;
    return fail(why, number == ENOSPC || number == EDQUOT ? ACCORD_ELIMIT : error_from_errno(number),
                "cannot %s %s: %s", what, path, strerror(number));
}

/* At most `size` bytes. */
static int copy_bytes(int source, int target, const char *from, const char *to, uint64_t size,
                      uint64_t *copied, struct reason *why)
{
    char *chunk = malloc(CHUNK);
    ssize_t n = 0;
    int result = chunk ? 0 : fail(why, ACCORD_ENOMEM, "out of memory copying %s", from);
    while (!result && size && (n = read(source, chunk, size < CHUNK ? (size_t)size : CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            result = fail_copy("read", from, why);
        else if (file_write_all(target, chunk, (size_t)n) < 0)
            result = fail_copy("write", to, why);
        else
            *copied += (uint64_t)n, size -= (uint64_t)n;
    }
    free(chunk);
    return result ? result : fsync(target) < 0 ? fail_copy("write", to, why) : 0;
}

int copy_file(const char *from, const char *to, unsigned mode, uint64_t *copied, struct reason *why)
{
    return copy_file_start(from, to, mode, UINT64_MAX, copied, why);
}

int copy_file_start(const char *from, const char *to, unsigned mode, uint64_t size, uint64_t *copied,
                    struct reason *why)
{
    int source = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (source < 0)
        return errno == ENOENT ? ACCORD_ENOENT : fail_copy("read", from, why);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    int result =
        target < 0 ? fail_copy("make", to, why) : copy_bytes(source, target, from, to, size, copied, why);
    if (target >= 0)
        close(target);
    close(source);
    return result;
}

static int copy_entries(DIR *list, const char *from, const char *to, int depth, uint64_t *copied,
                        struct reason *why);

static int copy_level(const char *from, const char *to, int depth, uint64_t *copied, struct reason *why)
{
    DIR *list = opendir(from);
    if (!list)
        return errno == ENOENT ? 0 : fail_copy("list", from, why);
    int result = mkdir(to, 0700) < 0 ? fail_copy("make folder", to, why)
                                     : copy_entries(list, from, to, depth, copied, why);
    closedir(list);
    return result ? result : file_sync_folder(to, why);
}

static int copy_entries(DIR *list, const char *from, const char *to, int depth, uint64_t *copied,
                        struct reason *why)
{
    char source[PATH_MAX], target[PATH_MAX];
    struct dirent *entry;
    struct stat st;
    int result = 0;
    while (!result && (entry = readdir(list))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (file_path(source, sizeof source, from, entry->d_name) ||
            file_path(target, sizeof target, to, entry->d_name))
            return fail(why, ACCORD_ELIMIT, "a name is too long in %s", from);
        if (lstat(source, &st) < 0)
            continue; /* it went meanwhile */
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            result = copy_level(source, target, depth + 1, copied, why);
        else if (S_ISREG(st.st_mode) &&
                 (result = copy_file(source, target, 0600, copied, why)) == ACCORD_ENOENT)
            result = 0;
    }
    return result;
}

int copy_folder(const char *from, const char *to, uint64_t *copied, struct reason *why)
{
    return copy_level(from, to, 0, copied, why);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st, (void)flag, (void)walk;
    remove(path);
    return 0;
}

void remove_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

bool copy_is_inside(const char *folder, const char *state)
{
    char above[PATH_MAX], real[PATH_MAX], real_state[PATH_MAX];
    text_copy(above, sizeof above, folder);
    if (!realpath(dirname(above), real) || !realpath(state, real_state))
        return false;
    size_t size = strlen(real_state);
    return !strncmp(real, real_state, size) && (!real[size] || real[size] == '/');
}
