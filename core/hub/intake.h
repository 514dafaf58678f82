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
    size_t most;  /* weight of those that are open at a time (wire_offer_weight) */
    size_t *held; /* the weight now */
    bool is_link; /* it sends small payloads without being asked (messages.h), and cursors with its offers */
};

enum intake_result {
    INTAKE_OPEN,
    INTAKE_REJECTED, /* at once: the envelope alone decided, with an audit record */
    INTAKE_DEFERRED, /* at once: it stays with its source */
    INTAKE_BROKEN,   /* the sender broke the protocol */
};
enum intake_result intake_offer(struct intake_host, struct bus_party *, const struct conf_service *,
                                const struct wire_OFFER *);
/* False: the sender broke the protocol. */
bool intake_data(struct table *, const struct wire_OFFER_DATA *);
void intake_abort(struct table *, uint64_t offer);
/* The sender is gone. */
void intake_gone(struct table *);
/* Defers offers whose sender has not sent what it was asked for in time, and those of `party` (NULL:
 * none). */
void intake_tick(struct table *, int64_t ticks, const struct bus_party *party);

#endif
