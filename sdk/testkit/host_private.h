/* What the parts of the fake host share. Not for tests. */
#ifndef TESTKIT_HOST_PRIVATE_H
#define TESTKIT_HOST_PRIVATE_H

#include <accord/testkit/host.h>

struct accord_instance {
    struct testhost *host;
};

struct accord_timer {
    struct testhost *host;
    struct accord_timer *next;
    int64_t due;
    accord_timer_fn run;
    void *arg;
};

struct accord_watch {
    uv_poll_t poll;
    struct testhost *host;
    struct accord_watch *next;
    accord_watch_fn run;
    void *arg;
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
    } call;
    void *arg;
    char *option;
    enum accord_stage stage;
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
    int64_t now; /* virtual */
    char why[ACCORD_REASON_MAX];

    struct accord_timer *timers; /* by due time */
    struct accord_watch *watches;
    struct accord_session *sessions; /* also the ended ones */
    struct accord_delivery *deliveries;
    struct accord_offer *offers; /* in order */
    struct testhost_event *events, **events_tail;
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
    size_t offer_room;
    bool offer_refused;
    size_t piece;
    struct {
        struct accord_delivery *delivery;
        int64_t bytes;
        void (*run)(void *);
        void *arg;
    } at_byte;

    struct testhost_entry *profile, *secrets, *facts, *logs, *metrics;
    unsigned dials, secrets_given, ids;
    size_t complaints;
    bool parked;
    struct testhost_answer park;
};

void testhost_complain(struct testhost *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* May the connector call the host now? Complains when not; `ending` for what `close` itself may call. */
bool testhost_callable(struct testhost *, const char *what, bool ending);
struct testhost_event *testhost_post(struct testhost *,
                                     void (*run)(struct testhost *, struct testhost_event *));
void testhost_event_free(struct testhost_event *);
/* Drops the events that `session` waits for. */
void testhost_drop_events(struct testhost *, const struct accord_session *session);
struct testhost_entry *testhost_find(struct testhost_entry *, const char *name);
/* Replaces or adds. */
struct testhost_entry *testhost_put(struct testhost_entry **, const char *name, const void *value,
                                    size_t size);

/* host.c */
extern const struct accord_host testhost_table;

/* clock.c */
struct accord_timer *testhost_do_timer(struct accord_instance *, int64_t ms, accord_timer_fn, void *arg);
void testhost_do_timer_stop(struct accord_timer *);
int64_t testhost_do_ticks(struct accord_instance *);
int64_t testhost_do_wall(struct accord_instance *);
struct accord_watch *testhost_do_watch(struct accord_instance *, int fd, accord_watch_fn, void *arg);
void testhost_do_watch_set(struct accord_watch *, uint32_t events);
void testhost_do_watch_end(struct accord_watch *);
int testhost_do_work(struct accord_instance *, accord_work_fn work, accord_work_fn done, void *arg);

/* session.c */
int testhost_do_dial(struct accord_instance *, accord_dial_fn, void *arg);
const char *testhost_do_profile(struct accord_session *, const char *name);
int testhost_do_report(struct accord_session *, enum accord_stage, const struct accord_pair *, size_t,
                       accord_verdict_fn, void *arg);
int testhost_do_secret(struct accord_session *, const char *option, accord_secret_fn, void *arg);
void testhost_do_end(struct accord_session *, const char *reason);
void testhost_do_park(struct accord_instance *, const char *rule, const char *reason);
bool testhost_blocks(const struct accord_session *); /* its descriptor was made blocking */
void testhost_check_sessions(struct testhost *); /* after close: all ended, all sockets closed */

/* flow.c */
void testhost_do_pull(struct accord_delivery *, struct accord_session *, int64_t bytes);
void testhost_do_finish(struct accord_delivery *, const struct accord_result *);
struct accord_offer *testhost_do_offer(struct accord_instance *, size_t service,
                                       const struct accord_incoming *, void *arg);
int testhost_do_offer_write(struct accord_offer *, const uint8_t *, size_t, bool last);
void testhost_do_offer_abort(struct accord_offer *);
void testhost_check_flow(struct testhost *);
void testhost_free_flow(struct testhost *);

#endif
