/* The connector in the test kit's fake host, against a partner of our own. The fake host complains about
 * every breach of the contract in <accord/host.h>; each test ends with none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <accord/plugin.h>
#include <accord/testkit/host.h>

#include "../sample.h"
#include "peer.h"

enum { TAKE, STORE };

static struct link_options options = {.timeout = 5000, .poll = 60000};
static struct service_options boxes[] = {{"out-tray"}, {"in-tray"}};
static const struct accord_service take = {"answers", "opaque", ACCORD_RECEIVE, &boxes[TAKE], 1 << 20, ""};
static const struct accord_service store = {"orders", "opaque", ACCORD_SEND, &boxes[STORE], 1 << 20, ""};
static const struct accord_service *const services[] = {&take, &store};
static const struct accord_link_setup setup = {.agreement = "test",
                                               .name = "line",
                                               .options = &options,
                                               .services = services,
                                               .service_count = 2,
                                               .endpoint_host = "partner.example",
                                               .endpoint_port = 7000};

static struct testhost *host;
static struct peer peer;

/* ---- the stage ---- */

static int set_up(void **state)
{
    (void)state;
    peer = (struct peer){.answer = "ok kept as 1\n"};
    peer_open(&peer);
    options = (struct link_options){.timeout = 5000, .poll = 60000};
    host = testhost_new(accord_plugin.connector, TESTHOST_REAL_CLOCK);
    testhost_endpoint(host, peer.port);
    testhost_profile(host, "session.encryption", "none");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testhost_close(host);
    size_t complaints = testhost_complaints(host);
    testhost_free(host);
    peer_close(&peer);
    return (int)complaints;
}

static void begin(void)
{
    assert_int_equal(testhost_open(host, &setup), 0);
    testhost_start(host);
}

static struct accord_delivery *deliver(const void *bytes, size_t size)
{
    const struct testhost_message message = {.id = "id1", .name = "a b.txt", .bytes = bytes, .size = size};
    return testhost_deliver(host, STORE, &message);
}

/* Lets connector and partner go on until the condition holds. */
struct wait {
    bool (*holds)(const void *arg);
    const void *arg;
};

static bool both(void *arg)
{
    const struct wait *wait = arg;
    peer_turn(&peer);
    return wait->holds(wait->arg);
}

static void until(bool (*holds)(const void *), const void *arg)
{
    struct wait wait = {holds, arg};
    assert_true(testhost_run_until(host, both, &wait, 20000));
}

static bool is_finished(const void *arg)
{
    return ((const struct accord_delivery *)arg)->finished;
}

static bool is_told(const void *arg)
{
    (void)arg;
    return *peer.told != 0;
}

static bool is_parked(const void *arg)
{
    (void)arg;
    return testhost_parked(host) != NULL;
}

static bool has_judged(const void *arg)
{
    (void)arg;
    return testhost_offers(host) && testhost_offer(host, 0)->done && !testhost_sessions(host);
}

/* ---- sending ---- */

static void a_message_is_stored_whole(void **state)
{
    (void)state;
    size_t size = 300000; /* several pieces */
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7);
    begin();
    struct accord_delivery *delivery = deliver(bytes, size);
    until(is_finished, delivery);
    assert_int_equal(delivery->outcome, ACCORD_DELIVERED);
    assert_string_equal(delivery->receipt, "kept as 1");
    assert_string_equal(peer.stored, "store in-tray id1 300000 a b.txt");
    assert_int_equal(peer.size, size);
    assert_memory_equal(peer.bytes, bytes, size);
    free(bytes);
}

static void several_go_over_one_session(void **state)
{
    (void)state;
    begin();
    testhost_stop(host); /* no looking for messages between */
    testhost_start(host);
    struct accord_delivery *first = deliver("one", 3), *second = deliver("", 0), *third = deliver("three", 5);
    until(is_finished, third);
    assert_int_equal(first->outcome, ACCORD_DELIVERED);
    assert_int_equal(second->outcome, ACCORD_DELIVERED);
    assert_int_equal(third->outcome, ACCORD_DELIVERED);
    assert_memory_equal(peer.bytes, "three", 5);
}

static void what_the_partner_says_decides(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum accord_outcome outcome;
        const char *reason;
    } cases[] = {
        {"no such box\n", ACCORD_REFUSED, "such box"},
        {"later full\n", ACCORD_RETRY, "full"},
        {"what\n", ACCORD_UNCERTAIN, "the partner gave an answer that the protocol does not know"},
        {NULL, ACCORD_UNCERTAIN, "the partner closed the connection"},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peer.answer = cases[i].answer;
        struct accord_delivery *delivery = deliver("text", 4);
        until(is_finished, delivery);
        assert_int_equal(delivery->outcome, cases[i].outcome);
        assert_string_equal(delivery->reason, cases[i].reason);
    }
}

static void a_silent_partner_is_given_up(void **state)
{
    (void)state;
    peer.mute = true;
    options.timeout = 100;
    begin();
    struct accord_delivery *delivery = deliver("text", 4);
    until(is_finished, delivery);
    assert_int_equal(delivery->outcome, ACCORD_UNCERTAIN);
    assert_string_equal(delivery->reason, "the partner did not answer in time");
}

static void a_cancelled_message_ends_at_once(void **state)
{
    (void)state;
    peer.mute = true;
    begin();
    struct accord_delivery *first = deliver("one", 3), *second = deliver("two", 3);
    testhost_cancel(host, second);
    assert_int_equal(second->outcome, ACCORD_RETRY);
    testhost_cancel(host, first);
    assert_int_equal(first->outcome, ACCORD_RETRY);
}

/* ---- receiving ---- */

static void a_message_is_fetched_and_forgotten_only_when_it_is_held(void **state)
{
    (void)state;
    peer.message = "m17 11 hello.txt";
    peer.body = "hello\nworld";
    peer.body_size = 11;
    begin();
    until(is_told, NULL);
    assert_string_equal(peer.told, "done out-tray m17");
    const struct accord_offer *offer = testhost_offer(host, 0);
    assert_string_equal(offer->name, "hello.txt");
    assert_string_equal(offer->source_id, "m17");
    assert_int_equal(offer->size, 11);
    assert_memory_equal(offer->bytes, peer.body, 11);
}

static void what_is_quarantined_is_held_and_what_is_rejected_is_told(void **state)
{
    (void)state;
    peer.message = "m17 0 hello.txt";
    peer.body = "";
    peer.body_size = 0;
    testhost_admission(host, ACCORD_QUARANTINED, "content.format", "not what it says");
    begin();
    until(is_told, NULL);
    assert_string_equal(peer.told, "done out-tray m17");
    *peer.told = 0;
    peer.message = "m18 3 large.txt";
    peer.body = "abc";
    peer.body_size = 3;
    testhost_admission(host, ACCORD_REJECTED, "hub.size", "too large");
    testhost_stop(host);
    testhost_start(host);
    until(is_told, NULL);
    assert_string_equal(peer.told, "reject out-tray m18");
}

static void a_deferred_message_stays_with_the_partner(void **state)
{
    (void)state;
    peer.message = "m17 3 hello.txt";
    peer.body = "abc";
    peer.body_size = 3;
    testhost_admission(host, ACCORD_DEFERRED, "malware.away", "the scanner is away");
    begin();
    until(has_judged, NULL);
    assert_string_equal(peer.told, "");
    assert_int_equal(testhost_timers(host), 1); /* until the next look */
}

/* ---- what is not allowed ---- */

static void without_the_agreement_s_word_nothing_is_sent_in_the_clear(void **state)
{
    (void)state;
    testhost_profile(host, "session.encryption", NULL);
    begin();
    until(is_parked, NULL);
    assert_string_equal(testhost_parked(host), "sample.profile");
    peer_turn(&peer);
    for (size_t i = 0; i < PEER_CONNECTIONS; i++)
        assert_int_equal(peer.connections[i].in_size, 0);
}

static void a_session_that_is_denied_parks_the_link(void **state)
{
    (void)state;
    testhost_verdict(host, ACCORD_HANDSHAKE, ACCORD_DENY, "encryption.unencrypted", "not on this link");
    begin();
    until(is_parked, NULL);
    assert_string_equal(testhost_parked(host), "encryption.unencrypted");
    assert_string_equal(testhost_fact(host, "session.encryption"), "none");
}

static bool has_probed(const void *arg)
{
    (void)arg;
    return testhost_probed(host);
}

static void a_probe_says_whether_messages_may_flow_and_parks_nothing(void **state)
{
    (void)state;
    begin();
    assert_true(testhost_probe(host));
    until(has_probed, NULL);
    assert_int_equal(testhost_step(host, 0)->result, ACCORD_OK);
    testhost_stop(host);
    testhost_start(host);
    testhost_fail_dials(host, 10, "connection refused");
    assert_true(testhost_probe(host));
    until(has_probed, NULL);
    assert_string_equal(testhost_step(host, testhost_steps(host) - 1)->text, "connection refused");
    assert_null(testhost_parked(host));
}

static void a_box_with_a_blank_is_a_mistake_in_the_file(void **state)
{
    (void)state;
    char why[ACCORD_REASON_MAX];
    boxes[STORE].box = "in tray";
    assert_int_equal(accord_plugin.connector->check(&setup, why, sizeof why), ACCORD_EINVAL);
    assert_string_equal(why,
                        "service orders: box = in tray has a blank in it, which the protocol cannot say");
    boxes[STORE].box = "in-tray";
    assert_int_equal(accord_plugin.connector->check(&setup, why, sizeof why), ACCORD_OK);
}

#define staged(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        staged(a_message_is_stored_whole),
        staged(several_go_over_one_session),
        staged(what_the_partner_says_decides),
        staged(a_silent_partner_is_given_up),
        staged(a_cancelled_message_ends_at_once),
        staged(a_message_is_fetched_and_forgotten_only_when_it_is_held),
        staged(what_is_quarantined_is_held_and_what_is_rejected_is_told),
        staged(a_deferred_message_stays_with_the_partner),
        staged(without_the_agreement_s_word_nothing_is_sent_in_the_clear),
        staged(a_session_that_is_denied_parks_the_link),
        staged(a_probe_says_whether_messages_may_flow_and_parks_nothing),
        cmocka_unit_test(a_box_with_a_blank_is_a_mistake_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
