/* The link role from START to its end: opening, draining, the loop's services, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "link_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void opens_starts_and_ends_in_order(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    hub_end(&hub);
}

static void a_link_that_does_not_open_fails_with_its_reason(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, puppet_load, GRACE_MS);
    put_configuration(&hub, "broken", "no");
    hub_expect_failure(&hub, "plugin.open");
    assert_non_null(strstr(hub.text, "no such folder"));
}

static void options_that_do_not_fit_fail(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, puppet_load, GRACE_MS);
    put_configuration(&hub, "sftp", "perhaps");
    hub_expect_failure(&hub, "plugin.options");
}

static void a_plugin_that_does_not_load_fails(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, puppet_load, GRACE_MS);
    wire_put_LOAD(&hub.out, &(struct wire_LOAD){"connector-none.so", ""});
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "plugin.missing");
}

static void draining_begins_nothing_and_ends_what_runs(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t held = puppet_holds(&hub, "hold");
    puppet_does(&hub, "timer");
    hub_expect_log(&hub, "tick", "once");
    wire_put_DRAIN(&hub.out, &(struct wire_DRAIN){0});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "stop", "no more");
    expect_finished(&hub, put_delivery(&hub, "offer", 0), ACCORD_RETRY, "the link is draining");
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){held});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "please");
    expect_finished(&hub, held, ACCORD_RETRY, "cancelled");
    wire_put_START(&hub.out, &(struct wire_START){0}); /* the switch was turned back on */
    hub_send(&hub, -1);
    hub_expect(&hub, WIRE_READY);
    hub_expect_log(&hub, "start", "go");
    puppet_offers(&hub);
    hub_end(&hub);
}

static void loop_services_call_back_once_and_later(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    puppet_does(&hub, "timer");
    hub_expect_log(&hub, "tick", "once");
    puppet_does(&hub, "watch");
    hub_expect_log(&hub, "watch", "1 1");
    puppet_does(&hub, "work");
    hub_expect_log(&hub, "work", "done");
    puppet_does(&hub, "metric");
    assert_int_equal(hub_expect(&hub, WIRE_METRIC)->METRIC.value, 3);
    puppet_does(&hub, "gauge");
    const struct wire_METRIC *gauge = &hub_expect(&hub, WIRE_METRIC)->METRIC;
    assert_int_equal(gauge->set, 1);
    assert_int_equal(gauge->value, -4);
    puppet_does(&hub, "incident");
    assert_string_equal(hub_expect(&hub, WIRE_INCIDENT)->INCIDENT.rule, "sftp.silent");
    puppet_does(&hub, "window");
    assert_int_equal(hub_expect(&hub, WIRE_WINDOW)->WINDOW.deliveries, 3);
    puppet_does(&hub, "park");
    assert_string_equal(hub_expect(&hub, WIRE_PARK)->PARK.rule, "sftp.host-key");
    hub_end(&hub);
}

static void put_probe(struct fake_hub *hub, uint64_t id)
{
    wire_put_PROBE(&hub->out, &(struct wire_PROBE){id, 0});
    hub_send(hub, -1);
    const struct wire_PROBED *told = &hub_expect(hub, WIRE_PROBED)->PROBED;
    assert_int_equal(told->probe, id);
    assert_string_equal(told->step, "handshake");
    assert_false(told->last);
    told = &hub_expect(hub, WIRE_PROBED)->PROBED;
    assert_int_equal(told->result, ACCORD_ENOENT);
    assert_string_equal(told->text, "make it");
    assert_true(told->last);
}

static void a_probe_tells_its_steps(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    put_probe(&hub, 7);
    put_probe(&hub, 8);
    hub_end(&hub);
}

static void a_probe_that_has_ended_is_dead(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "yes");
    put_probe(&hub, 7);
    hub_expect_failure(&hub, "plugin.dead-probe");
}

/* The hub goes in the middle of everything: close is called, nothing calls back after it. */
static void the_hubs_end_closes_everything(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    connect_session(&hub);
    puppet_holds(&hub, "hold");
    puppet_offers(&hub);
    puppet_dials(&hub);
    puppet_does(&hub, "long-timer");
    hub_end(&hub);
}

static void what_close_leaves_behind_is_said_and_swept(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "yes");
    connect_session(&hub);
    puppet_holds(&hub, "hold");
    puppet_does(&hub, "long-timer");
    hub_expect_nothing(&hub);
    assert_int_equal(hub_close(&hub), 0);
    assert_non_null(strstr(hub.text, "session open"));
    assert_non_null(strstr(hub.text, "delivery of id1 unfinished"));
    assert_non_null(strstr(hub.text, "timer or a watch"));
    assert_null(strstr(hub.text, "called-after-close"));
}

static void work_on_a_thread_is_awaited_after_close(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    put_delivery(&hub, "work", 0);
    assert_int_equal(hub_close(&hub), 0);
    assert_null(strstr(hub.text, "called-after-close"));
}

static void messages_out_of_order_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, puppet_load, GRACE_MS);
    put_delivery(&hub, "hold", 0); /* before START */
    hub_expect_failure(&hub, "hub.protocol");
    hub_begin(&hub, "no");
    wire_put_LINK(&hub.out, &(struct wire_LINK){.link = 1});
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
    hub_begin(&hub, "no");
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0}); /* a guard's */
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
    hub_begin(&hub, "no");
    wire_put_DELIVER(&hub.out, &(struct wire_DELIVER){.delivery = 1, .service = 1}); /* it receives */
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_malformed_message_ends_the_process(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    wire_put_PING(&hub.out, &(struct wire_PING){1});
    hub.out.data[4] = 0xff;
    hub_send(&hub, -1);
    char byte;
    assert_int_equal(recv(hub.fd, &byte, 1, 0), 0);
    assert_int_equal(hub_close(&hub), 1);
    assert_non_null(strstr(hub.text, "hub.protocol"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_starts_and_ends_in_order),
        cmocka_unit_test(a_link_that_does_not_open_fails_with_its_reason),
        cmocka_unit_test(options_that_do_not_fit_fail),
        cmocka_unit_test(a_plugin_that_does_not_load_fails),
        cmocka_unit_test(draining_begins_nothing_and_ends_what_runs),
        cmocka_unit_test(loop_services_call_back_once_and_later),
        cmocka_unit_test(a_probe_tells_its_steps),
        cmocka_unit_test(a_probe_that_has_ended_is_dead),
        cmocka_unit_test(the_hubs_end_closes_everything),
        cmocka_unit_test(what_close_leaves_behind_is_said_and_swept),
        cmocka_unit_test(work_on_a_thread_is_awaited_after_close),
        cmocka_unit_test(messages_out_of_order_are_refused),
        cmocka_unit_test(a_malformed_message_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
