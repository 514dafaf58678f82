/* What an agreement may keep in the store: at the limit its sources keep what they have, until a tenth is free. Others
 * do not notice. */
#ifndef BUS_LIMITS_H
#define BUS_LIMITS_H

#include "bus/offer.h"

/* True: the offer was deferred, because a destination has no room for it, or its origin's quarantine is full. */
bool offer_over_limit(struct bus_offer *);
/* Likewise, for one that goes into quarantine. */
bool offer_over_quarantine(struct bus_offer *);
/* While it is being committed it counts as if it were there; both may be called again. */
void offer_count(struct bus_offer *, bool quarantined);
void offer_uncount(struct bus_offer *);
/* Lets sources go on where there is room again. False: none is stopped. */
bool bus_limits_tick(struct bus *);

#endif
