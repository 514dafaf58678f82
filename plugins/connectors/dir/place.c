#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIES 10000 /* names of one stem in one folder */

struct facts facts_of(const struct stat *st)
{
    return (struct facts){.inode = st->st_ino,
                          .size = st->st_size,
                          .mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
}

bool facts_equal(const struct facts *a, const struct facts *b)
{
    return a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

static int open_folder(int at, const char *name, int flags)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | flags);
}

/* One component after the other: O_NOFOLLOW looks at the last one only. */
static int walk(int folder, const char *path, bool make, mode_t mode)
{
    char part[NAME_ROOM];
    for (const char *at = path; folder >= 0 && *at;) {
        size_t size = strcspn(at, "/");
        snprintf(part, sizeof part, "%.*s", (int)size, at);
        bool made = make && mkdirat(folder, part, mode) == 0;
        if (made)
            fsync(folder);
        int next = open_folder(folder, part, O_NOFOLLOW);
        int number = errno;
        close(folder);
        errno = number;
        folder = next;
        at += size + (at[size] == '/');
    }
    return folder;
}

int place_open(const char *root, const char *below)
{
    return walk(open_folder(AT_FDCWD, root, 0), strcmp(below, ".") ? below : "", false, 0);
}

int place_make(int folder, const char *path, mode_t mode)
{
    return walk(open_folder(folder, ".", 0), path, true, mode);
}

int place_move(int from_folder, const char *from, int to_folder, const char *to)
{
    if (renameat2(from_folder, from, to_folder, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* File systems without RENAME_NOREPLACE: a link never replaces either. */
    if (linkat(from_folder, from, to_folder, to, 0) < 0)
        return -1;
    return unlinkat(from_folder, from, 0);
}

int place_move_numbered(int from_folder, const char *from, int to_folder, const char *name,
                        char got[NAME_ROOM])
{
    for (unsigned n = 0; n < TRIES; n++) {
        name_numbered(got, name, n, "");
        if (place_move(from_folder, from, to_folder, got) == 0)
            return 0;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

int place_fail(char why[WHY_ROOM], const char *what, const char *name)
{
    int number = errno;
    char safe[NAME_ROOM];
    name_safe(safe, name);
    snprintf(why, WHY_ROOM, "cannot %s %s: %s", what, safe, strerror(number));
    errno = number;
    return -1;
}
