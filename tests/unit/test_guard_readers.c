/* Modules that read a payload share one stream: its pace, its order and who decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guard_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void expect_pull(struct fake_hub *hub, uint64_t stream, int64_t bytes)
{
    const struct wire_PULL *pull = &hub_expect(hub, WIRE_PULL)->PULL;
    assert_int_equal(pull->stream, stream);
    assert_int_equal(pull->bytes, bytes);
}

static void put_piece(struct fake_hub *hub, uint64_t stream, const char *text, bool last)
{
    wire_put_PIECE(&hub->out, &(struct wire_PIECE){stream, last, {(const uint8_t *)text, strlen(text)}});
    hub_send(hub, -1);
}

/* Both get every piece; the hub is asked for what the slower wants. */
static void readers_share_one_stream_at_the_pace_of_the_slowest(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, true, (struct module){.does = "read", .pull = "15"},
              (struct module){.does = "read", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 22);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "0123456789", false);
    hub_expect_log(&hub, "payload", "0123456789");
    hub_expect_log(&hub, "payload", "0123456789");
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "abcdefghij", false);
    hub_expect_log(&hub, "payload", "abcdefghij");
    hub_expect_log(&hub, "payload", "abcdefghij");
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "kl", true);
    hub_expect_log(&hub, "payload", "kl last");
    hub_expect_log(&hub, "payload", "kl last");
    expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    hub_end(&hub);
}

/* The second knows first, but the first in order decides when it does not allow: its answer is awaited. */
static void a_later_deny_waits_for_its_predecessor(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, true, (struct module){.does = "read", .pull = "10"},
              (struct module){.does = "read-deny", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 12);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "01x3456789", false);
    hub_expect_log(&hub, "payload", "01x3456789");
    hub_expect_log(&hub, "payload", "01x3456789");
    expect_pull(&hub, 7, 10); /* for the first alone */
    put_piece(&hub, 7, "ab", true);
    hub_expect_log(&hub, "payload", "ab last");
    expect_verdict(&hub, 7, ACCORD_DENY, "second_reader");
    hub_end(&hub);
}

static void an_earlier_deny_cancels_the_rest(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, true, (struct module){.does = "read-deny", .pull = "10"},
              (struct module){.does = "read", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 1000);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "01x3456789", false);
    hub_expect_log(&hub, "payload", "01x3456789");
    hub_expect_log(&hub, "payload", "01x3456789");
    expect_verdict(&hub, 7, ACCORD_DENY, "first_reader");
    hub_expect_log(&hub, "cancel", "never mind");
    put_piece(&hub, 7, "late", false); /* was on its way: dropped */
    hub_end(&hub);
}

static void pieces_that_nobody_asked_for_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, true, (struct module){.does = "read", .pull = "10"},
              (struct module){.does = "read", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 1000);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "0123456789a", false);
    hub_expect_failure(&hub, "hub.protocol");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_share_one_stream_at_the_pace_of_the_slowest),
        cmocka_unit_test(a_later_deny_waits_for_its_predecessor),
        cmocka_unit_test(an_earlier_deny_cancels_the_rest),
        cmocka_unit_test(pieces_that_nobody_asked_for_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
