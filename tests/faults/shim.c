/* Loaded before the C library (LD_PRELOAD) into an agent under test: a disk that fails, or that lies.
 *
 * ACCORD_SHIM names a folder. While it has a file `sync-fails`, one fdatasync() fails with EIO, and the file goes;
 * while it has `sync-lies`, fdatasync() and fsync() do nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int has(const char *name, char path[4096])
{
    const char *folder = getenv("ACCORD_SHIM");
    snprintf(path, 4096, "%s/%s", folder ? folder : "/nonexistent", name);
    return access(path, F_OK) == 0;
}

static int sync_with(const char *name, int fd)
{
    char path[4096];
    if (has("sync-lies", path))
        return 0;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(fd);
}

int fdatasync(int fd)
{
    char path[4096];
    if (has("sync-fails", path) && unlink(path) == 0) {
        errno = EIO;
        return -1;
    }
    return sync_with("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_with("fsync", fd);
}
