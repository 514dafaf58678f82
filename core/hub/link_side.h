/* What links ask and report: sessions, deliveries on their way, offers. Every word is checked against the
 * hub's own tables; a link that breaks the protocol is ended and started again. */
#ifndef HUB_LINK_SIDE_H
#define HUB_LINK_SIDE_H

#include "bus/bus.h"
#include "hub/child.h"

/* One message from a link that is ready. */
void link_side_message(struct child *, const struct wire_message *);
/* Its channel is closed: whatever it held is finished. */
void link_side_gone(struct child *);
void link_side_tick(struct child *, int64_t ticks);
/* Port of the bus: hands a delivery over. `child` may be NULL or not ready. */
void link_side_send(struct child *, struct bus_dispatch *);

#endif
