/* Changes one key of a file of conf.d and not a byte else: comments, spacing, line endings and a byte order mark stay.
 */
#ifndef CONF_EDIT_H
#define CONF_EDIT_H

#include <stddef.h>

#include "util/buf.h"
#include "util/error.h"

/* `section`: "agreement", "link sftp". A key that is not there is added below the section's header. Nothing is written
 * when the section is not there (ACCORD_ENOENT), or when section or key stand there twice (ACCORD_EEXIST). */
int conf_edit(const void *bytes, size_t size, const char *section, const char *key, const char *value, struct buf *out,
              struct reason *why);

#endif
