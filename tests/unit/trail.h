/* For the audit tests: makes sealed trails, and folders that vanish again. */
#ifndef TESTS_TRAIL_H
#define TESTS_TRAIL_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/record.h"
#include "util/file.h"

#define DAY  86400000000LL
#define NOON 1741953600000000LL /* 2025-03-14T12:00:00Z */

static char trail_folder[64];

static inline int trail_folder_make(void **state)
{
    (void)state;
    strcpy(trail_folder, "/tmp/accord-trail-XXXXXX");
    audit_host_set("gate1", "192.0.2.7");
    return mkdtemp(trail_folder) ? 0 : -1;
}

static inline void trail_remove_tree(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            trail_remove_tree(fd, entry->d_name);
    if (dir)
        closedir(dir);
    unlinkat(at, name, dir ? AT_REMOVEDIR : 0);
}

static inline int trail_folder_remove(void **state)
{
    (void)state;
    trail_remove_tree(AT_FDCWD, trail_folder);
    return 0;
}

/* Appends one sealed line, with its newline. */
static inline void trail_seal(struct buf *lines, const struct audit_event *event, const char *chain,
                              struct audit_head *head)
{
    struct buf line = {0};
    audit_render(&line, event);
    if (audit_seal(&line, 0, chain, head))
        abort();
    buf_put(lines, line.data, line.size);
    buf_byte(lines, '\n');
    buf_fini(&line);
}

static inline void trail_add(struct buf *lines, const char *chain, struct audit_head *head, int64_t time)
{
    char name[32];
    snprintf(name, sizeof name, "plan-%llu.edi", (unsigned long long)head->sequence + 1);
    struct audit_event event = {.action = AUDIT_ADMITTED, .time = time, .agreement = chain, .name = name};
    trail_seal(lines, &event, chain, head);
}

/* A file below the folder, whole; empty when it is not there. */
static inline struct buf trail_file(const char *below)
{
    char path[256];
    struct buf bytes = {0};
    snprintf(path, sizeof path, "%s/%s", trail_folder, below);
    file_read(path, 1 << 26, &bytes, NULL);
    return bytes;
}

static inline void trail_write(const char *below, const void *bytes, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", trail_folder, below);
    if (file_replace(path, bytes, size, 0640, NULL))
        abort();
}

#endif
