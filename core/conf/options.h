/* One parsed value into one field of an options struct. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "conf/arena.h"
#include "conf/value.h"

/* Bytes that a field of this kind takes; 0: no such kind. */
size_t options_field_size(enum accord_kind);
/* Parses `text` and stores it at the option's offset in `base`; texts and lists are copied into the arena.
 * `base` NULL: only checks. 0, ACCORD_EINVAL with a reason, or ACCORD_ENOMEM. */
int options_store(const struct accord_option *, const char *text, void *base, struct arena *,
                  struct reason *why);

#endif
