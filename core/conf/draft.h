/* Agreements in the making: what the files of conf.d are while they are checked, first each by itself, then
 * against each other. Internal to conf/.
 */
#ifndef CONF_DRAFT_H
#define CONF_DRAFT_H

#include "conf/section.h"

struct draft {
    struct conf_file file;
    bool damaged;                     /* by itself, before routes are checked */
    struct conf_agreement *agreement; /* what could not be understood is NULL or empty in it */
};

struct drafting {
    const struct conf_agent *agent;
    const struct conf_plugins *plugins;
    struct conf_report *report;
    struct arena *arena; /* of the configuration to be */
    struct arena forms;  /* until the end of the check */
    struct draft *drafts;
    size_t count;
};

struct checking draft_checking(struct drafting *, const struct draft *);
struct draft *draft_find(const struct drafting *, const char *agreement);
/* Its file has an error: it will be left out. */
bool draft_is_broken(const struct drafting *, const struct draft *);
/* How many named sections of this kind the file has. */
size_t draft_count(const struct draft *, const char *kind);
/* Calls `take` for each of them, in the order of the file. */
int draft_each(struct drafting *, struct draft *, const char *kind,
               int (*take)(struct drafting *, struct draft *, const struct conf_section *));

/* agreement.c: one file by itself. 0 or ACCORD_ENOMEM; mistakes go to the report. */
int draft_build(struct drafting *, struct draft *);
/* links.c: [endpoint], [link] and [service] of it. */
int draft_build_links(struct drafting *, struct draft *);
/* secret.c: the files that ACCORD_SECRET options name. */
void draft_check_secrets(struct drafting *, const struct draft *, const struct conf_section *,
                         const struct accord_option *table);
/* route.c: `from`, `to` and [release] against the other files; then, once all are judged, routes to
 * agreements that are left out are taken out, with a note. */
void draft_check_routes(struct drafting *, const struct draft *);
void draft_prune_routes(struct drafting *, const struct draft *);

#endif
