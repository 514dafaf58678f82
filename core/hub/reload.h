/* Loads conf.d, and applies what is good of it. A file with mistakes keeps its running version. */
#ifndef HUB_RELOAD_H
#define HUB_RELOAD_H

#include "conf/conf.h"
#include "hub/hub.h"
#include "util/error.h"

/* A loaded configuration; units and the hub hold it. */
struct hub_conf {
    int refs;
    struct conf *conf;
    struct conf_plugins plugins;
};
struct hub_conf *hub_conf_ref(struct hub_conf *);
void hub_conf_unref(struct hub_conf *);

/* Loads conf.d and the plugins' tables; hub->problems says what was found. NULL with reason: nothing
 * usable. */
struct hub_conf *hub_conf_load(struct hub *, struct reason *why);
/* hub->problems, each as a line of the log. */
void hub_problems_log(const struct hub *);
/* The audit record of a load that was taken on; `user` is who asked for it, NULL at start. */
void hub_conf_record(struct hub *, const char *user);
/* Loads again and applies; returns the number of errors. `user` is who asked. */
size_t hub_reload(struct hub *, const char *user);

#endif
