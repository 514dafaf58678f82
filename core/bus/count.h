/* What became of offers and deliveries since the agent started, for each service: what `accord metrics` shows. */
#ifndef BUS_COUNT_H
#define BUS_COUNT_H

#include "bus/bus.h"

struct bus_counts;

/* An offer of the receiving service was answered. */
void bus_count_offer(struct bus_party *, const char *service, enum accord_admission, int64_t bytes);
/* A delivery of the sending service was settled. */
void bus_count_delivery(struct bus_party *, const char *service, enum store_state, int64_t bytes);
void bus_counts_free(struct bus_party *);

#endif
