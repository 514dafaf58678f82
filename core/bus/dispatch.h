/* Out: claims what is due, judges it again when the policies have changed, hands it to its link, settles. */
#ifndef BUS_DISPATCH_H
#define BUS_DISPATCH_H

#include "bus/party.h"

/* Deliveries of one service that may be on their way to its link at once. */
#define BUS_WINDOW 32

/* There may be something to claim. */
void bus_lane_feed(struct bus_lane *);
void bus_lane_pump(struct bus_lane *);
void bus_timer_set(struct bus *);

#endif
