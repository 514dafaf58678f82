#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum claim_result failed(struct claim_file *file, const char *what)
{
    if (errno == ENOENT)
        return CLAIM_GONE;
    place_fail(file->why, what, file->name);
    return CLAIM_FAILED;
}

static enum claim_result open_claimed(const struct claim_place *place, struct claim_file *file,
                                      struct stat *st)
{
    file->fd = openat(place->claimed, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file->fd < 0)
        return errno == ELOOP || errno == ENXIO ? CLAIM_REFUSED : failed(file, "open");
    if (fstat(file->fd, st) < 0)
        return failed(file, "examine");
    return S_ISREG(st->st_mode) && st->st_nlink == 1 ? CLAIM_DONE : CLAIM_REFUSED;
}

enum claim_result claim_take(const struct claim_place *place, struct claim_file *file)
{
    struct stat st;
    struct facts facts;
    file->fd = -1;
    if (faccessat(place->claimed, file->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return CLAIM_BUSY;
    /* Nobody but this service makes names in the claimed folder: a plain rename replaces nothing. */
    if (renameat(place->folder, file->name, place->claimed, file->name) < 0)
        return failed(file, "claim");
    enum claim_result result = open_claimed(place, file, &st);
    if (result == CLAIM_DONE) {
        facts = facts_of(&st);
        if (!facts_equal(&facts, &file->facts))
            result = CLAIM_CHANGED;
    }
    if (result == CLAIM_DONE)
        return result;
    claim_close(file);
    enum claim_result back = result == CLAIM_FAILED ? CLAIM_KEPT : claim_put_back(place, file);
    return back == CLAIM_DONE || back == CLAIM_GONE ? result : back;
}

enum claim_result claim_open(const struct claim_place *place, struct claim_file *file)
{
    struct stat st;
    enum claim_result result = open_claimed(place, file, &st);
    if (result == CLAIM_DONE)
        file->facts = facts_of(&st);
    else
        claim_close(file);
    return result;
}

static bool unchanged(const struct claim_file *file)
{
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return false;
    struct facts facts = facts_of(&st);
    return facts_equal(&facts, &file->facts);
}

enum claim_result claim_read(struct claim_file *file, int64_t offset, void *to, size_t size, size_t *got)
{
    *got = 0;
    if ((int64_t)size > file->facts.size - offset)
        size = (size_t)(file->facts.size - offset);
    while (*got < size) {
        ssize_t n = pread(file->fd, (char *)to + *got, size - *got, offset + (int64_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(file, "read");
        if (n == 0)
            return CLAIM_CHANGED;
        *got += (size_t)n;
    }
    bool last = offset + (int64_t)*got == file->facts.size;
    return last && !unchanged(file) ? CLAIM_CHANGED : CLAIM_DONE;
}

/* A new time makes it another file to us, so that it is not taken for a repeat when someone puts it back into
 * the folder. Where we may not write to it, the reason file's advice to copy it does the same. */
static void touch(int folder, const char *name)
{
    struct stat st;
    int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    int ignored = fstat(fd, &st) == 0 ? ftruncate(fd, st.st_size) : 0;
    (void)ignored;
    close(fd);
}

static enum claim_result keep(const struct claim_place *place, struct claim_file *file)
{
    char got[NAME_ROOM];
    int root = place_open(place->root, ".");
    int folder = root < 0 ? -1 : place_make(root, place->keep, 0750);
    enum claim_result result = CLAIM_DONE;
    if (folder < 0 || place_move_numbered(place->claimed, file->name, folder, file->name, got) < 0)
        result = failed(file, "move to the keep-in folder");
    else
        touch(folder, got);
    if (folder >= 0)
        close(folder);
    if (root >= 0)
        close(root);
    return result;
}

enum claim_result claim_accept(const struct claim_place *place, struct claim_file *file)
{
    if (!unchanged(file))
        return CLAIM_CHANGED;
    if (place->keep)
        return keep(place, file);
    return unlinkat(place->claimed, file->name, 0) == 0 ? CLAIM_DONE : failed(file, "delete");
}

static int write_text(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd);
}

/* The reason's name is the promise that the file's name is free as well. A reason without its file is of a
 * rejection that was cut off before the move, and makes room. */
static int open_reason(int folder, const char *reason, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;
    int fd = openat(folder, reason, flags, 0640);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
        unlinkat(folder, reason, 0) == 0)
        return openat(folder, reason, flags, 0640);
    errno = EEXIST;
    return -1;
}

static int reject_as(const struct claim_place *place, struct claim_file *file, int folder, unsigned n,
                     const char *text)
{
    char name[NAME_ROOM], reason[NAME_ROOM];
    name_numbered(name, file->name, n, "");
    name_numbered(reason, file->name, n, ".reason.txt");
    int fd = open_reason(folder, reason, name);
    if (fd < 0)
        return -1;
    int result = write_text(fd, text);
    if (close(fd) < 0)
        result = -1;
    if (!result)
        result = place_move(place->claimed, file->name, folder, name);
    int number = errno;
    if (result)
        unlinkat(folder, reason, 0);
    else
        touch(folder, name);
    errno = number;
    return result;
}

enum claim_result claim_reject(const struct claim_place *place, struct claim_file *file,
                               const char *reason_text)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* who sees a reason without its file is alone */
    int folder = place_make(place->folder, REJECTED_FOLDER, 0750);
    int result = -1;
    if (folder < 0)
        return failed(file, "make the folder rejected for");
    pthread_mutex_lock(&one);
    errno = EEXIST;
    for (unsigned n = 0; result && errno == EEXIST && n < 10000; n++)
        result = reject_as(place, file, folder, n, reason_text);
    enum claim_result end = result ? failed(file, "move to rejected/") : CLAIM_DONE;
    pthread_mutex_unlock(&one);
    close(folder);
    return end;
}

enum claim_result claim_put_back(const struct claim_place *place, struct claim_file *file)
{
    if (place_move(place->claimed, file->name, place->folder, file->name) == 0)
        return CLAIM_DONE;
    return failed(file, "put back") == CLAIM_GONE ? CLAIM_GONE : CLAIM_KEPT;
}

void claim_close(struct claim_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
