#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void remove_tree(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            remove_tree(fd, entry->d_name);
    if (dir)
        closedir(dir);
    unlinkat(folder, name, dir ? AT_REMOVEDIR : 0);
}

void scratch_remove(const char *path)
{
    remove_tree(AT_FDCWD, path);
}

bool scratch_has(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_RDONLY);
    char *content = malloc(size + 2);
    ssize_t n = fd < 0 ? -1 : read(fd, content, size + 2);
    bool same = n >= 0 && (size_t)n == size && memcmp(content, bytes, (size_t)n) == 0;
    free(content);
    if (fd >= 0)
        close(fd);
    return same;
}

bool scratch_write(const char *path, mode_t mode, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    bool written = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return written;
}
