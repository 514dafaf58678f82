/* The life of one child process (link, guard or inspect): spawn, ready, watch, end, back off. */
#ifndef HUB_CHILD_H
#define HUB_CHILD_H

#include "conf/conf.h"
#include "hub/allowance.h"
#include "hub/hub.h"
#include "util/table.h"
#include "wire/channel.h"

enum child_role { CHILD_LINK, CHILD_GUARD, CHILD_INSPECT };
enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_ENDING };

struct child {
    struct unit *unit;
    enum child_role role;
    enum child_state state;
    char name[2 * CONF_NAME_MAX];
    /* What it serves: index on the wire is the index here. Links and services of the running
     * configuration. */
    const struct conf_link **links;
    size_t link_count;
    const struct conf_service **services;
    size_t service_count;
    uv_process_t process;
    bool handle_open;        /* `process` is in use by the loop */
    bool alive;              /* the process has not been reaped: its pid is its own */
    bool stopping;           /* its end was asked for */
    char exit[64];           /* how it ended */
    uint64_t incarnation;    /* counts starts: late answers for a former process are dropped */
    struct channel *channel; /* NULL: nothing that the process says or holds counts any more */
    unsigned failures;       /* in a row */
    int64_t deadline;        /* ticks: ready by, pong by, or ended by; 0: none */
    int64_t retry_at;        /* ticks: start again; 0: not */
    int64_t ready_since, pinged;
    uint64_t ping;
    struct child_wall {
        char name[32], state[96];
    } walls[3]; /* of the sandbox, as reported before any plugin was loaded */
    size_t wall_count;
    char why[ACCORD_REASON_MAX]; /* it is not ready */
    struct allowance records;    /* what it may cause to be recorded or connected */
    struct allowance lines;      /* of the log */
    uint64_t lines_left_out;
    uint64_t next_case;
    struct stream *waiting;                  /* payloads that wait until it has read what was sent */
    int64_t reading;                         /* bytes asked of the store for it */
    struct table sessions, flights, intakes; /* link */
    size_t intakes_held;                     /* see intake_host */
    struct table cases;                      /* guard, inspect */
};

/* It is not down, or not quite yet. */
bool child_running(const struct child *);
/* It may be asked and told things: its channel is open. */
bool child_ready(const struct child *);
void child_start(struct child *);
/* Ends it: the channel closes, the process exits by itself, or is killed after a grace period. `why` is
 * shown to people. */
void child_stop(struct child *, const char *why);
/* It broke a promise: logged, audited, killed, started again with back-off. */
void child_fail(struct child *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* It caused one more of what must not be done without end: an audit record, a connection. False: too many,
 * and it has failed. */
bool child_spend(struct child *);
void child_tick(struct child *, int64_t ticks);
const char *child_role_name(enum child_role);

#endif
