/* A store that was restored from a backup says so, in every chain of the trail and as an incident. */
#ifndef HUB_RESTORED_H
#define HUB_RESTORED_H

#include <stdint.h>

#include "hub/hub.h"

/* `made`: as in struct store_recovery. The store is told when its trail has the records. */
void restored_tell(struct hub *, int64_t made);

#endif
