/* Agreements in the making: what the files of conf.d are while they are checked, first each by itself, then
 * against each other. Internal to conf/.
 */
#ifndef CONF_DRAFT_H
#define CONF_DRAFT_H

#include "conf/section.h"

/* Which version of a file counts for the others. */
enum draft_choice {
    DRAFT_NEW,     /* as the file is now */
    DRAFT_RUNNING, /* the file cannot be taken on: what runs goes on */
    DRAFT_OUT,     /* it cannot, and nothing runs */
};

struct draft {
    struct conf_file file;
    bool damaged;                         /* by itself, before routes are checked */
    struct conf_agreement *agreement;     /* what could not be understood is NULL or empty in it */
    const struct conf_agreement *running; /* NULL: none */
    enum draft_choice choice;
};

struct drafting {
    const struct conf_agent *agent;
    const struct conf_plugins *plugins;
    const struct conf_setting *setting;
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
/* secret.c: the files that ACCORD_SECRET options name, and folders that the sandbox leaves open. */
void draft_check_secrets(struct drafting *, const struct draft *, const struct conf_section *,
                         const struct accord_option *table);
/* slots.c: the plugins' `check` slots; each objection becomes an error at the section or key that it names. */
int draft_check_slots(struct drafting *, const struct draft *);
/* route.c: `from`, `to` and [release] against the versions of the other files that count; then, once all are
 * judged, routes to agreements that are left out are taken out, with a note. */
void draft_check_routes(struct drafting *, const struct draft *);
void draft_prune_routes(struct drafting *, const struct draft *);
/* The version that counts for the others; of a file that is left out, what could be understood of it. */
const struct conf_agreement *draft_version(const struct draft *);
/* keep.c: chooses versions until they fit together. */
void draft_choose(struct drafting *);

#endif
