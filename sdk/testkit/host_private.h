/* What the parts of the fake host share. Not for tests. */
#ifndef TESTKIT_HOST_PRIVATE_H
#define TESTKIT_HOST_PRIVATE_H

#include <accord/testkit/host.h>
#include <uv.h>

#define COMPLAINTS_KEPT 64
#define METRICS_MAX     64

struct accord_instance {
    struct testhost *host;
};

/* A handle that is dead stays allocated for a while, so that its use is found and not followed. */
struct accord_timer {
    struct testhost *host;
    struct accord_timer *next;
    int64_t due;
    accord_timer_fn run;
    void *arg;
    bool dead;
};

struct accord_watch {
    uv_poll_t poll;
    struct testhost *host;
    struct accord_watch *next;
    accord_watch_fn run;
    void *arg;
    uint32_t events;
    bool dead, closed;
};

struct accord_session {
    struct testhost *host;
    struct accord_session *next;
    int fd; /* as handed over; may have been closed since */
    uint64_t socket; /* inode of the socket, to see whether it was closed */
    unsigned allowed; /* one bit for each stage */
    unsigned reported;
    bool ended;
};

struct accord_probe {
    struct testhost *host;
    bool running;
};

/* A callback that is due on a later turn of the loop. */
struct testhost_event {
    struct testhost_event *next;
    void (*run)(struct testhost *, struct testhost_event *);
    struct accord_session *session;
    struct accord_delivery *delivery;
    struct accord_offer *offer;
    union {
        accord_dial_fn dial;
        accord_secret_fn secret;
        accord_verdict_fn verdict;
        accord_committed_fn committed;
    } call;
    void *arg;
    char *option;
    enum accord_stage stage;
    int result;
};

struct testhost_entry {
    struct testhost_entry *next;
    char *name;
    char *value;
    size_t size;
    int64_t number;
};

struct testhost_answer {
    enum accord_answer answer;
    enum accord_admission admission;
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
};

/* An offer or an advance in the order in which a service's cursors are committed. */
struct testhost_mark {
    struct testhost_mark *next;
    size_t service;
    struct accord_offer *offer; /* NULL: an advance */
    char cursor[ACCORD_CURSOR_MAX];
    bool has_cursor; /* and it is not void */
    bool held;       /* the host has the message */
    accord_committed_fn done;
    void *arg;
};

enum testhost_phase {
    TESTHOST_NEW,
    TESTHOST_OPEN,
    TESTHOST_STARTED,
    TESTHOST_STOPPED,
    TESTHOST_CLOSING,
    TESTHOST_CLOSED
};

struct testhost {
    uv_loop_t loop;
    uv_timer_t tick;
    const struct accord_connector *connector;
    const struct accord_link_setup *setup;
    struct accord_instance instance;
    void *state;
    enum testhost_clock clock;
    enum testhost_phase phase;
    int64_t now;        /* virtual */
    int64_t wall_ahead; /* microseconds of the wall clock beyond that of the real or virtual one */
    char why[ACCORD_REASON_MAX];

    const char *inside; /* the slot of the plugin that runs; NULL: none */
    uint64_t entered;   /* uv_hrtime */
    int64_t patience;

    struct accord_timer *timers; /* by due time */
    struct accord_timer *dead_timers;
    size_t dead_timer_count;
    struct accord_watch *watches, *dead_watches;
    struct accord_session *sessions; /* also the ended ones */
    struct accord_delivery *deliveries;
    struct accord_offer *offers; /* in order */
    struct testhost_event *events, **events_tail;
    struct testhost_mark *marks;
    unsigned works;

    bool has_endpoint;
    uint16_t port;
    int send_buffer; /* 0: the system's */
    void (*at_dial)(void *arg, int fd); /* NULL: none */
    void *at_dial_arg;
    unsigned failing_dials;
    char dial_reason[ACCORD_REASON_MAX];
    struct testhost_answer verdicts[2];
    struct testhost_answer admission;
    bool hold_verdicts, hold_admissions;
    struct testhost_event *held_verdicts;
    size_t offer_room;
    bool offer_refused;
    size_t piece;
    int64_t ask;
    int64_t window;
    struct {
        struct accord_delivery *delivery;
        int64_t bytes;
        void (*run)(void *);
        void *arg;
    } at_byte;
    unsigned calls[TESTHOST_CALLS], fail_at[TESTHOST_CALLS];

    struct testhost_entry *profile, *secrets, *facts, *logs, *metrics, *gauges, *incidents;
    struct testhost_entry *cursors; /* by the service's number */
    struct testhost_entry *owed;    /* SERVICE/SOURCE-ID of what was deferred and is not held yet */
    unsigned dials, secrets_given, ids;
    size_t complaints;
    char *complaint[COMPLAINTS_KEPT];
    bool parked;
    struct testhost_answer park;
    struct accord_probe probe;
    struct testhost_step *steps;
    size_t step_count;
};

/* alloc.c: the kit's own memory, which is not counted as the plugin's. Out of memory ends the program. */
void *testkit_alloc(size_t size); /* zeroed */
void *testkit_grow(void *, size_t size);
char *testkit_copy(const char *text);
/* Is the plugin's code running on this thread? Returns what was said before. */
bool testkit_plugin_runs(bool);
/* Where the name of the slot that runs is written for someone who watches; NULL: nobody. */
extern char *testkit_watched;
#define TESTKIT_WATCHED 48
#define TESTKIT_NOTE    80 /* behind it: what the suite is about */
/* Hears every complaint instead of standard error; NULL: nobody. */
extern void (*testkit_complained)(const char *text);
/* One turn of the loop, which waits for at most so many ms. */
void testhost_one_turn(struct testhost *, int64_t wait);

/* Around every call into the plugin. */
void testhost_enter(struct testhost *, const char *slot);
void testhost_leave(struct testhost *);
#define INTO_PLUGIN(host, slot, call)                                                                                \
    do {                                                                                                             \
        testhost_enter(host, slot);                                                                                  \
        call;                                                                                                        \
        testhost_leave(host);                                                                                        \
    } while (0)

extern bool testhost_has_dialed; /* connect.c */

/* May the connector call the host now? Complains when not; `ending` for what `close` itself may call. */
bool testhost_callable(struct testhost *, const char *what, bool ending);
/* Counts this call; is it the one that must fail? */
bool testhost_fails(struct testhost *, enum testhost_call);
struct testhost_event *testhost_post(struct testhost *,
                                     void (*run)(struct testhost *, struct testhost_event *));
void testhost_event_free(struct testhost_event *);
/* Drops the events that `session` waits for; of all when it is NULL. */
void testhost_drop_events(struct testhost *, const struct accord_session *session);
struct testhost_entry *testhost_find(struct testhost_entry *, const char *name);
/* Replaces or adds. */
struct testhost_entry *testhost_put(struct testhost_entry **, const char *name, const void *value,
                                    size_t size);
void testhost_remove(struct testhost_entry **, const char *name);
void testhost_free_entries(struct testhost_entry *);

/* host.c */
extern const struct accord_host testhost_table;
/* For another kind of plugin: log, metric, clocks, timers, watches, work; `size` ends before `dial`. */
extern const struct accord_host testhost_base_table;

/* records.c */
void testhost_do_log(struct accord_instance *, enum accord_level, const char *event, const char *text);
void testhost_do_metric(struct accord_instance *, const char *name, int64_t add);
void testhost_do_gauge(struct accord_instance *, const char *name, int64_t value);
void testhost_do_incident(struct accord_instance *, const char *rule, const char *reason);
void testhost_do_park(struct accord_instance *, const char *rule, const char *reason);
void testhost_do_probed(struct accord_probe *, const char *step, int result, const char *text, bool last);
void testhost_free_records(struct testhost *);

/* clock.c */
struct accord_timer *testhost_do_timer(struct accord_instance *, int64_t ms, accord_timer_fn, void *arg);
void testhost_do_timer_stop(struct accord_timer *);
int64_t testhost_do_ticks(struct accord_instance *);
int64_t testhost_do_wall(struct accord_instance *);

/* watch.c */
struct accord_watch *testhost_do_watch(struct accord_instance *, int fd, accord_watch_fn, void *arg);
void testhost_do_watch_set(struct accord_watch *, uint32_t events);
void testhost_do_watch_end(struct accord_watch *);
int testhost_do_work(struct accord_instance *, accord_work_fn work, accord_work_fn done, void *arg);
/* After `close`: what is left is complained about and ended; with `wait` until the threads are through. */
void testhost_check_loop(struct testhost *);
void testhost_free_loop(struct testhost *);

/* session.c */
int testhost_do_dial(struct accord_instance *, accord_dial_fn, void *arg);
const char *testhost_do_profile(struct accord_session *, const char *name);
int testhost_do_report(struct accord_session *, enum accord_stage, const struct accord_pair *, size_t,
                       accord_verdict_fn, void *arg);
int testhost_do_secret(struct accord_session *, const char *option, accord_secret_fn, void *arg);
void testhost_do_end(struct accord_session *, const char *reason);
/* May it carry payload? Complains about `what` when not. */
bool testhost_carries(struct testhost *, const struct accord_session *, const char *what);
void testhost_check_sessions(struct testhost *); /* after close: all ended, all sockets closed */

/* delivery.c */
void testhost_do_window(struct accord_instance *, int64_t deliveries);
void testhost_do_pull(struct accord_delivery *, struct accord_session *, int64_t bytes);
void testhost_do_finish(struct accord_delivery *, const struct accord_result *);
void testhost_check_deliveries(struct testhost *);
void testhost_free_deliveries(struct testhost *);

/* offer.c */
struct accord_offer *testhost_do_offer(struct accord_instance *, size_t service,
                                       const struct accord_incoming *, void *arg);
int testhost_do_offer_write(struct accord_offer *, const uint8_t *, size_t, bool last);
void testhost_do_offer_abort(struct accord_offer *);
void testhost_offer_started(struct testhost *); /* after start: there may be room again */
void testhost_free_offers(struct testhost *);

/* cursor.c */
int testhost_do_advance(struct accord_instance *, size_t service, const char *cursor, accord_committed_fn,
                        void *arg);
void testhost_mark_offer(struct testhost *, struct accord_offer *);
/* The offer is over; `held`: the host has its message. */
void testhost_mark_over(struct testhost *, const struct accord_offer *, bool held, bool deferred);
void testhost_free_marks(struct testhost *);

#endif
