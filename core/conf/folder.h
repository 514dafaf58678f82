/* The folder conf.d as it lies there: which names count, and whether anything in it has changed. Any thread. */
#ifndef CONF_FOLDER_H
#define CONF_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/digest.h"

/* NAME.conf, NAME being 1 to 63 lower-case letters, digits and hyphens. Editors' temporary files do not. */
bool conf_folder_counts(const char *file);

/* Names, sizes, times of change and inodes of the files that count. Two that are equal: nothing has changed. False: the
 * folder cannot be read. */
struct conf_signature {
    uint8_t digest[DIGEST_SIZE];
};
bool conf_folder_sign(const char *folder, struct conf_signature *);

#endif
