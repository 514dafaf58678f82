/* What a child is told before START: its folders, plugins, links, services and modules. */
#ifndef HUB_LOAD_H
#define HUB_LOAD_H

#include "hub/child.h"

/* Puts everything into the child's channel; START follows when the cursors of what it receives have been read. False:
 * out of memory. */
bool child_configure(struct child *);
/* The audit records of the plugins that it was given; it is ready, so they are loaded. */
void child_record_plugins(const struct child *);

#endif
