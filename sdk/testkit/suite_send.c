/* The connector suite: messages on their way out. */
#include <stdio.h>
#include <string.h>

#include "suite_private.h"

#define CANCEL_GRACE 5000 /* as the host's: after that it ends the process */

static void whole_messages_arrive(void *arg)
{
    static const size_t sizes[] = {0, 1, 1000, ACCORD_PIECE_MAX, 300001};
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_SEND);
    bench_begin(bench);
    char name[64];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        bench_delivered(bench, bench_deliver(bench, bench_name(bench, name), sizes[i]), name);
}

static void payload_may_come_in_any_pieces(void *arg)
{
    static const size_t pieces[] = {1, 7, 333};
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_SEND);
    bench_begin(bench);
    char name[64];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        testhost_piece(bench->host, pieces[i]);
        bench_delivered(bench, bench_deliver(bench, bench_name(bench, name), 2500), name);
    }
}

#define MANY 24

static void many_messages_are_each_finished_once(void *arg)
{
    struct bench *bench = arg;
    struct accord_delivery *delivery[MANY];
    char name[MANY][64];
    bench_needs(bench, ACCORD_SEND);
    bench_begin(bench);
    for (size_t i = 0; i < MANY; i++)
        delivery[i] = bench_deliver(bench, bench_name(bench, name[i]), 100 * i);
    for (size_t i = 0; i < MANY; i++)
        bench_delivered(bench, delivery[i], name[i]);
}

/* ---- giving up ---- */

static void ends_cancelled(struct bench *bench, struct accord_delivery *delivery, int steps)
{
    if (!delivery->finished)
        testhost_cancel(bench->host, delivery);
    if (!testhost_settle(bench->host, delivery, CANCEL_GRACE))
        suite_complain("a delivery that was cancelled after %d steps was not finished within %d ms", steps,
                       CANCEL_GRACE);
    else if (delivery->outcome == ACCORD_REFUSED)
        suite_complain("a delivery that was cancelled after %d steps ended as refused: %s", steps,
                       delivery->reason);
    else if (delivery->outcome == ACCORD_DELIVERED && !delivery->last_given)
        suite_complain("a delivery that was cancelled in mid-payload ended as delivered");
}

static void cancelled_messages_end_in_any_state(void *arg)
{
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_SEND);
    for (size_t i = 0; i < 2 * suite_point_count && !suite_complained(); i++) {
        char name[64], after[64];
        bench_begin(bench);
        struct accord_delivery *delivery = bench_deliver(bench, bench_name(bench, name), 200000);
        if (i % 2)
            delivery->stall_at = 100000;
        for (int step = 0; step < suite_points[i / 2]; step++)
            bench_step(bench);
        ends_cancelled(bench, delivery, suite_points[i / 2]);
        if (i == suite_point_count)
            bench_delivered(bench, bench_deliver(bench, bench_name(bench, after), 1000), after);
        bench_end(bench);
    }
}

static bool is_stalled(void *arg)
{
    const struct accord_delivery *delivery = arg;
    return delivery->finished || delivery->sent == delivery->stall_at;
}

static void a_message_that_stalls_holds_up_no_cancelled_one(void *arg)
{
    struct bench *bench = arg;
    char first[64], second[64];
    bench_needs(bench, ACCORD_SEND);
    bench_begin(bench);
    struct accord_delivery *stalled = bench_deliver(bench, bench_name(bench, first), 100000);
    stalled->stall_at = 50000;
    testhost_within(bench->host, is_stalled, stalled, bench_patience(bench));
    struct accord_delivery *other = bench_deliver(bench, bench_name(bench, second), 1000);
    bench_step(bench);
    ends_cancelled(bench, other, 1);
    testhost_unstall(bench->host, stalled);
    bench_delivered(bench, stalled, first);
}

/* ---- sessions ---- */

static void payload_waits_for_the_verdict(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_SEND);
    bench_needs_endpoint(bench);
    bench_begin(bench);
    testhost_hold_verdicts(bench->host, true);
    struct accord_delivery *delivery = bench_deliver(bench, bench_name(bench, name), 1000);
    for (int step = 0; step < 20; step++)
        testhost_one_turn(bench->host, 10);
    if (delivery->sent || delivery->finished)
        suite_complain("a delivery went on before the verdict on its session");
    testhost_hold_verdicts(bench->host, false);
    bench_delivered(bench, delivery, name);
}

static void wants_retry(struct bench *bench, struct accord_delivery *delivery, const char *when,
                        bool uncertain)
{
    if (!testhost_settle(bench->host, delivery, bench_patience(bench)))
        suite_complain("%s: the delivery was not finished within %lld ms", when,
                       (long long)bench_patience(bench));
    else if (delivery->outcome != ACCORD_RETRY && !(uncertain && delivery->outcome == ACCORD_UNCERTAIN))
        suite_complain("%s: the delivery ended with outcome %d, not as retry: %s%s", when,
                       (int)delivery->outcome, delivery->reason, delivery->receipt);
}

static void judged(struct bench *bench, enum accord_stage stage, enum accord_answer answer, const char *when)
{
    char name[64];
    bench_begin(bench);
    testhost_verdict(bench->host, stage, answer, "suite.verdict", "the suite says so");
    struct accord_delivery *delivery = bench_deliver(bench, bench_name(bench, name), 1000);
    wants_retry(bench, delivery, when, false);
    if (delivery->sent)
        suite_complain("%s: payload was asked for", when);
    bench_end(bench);
}

static void a_session_that_is_not_allowed_carries_nothing(void *arg)
{
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_SEND);
    bench_needs_endpoint(bench);
    judged(bench, ACCORD_HANDSHAKE, ACCORD_DENY, "the handshake is denied");
    judged(bench, ACCORD_HANDSHAKE, ACCORD_DEFER, "the handshake is deferred");
    judged(bench, ACCORD_AUTHENTICATED, ACCORD_DENY, "the authenticated session is denied");
    judged(bench, ACCORD_AUTHENTICATED, ACCORD_DEFER, "the authenticated session is deferred");
}

static void without_a_profile_there_is_no_session(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_SEND);
    bench_needs_endpoint(bench);
    bench_new_host(bench);
    if (!bench->host->profile)
        suite_not_run("the hook `prepare` gives no session profile");
    for (int empty = 0; empty < 2; empty++) {
        if (!bench->host)
            bench_new_host(bench);
        for (struct testhost_entry *at = bench->host->profile; at; at = at->next)
            testhost_profile(bench->host, at->name, empty ? "" : NULL);
        testhost_start(bench->host);
        wants_retry(bench, bench_deliver(bench, bench_name(bench, name), 1000),
                    empty ? "the session profile allows nothing" : "there is no session profile", false);
        bench_end(bench);
    }
}

static void a_dial_that_fails_is_tried_again_later(void *arg)
{
    struct bench *bench = arg;
    char first[64], second[64];
    bench_needs(bench, ACCORD_SEND);
    bench_needs_endpoint(bench);
    bench_begin(bench);
    testhost_fail_dials(bench->host, 1, "connection refused");
    struct accord_delivery *delivery = bench_deliver(bench, bench_name(bench, first), 1000);
    if (!testhost_settle(bench->host, delivery, bench_patience(bench)))
        suite_complain("the dial fails: the delivery was not finished within %lld ms",
                       (long long)bench_patience(bench));
    else if (delivery->outcome != ACCORD_RETRY && delivery->outcome != ACCORD_DELIVERED)
        suite_complain("the dial fails: the delivery ended with outcome %d", (int)delivery->outcome);
    bench_delivered(bench, bench_deliver(bench, bench_name(bench, second), 1000), second);
}

static void a_missing_secret_burns_no_message(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_SEND);
    bench_needs_endpoint(bench);
    bench_new_host(bench);
    if (!bench->host->secrets)
        suite_not_run("the hook `prepare` gives no secret");
    for (struct testhost_entry *at = bench->host->secrets; at; at = at->next)
        testhost_secret(bench->host, at->name, NULL, 0);
    testhost_start(bench->host);
    wants_retry(bench, bench_deliver(bench, bench_name(bench, name), 1000), "the secret is missing", false);
}

static void cut_sessions(void *host)
{
    testhost_revoke(host);
}

static void a_session_cut_in_mid_payload_delivers_nothing(void *arg)
{
    struct bench *bench = arg;
    char first[64], second[64];
    bench_needs(bench, ACCORD_SEND);
    bench_needs_endpoint(bench);
    if (bench->suite->flags & TESTSUITE_NO_SESSION_CUT)
        suite_not_run("the suite says that cutting a session changes nothing");
    bench_begin(bench);
    struct accord_delivery *delivery = bench_deliver(bench, bench_name(bench, first), 100000);
    delivery->stall_at = 50000;
    testhost_at_byte(bench->host, delivery, 50000, cut_sessions, bench->host);
    testhost_within(bench->host, is_stalled, delivery, bench_patience(bench));
    testhost_unstall(bench->host, delivery);
    wants_retry(bench, delivery, "the session was cut in mid-payload", true);
    bench_delivered(bench, bench_deliver(bench, bench_name(bench, second), 1000), second);
}

const struct suite_case suite_send[] = {
    {"whole messages arrive", whole_messages_arrive},
    {"payload may come in any pieces", payload_may_come_in_any_pieces},
    {"many messages are each finished once", many_messages_are_each_finished_once},
    {"cancelled messages end in any state", cancelled_messages_end_in_any_state},
    {"a message that stalls holds up no cancelled one", a_message_that_stalls_holds_up_no_cancelled_one},
    {"payload waits for the verdict", payload_waits_for_the_verdict},
    {"a session that is not allowed carries nothing", a_session_that_is_not_allowed_carries_nothing},
    {"without a profile there is no session", without_a_profile_there_is_no_session},
    {"a dial that fails is tried again later", a_dial_that_fails_is_tried_again_later},
    {"a missing secret burns no message", a_missing_secret_burns_no_message},
    {"a session cut in mid-payload delivers nothing", a_session_cut_in_mid_payload_delivers_nothing},
};
const size_t suite_send_count = sizeof suite_send / sizeof *suite_send;
