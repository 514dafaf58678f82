/* What a plugin holds as a handle is an id, never an address, so that a dead handle is found out instead of
 * followed. The objects are in a table (util/table.h). */
#ifndef HOST_HANDLE_H
#define HOST_HANDLE_H

#include "util/table.h"

#define HANDLE(type, id)  ((struct type *)(uintptr_t)(id))
#define HANDLE_ID(handle) ((uint64_t)(uintptr_t)(handle))

#endif
