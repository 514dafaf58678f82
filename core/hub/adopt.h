/* `formerly = NAME`: the messages of an agreement whose file was renamed become those of the file that names it. Done once,
 * when nothing of the former name runs any more; a note in the store says so, so that a restart does not do it again.
 */
#ifndef HUB_ADOPT_H
#define HUB_ADOPT_H

#include "hub/hub.h"

/* Looks for what is to be taken over; every second until it is done. */
void adopt_tick(struct hub *, int64_t ticks);
/* After the store is closed: until then calls may be under way. */
void adopt_free(struct hub *);

#endif
