/* The file "backup" in a copy of the store: when it was made, and up to where. A store that is opened with it was
 * restored, and says so until restored_told(). */
#ifndef STORE_RESTORED_H
#define STORE_RESTORED_H

#include <stdint.h>

#include "util/error.h"

#define RESTORED_FILE "backup"

int restored_mark(const char *folder, int64_t time, uint64_t end, struct reason *why);
/* 0: the store was not restored. Negative: it was, and the file does not say when. Otherwise wall microseconds. */
int64_t restored_from(const char *folder);
int restored_told(const char *folder, struct reason *why);

#endif
