/* The folders and files of an exported trail, by their names: CHAIN/DATE.jsonl. */
#ifndef AUDIT_NAMES_H
#define AUDIT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

bool names_is_chain(const char *name);
bool names_is_day_file(const char *name);

/* The names in a folder that are wanted, sorted; chains are not regular files. The descriptor stays as it is.
 * names_free() in any case. */
int names_list(int folder, bool (*wanted)(const char *), char ***, size_t *count);
void names_free(char **, size_t count);
bool names_have(char **, size_t count, const char *name);

#endif
