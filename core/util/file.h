/* Files that must be whole, durable, or private. */
#ifndef UTIL_FILE_H
#define UTIL_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "util/buf.h"
#include "util/error.h"

/* Reads a regular file of at most `limit` bytes. */
int file_read(const char *path, size_t limit, struct buf *out, struct reason *why);
/* Reads a secret: a regular file (no symbolic link), owned by this user or root, closed to group and others. */
int file_read_secret(const char *path, size_t limit, struct buf *out, struct reason *why);
/* One of the service manager's own, in $CREDENTIALS_DIRECTORY: root's, and readable for this user by an access list,
 * whose mask the mode shows as rights of the group. */
bool file_is_credential(const struct stat *, const char *path);
/* Temporary name, fsync, rename, fsync of the folder: the whole new content or the old one. */
int file_replace(const char *path, const void *bytes, size_t size, unsigned mode, struct reason *why);
/* -1: errno says why, and some of it may be there. */
int file_write_all(int fd, const void *bytes, size_t size);
/* Makes the folder's entries durable. */
int file_sync_folder(const char *folder, struct reason *why);
/* Makes a folder and its parents (mode 0700 for what it makes). */
int file_make_folder(const char *path, struct reason *why);
/* A path below a folder: "folder/name"; ACCORD_ELIMIT when it does not fit. */
int file_path(char *to, size_t room, const char *folder, const char *name);

#endif
