/* The life of one child process (link, guard or inspect): spawn, ready, watch, end, back off. */
#ifndef HUB_CHILD_H
#define HUB_CHILD_H

#include "conf/conf.h"
#include "hub/allowance.h"
#include "hub/child_life.h"
#include "hub/hub.h"
#include "util/table.h"
#include "wire/channel.h"

enum child_role { CHILD_LINK, CHILD_GUARD, CHILD_INSPECT };

struct child {
    struct unit *unit;
    enum child_role role;
    struct child_life life;
    char name[2 * CONF_NAME_MAX];
    /* What it serves: index on the wire is the index here. Links and services of the running
     * configuration. */
    const struct conf_link **links;
    size_t link_count;
    const struct conf_service **services;
    size_t service_count;
    uv_process_t process;
    unsigned acting; /* it is being done to, and must stay */
    char exit[64];           /* how it ended */
    uint64_t incarnation;    /* counts starts: late answers for a former process are dropped */
    struct channel *channel; /* NULL: nothing that the process says or holds counts any more */
    uint64_t ping;
    struct child_wall {
        char name[32], state[96];
    } walls[3]; /* of the sandbox, as reported before any plugin was loaded */
    size_t wall_count;
    char why[ACCORD_REASON_MAX]; /* it is not ready */
    const char *why_stop;        /* while it is being stopped */
    struct allowance records;    /* what it may cause to be recorded or connected */
    struct allowance lines;      /* of the log */
    uint64_t lines_left_out;
    uint64_t next_case;
    struct stream *waiting;                  /* payloads that wait until it has read what was sent */
    int64_t reading;                         /* bytes asked of the store for it */
    struct table sessions, flights, intakes; /* link */
    struct table probes;                     /* link (probing.h) */
    uint64_t next_probe;
    size_t intakes_held;                     /* see intake_host */
    struct table cases;                      /* guard, inspect */
};

/* It is not down, or not quite yet. */
bool child_running(const struct child *);
/* It may be asked and told things: its channel is open. */
bool child_ready(const struct child *);
/* The number that its process knows the service by; WIRE_NONE: it has no such service. */
uint32_t child_service_index(const struct child *, const struct conf_service *);
/* Unless it runs, or waits for its time after a failure. */
void child_start(struct child *);
/* Ends it: the channel closes, the process exits by itself, or is killed after a grace period. `why` is
 * shown to people. */
void child_stop(struct child *, const char *why);
/* Ends it at once: sessions are cut and the process is killed, whatever it is doing. */
void child_cut(struct child *, const char *why);
/* It broke a promise: logged, audited, killed, started again with back-off. */
void child_fail(struct child *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* It caused one more of what must not be done without end: an audit record, a connection. False: too many,
 * and it has failed. */
bool child_spend(struct child *);
void child_tick(struct child *);
const char *child_role_name(enum child_role);

#endif
