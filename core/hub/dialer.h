/* Connects to an endpoint that the agreement lists. The caller has checked that before any name is
 * resolved. */
#ifndef HUB_DIALER_H
#define HUB_DIALER_H

#include <uv.h>

#include "conf/conf.h"

struct dial;
/* fd: connected, the callee's; or -1. `address` is the last that was tried, "" when there was none;
 * `reason` says what failed, also on the way to a connection. */
typedef void (*dial_done)(void *arg, int fd, const char *address, const char *reason);
/* Resolves and connects within the endpoint's one deadline, of which each address gets its share; calls
 * back later. The endpoint must stay until then. NULL: no memory. */
struct dial *dial_start(uv_loop_t *, const struct conf_endpoint *, dial_done, void *arg);
/* The callback will not run. Not after it has run. */
void dial_cancel(struct dial *);

#endif
