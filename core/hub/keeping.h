/* Keeping the store within its time and room: forgets what has had its time, gives up what was in quarantine for too
 * long, and says when the disk has no room for new messages and when it has again. */
#ifndef HUB_KEEPING_H
#define HUB_KEEPING_H

#include "hub/hub.h"

int keeping_open(struct hub *); /* ACCORD_ENOMEM */
void keeping_tick(struct hub *, int64_t ticks);
/* Begins no new step. */
void keeping_stop(struct hub *);
void keeping_free(struct hub *); /* after the store is closed and the loop has turned */

#endif
