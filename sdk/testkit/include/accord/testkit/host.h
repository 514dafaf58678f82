/* accord/testkit/host.h: a host that stands in for the link process, so that one connector runs in a unit test on a
 * libuv loop of its own. It scripts what a host decides (dial, profile, verdicts, secrets, admissions), makes host
 * calls fail, records what the connector did, and complains about every breach of the contract in accord/host.h:
 * finishing a delivery twice or never, payload before the verdict, secrets before the handshake, a cursor past a message
 * that was deferred, a descriptor made blocking, anything left behind by `close`. A test ends with testhost_free() and
 * asserts that there were no complaints.
 *
 *     struct testhost *host = testhost_new(plugin.connector, TESTHOST_VIRTUAL_CLOCK);
 *     testhost_endpoint(host, port);
 *     if (testhost_open(host, &setup) < 0)
 *         puts(testhost_why(host));
 *     testhost_start(host);
 *     struct accord_delivery *d = testhost_deliver(host, 0, &message);
 *     assert(testhost_settle(host, d, 5000) && d->outcome == ACCORD_DELIVERED);
 *     testhost_close(host);
 *     assert(testhost_complaints(host) == 0);
 *     testhost_free(host);
 *
 * Everything runs on the caller's thread, inside testhost_run_until() and the functions that call it. Functions that
 * take `ms` return early when what they wait for is there; with the virtual clock it is virtual time, which the
 * function lets pass, so that nothing sleeps (testhost_run_until excepted: there it is real time).
 * TESTHOST_LOG in the environment prints what the plugin logs.
 */
#ifndef ACCORD_TESTKIT_HOST_H
#define ACCORD_TESTKIT_HOST_H

#include <accord/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

enum testhost_clock {
    TESTHOST_REAL_CLOCK,
    TESTHOST_VIRTUAL_CLOCK, /* stands still; testhost_advance() moves it and runs the timers that are due */
};

/* Calls of the host that can be made to fail, see testhost_fail(). */
enum testhost_call {
    TESTHOST_TIMER,   /* returns NULL */
    TESTHOST_WATCH,   /* NULL */
    TESTHOST_WORK,    /* ACCORD_ENOMEM */
    TESTHOST_DIAL,    /* ACCORD_EBUSY at once */
    TESTHOST_DIALED,  /* the dial begins, and its callback says that there is no session */
    TESTHOST_REPORT,  /* ACCORD_ENOMEM */
    TESTHOST_SECRET,  /* the callback says ACCORD_ENOENT */
    TESTHOST_OFFER,   /* NULL; offer_ready is called */
    TESTHOST_WRITE,   /* offer_write: ACCORD_ENOMEM */
    TESTHOST_ADVANCE, /* ACCORD_ENOMEM */
    TESTHOST_CALLS,   /* how many there are */
};

struct testhost;
struct uv_loop_s; /* uv_loop_t */

/* A message to deliver. The bytes are the caller's and stay until the delivery is finished. */
struct testhost_message {
    const char *id; /* NULL: one is made up, different each time */
    const char *type;
    const char *name;
    const char *origin;
    const char *sha256; /* 64 hex digits, or NULL for "" (the test kit links no cryptography) */
    const void *bytes;
    size_t size;
    int64_t attempt; /* 0 counts as 1 */
    const struct accord_pair *headers;
    size_t header_count;
    const char *source_id; /* NULL: "" */
    int64_t patience;      /* milliseconds until `not_after`; 0: no limit */
};

/* What became of a delivery. Belongs to the host, valid until testhost_free. */
struct accord_delivery {
    struct testhost *host;
    struct accord_delivery *next;
    struct accord_outgoing *out; /* freed at finish, so that the address sanitizer sees a late use */
    const uint8_t *bytes;
    int64_t size;
    int64_t credit, sent;
    int64_t stall_at; /* the host stops giving payload here; -1: never */
    bool last_given, queued, cancelled;
    bool waiting; /* the window is full: the connector has not got it yet */

    bool finished;
    enum accord_outcome outcome;
    int64_t wait;
    char reason[ACCORD_REASON_MAX];
    char receipt[1024];
};

/* An offer that the connector made, and what it wrote. Belongs to the host, valid until testhost_free. */
struct accord_offer {
    struct testhost *host;
    struct accord_offer *next;
    void *arg;
    size_t service;
    char name[ACCORD_NAME_MAX];
    char source_id[ACCORD_SOURCE_ID_MAX];
    char cursor[ACCORD_CURSOR_MAX];
    bool has_cursor;
    struct accord_pair *headers;
    size_t header_count;
    int64_t declared; /* size in the envelope; -1 unknown */
    uint8_t *bytes;   /* what was written so far */
    int64_t size, asked;
    bool complete; /* `last` was written */
    bool queued;

    bool done;    /* offer_done was called */
    bool aborted; /* the connector gave it up */
    enum accord_admission admission;
};

/* One step of a probe. */
struct testhost_step {
    char step[64];
    int result;
    char text[ACCORD_REASON_MAX];
};

/* ---- life ---- */

struct testhost *testhost_new(const struct accord_connector *, enum testhost_clock);
/* Closes when still open. */
void testhost_free(struct testhost *);
/* Calls `check` and `open`. `setup` and all it points to must live until testhost_free. The reason for failing:
 * testhost_why(). After a failure only testhost_free() may follow. */
int testhost_open(struct testhost *, const struct accord_link_setup *);
const char *testhost_why(const struct testhost *);
void testhost_start(struct testhost *);
void testhost_stop(struct testhost *);
/* Calls the connector's `close`, waits for its threads, and looks for what was left behind. */
void testhost_close(struct testhost *);
void *testhost_state(struct testhost *);
struct uv_loop_s *testhost_loop(struct testhost *);

/* ---- time ---- */

/* Runs the loop until `condition` holds (true) or `ms` of real time have passed (false). */
bool testhost_run_until(struct testhost *, bool (*condition)(void *arg), void *arg, int64_t ms);
/* The same in the host's own time: with the virtual clock it lets virtual time pass. */
bool testhost_within(struct testhost *, bool (*condition)(void *arg), void *arg, int64_t ms);
/* Runs what is ready now, and nothing that has to be waited for. */
void testhost_turn(struct testhost *);
/* Virtual clock only: moves it forward, timer by timer, running what each one starts. */
void testhost_advance(struct testhost *, int64_t ms);
int64_t testhost_ticks(const struct testhost *);
/* Sets the wall clock (microseconds since 1970), which goes on from there with the other. At first: 2025-01-01. */
void testhost_set_wall(struct testhost *, int64_t wall);
size_t testhost_timers(const struct testhost *); /* running now */

/* ---- what the host decides ---- */

/* Where dial() connects to on 127.0.0.1. 0: dialling fails. Without a call the connector has no endpoint. */
void testhost_endpoint(struct testhost *, uint16_t port);
/* SO_SNDBUF of the sockets dialled from now on, so that a partner that does not read is felt early. */
void testhost_send_buffer(struct testhost *, int bytes);
/* `run` sees every dialled descriptor before the connector does, as long as it likes: the connector is slow, the
 * peer is not. */
void testhost_at_dial(struct testhost *, void (*run)(void *arg, int fd), void *arg);
/* The next `count` dials fail with this reason. */
void testhost_fail_dials(struct testhost *, unsigned count, const char *reason);
/* NULL as the value: the name is absent. */
void testhost_profile(struct testhost *, const char *name, const char *value);
/* NULL as the bytes: there is none. */
void testhost_secret(struct testhost *, const char *option, const void *bytes, size_t size);
void testhost_verdict(struct testhost *, enum accord_stage, enum accord_answer, const char *rule,
                      const char *reason);
/* No verdict on a session is given while this holds; then those that are due are. */
void testhost_hold_verdicts(struct testhost *, bool hold);
/* Shuts down the sockets of all sessions, as a host does that revokes them. */
void testhost_revoke(struct testhost *);
/* What the offers from now on are told. */
void testhost_admission(struct testhost *, enum accord_admission, const char *rule, const char *reason);
/* No offer is told anything while this holds, but for testhost_tell(); then those that are whole are. */
void testhost_hold_admissions(struct testhost *, bool hold);
/* Tells this offer now; before it is whole anything but ACCORD_ACCEPTED. */
void testhost_tell(struct testhost *, struct accord_offer *, enum accord_admission, const char *rule,
                   const char *reason);
/* How many offers may be open at once (default 16); raising it calls offer_ready. */
void testhost_offer_room(struct testhost *, size_t count);
/* Largest piece of payload that the host gives at once (default ACCORD_PIECE_MAX). */
void testhost_piece(struct testhost *, size_t size);
/* How much of an offer the host asks for ahead of what it has (default 256 KiB). */
void testhost_ask(struct testhost *, int64_t bytes);
/* Called once when `delivery` has been given `bytes` of payload; for cutting in mid-file. */
void testhost_at_byte(struct testhost *, struct accord_delivery *, int64_t bytes, void (*)(void *), void *arg);
/* The n-th of these calls from now on fails, 1 being the next; 0: none does any more. */
void testhost_fail(struct testhost *, enum testhost_call, unsigned n);
/* How many of them there have been. */
unsigned testhost_calls(const struct testhost *, enum testhost_call);
/* Complains when a call into the plugin takes longer (real time); 0, the default: however long. */
void testhost_patience(struct testhost *, int64_t ms);

/* ---- messages ---- */

struct accord_delivery *testhost_deliver(struct testhost *, size_t service, const struct testhost_message *);
void testhost_cancel(struct testhost *, struct accord_delivery *);
/* Lifts `stall_at`: the host gives the rest. */
void testhost_unstall(struct testhost *, struct accord_delivery *);
/* Runs until the delivery is finished; false when `ms` have passed before. */
bool testhost_settle(struct testhost *, struct accord_delivery *, int64_t ms);
size_t testhost_offers(const struct testhost *);
/* In the order in which they were made. */
struct accord_offer *testhost_offer(struct testhost *, size_t index);
/* The cursor of a receiving service that is committed now; "" when there is none. */
const char *testhost_cursor(const struct testhost *, size_t service);
/* Begins a probe; false when the connector has none. */
bool testhost_probe(struct testhost *);

/* ---- what the connector did ---- */

size_t testhost_complaints(const struct testhost *); /* each was also printed on standard error */
/* The text of one; NULL: there are not so many. The first 64 are kept. */
const char *testhost_complaint(const struct testhost *, size_t index);
/* For a test's own findings, to be counted with the host's. */
void testhost_complain(struct testhost *, const char *format, ...) __attribute__((format(printf, 2, 3)));
unsigned testhost_logged(const struct testhost *, const char *event);
const char *testhost_last_log(const struct testhost *, const char *event); /* NULL: never */
int64_t testhost_metric(const struct testhost *, const char *name);
int64_t testhost_gauge(const struct testhost *, const char *name);
/* The reason of the last incident with this rule; NULL: there was none. */
const char *testhost_incident(const struct testhost *, const char *rule);
/* How many deliveries of a service the connector wants at once; 0: it did not say. */
int64_t testhost_window(const struct testhost *);
/* The rule of the last park(); NULL: never parked. */
const char *testhost_parked(const struct testhost *);
const char *testhost_park_reason(const struct testhost *);
/* The fact's value in the last session that reported it; NULL: never. */
const char *testhost_fact(const struct testhost *, const char *name);
unsigned testhost_dials(const struct testhost *);    /* asked for */
unsigned testhost_sessions(const struct testhost *); /* open now */
unsigned testhost_secrets(const struct testhost *);  /* handed out */
/* The steps of the last probe, and whether it has ended. */
size_t testhost_steps(const struct testhost *);
const struct testhost_step *testhost_step(const struct testhost *, size_t index);
bool testhost_probed(void *host); /* a condition */

#ifdef __cplusplus
}
#endif
#endif
