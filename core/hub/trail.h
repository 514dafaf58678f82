/* The audit trail as the hub keeps it: single records, incidents, anchors every minute, export to files. */
#ifndef HUB_TRAIL_H
#define HUB_TRAIL_H

#include "audit/record.h"
#include "hub/hub.h"
#include "util/error.h"

/* `store_end` as in struct store_recovery. */
int trail_open(struct hub *, uint64_t store_end, struct reason *why);
/* Compares the store with the trail's files: a chain of which the store has lost records goes on behind
 * the last one in the files, and says so. Returns how many records the store lacks. */
uint64_t trail_resume(struct hub *);
/* Renders and queues one record that belongs to no message, and keeps it until the store has taken it.
 * event->agreement names the chain; NULL: the host's. */
void trail_event(struct hub *, const struct audit_event *);
/* The store takes no audit records now: nothing that must be recorded should begin. */
bool trail_failing(const struct hub *);
/* An incident: audited, logged, shown in status. */
void trail_incident(struct hub *, const char *agreement, const char *link, const char *rule,
                    const char *reason);
/* Its audit record is in a commit already. */
void trail_incident_told(struct hub *, const char *agreement, const char *link, const char *rule,
                         const char *reason);
uint64_t trail_incident_count(const struct hub *);
void trail_tick(struct hub *, int64_t ticks);
/* Of the store's trail: what is before it is in the exported files. */
uint64_t trail_position(const struct hub *);
/* Calls back once everything recorded before is in the exported files (or could not be written: that is
 * logged). */
int trail_exported(struct hub *, void (*done)(void *arg), void *arg);
/* The last anchor and export; calls back when both are on disk. */
void trail_finish(struct hub *, void (*done)(struct hub *));
void trail_close(struct hub *);

#endif
