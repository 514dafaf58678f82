/* When a parked link is tried again, as decisions: the other side refuses the session, and the link waits for a
 * person, for a changed secret, or for its slow retry. A retry that meets the same refusal is no new incident.
 */
#ifndef HUB_PARKING_H
#define HUB_PARKING_H

#include <accord/base.h>
#include <stdbool.h>
#include <stdint.h>

struct parked {
    bool is;
    bool trial;       /* it was tried again by itself, and has done nothing since */
    int64_t since;    /* wall microseconds: parked for this cause */
    int64_t retry_at; /* ticks; 0: never by itself */
    uint64_t secrets; /* of its secret files as they were, as one number */
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
};

enum parking {
    PARKING_ALREADY, /* nothing changes */
    PARKING_NEW,     /* something that a person must look at */
    PARKING_AGAIN,   /* the retry met what is known */
};

struct parking_clock {
    int64_t wall, ticks;
    int64_t retry_after; /* ms; 0: never by itself */
};

enum parking parking_park(struct parked *, const char *rule, const char *reason, const struct parking_clock *);
/* Someone or something says that it may work now. False: it is not parked. */
bool parking_resume(struct parked *);
/* It is time for the slow retry; the link is not parked any more. */
bool parking_retry(struct parked *, int64_t ticks);
/* The link does its work: the next refusal is news. */
void parking_works(struct parked *);

#endif
