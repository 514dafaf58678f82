/* Users by name. Any thread may ask: a reload runs beside the loop. */
#ifndef CONF_USER_H
#define CONF_USER_H

#include <stdbool.h>
#include <sys/types.h>

/* False, and *uid untouched: there is none. */
bool conf_user_find(const char *name, uid_t *uid);

#endif
