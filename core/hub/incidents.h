/* Incidents that plugins raise: the same rule of the same instance again within a day counts as the same. Names come from
 * untrusted processes, and only so many are kept: beyond that the one that is longest past may be raised again.
 */
#ifndef HUB_INCIDENTS_H
#define HUB_INCIDENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <accord/base.h>

#define INCIDENTS_KEPT 64
#define INCIDENT_SAME  (24 * 60 * 60 * 1000LL) /* ms */

struct incidents {
    struct raised {
        char instance[64], rule[ACCORD_RULE_MAX];
        int64_t ticks; /* 0: none */
    } kept[INCIDENTS_KEPT];
};

/* Remembers it. False: it was raised within a day. */
bool incidents_new(struct incidents *, const char *instance, const char *rule, int64_t ticks);

#endif
