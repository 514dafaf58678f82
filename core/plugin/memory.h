/* What `check` slots answered, by what they were asked. Internal to check.c. */
#ifndef PLUGIN_MEMORY_H
#define PLUGIN_MEMORY_H

#include "plugin/check.h"

#define MEMORY_MAX 512 /* the one that was not used for longest goes */

/* One text for each question, NULL where there was no objection; NULL: not known. The memory's own. */
char **check_memory_get(struct check_memory *, const char *key, size_t count);
/* Takes over the texts. */
void check_memory_put(struct check_memory *, const char *key, char **texts, size_t count);

#endif
