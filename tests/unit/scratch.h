/* Files in a test's own folder. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The folder and all that is below it. */
void scratch_remove(const char *path);
/* Is the file there, with these bytes and no others? */
bool scratch_has(const char *path, const void *bytes, size_t size);
bool scratch_write(const char *path, mode_t mode, const void *bytes, size_t size);

#endif
