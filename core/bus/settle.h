/* How a delivery ends or goes on: one commit settles it with its audit record, however often the store
 * must be asked. */
#ifndef BUS_SETTLE_H
#define BUS_SETTLE_H

#include "bus/dispatch.h"

struct bus_ending {
    enum store_state state;
    enum audit_action action;
    bool attempted;
    bool unrecorded; /* no audit record: nothing has changed for anybody */
    int64_t not_before;
    uint64_t generation;
    const char *module, *rule, *reason, *receipt; /* copied; NULL: "" */
};

/* Settles, and ends the dispatch when that is committed. */
void bus_settle(struct bus_dispatch *, const struct bus_ending *);
/* The agreement is off: it waits until that changes. */
void bus_settle_held(struct bus_dispatch *, const char *off, bool attempted);
/* It can never be sent. */
void bus_settle_dead(struct bus_dispatch *, const char *rule, const char *reason);
/* Its link could not take it: it waits again, and no attempt is counted. */
void bus_settle_returned(struct bus_dispatch *, const char *reason);
/* The store's copy of the payload is damaged, which trying again would not mend. */
void bus_settle_damaged(struct bus_dispatch *);
/* Tries again what the store did not take. */
void bus_settle_again(struct bus *);

#endif
