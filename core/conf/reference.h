/* The reference of everything that may stand in conf.d, from the tables that check it. */
#ifndef CONF_REFERENCE_H
#define CONF_REFERENCE_H

#include <stdio.h>

#include "conf/conf.h"

/* Writes docs/reference/options.md: all core sections and message types, then the plugins' tables in the
 * order of their kind and name. 0 or ACCORD_EIO. */
int conf_reference_write(FILE *, const struct conf_plugins *);
/* The plugin whose name comes next behind `last` ("": the first), so that no page depends on the folder's order;
 * NULL: no more. */
const struct conf_plugin *conf_reference_next(const struct conf_plugins *, enum accord_plugin_kind, const char *last);

#endif
