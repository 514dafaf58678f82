/* What the files of the hub share: the hub, its units (one for each agreement) and their children. */
#ifndef HUB_INTERNAL_H
#define HUB_INTERNAL_H

#include "audit/record.h"
#include "bus/bus.h"
#include "hub/hub.h"
#include "util/log.h"
#include "util/table.h"
#include "wire/channel.h"

/* A loaded configuration; units and the hub hold it. */
struct hub_conf {
    int refs;
    struct conf *conf;
    struct conf_plugins plugins;
};
struct hub_conf *hub_conf_ref(struct hub_conf *);
void hub_conf_unref(struct hub_conf *);

struct trail;
struct control;

struct hub {
    struct hub_options options;
    uv_loop_t loop;
    struct hub_conf *conf; /* the newest */
    struct store *store;
    struct bus *bus;
    struct unit *units;
    struct trail *trail;
    struct control *control;
    uv_signal_t signals[3];
    uv_timer_t tick; /* once a second: dates, deadlines, watchdogs */
    int64_t started;
    bool stopping;
};

/* ---- children (child.c) ---- */

enum child_role { CHILD_LINK, CHILD_GUARD, CHILD_INSPECT };
enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_ENDING };

struct child {
    struct unit *unit;
    enum child_role role;
    enum child_state state;
    char name[2 * CONF_NAME_MAX];
    /* What it serves: index on the wire is the index here. Links and services of the running configuration. */
    const struct conf_link **links;
    size_t link_count;
    const struct conf_service **services;
    size_t service_count;
    uv_process_t process;
    bool running; /* the process has not been reaped */
    char exit[64]; /* how it ended */
    uint64_t incarnation; /* counts starts: late answers for a former process are dropped */
    struct channel *channel;
    unsigned failures; /* in a row */
    int64_t deadline;  /* ticks: ready by, pong by, or ended by; 0: none */
    int64_t retry_at;  /* ticks: start again; 0: not */
    int64_t ready_since, pinged;
    uint64_t ping;
    char walls[3][128]; /* "seccomp yes", ... as reported */
    size_t wall_count;
    char why[ACCORD_REASON_MAX]; /* it is not ready */
    uint64_t next_case;
    struct table sessions, flights, intakes; /* link */
    struct table cases;                      /* guard, inspect */
};

void child_start(struct child *);
/* Ends it: the channel closes, the process exits by itself, or is killed after a grace period. */
void child_stop(struct child *);
/* It broke a promise: logged, audited, killed, started again with back-off. */
void child_fail(struct child *, const char *rule, const char *format, ...) __attribute__((format(printf, 3, 4)));
void child_tick(struct child *, int64_t ticks);
const char *child_role_name(enum child_role);
/* load.c: everything it must know before START */
bool child_configure(struct child *);

/* link_side.c, policy_side.c: one message from a child that is past its start */
void link_side_message(struct child *, const struct wire_message *);
void policy_side_message(struct child *, const struct wire_message *);
/* The process is gone: whatever it held is finished. */
void link_side_gone(struct child *);
void policy_side_gone(struct child *);
void link_side_room(struct child *);
void policy_side_room(struct child *);
void link_side_tick(struct child *, int64_t ticks);
void policy_side_tick(struct child *, int64_t ticks);
void link_side_send(struct child *, struct bus_dispatch *);

/* A question to the guard or inspector: exactly one of `bus_case` and `facts_done` is set. */
typedef void (*policy_answered)(void *arg, const struct bus_verdict *);
void policy_side_ask(struct child *, struct bus_case *);
void policy_side_ask_session(struct child *, enum accord_question, const struct conf_link *,
                             const struct wire_pairs *facts, policy_answered, void *arg);

/* ---- units (unit.c) ---- */

enum unit_state { UNIT_DOWN, UNIT_STARTING, UNIT_UP, UNIT_DRAINING };

struct profile {
    struct accord_pair *items; /* heap strings */
    size_t count;
    bool asked, compiled;
};

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
    struct hub_conf *next_conf; /* waits for this unit to be down */
    struct bus_party *party;
    enum unit_state state;
    char why[ACCORD_REASON_MAX]; /* it is not up */
    bool wanted;    /* enabled in the file and within its dates */
    bool absent;    /* its file is gone or has mistakes: goes when down */
    int64_t drain_by;
    struct child *children;
    size_t child_count;
    struct profile *profiles; /* for each link of the agreement */
    struct parked *parked;    /* likewise */
};

/* Brings the units in line with a configuration that was just loaded. Takes its own references. */
void units_apply(struct hub *, struct hub_conf *);
void units_tick(struct hub *, int64_t ticks);
void units_stop(struct hub *);
bool units_down(const struct hub *);
void units_free(struct hub *);
struct unit *unit_find(struct hub *, const char *name);
/* For people: up, disabled, not-in-force, ... */
const char *unit_state_text(const struct unit *);
/* Something about its children changed: ready, gone, profiles complete. */
void unit_update(struct unit *);
struct child *unit_child(struct unit *, enum child_role, const struct conf_link *);
void unit_park(struct unit *, const struct conf_link *, const char *rule, const char *reason);
void unit_resume(struct unit *, const char *why);
/* The index of a link in its agreement. */
size_t unit_link_index(const struct unit *, const struct conf_link *);
void profile_clear(struct profile *);
struct profile *unit_profile(struct unit *, const struct conf_link *);

/* ---- payload to a child (stream.c) ---- */

struct stream {
    struct child *child;
    struct bus_source *source;
    uint64_t id;
    int64_t offset, credit, reading; /* reading: bytes asked of the store */
    uint8_t *buffer;
    bool busy, ended; /* a read is under way; the last piece has been sent */
    void (*freed)(struct stream *); /* set by stream_close when a read is under way */
};
void stream_pull(struct stream *, int64_t bytes);
void stream_pump(struct stream *);
/* Calls `freed` now or when the running read is over. */
void stream_close(struct stream *, void (*freed)(struct stream *));

/* ---- offers from links and from the command (intake.c) ---- */

struct intake_host {
    struct channel **channel; /* NULL behind it: gone */
    struct table *intakes;
};
#define INTAKES_MAX 64
/* False: the sender broke the protocol. */
bool intake_offer(struct intake_host, struct bus_party *, const struct conf_service *, const struct wire_OFFER *);
bool intake_data(struct table *, const struct wire_OFFER_DATA *);
bool intake_abort(struct table *, uint64_t offer);
void intake_gone(struct table *);

/* ---- sessions (session.c) and the dialer (dialer.c) ---- */

void sessions_dial(struct child *, const struct wire_DIAL *);
void sessions_facts(struct child *, const struct wire_FACTS *);
void sessions_secret(struct child *, const struct wire_SECRET *);
void sessions_end(struct child *, const struct wire_SESSION_END *);
/* The session may carry payload of this link. */
bool sessions_carry(struct child *, uint64_t session, const struct conf_link *);
/* Cuts every session of the child. */
void sessions_revoke(struct child *, const char *why);
void sessions_gone(struct child *);

struct dial;
typedef void (*dial_done)(void *arg, int fd, const char *address, const char *reason);
/* Resolves and connects within the endpoint's one deadline; the caller has checked that it may. NULL: no memory. */
struct dial *dial_start(uv_loop_t *, const struct conf_endpoint *, dial_done, void *arg);
/* The callback will not run. */
void dial_cancel(struct dial *);

/* ---- audit (trail.c) ---- */

int trail_open(struct hub *, struct reason *why);
/* Renders and queues one record that belongs to no message. event->agreement names the chain; NULL: the host's. */
void trail_event(struct hub *, const struct audit_event *);
/* An incident: audited, logged, shown in status. */
void trail_incident(struct hub *, const char *agreement, const char *link, const char *rule, const char *reason);
uint64_t trail_incident_count(const struct hub *);
void trail_tick(struct hub *, int64_t ticks);
/* Calls back once everything recorded before is in the exported files (or could not be written: that is logged). */
int trail_exported(struct hub *, void (*done)(void *arg), void *arg);
/* The last anchor and export; calls back when both are on disk. */
void trail_finish(struct hub *, void (*done)(struct hub *));
void trail_close(struct hub *);

/* ---- control (control.c, verbs.c) ---- */

int control_open(struct hub *, struct reason *why);
void control_close(struct hub *);

/* ---- configuration (reload.c) ---- */

/* Loads conf.d and the plugins' tables. The report is logged. NULL with reason: nothing usable. */
struct hub_conf *hub_conf_load(const struct hub_options *, struct conf_report *, struct reason *why);
/* Every problem as a line of the log. */
void hub_report_log(const struct conf_report *);
/* Loads again and applies; returns the number of errors. `report` may be NULL. `user` is who asked. */
size_t hub_reload(struct hub *, const char *user, struct conf_report *report);

#endif
