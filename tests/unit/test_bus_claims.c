/* When more is claimed for a link that has much to send. */
#include "bus_world.h"
#include "bus/lane.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#define MANY 200

static struct bus_dispatch *sent[MANY];
static int sent_count;

static void note_sent(void *arg, struct bus_dispatch *dispatch)
{
    (void)arg;
    sent[sent_count++] = dispatch;
}

/* Payload that has left and is not settled yet makes room for more, as soon as less than half of what may be in memory
 * is there. */
static void more_is_claimed_before_what_has_left_is_settled(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct bus_lane *lane = bus_lane_find(w->isa, "plan");
    sent_count = 0;
    w->bus->ports.send = note_sent;
    bus_party_block(w->isa, "link", true);
    for (int i = 0; i < MANY; i++) {
        char source_id[16];
        snprintf(source_id, sizeof source_id, "%d", i);
        offer(w, source_id);
    }
    bus_party_block(w->isa, "link", false);
    assert_true(turn_until(w, &sent_count, LANE_WINDOW_LEAST));
    turn_some(w);
    assert_int_equal(lane->in_flight, LANE_WINDOW_LEAST);
    lane->lately = MANY; /* as if it were fast */
    bus_lane_hold(lane, LANE_HELD_MOST / 2);
    bus_dispatch_sent(sent[0]);
    turn_some(w);
    assert_int_equal(lane->in_flight, LANE_WINDOW_LEAST); /* there is enough for its link */
    bus_lane_hold(lane, -LANE_HELD_MOST / 2);
    bus_dispatch_sent(sent[1]);
    turn_some(w);
    assert_true(lane->in_flight > LANE_WINDOW_LEAST);
    for (int i = 0; i < MANY; i++) {
        assert_true(turn_until(w, &sent_count, i + 1));
        bus_dispatch_finish(sent[i], &(struct accord_result){.outcome = ACCORD_DELIVERED});
    }
    turn(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(more_is_claimed_before_what_has_left_is_settled, message_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
