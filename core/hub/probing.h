/* The part of `accord probe` that a link's connector makes itself: handshake, authentication, what its services need. */
#ifndef HUB_PROBING_H
#define HUB_PROBING_H

#include "hub/child.h"

struct probing;

struct probing_events {
    void (*step)(void *arg, const char *step, int result, const char *text);
    /* It is over, and gone when this returns. `why`: what ended it before its time; NULL: nothing did. */
    void (*over)(void *arg, const char *why);
};

/* Of a link whose process is ready. NULL: out of memory. */
struct probing *probing_start(struct child *, const struct conf_link *, const struct probing_events *, void *arg);
/* No more events. What the connector has begun it ends by itself. */
void probing_stop(struct probing *);
/* The link may dial though it is parked: a probe asks why. */
bool probing_allows(const struct child *, const struct conf_link *);
void probing_said(struct child *, const struct wire_PROBED *);
void probing_gone(struct child *);

#endif
