/* accord/testkit/host.h: a host that stands in for the link process, so that one connector runs in a unit test on a
 * libuv loop of its own. It scripts what a host decides (dial, profile, verdicts, secrets, admissions), records
 * what the connector did, and complains about every breach of the contract in accord/host.h: finishing a
 * delivery twice or never, payload before the verdict, secrets before the handshake, a descriptor made blocking,
 * anything left behind by `close`. A test ends with testhost_free() and asserts that there were no complaints.
 *
 *     struct testhost *host = testhost_new(plugin.connector, TESTHOST_REAL_CLOCK);
 *     testhost_endpoint(host, port);
 *     assert_int_equal(testhost_open(host, &setup), 0);
 *     testhost_start(host);
 *     struct accord_delivery *d = testhost_deliver(host, 0, &message);
 *     assert_true(testhost_settle(host, d, 5000));
 *     assert_int_equal(d->outcome, ACCORD_DELIVERED);
 *     testhost_close(host);
 *     assert_int_equal(testhost_complaints(host), 0);
 *     testhost_free(host);
 *
 * Everything runs on the caller's thread, inside testhost_run_until() and the functions that call it.
 */
#ifndef ACCORD_TESTKIT_HOST_H
#define ACCORD_TESTKIT_HOST_H

#include <accord/connector.h>
#include <uv.h>

enum testhost_clock {
    TESTHOST_REAL_CLOCK,
    TESTHOST_VIRTUAL_CLOCK, /* stands still; testhost_advance() moves it and runs the timers that are due */
};

struct testhost;

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
    int64_t declared; /* size in the envelope; -1 unknown */
    uint8_t *bytes;   /* what was written so far */
    int64_t size, asked;
    bool complete; /* `last` was written */
    bool queued;

    bool done;    /* offer_done was called */
    bool aborted; /* the connector gave it up */
    enum accord_admission admission;
};

/* ---- life ---- */

struct testhost *testhost_new(const struct accord_connector *, enum testhost_clock);
/* Closes when still open. */
void testhost_free(struct testhost *);
/* `setup` and all it points to must live until testhost_close. The reason for failing: testhost_why(). */
int testhost_open(struct testhost *, const struct accord_link_setup *);
const char *testhost_why(const struct testhost *);
void testhost_start(struct testhost *);
void testhost_stop(struct testhost *);
/* Calls the connector's `close`, waits for its threads, and looks for what was left behind. */
void testhost_close(struct testhost *);
void *testhost_state(struct testhost *);
uv_loop_t *testhost_loop(struct testhost *);

/* ---- time ---- */

/* Runs the loop until `condition` holds (true) or `ms` of real time have passed (false). */
bool testhost_run_until(struct testhost *, bool (*condition)(void *arg), void *arg, int64_t ms);
/* Runs what is ready now, and nothing that has to be waited for. */
void testhost_turn(struct testhost *);
/* Virtual clock only: moves it forward, timer by timer, running what each one starts. */
void testhost_advance(struct testhost *, int64_t ms);
int64_t testhost_ticks(const struct testhost *);
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
void testhost_secret(struct testhost *, const char *option, const void *bytes, size_t size);
void testhost_verdict(struct testhost *, enum accord_stage, enum accord_answer, const char *rule,
                      const char *reason);
/* What the offers from now on are told. */
void testhost_admission(struct testhost *, enum accord_admission, const char *rule, const char *reason);
/* How many offers may be open at once (default 16); raising it calls offer_ready. */
void testhost_offer_room(struct testhost *, size_t count);
/* Largest piece of payload that the host gives at once (default ACCORD_PIECE_MAX). */
void testhost_piece(struct testhost *, size_t size);
/* Real clock: called once when `delivery` has been given `bytes` of payload; for cutting in mid-file. */
void testhost_at_byte(struct testhost *, struct accord_delivery *, int64_t bytes, void (*)(void *), void *arg);

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

/* ---- what the connector did ---- */

size_t testhost_complaints(const struct testhost *); /* each was also printed on standard error */
unsigned testhost_logged(const struct testhost *, const char *event);
const char *testhost_last_log(const struct testhost *, const char *event); /* NULL: never */
int64_t testhost_metric(const struct testhost *, const char *name);
/* The rule of the last park(); NULL: never parked. */
const char *testhost_parked(const struct testhost *);
const char *testhost_park_reason(const struct testhost *);
/* The fact's value in the last session that reported it; NULL: never. */
const char *testhost_fact(const struct testhost *, const char *name);
unsigned testhost_dials(const struct testhost *);    /* asked for */
unsigned testhost_sessions(const struct testhost *); /* open now */
unsigned testhost_secrets(const struct testhost *);  /* handed out */

#endif
