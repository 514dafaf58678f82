/* Modules that read a payload share one stream: its pace, its order and who decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guard_bench.h"

#include <cmocka.h> /* last: it defines fail() */

#define STREAM 7

static void expect_pull(struct fake_hub *hub, int64_t bytes)
{
    const struct wire_PULL *pull = &hub_expect(hub, WIRE_PULL)->PULL;
    assert_int_equal(pull->stream, STREAM);
    assert_int_equal(pull->bytes, bytes);
}

static void put_piece(struct fake_hub *hub, const char *text, bool last)
{
    wire_put_PIECE(&hub->out, &(struct wire_PIECE){STREAM, last, {(const uint8_t *)text, strlen(text)}});
    hub_send(hub, -1);
}

static void expect_read(struct fake_hub *hub, const char *line, int readers)
{
    for (int i = 0; i < readers; i++)
        hub_expect_log(hub, "payload", line);
}

/* Two modules are asked about a message, and the slower wants ten bytes at a time. */
static void begin_reading(struct fake_hub *hub, struct module first, struct module second, int64_t size)
{
    hub_begin(hub, true, first, second);
    put_judge(hub, STREAM, ACCORD_ASK_OUT, size);
    expect_judge(hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(hub, 10);
}

static const struct module reader = {.does = "read", .pull = "10"};
static const struct module denier = {.does = "read-deny", .pull = "10"}; /* denies at the first x */

/* Both get every piece; the hub is asked for what the slower wants. */
static void readers_share_one_stream_at_the_pace_of_the_slowest(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin_reading(&hub, (struct module){.does = "read", .pull = "15"}, reader, 22);
    put_piece(&hub, "0123456789", false);
    expect_read(&hub, "0123456789", 2);
    expect_pull(&hub, 10);
    put_piece(&hub, "abcdefghij", false);
    expect_read(&hub, "abcdefghij", 2);
    expect_pull(&hub, 10);
    put_piece(&hub, "kl", true);
    expect_read(&hub, "kl last", 2);
    expect_verdict(&hub, STREAM, ACCORD_ALLOW, "");
    hub_end(&hub);
}

/* The second knows first, but the first in order decides when it does not allow: its answer is awaited. */
static void a_later_deny_waits_for_its_predecessor(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin_reading(&hub, reader, denier, 12);
    put_piece(&hub, "01x3456789", false);
    expect_read(&hub, "01x3456789", 2);
    expect_pull(&hub, 10); /* for the first alone */
    put_piece(&hub, "ab", true);
    expect_read(&hub, "ab last", 1);
    expect_verdict(&hub, STREAM, ACCORD_DENY, "second_reader");
    hub_end(&hub);
}

static void an_earlier_deny_cancels_the_rest(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin_reading(&hub, denier, reader, 1000);
    put_piece(&hub, "01x3456789", false);
    expect_read(&hub, "01x3456789", 2);
    expect_verdict(&hub, STREAM, ACCORD_DENY, "first_reader");
    hub_expect_log(&hub, "cancel", "never mind");
    put_piece(&hub, "late", false); /* was on its way: dropped */
    hub_end(&hub);
}

static void pieces_that_nobody_asked_for_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin_reading(&hub, reader, reader, 1000);
    put_piece(&hub, "0123456789a", false);
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
