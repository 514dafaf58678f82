/* Offers, from links and from `accord submit`, handed to the bus. */
#ifndef HUB_INTAKE_H
#define HUB_INTAKE_H

#include "bus/bus.h"
#include "util/table.h"
#include "wire/channel.h"

/* Who offers. */
struct intake_host {
    struct channel **channel; /* NULL behind it: gone */
    struct table *intakes;
};
#define INTAKES_MAX 64
/* False: the sender broke the protocol. */
bool intake_offer(struct intake_host, struct bus_party *, const struct conf_service *,
                  const struct wire_OFFER *);
bool intake_data(struct table *, const struct wire_OFFER_DATA *);
bool intake_abort(struct table *, uint64_t offer);
void intake_gone(struct table *);

#endif
