/* Whole folders copied and removed, on a thread that may block. */
#ifndef HUB_COPY_H
#define HUB_COPY_H

#include <stdint.h>

#include "util/error.h"

/* Copies the regular files below `from` into the new folder `to`, each synced. A file that goes meanwhile is left out,
 * and one that grows is copied to some length that it had. `copied` is added to. */
int copy_folder(const char *from, const char *to, uint64_t *copied, struct reason *why);
/* One file; ACCORD_ENOENT when it is not there. */
int copy_file(const char *from, const char *to, unsigned mode, uint64_t *copied, struct reason *why);
void remove_folder(const char *path);

#endif
