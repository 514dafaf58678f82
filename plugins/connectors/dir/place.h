/* Folders as descriptors, and moves that never overwrite. Blocking: on a thread only.
 *
 * Below the link's path no symbolic link is followed, so that whoever may write there cannot lead us out. */
#ifndef DIR_PLACE_H
#define DIR_PLACE_H

#include <stdint.h>
#include <sys/stat.h>

#include "names.h"

#define WHY_ROOM 512

/* What makes two looks at a file the same file, unchanged. */
struct facts {
    uint64_t inode;
    int64_t size;
    int64_t mtime_ns;
};
struct facts facts_of(const struct stat *);
bool facts_equal(const struct facts *, const struct facts *);

/* Opens `below` ("a/b" or ".") under the absolute path `root`: a descriptor, or -1 with errno. */
int place_open(const char *root, const char *below);
/* Opens a folder below a descriptor, made with this mode where it is missing; `path` as for place_open. */
int place_make(int folder, const char *path, mode_t mode);
/* Renames unless the new name exists (errno EEXIST). `from` is in a folder that only we write to. */
int place_move(int from_folder, const char *from, int to_folder, const char *to);
/* The same with "-1", "-2", ... added until the name is free; writes the name that it got. */
int place_move_numbered(int from_folder, const char *from, int to_folder, const char *name, char got[NAME_ROOM]);
/* "cannot WHAT NAME: ERROR", the name made printable; returns -1. */
int place_fail(char why[WHY_ROOM], const char *what, const char *name);

#endif
