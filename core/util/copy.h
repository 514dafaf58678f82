/* Whole folders copied and removed, on a thread that may block. */
#ifndef UTIL_COPY_H
#define UTIL_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

/* Copies the regular files below `from` into the new folder `to`, each synced. A file that goes meanwhile is left out,
 * and one that grows is copied to some length that it had. `copied` is added to. */
int copy_folder(const char *from, const char *to, uint64_t *copied, struct reason *why);
/* One file; ACCORD_ENOENT when it is not there. */
int copy_file(const char *from, const char *to, unsigned mode, uint64_t *copied, struct reason *why);
/* Its first `size` bytes, or fewer if there are no more: `copied` says. */
int copy_file_start(const char *from, const char *to, unsigned mode, uint64_t size, uint64_t *copied,
                    struct reason *why);
void remove_folder(const char *path);
/* A folder that is to be made would lie in the state folder. */
bool copy_is_inside(const char *folder, const char *state);

#endif
