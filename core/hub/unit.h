/* One unit for each agreement: its party on the bus and its processes; up, draining, down. */
#ifndef HUB_UNIT_H
#define HUB_UNIT_H

#include "bus/bus.h"
#include "hub/child.h"
#include "hub/reload.h"

enum unit_state { UNIT_DOWN, UNIT_STARTING, UNIT_UP, UNIT_DRAINING };

/* What the sessions of one link may negotiate, as the guard compiled it. */
struct profile {
    struct accord_pair *items; /* heap strings */
    size_t count;
    bool asked, compiled;
    int64_t deadline; /* ticks: compiled by */
};

/* The other side refuses the session: the link waits for a person. */
struct parked {
    bool is;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
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
    bool wanted;                 /* enabled in the file and within its dates */
    bool absent;                 /* its file is gone: stays down, and its messages are held */
    int64_t drain_by;            /* ticks */
    struct child *children;
    size_t child_count;
    struct profile *profiles; /* for each link of the agreement */
    struct parked *parked;    /* likewise */
};

/* ---- all units (units.c) ---- */

/* Brings the units in line with a configuration that was just loaded. Takes its own references. */
void units_apply(struct hub *, struct hub_conf *);
void units_tick(struct hub *);
/* The hub is stopping: every unit drains. */
void units_stop(struct hub *);
bool units_down(const struct hub *);
void units_free(struct hub *);
struct unit *unit_find(const struct hub *, const char *name);

/* ---- one unit (unit.c) ---- */

/* Something about its children, its dates or its configuration changed. */
void unit_update(struct unit *);
/* For people: up, disabled, not-in-force, ... */
const char *unit_state_text(const struct unit *);
struct child *unit_child(struct unit *, enum child_role, const struct conf_link *);
void unit_park(struct unit *, const struct conf_link *, const char *rule, const char *reason);
/* Every parked link is tried again. */
void unit_resume(struct unit *, const char *why);
/* The index of a link in its agreement. */
size_t unit_link_index(const struct unit *, const struct conf_link *);
struct profile *unit_profile(struct unit *, const struct conf_link *);
void profile_clear(struct profile *);
/* What decides about messages: hash of the file and the policy modules. */
uint64_t unit_generation(const struct conf_agreement *);
/* Frees what the unit owns; its processes have ended and its party is gone or going. */
void unit_free(struct unit *);

#endif
