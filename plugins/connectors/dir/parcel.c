#include "parcel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (64 * 1024)

void parcel_sweep(const struct parcel_place *place)
{
    int folder = place_open(place->root, place->below);
    DIR *dir = folder < 0 ? NULL : fdopendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (!strncmp(entry->d_name, place->prefix, strlen(place->prefix)))
            unlinkat(folder, entry->d_name, 0);
    if (dir)
        closedir(dir);
    else if (folder >= 0)
        close(folder);
}

int parcel_open(const struct parcel_place *place, struct parcel_file *file)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    file->fd = -1;
    file->folder = place_open(place->root, place->below);
    if (file->folder < 0) {
        snprintf(file->why, WHY_ROOM, "cannot open the folder %s/%s: %s", place->root, place->below,
                 strerror(errno));
        return -1;
    }
    file->fd = openat(file->folder, file->temporary, flags, place->mode);
    if (file->fd < 0 && errno == EEXIST && unlinkat(file->folder, file->temporary, 0) == 0)
        file->fd = openat(file->folder, file->temporary, flags, place->mode);
    return file->fd < 0 ? place_fail(file->why, "write to the folder a file for", file->name) : 0;
}

int parcel_write(struct parcel_file *file, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t n = write(file->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return place_fail(file->why, "write", file->name);
        at += n;
        size -= (size_t)n;
        file->size += n;
    }
    return 0;
}

static bool same_bytes(int a, int b, int64_t size)
{
    char *x = malloc(2 * PIECE), *y = x + PIECE;
    bool same = x != NULL;
    for (int64_t at = 0; same && at < size;) {
        size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
        same = pread(a, x, want, at) == (ssize_t)want && pread(b, y, want, at) == (ssize_t)want &&
               !memcmp(x, y, want);
        at += (int64_t)want;
    }
    free(x);
    return same;
}

/* A crash between the rename and the settlement brings the same message again. */
static bool is_there(const struct parcel_file *file)
{
    struct stat st;
    int fd = openat(file->folder, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool same = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == file->size &&
                same_bytes(fd, file->fd, file->size);
    if (fd >= 0)
        close(fd);
    return same;
}

static int name_it(const struct parcel_place *place, struct parcel_file *file)
{
    char got[NAME_ROOM];
    if (place_move(file->folder, file->temporary, file->folder, file->name) == 0)
        return 0;
    if (errno != EEXIST)
        return place_fail(file->why, "give its name to", file->name);
    if (file->repeat && is_there(file)) {
        file->was_there = true;
        return 0;
    }
    if (!place->rename_existing) {
        file->taken = true;
        return place_fail(file->why, "deliver (if-exists = fail)", file->name);
    }
    if (place_move_numbered(file->folder, file->temporary, file->folder, file->name, got) < 0)
        return place_fail(file->why, "give a free name to", file->name);
    memcpy(file->name, got, sizeof got);
    return 0;
}

int parcel_publish(const struct parcel_place *place, struct parcel_file *file)
{
    if (fsync(file->fd) < 0)
        return place_fail(file->why, "make durable", file->name);
    if (name_it(place, file) < 0)
        return -1;
    if (!file->was_there)
        file->temporary[0] = 0;
    if (fsync(file->folder) < 0)
        return place_fail(file->why, "make durable the name of", file->name);
    return 0;
}

void parcel_close(struct parcel_file *file)
{
    if (file->fd >= 0) {
        if (file->temporary[0])
            unlinkat(file->folder, file->temporary, 0);
        close(file->fd);
    }
    if (file->folder >= 0)
        close(file->folder);
    file->fd = file->folder = -1;
}
