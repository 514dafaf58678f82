/* Deliveries in the link role: payload as it is pulled, an end exactly once, cancelling. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "link_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void a_second_finish_is_fatal(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    puppet_does(&hub, "twice");
    hub_expect_failure(&hub, "plugin.double-finish");
    assert_non_null(strstr(hub.text, "sftp"));
}

static void a_dead_delivery_may_not_be_pulled(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    puppet_does(&hub, "pull-finished");
    hub_expect_failure(&hub, "plugin.dead-delivery");
}

static void put_piece(struct fake_hub *hub, uint64_t id, const char *text, bool last)
{
    wire_put_PIECE(&hub->out, &(struct wire_PIECE){id, last, {(const uint8_t *)text, strlen(text)}});
    hub_send(hub, -1);
}

static void expect_pull(struct fake_hub *hub, uint64_t id, uint64_t session)
{
    const struct wire_PULL *pull = &hub_expect(hub, WIRE_PULL)->PULL;
    assert_int_equal(pull->stream, id);
    assert_int_equal(pull->session, session);
    assert_int_equal(pull->bytes, 10);
}

static void payload_comes_in_order_as_pulled(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    uint64_t id = puppet_holds(&hub, "pull");
    expect_pull(&hub, id, session);
    put_piece(&hub, id, "0123456789", false);
    hub_expect_log(&hub, "payload", "0123456789");
    expect_pull(&hub, id, session);
    put_piece(&hub, id, "abcd", false);
    hub_expect_log(&hub, "payload", "abcd");
    expect_pull(&hub, id, session);
    put_piece(&hub, id, "efghijklmno", true);
    hub_expect_log(&hub, "payload", "efghijklmno last");
    expect_finished(&hub, id, ACCORD_DELIVERED, "");
    put_piece(&hub, id, "late", false); /* was on its way: dropped */
    hub_end(&hub);
}

static void a_small_payload_comes_unasked_to_a_link_without_endpoint(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin_without_endpoint(&hub);
    uint64_t id = puppet_holds(&hub, "pull"); /* ten bytes at a time */
    put_piece(&hub, id, "0123456789abcdefghi", false);
    hub_expect_log(&hub, "payload", "0123456789");
    hub_expect_log(&hub, "payload", "abcdefghi");
    put_piece(&hub, id, "jklmno", true);
    hub_expect_log(&hub, "payload", "jklmno last");
    expect_finished(&hub, id, ACCORD_DELIVERED, "");
    id = puppet_holds(&hub, "pull");
    put_piece(&hub, id, "0123456789abcdefghijklmnop", true); /* 25 were announced */
    hub_expect_failure(&hub, "hub.protocol");
}

static void more_than_was_pulled_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_holds(&hub, "pull");
    expect_pull(&hub, id, 0);
    put_piece(&hub, id, "0123456789a", false);
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_payload_of_the_wrong_size_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_holds(&hub, "pull");
    expect_pull(&hub, id, 0);
    put_piece(&hub, id, "0123", true); /* 25 were announced */
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_cancelled_delivery_is_finished_by_its_connector(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_holds(&hub, "hold");
    for (int i = 0; i < 2; i++)
        wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){id});
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){id + 1000});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "please");
    expect_finished(&hub, id, ACCORD_RETRY, "cancelled");
    puppet_does(&hub, "past-grace"); /* nothing expires any more */
    hub_expect_log(&hub, "tick", "once");
    hub_end(&hub);
}

static void a_connector_deaf_to_cancel_ends_the_process(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "yes");
    uint64_t id = puppet_holds(&hub, "deaf");
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){id});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "please");
    hub_expect_failure(&hub, "plugin.hangs");
}

/* Two deliveries that end in different turns of the link's loop: do their results come in one datagram? */
static bool come_together(struct fake_hub *hub, const char *verb, enum accord_outcome outcome)
{
    kill(hub->child, SIGSTOP);
    uint64_t first = put_delivery(hub, verb, 0), second = put_delivery(hub, verb, 0);
    kill(hub->child, SIGCONT);
    expect_finished(hub, first, outcome, verb);
    bool together = hub->rest.size > 0;
    expect_finished(hub, second, outcome, verb);
    return together;
}

static bool results_come_together(struct fake_hub *hub)
{
    return come_together(hub, "", ACCORD_DELIVERED);
}

/* A few times: a busy machine may take more than the millisecond that they wait. */
static void results_wait_for_each_other_while_many_are_under_way(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "yes");
    bool together = false;
    for (int i = 0; i < 5; i++)
        together = together || results_come_together(&hub);
    assert_false(together);
    for (int i = 0; i < 24; i++)
        puppet_holds(&hub, "hold");
    for (int i = 0; i < 50 && !together; i++)
        together = results_come_together(&hub);
    assert_true(together);
    for (int i = 0; i < 5; i++) /* somebody may have to see to it */
        assert_false(come_together(&hub, "refuse", ACCORD_REFUSED));
    assert_int_equal(hub_close(&hub), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_finish_is_fatal),
        cmocka_unit_test(a_dead_delivery_may_not_be_pulled),
        cmocka_unit_test(payload_comes_in_order_as_pulled),
        cmocka_unit_test(a_small_payload_comes_unasked_to_a_link_without_endpoint),
        cmocka_unit_test(more_than_was_pulled_is_refused),
        cmocka_unit_test(a_payload_of_the_wrong_size_is_refused),
        cmocka_unit_test(a_cancelled_delivery_is_finished_by_its_connector),
        cmocka_unit_test(a_connector_deaf_to_cancel_ends_the_process),
        cmocka_unit_test(results_wait_for_each_other_while_many_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
