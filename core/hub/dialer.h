/* Connects to an endpoint that the agreement lists. The caller has checked that before any name is
 * resolved. */
#ifndef HUB_DIALER_H
#define HUB_DIALER_H

#include <stdbool.h>
#include <uv.h>

#include "conf/conf.h"

struct dial;
/* fd: connected, the callee's; or -1. `address` is the last that was tried, "" when there was none;
 * `reason` says what failed, also on the way to a connection. */
typedef void (*dial_done)(void *arg, int fd, const char *address, const char *reason);
/* Resolves and connects within the endpoint's one deadline, of which each address gets its share; calls
 * back later. The endpoint must stay until then. NULL: no memory. */
struct dial *dial_start(uv_loop_t *, const struct conf_endpoint *, dial_done, void *arg);
/* For who wants to see the steps and no connection: every address is tried, and what connects is closed at once; `done`
 * then never has a descriptor. Each says whether to go on, and may not cancel. */
struct dial_watch {
    bool (*found)(void *arg, const struct addrinfo *);
    /* `number` 0: connected, as `fd`, which stays the dialer's; otherwise an errno. */
    bool (*tried)(void *arg, const char *address, int fd, int number);
};
/* Right after dial_start(). The table stays the caller's. */
void dial_watch(struct dial *, const struct dial_watch *);
/* The callback will not run. Not after it has run. */
void dial_cancel(struct dial *);

#endif
