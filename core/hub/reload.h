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

/* Loads conf.d and the plugins' tables. The report is the caller's to log. NULL with reason: nothing usable. */
struct hub_conf *hub_conf_load(const struct hub_options *, struct conf_report *, struct reason *why);
/* Records what the newest configuration holds, what of it was refused, and who asked ("": nobody, it is the start). */
void hub_conf_record(struct hub *, const char *user, const struct conf_report *);
/* Every problem as a line of the log. */
void hub_report_log(const struct conf_report *);
/* Loads again and applies; returns the number of errors. `report` may be NULL. `user` is who asked. */
size_t hub_reload(struct hub *, const char *user, struct conf_report *report);

#endif
