/* The test kit itself: what a test of a plugin leans on. Its suites are tested by the plugins that are wrong on purpose
 * (tests/contract). */
#include <accord/testkit/host.h>
#include <accord/testkit/options.h>
#include <accord/testkit/peer.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a connector that does what the test says ---- */

static const struct accord_host *api;
static struct accord_instance *self;
static unsigned ready, told;
static int committed = 1;
static struct accord_session *session;
static int session_fd;
static int secret_result = 1;

static int puppet_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                       const struct accord_link_setup *setup, char *why, size_t room)
{
    (void)state;
    (void)setup;
    (void)why;
    (void)room;
    api = host;
    self = instance;
    return 0;
}

static void nothing(void *state)
{
    (void)state;
}

static void take(void *state, const struct accord_outgoing *out)
{
    (void)state;
    api->pull(out->handle, NULL, out->envelope->size + 1);
}

static void payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                    bool last)
{
    (void)state;
    (void)bytes;
    (void)size;
    if (last)
        api->finish(delivery, &(struct accord_result){ACCORD_DELIVERED, "", "taken", 0});
}

static void cancel(void *state, struct accord_delivery *delivery)
{
    (void)state;
    api->finish(delivery, &(struct accord_result){ACCORD_RETRY, "canceled", "", 0});
}

static void pulled(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)state;
    (void)arg;
    (void)bytes;
    api->offer_write(offer, (const uint8_t *)"x", 1, true);
}

static void done(void *state, struct accord_offer *offer, void *arg, const struct accord_admitted *admitted)
{
    (void)state;
    (void)offer;
    (void)arg;
    (void)admitted;
    told++;
}

static void room_again(void *state)
{
    (void)state;
    ready++;
}

static void walk(void *state, struct accord_probe *probe)
{
    (void)state;
    api->probed(probe, "options", 0, "they can be", false);
    api->probed(probe, "session", ACCORD_ENET, "nobody is there", true);
}

static const struct accord_option link_table[] = {
    {"certificate", ACCORD_SECRET, ACCORD_FOR_HANDSHAKE, 0, "a", 0, 0, NULL, "Ours."},
    {"password", ACCORD_SECRET, 0, 8, "b", 0, 0, NULL, "Ours too."},
    {0},
};

static const struct accord_connector puppet = {.size = sizeof puppet,
                                               .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
                                               .link_options = {link_table, 16},
                                               .state_size = 1,
                                               .open = puppet_open,
                                               .start = nothing,
                                               .stop = nothing,
                                               .close = nothing,
                                               .deliver = take,
                                               .payload = payload,
                                               .cancel = cancel,
                                               .offer_pull = pulled,
                                               .offer_done = done,
                                               .offer_ready = room_again,
                                               .probe = walk};

static const struct accord_service in = {"in", "opaque", ACCORD_RECEIVE, NULL, 1000, "start"};
static const struct accord_service out = {"out", "opaque", ACCORD_SEND, NULL, 1000, ""};
static const struct accord_service *const services[] = {&in, &out};
static const struct accord_link_setup setup = {
    .agreement = "a", .name = "l", .services = services, .service_count = 2};

static struct testhost *started(void)
{
    struct testhost *host = testhost_new(&puppet, TESTHOST_VIRTUAL_CLOCK);
    ready = told = 0;
    committed = secret_result = 1;
    session = NULL;
    assert_int_equal(testhost_open(host, &setup), 0);
    testhost_start(host);
    return host;
}

static void end(struct testhost *host, size_t complaints)
{
    testhost_close(host);
    assert_int_equal(testhost_complaints(host), complaints);
    testhost_free(host);
}

static void complained(struct testhost *host, size_t index, const char *words)
{
    const char *text = testhost_complaint(host, index);
    assert_non_null(text);
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* ---- cursors ---- */

static struct accord_offer *offer(const char *id, const char *cursor)
{
    return api->offer(
        self, 0, &(struct accord_incoming){.name = id, .source_id = id, .size = 1, .cursor = cursor}, NULL);
}

static void on_committed(void *arg, int result, const char *reason)
{
    (void)arg;
    (void)reason;
    committed = result;
}

static void cursors_are_committed_in_the_order_of_the_offers(void **state)
{
    (void)state;
    struct testhost *host = started();
    testhost_hold_admissions(host, true);
    assert_string_equal(testhost_cursor(host, 0), "start");
    struct accord_offer *a = offer("a", "1"), *b = offer("b", "2");
    assert_int_equal(api->advance(self, 0, "3", on_committed, NULL), 0);
    testhost_turn(host);
    testhost_tell(host, b, ACCORD_ACCEPTED, "", "");
    testhost_turn(host);
    assert_string_equal(testhost_cursor(host, 0), "start");
    assert_int_equal(committed, 1);
    testhost_tell(host, a, ACCORD_QUARANTINED, "r", "why");
    testhost_turn(host);
    assert_string_equal(testhost_cursor(host, 0), "3");
    assert_int_equal(committed, 0);
    end(host, 0);
}

static void what_is_deferred_voids_the_cursors_behind_it(void **state)
{
    (void)state;
    struct testhost *host = started();
    testhost_hold_admissions(host, true);
    struct accord_offer *a = offer("a", "1"), *b = offer("b", "2");
    assert_int_equal(api->advance(self, 0, "3", on_committed, NULL), 0);
    testhost_turn(host);
    testhost_tell(host, a, ACCORD_DEFERRED, "r", "not now");
    testhost_tell(host, b, ACCORD_ACCEPTED, "", "");
    testhost_turn(host);
    assert_int_equal(committed, ACCORD_ECANCELED);
    assert_string_equal(testhost_cursor(host, 0), "start");
    struct accord_offer *again = offer("a", "1");
    testhost_turn(host);
    testhost_tell(host, again, ACCORD_ACCEPTED, "", "");
    assert_string_equal(testhost_cursor(host, 0), "1");
    end(host, 0);
}

static void a_cursor_past_what_was_deferred_is_complained_about(void **state)
{
    (void)state;
    struct testhost *host = started();
    testhost_admission(host, ACCORD_DEFERRED, "r", "not now");
    offer("a", "1");
    testhost_turn(host);
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    offer("b", "2");
    testhost_turn(host);
    complained(host, 0, "the cursor \"2\" goes past \"a\"");
    end(host, 1);
}

/* ---- sessions ---- */

static void on_dialed(void *arg, struct accord_session *dialed, int fd, const char *reason)
{
    (void)arg;
    (void)reason;
    session = dialed;
    session_fd = fd;
}

static void on_secret(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    (void)arg;
    (void)bytes;
    (void)size;
    (void)reason;
    secret_result = result;
}

static void only_secrets_for_the_handshake_are_given_before_it(void **state)
{
    (void)state;
    const struct testpeer_step script[] = {{.action = TESTPEER_EOF}, {.action = TESTPEER_END}};
    struct testpeer *peer = testpeer_new(script);
    struct testhost *host = started();
    testhost_endpoint(host, testpeer_port(peer));
    testhost_secret(host, "certificate", "x", 1);
    testhost_secret(host, "password", "y", 1);
    assert_int_equal(api->dial(self, on_dialed, NULL), 0);
    testhost_turn(host);
    assert_non_null(session);
    assert_int_equal(api->secret(session, "password", on_secret, NULL), ACCORD_ESTATE);
    complained(host, 0, "\"password\" asked for before HANDSHAKE");
    assert_int_equal(api->secret(session, "certificate", on_secret, NULL), 0);
    testhost_turn(host);
    assert_int_equal(secret_result, 0);
    close(session_fd);
    api->end(session, "over");
    end(host, 1);
    assert_true(testpeer_join(peer, 30000));
    assert_null(testpeer_why(peer));
    testpeer_free(peer);
}

/* The peer's thread counts a step after it has taken it, when we may have its bytes already. */
static void peer_comes_to(struct testpeer *peer, size_t step)
{
    for (int tries = 0; testpeer_at(peer) != step; tries++) {
        if (tries > 30000)
            fail_msg("the peer does not come to step %zu, it is at %zu", step, testpeer_at(peer));
        poll(NULL, 0, 1);
    }
}

static void a_peer_says_what_it_did_not_get(void **state)
{
    (void)state;
    const struct testpeer_step script[] = {TESTPEER_EXPECTS("hello"),  TESTPEER_SENDS("welcome"),
                                           {.action = TESTPEER_STALL}, {.action = TESTPEER_RESET},
                                           TESTPEER_EXPECTS("again"),  {.action = TESTPEER_END}};
    struct testpeer *peer = testpeer_new(script);
    struct testhost *host = started();
    char got[16];
    testhost_endpoint(host, testpeer_port(peer));
    assert_int_equal(api->dial(self, on_dialed, NULL), 0);
    testhost_turn(host);
    assert_int_equal(send(session_fd, "hello", 5, 0), 5);
    for (ssize_t n = 0, have = 0; have<7; have += n> 0 ? n : 0)
        n = recv(session_fd, got, sizeof got, MSG_DONTWAIT);
    peer_comes_to(peer, 2);
    testpeer_go(peer);
    peer_comes_to(peer, 4);
    close(session_fd);
    api->end(session, "reset");
    assert_int_equal(api->dial(self, on_dialed, NULL), 0);
    testhost_turn(host);
    assert_int_equal(send(session_fd, "agony", 5, 0), 5);
    assert_true(testpeer_join(peer, 30000));
    assert_string_equal(testpeer_why(peer), "step 4: expected was \"again\"; came: ago");
    close(session_fd);
    api->end(session, "over");
    end(host, 0);
    testpeer_free(peer);
}

/* ---- deliveries, faults, probes ---- */

static void a_window_keeps_deliveries_back(void **state)
{
    (void)state;
    struct testhost *host = started();
    const struct testhost_message message = {.name = "m", .bytes = "abc", .size = 3};
    api->window(self, 1);
    struct accord_delivery *first = testhost_deliver(host, 1, &message);
    struct accord_delivery *second = testhost_deliver(host, 1, &message);
    struct accord_delivery *third = testhost_deliver(host, 1, &message);
    assert_true(second->waiting && third->waiting);
    testhost_cancel(host, third);
    assert_true(third->finished);
    assert_true(testhost_settle(host, second, 1000));
    assert_true(first->finished && second->outcome == ACCORD_DELIVERED);
    end(host, 0);
}

static void tick(void *arg)
{
    ++*(int *)arg;
}

static void the_nth_call_fails_and_no_other(void **state)
{
    (void)state;
    struct testhost *host = started();
    int ticks = 0;
    testhost_fail(host, TESTHOST_TIMER, 2);
    assert_non_null(api->timer(self, 10, tick, &ticks));
    assert_null(api->timer(self, 10, tick, &ticks));
    assert_non_null(api->timer(self, 10, tick, &ticks));
    testhost_fail(host, TESTHOST_OFFER, 1);
    assert_null(offer("a", NULL));
    testhost_turn(host);
    assert_int_equal(ready, 1);
    assert_non_null(offer("a", NULL));
    testhost_advance(host, 10);
    assert_int_equal(ticks, 2);
    assert_int_equal(told, 1);
    assert_int_equal(testhost_calls(host, TESTHOST_TIMER), 3);
    end(host, 0);
}

static void a_dead_timer_is_found(void **state)
{
    (void)state;
    struct testhost *host = started();
    int ticks = 0;
    struct accord_timer *timer = api->timer(self, 1, tick, &ticks);
    testhost_advance(host, 1);
    api->timer_stop(timer);
    api->timer_stop(NULL);
    complained(host, 0, "timer_stop of a dead timer");
    end(host, 1);
}

static void the_steps_of_a_probe_are_kept(void **state)
{
    (void)state;
    struct testhost *host = started();
    assert_true(testhost_probe(host));
    assert_true(testhost_probed(host));
    assert_int_equal(testhost_steps(host), 2);
    assert_int_equal(testhost_step(host, 1)->result, ACCORD_ENET);
    assert_string_equal(testhost_step(host, 1)->text, "nobody is there");
    end(host, 0);
}

/* ---- options ---- */

struct filled {
    int64_t wait, size, mode;
    struct accord_list names;
    bool on;
};

static const char *const modes[] = {"plain", "careful", NULL};
static const struct accord_option table[] = {
    {"wait", ACCORD_DURATION, 0, offsetof(struct filled, wait), "10 s", 1000, 60000, NULL, "."},
    {"size", ACCORD_SIZE, ACCORD_REQUIRED, offsetof(struct filled, size), NULL, 0, 0, NULL, "."},
    {"mode", ACCORD_CHOICE, 0, offsetof(struct filled, mode), "careful", 0, 0, modes, "."},
    {"names", ACCORD_LIST, 0, offsetof(struct filled, names), NULL, 0, 0, NULL, "."},
    {"on", ACCORD_BOOL, 0, offsetof(struct filled, on), "yes", 0, 0, NULL, "."},
    {0},
};
static const struct accord_options options = {table, sizeof(struct filled)};

static void options_are_filled_as_a_host_does(void **state)
{
    (void)state;
    char why[ACCORD_REASON_MAX];
    const struct accord_pair written[] = {
        {"size", "64 KiB"}, {"names", "a, b,c "}, {"wait", "1 minute"}, {0}};
    struct testoptions *o = testoptions_new(&options, written, why, sizeof why);
    assert_non_null(o);
    const struct filled *filled = testoptions_struct(o);
    assert_int_equal(filled->size, 65536);
    assert_int_equal(filled->wait, 60000);
    assert_int_equal(filled->mode, 1);
    assert_true(filled->on);
    assert_int_equal(filled->names.count, 3);
    assert_string_equal(filled->names.items[2], "c");
    testoptions_free(o);
}

static void options_that_cannot_be_are_refused_with_why(void **state)
{
    (void)state;
    static const struct {
        struct accord_pair written[3];
        const char *words;
    } wrong[] = {
        {{{0}}, "size is required"},
        {{{"size", "1"}, {"colour", "red"}}, "there is no option colour"},
        {{{"size", "1"}, {"wait", "2 minutes"}}, "is not within"},
        {{{"size", "1"}, {"wait", "soon"}}, "wait = soon cannot be"},
        {{{"size", "1"}, {"mode", "wild"}}, "mode = wild cannot be"},
        {{{"size", "1"}, {"on", "maybe"}}, "neither yes nor no"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char why[ACCORD_REASON_MAX] = "";
        assert_null(testoptions_new(&options, wrong[i].written, why, sizeof why));
        if (!strstr(why, wrong[i].words))
            fail_msg("\"%s\" does not say \"%s\"", why, wrong[i].words);
    }
}

static void random_options_are_within_their_limits(void **state)
{
    (void)state;
    unsigned least = 0, most = 0;
    for (unsigned seed = 1; seed < 300; seed++) {
        struct testoptions *o = testoptions_random(&options, NULL, seed);
        const struct filled *filled = testoptions_struct(o);
        assert_in_range(filled->wait, 1000, 60000);
        assert_in_range(filled->mode, 0, 1);
        least += filled->wait == 1000;
        most += filled->wait == 60000;
        testoptions_free(o);
    }
    assert_true(least && most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_are_committed_in_the_order_of_the_offers),
        cmocka_unit_test(what_is_deferred_voids_the_cursors_behind_it),
        cmocka_unit_test(a_cursor_past_what_was_deferred_is_complained_about),
        cmocka_unit_test(only_secrets_for_the_handshake_are_given_before_it),
        cmocka_unit_test(a_peer_says_what_it_did_not_get),
        cmocka_unit_test(a_window_keeps_deliveries_back),
        cmocka_unit_test(the_nth_call_fails_and_no_other),
        cmocka_unit_test(a_dead_timer_is_found),
        cmocka_unit_test(the_steps_of_a_probe_are_kept),
        cmocka_unit_test(options_are_filled_as_a_host_does),
        cmocka_unit_test(options_that_cannot_be_are_refused_with_why),
        cmocka_unit_test(random_options_are_within_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
