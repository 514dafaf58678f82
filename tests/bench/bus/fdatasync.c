/* What the disk itself does: records of 1 KiB appended to a preallocated file, so many for each fdatasync.
 *
 *     fdatasync-probe FILE [MILLISECONDS]     prints "GROUP SYNCS-A-SECOND RECORDS-A-SECOND" for groups of 1, 64, 256
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD    1024
#define FILE_SIZE (64 << 20)

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Syncs a second; negative when something failed. */
static double measure(int fd, size_t group, double seconds)
{
    static char records[256 * RECORD];
    double begin = now(), end = begin;
    off_t at = 0;
    long syncs = 0;
    memset(records, 'x', sizeof records);
    for (; end - begin < seconds; syncs++, end = now()) {
        size_t size = group * RECORD;
        if (at + (off_t)size > FILE_SIZE)
            at = 0;
        if (pwrite(fd, records, size, at) != (ssize_t)size || fdatasync(fd) < 0)
            return -1;
        at += (off_t)size;
    }
    return (double)syncs / (end - begin);
}

/* Written once: an extent that was only allocated costs a change of the file's own record at its first write. */
static int prepare(int fd)
{
    static const char zeros[1 << 20];
    for (int i = 0; i < FILE_SIZE / (int)sizeof zeros; i++)
        if (write(fd, zeros, sizeof zeros) != (ssize_t)sizeof zeros)
            return -1;
    return fsync(fd);
}

int main(int argc, char **argv)
{
    static const size_t groups[] = {1, 64, 256};
    double seconds = argc > 2 ? atof(argv[2]) / 1000 : 1;
    int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || prepare(fd) < 0) {
        fprintf(stderr, "cannot write %s: %s\n", argc > 1 ? argv[1] : "FILE", strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        double syncs = measure(fd, groups[i], seconds);
        if (syncs < 0) {
            fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
            return 1;
        }
        printf("%zu %.0f %.0f\n", groups[i], syncs, syncs * (double)groups[i]);
    }
    unlink(argv[1]);
    return 0;
}
