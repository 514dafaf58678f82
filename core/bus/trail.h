/* Audit records that are committed with what they tell of. */
#ifndef BUS_TRAIL_H
#define BUS_TRAIL_H

#include "audit/record.h"
#include "store/store.h"

/* Into the chain of event->agreement, whose name must stay, and event->kept too. */
void bus_trail_render(struct store_audit *, const struct audit_event *);
void bus_trail_free(struct store_audit *, size_t count);

struct bus;
/* Tells the hub of something that a person must look at. */
void bus_incident(struct bus *, const char *agreement, const char *link, const char *rule, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
