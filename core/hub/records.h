/* Audit records on their way to the store, which may not take them: kept, in the order of events, until it does. */
#ifndef HUB_RECORDS_H
#define HUB_RECORDS_H

#include "audit/record.h"
#include "store/store.h"

struct records {
    struct store *store;
    struct entry *kept, *kept_last;
    size_t kept_count;
    uint64_t last_number, lost;
    bool failing;     /* the last one was not taken */
    int64_t again_at; /* ticks */
};

/* Renders it and gives it to the store. event->agreement names the chain; NULL: the host's. */
void records_add(struct records *, const struct audit_event *);
/* Gives the store again what it did not take. */
void records_give(struct records *);
/* Tries with the first of them, every second; when it is taken the others follow. */
void records_tick(struct records *, int64_t ticks);
/* How many could not be kept since this was asked last. */
uint64_t records_lost(struct records *);
/* After the store is closed: until then calls may be under way. */
void records_fini(struct records *);

#endif
