/* Starting anew in the same process, when the disk has failed under the store: only reading back what is there tells
 * what it has. Children follow the old hub as if it had been killed. */
#ifndef HUB_AGAIN_H
#define HUB_AGAIN_H

#include "hub/hub.h"

/* Before any process is begun: those that the old hub had begun on other threads end by themselves, and are its children
 * still. */
void again_reap(void);
/* At start, once the trail is open: records why it was started anew, if it was. */
void again_tell(struct hub *);
/* Each tick. Does not return when the store has failed. */
void again_tick(struct hub *);

#endif
