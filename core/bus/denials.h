/* Denials, refusals and repeats that come again and again: each is recorded at once when it is new, and then counted,
 * with one record a minute while it goes on. What a source tries without end cannot flood the trail.
 */
#ifndef BUS_DENIALS_H
#define BUS_DENIALS_H

#include "audit/record.h"

#define DENIALS_MAX   512
#define DENIALS_EVERY 60000 /* ms between two records of the same */

struct denials {
    struct denial *slots[DENIALS_MAX];
    size_t count;
};

struct bus;
/* The same is: of the same service, by the same rule, and of the same source id, but for the rules that speak of the
 * agreement or the hub and not of the message. */
void bus_denial(struct bus *, const struct audit_event *, const char *source_id);
/* Records what was counted and is due; forgets what has not come again. */
void bus_denials_tick(struct bus *);
/* Records all that was counted. */
void bus_denials_flush(struct bus *);
void bus_denials_forget(struct bus *);

#endif
