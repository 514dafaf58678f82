/* Watches conf.d: inotify for speed, a look at every file now and then because events can be lost, and the folder itself,
 * which may be moved, mounted over, or not there for a while. Loop thread.
 */
#ifndef HUB_WATCH_H
#define HUB_WATCH_H

#include "conf/folder.h"
#include "hub/hub.h"

struct watch;
struct watch *watch_new(struct hub *); /* NULL: out of memory */
/* `on`: as agent.conf says. Calls hub_reload() when the folder has come to rest and is not as it was loaded. */
void watch_tick(struct watch *, bool on, int64_t ticks);
/* What was loaded, or looked at and refused. */
void watch_loaded(struct watch *, const struct conf_signature *);
/* Frees it once its handle has closed. */
void watch_close(struct watch *);

#endif
