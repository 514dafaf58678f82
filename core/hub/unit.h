/* One unit for each agreement: its party on the bus and its processes; up, draining, down. */
#ifndef HUB_UNIT_H
#define HUB_UNIT_H

#include "bus/bus.h"
#include "hub/child.h"
#include "hub/incidents.h"
#include "hub/parking.h"
#include "hub/plugin_metrics.h"
#include "hub/reload.h"
#include "hub/suspend.h"
#include "hub/unit_life.h"

/* What the sessions of one link may negotiate, as the guard compiled it. */
struct profile {
    struct accord_pair *items; /* heap strings */
    size_t count;
    bool asked, compiled;
    int64_t deadline; /* ticks: compiled by */
};

struct unit {
    struct hub *hub;
    struct unit *next;
    char name[CONF_NAME_MAX];
    struct hub_conf *conf;
    const struct conf_agreement *agreement; /* in conf */
    struct hub_conf *next_conf;             /* waits for this unit to be down */
    struct bus_party *party;
    enum unit_state state;
    char why[ACCORD_REASON_MAX]; /* it is not up */
    bool wanted;                 /* enabled in the file, within its dates, and not suspended */
    struct suspension *suspension;
    bool absent;                 /* its file is gone: stays down, and its messages are held */
    int64_t drain_by;            /* ticks */
    struct child *children;
    size_t child_count;
    struct profile *profiles; /* for each link of the agreement */
    struct parked *parked;    /* likewise */
    struct plugin_metrics counts;
    struct incidents incidents; /* that its plugins have raised lately */
    int64_t look_at;          /* ticks: at the secret files of parked links */
};

/* ---- all units (units.c) ---- */

/* Brings the units in line with a configuration that was just loaded. Takes its own references. */
void units_apply(struct hub *, struct hub_conf *);
void units_tick(struct hub *);
/* The hub is stopping: every unit drains. */
void units_stop(struct hub *);
bool units_down(const struct hub *);
/* One line for people: how many are up, and what is not. */
void units_summary(const struct hub *, char *to, size_t room);
void units_free(struct hub *);
struct unit *unit_find(const struct hub *, const char *name);

/* ---- one unit (unit.c) ---- */

/* Something about its children, its dates or its configuration changed. */
void unit_update(struct unit *);
/* Its file is gone, and another agreement's says that it was formerly this one. */
bool unit_taken_over(const struct unit *);
/* For people: up, disabled, not-in-force, ... */
const char *unit_state_text(const struct unit *);
struct child *unit_child(struct unit *, enum child_role, const struct conf_link *);
/* The index of a link in its agreement. */
size_t unit_link_index(const struct unit *, const struct conf_link *);
struct profile *unit_profile(struct unit *, const struct conf_link *);
void profile_clear(struct profile *);
/* What decides about messages: hash of the file and the policy modules. */
uint64_t unit_generation(const struct conf_agreement *);
/* Which links may take deliveries, after one was parked or resumed. */
void unit_open_lanes(struct unit *);
/* A plugin of one of its processes says that a person must look at something. */
void unit_incident(struct unit *, struct child *, const char *instance, const char *rule, const char *reason);
/* What a person has suspended: it, or the agreement whose messages it takes over. NULL: nothing, as far as is known. */
const struct suspension *unit_suspended(const struct unit *);
/* A process that failed and is not ready again; NULL: none. */
const struct child *unit_failing(const struct unit *);
/* Frees what the unit owns; its processes have ended and its party is gone or going. */
void unit_free(struct unit *);


/* ---- parked links (unit_links.c) ---- */

/* The other side refuses the session: nothing is sent until someone or something says that it may work. */
void unit_park(struct unit *, const struct conf_link *, const char *rule, const char *reason);
/* Parked links are tried again; `link` NULL: all of them. Returns how many were. */
size_t unit_resume(struct unit *, const char *link, const char *user, const char *why);
/* The link has done something useful. */
void unit_link_works(struct unit *, const struct conf_link *);
/* Slow retries, changed secrets. */
void unit_links_tick(struct unit *, int64_t ticks);
/* The secret is needed to make the handshake, and may be read as soon as the session is dialled. */
bool unit_secret_is_early(const struct conf_link *, const char *option);
/* The file of a secret option of a link; ACCORD_EDENIED: it has no such option, ACCORD_ELIMIT. */
int unit_secret_path(const struct unit *, const struct conf_link *, const char *option, char *to, size_t room);

#endif
