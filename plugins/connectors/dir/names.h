/* Names of files: made safe, numbered, matched. Names that come from a folder are bytes; names that go into one
 * are one path component of UTF-8. */
#ifndef DIR_NAMES_H
#define DIR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_ROOM 256 /* NAME_MAX of every Linux file system, and NUL */

/* One path component: no slash, no control character, no leading dot, valid UTF-8; "unnamed" when empty. */
void name_safe(char to[NAME_ROOM], const char *from);
/* The n-th try for a name that is taken: "plan.edi", "plan-1.edi", ... cut to fit. `extra` is appended whole. */
void name_numbered(char to[NAME_ROOM], const char *name, unsigned n, const char *extra);
/* A folder below another: one or more components, none empty or starting with a dot, or just ".". */
bool name_is_below(const char *path);

#endif
