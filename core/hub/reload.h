/* Loads conf.d beside the loop, and applies what is good of it. A file with mistakes keeps its running version, and so
 * does one that needs what such a file changed (conf/keep.c).
 */
#ifndef HUB_RELOAD_H
#define HUB_RELOAD_H

#include "conf/conf.h"
#include "hub/hub.h"
#include "util/error.h"

/* A loaded configuration; units and the hub hold it. Loop thread. */
struct hub_conf {
    int refs;
    struct conf *conf;
    struct conf_plugins plugins;
    int64_t loaded; /* wall microseconds */
};
struct hub_conf *hub_conf_ref(struct hub_conf *);
void hub_conf_unref(struct hub_conf *);

/* At start, before the loop runs: loads, and sets hub->conf and hub->problems. */
int reload_open(struct hub *, struct reason *why);
/* Once the trail is open: records what was loaded, and watches the folder if agent.conf says so. */
void reload_begin(struct hub *);

/* The number of errors, and whether anything runs otherwise than before. */
struct reload_result {
    size_t errors;
    bool changed;
};
typedef void (*reload_done)(void *arg, const struct reload_result *);
/* Loads again; what the files are when this is called, or later, is applied. `user` is who asked. `done` (or NULL) is
 * called when it is applied, hub->problems being what was found; also when the agent stops meanwhile. */
void hub_reload(struct hub *, const char *user, reload_done done, void *arg);

/* hub->problems, each as a line of the log. */
void hub_problems_log(const struct hub *);
/* Why an agreement does not run as its file is now: "running the version of TIME; ..."; "" when it does. */
struct unit;
void reload_explain(const struct unit *, char *to, size_t room);

void reload_tick(struct hub *, int64_t ticks);
/* The agent stops: a load that is under way ends soon. */
void reload_stop(struct hub *);
bool reload_idle(const struct hub *);
/* When idle. Handles of the loop close. */
void reload_close(struct hub *);

#endif
