/* Sessions in the link role: dialling, facts and secrets in their order, and what ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void dial_gives_a_session_with_its_profile(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    puppet_does(&hub, "profile");
    hub_expect_log(&hub, "profile", "aes256-gcm no kex");
    puppet_does(&hub, "end");
    const struct wire_SESSION_END *ended = &hub_expect(&hub, WIRE_SESSION_END)->SESSION_END;
    assert_int_equal(ended->session, session);
    assert_string_equal(ended->reason, "enough");
    hub_end(&hub);
}

static void a_denied_dial_gives_its_reason(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    put_dialed(&hub, puppet_dials(&hub), ACCORD_EDENIED, "the agreement is not in force", -1);
    hub_expect_log(&hub, "dialed", "none no-fd the agreement is not in force");
    hub_end(&hub);
}

static void a_dialed_message_without_its_descriptor_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    put_dialed(&hub, puppet_dials(&hub), 0, "", -1);
    hub_expect_failure(&hub, "hub.protocol");
}

/* Nobody waits for it any more: the descriptor is closed, as the far end sees. */
static void a_late_dialed_message_is_dropped_with_its_descriptor(void **state)
{
    (void)state;
    struct fake_hub hub;
    int pair[2];
    hub_begin(&hub, "no");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    put_dialed(&hub, 4711, 0, "", pair[0]);
    close(pair[0]);
    hub_expect_nothing(&hub);
    char byte;
    assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
    close(pair[1]);
    hub_end(&hub);
}

static void a_descriptor_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    wire_put_PING(&hub.out, &(struct wire_PING){1});
    hub_send(&hub, 0);
    hub_expect_failure(&hub, "hub.protocol");
}

static void facts_and_secrets_come_in_their_order(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    puppet_does(&hub, "secret");
    hub_expect_log(&hub, "result", "-12"); /* not before an allowed handshake */
    puppet_does(&hub, "authenticated");
    hub_expect_log(&hub, "report", "-12");
    judge_session(&hub, session, ACCORD_HANDSHAKE, ACCORD_ALLOW);
    puppet_does(&hub, "secret");
    const struct wire_SECRET *asked = &hub_expect(&hub, WIRE_SECRET)->SECRET;
    assert_string_equal(asked->option, "key");
    struct wire_SECRET_GIVEN given = {asked->session, asked->request, 0, {(const uint8_t *)"s3cret", 6}, ""};
    wire_put_SECRET_GIVEN(&hub.out, &given);
    hub_send(&hub, -1);
    hub_expect_log(&hub, "secret", "0 s3cret ");
    judge_session(&hub, session, ACCORD_AUTHENTICATED, ACCORD_ALLOW);
    wire_put_SECRET_GIVEN(&hub.out, &given); /* once was enough */
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_secret_for_the_handshake_is_read_before_it(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    puppet_does(&hub, "early-secret");
    assert_string_equal(hub_expect(&hub, WIRE_SECRET)->SECRET.option, "early");
    judge_session(&hub, session, ACCORD_HANDSHAKE, ACCORD_DENY);
    puppet_does(&hub, "early-secret");
    hub_expect_log(&hub, "result", "-12");
    hub_end(&hub);
}

static void a_denied_session_gets_no_secret(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    judge_session(&hub, session, ACCORD_HANDSHAKE, ACCORD_DENY);
    puppet_does(&hub, "secret");
    hub_expect_log(&hub, "result", "-12");
    puppet_does(&hub, "handshake");
    hub_expect_log(&hub, "report", "-12");
    puppet_does(&hub, "end");
    hub_expect(&hub, WIRE_SESSION_END);
    hub_end(&hub);
}

static void late_answers_for_an_ended_session_are_dropped(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    judge_session(&hub, session, ACCORD_HANDSHAKE, ACCORD_ALLOW);
    puppet_does(&hub, "secret");
    uint64_t request = hub_expect(&hub, WIRE_SECRET)->SECRET.request;
    puppet_does(&hub, "authenticated");
    hub_expect(&hub, WIRE_FACTS);
    puppet_does(&hub, "end");
    hub_expect(&hub, WIRE_SESSION_END);
    wire_put_SECRET_GIVEN(&hub.out,
                          &(struct wire_SECRET_GIVEN){session, request, 0, {(const uint8_t *)"x", 1}, ""});
    wire_put_FACTS_VERDICT(&hub.out, &(struct wire_FACTS_VERDICT){session, ACCORD_AUTHENTICATED, 0, "", ""});
    hub_send(&hub, -1);
    hub_end(&hub);
}

static void a_dead_session_may_not_be_used(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    connect_session(&hub);
    puppet_does(&hub, "end");
    hub_expect(&hub, WIRE_SESSION_END);
    puppet_does(&hub, "use-ended");
    hub_expect_failure(&hub, "plugin.dead-session");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dial_gives_a_session_with_its_profile),
        cmocka_unit_test(a_denied_dial_gives_its_reason),
        cmocka_unit_test(a_dialed_message_without_its_descriptor_is_refused),
        cmocka_unit_test(a_late_dialed_message_is_dropped_with_its_descriptor),
        cmocka_unit_test(a_descriptor_that_nobody_asked_for_is_refused),
        cmocka_unit_test(facts_and_secrets_come_in_their_order),
        cmocka_unit_test(a_secret_for_the_handshake_is_read_before_it),
        cmocka_unit_test(a_denied_session_gets_no_secret),
        cmocka_unit_test(late_answers_for_an_ended_session_are_dropped),
        cmocka_unit_test(a_dead_session_may_not_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
