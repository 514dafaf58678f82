/* What the bus does when stores, policies, links and sources fail or change their minds. */
#include "bus_world.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define BYTES ((const uint8_t *)PAYLOAD)
#define WHOLE ((int64_t)sizeof PAYLOAD - 1)

/* ---- payloads on their way in ---- */

static void payload_may_come_in_parts_of_what_was_asked_for(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct bus_offer *o = offer_begin(w, "1", -1);
    for (int64_t i = 0; i < WHOLE; i++)
        assert_int_equal(bus_offer_data(o, BYTES + i, 1, i == WHOLE - 1), 0);
    turn(w);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_memory_equal(w->got, PAYLOAD, sizeof PAYLOAD - 1);
    world_free(w);
}

static void large_payload_in_odd_parts_arrives_whole(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    static uint8_t bytes[5000];
    struct bus_offer *o = offer_begin(w, "1", 900000);
    int64_t given = 0;
    while (given < 900000) {
        size_t size = sizeof bytes;
        if ((int64_t)size > w->pulled - given)
            size = (size_t)(w->pulled - given);
        if ((int64_t)size > 900000 - given)
            size = (size_t)(900000 - given);
        if (size)
            assert_int_equal(bus_offer_data(o, bytes, size, given + (int64_t)size == 900000), 0);
        given += (int64_t)size;
        if (!size)
            uv_run(&w->loop, UV_RUN_ONCE);
    }
    turn(w);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_non_null(delivery_of(w, "isa"));
    assert_int_equal(message_read()->size, 900000);
    world_free(w);
}

static void message_that_is_not_as_long_as_announced_stays_with_its_source(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    assert_int_equal(bus_offer_data(offer_begin(w, "1", WHOLE + 1), BYTES, sizeof PAYLOAD - 1, true), 0);
    assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
    assert_string_equal(w->rule, "hub.size-changed");
    assert_int_equal(bus_offer_data(offer_begin(w, "1", 3), BYTES, sizeof PAYLOAD - 1, false), 0);
    assert_int_equal(w->done, 2);
    assert_string_equal(w->rule, "hub.size-changed");
    world_free(w);
}

static void offer_grows_too_large_while_the_store_takes_a_piece(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[0].max_size = 10;
    struct bus_offer *o = offer_begin(w, "1", -1);
    assert_int_equal(bus_offer_data(o, BYTES, 8, false), 0); /* the store has it */
    assert_int_equal(bus_offer_data(o, BYTES, 8, false), 0);
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    turn(w);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->records[AUDIT_REFUSED], 1);
    world_free(w);
}

static void aborted_offer_leaves_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_offer_abort(offer_begin(w, "1", -1)); /* before a byte */
    struct bus_offer *o = offer_begin(w, "2", -1);
    assert_int_equal(bus_offer_data(o, BYTES, 8, false), 0);
    bus_offer_abort(o); /* while the store takes a piece */
    o = offer_begin(w, "3", -1);
    assert_int_equal(bus_offer_data(o, BYTES, 8, false), 0);
    turn(w);
    bus_offer_abort(o); /* between pieces */
    turn(w);
    assert_int_equal(w->done, 0);
    assert_int_equal(w->asked_guard, 0);
    world_free(w);
}

static void offer_aborted_after_its_last_byte_is_admitted_all_the_same(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct bus_offer *o = offer_begin(w, "1", -1);
    assert_int_equal(bus_offer_data(o, BYTES, sizeof PAYLOAD - 1, true), 0);
    bus_offer_abort(o);
    turn(w);
    assert_int_equal(w->done, 0);
    assert_int_equal(w->sent, 1);
    offer(w, "1"); /* the source comes again: it is a repeat, not a second message */
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_string_equal(w->id, w->sent_id);
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void offer_is_not_taken_when_its_agreement_ends_while_it_comes_in(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->agreements[0].is_site = false;
    struct bus_offer *o = offer_begin(w, "1", -1);
    w->agreements[0].in_force_until = 1;
    assert_int_equal(bus_offer_data(o, BYTES, sizeof PAYLOAD - 1, true), 0);
    turn(w);
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "hub.not-in-force");
    world_free(w);
}

/* ---- several destinations ---- */

static void two_inspectors_read_the_same_payload_at_the_same_time(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->read_first = true;
    offer(w, "1");
    assert_int_equal(w->read_whole, 2);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    assert_int_equal(delivery_of(w, "other")->state, STORE_DELIVERED);
    world_free(w);
}

static void used_control_number_ends_only_the_delivery_of_the_agreement_that_knows_it(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->key = "42";
    w->only_key_of = "other";
    offer(w, "1");
    offer(w, "2");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    assert_int_equal(delivery_of(w, "other")->state, STORE_DEAD);
    assert_string_equal(delivery_of(w, "other")->rule, "hub.key-used");
    w->only_key_of = NULL;
    w->key = "43";
    offer(w, "3");
    offer(w, "4");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED); /* both know it now */
    assert_string_equal(w->rule, "hub.key-used");
    world_free(w);
}

static void refusal_stands_in_the_trail_of_every_agreement_that_refused(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->guard = ACCORD_DENY;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_int_equal(records_of(w, "site", "message-quarantined"), 1);
    assert_int_equal(records_of(w, "isa", "message-quarantined"), 1);
    assert_int_equal(records_of(w, "other", "message-quarantined"), 1);
    world_free(w);
}

static void destination_of_another_type_refuses(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    struct conf_type another = {.name = "container-status"};
    w->services[2].type = &another;
    offer(w, "1");
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    assert_string_equal(delivery_of(w, "other")->rule, "services.type");
    world_free(w);
}

static void nothing_flows_between_agreements_without_a_release(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    struct conf_route release = {.agreement = "other", .service = "stow-plan"};
    w->agreements[0].is_site = false;
    w->agreements[0].releases = &release;
    w->agreements[0].release_count = 1;
    offer(w, "1");
    assert_null(delivery_of(w, "isa"));
    assert_int_equal(delivery_of(w, "other")->state, STORE_DELIVERED);
    world_free(w);
}

static void agreement_whose_file_is_gone_takes_nothing_new(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_retire(w->isa, true);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "services.no-service");
    world_free(w);
}

static void agreement_is_busy_while_a_message_is_judged_for_it(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->keep_case = true;
    struct bus_offer *o = offer_begin(w, "1", -1);
    assert_int_equal(bus_offer_data(o, BYTES, sizeof PAYLOAD - 1, true), 0);
    assert_true(turn_until(w, &w->asked_guard, 2));
    answer(w, 0, ACCORD_DENY);
    assert_true(bus_party_busy(w->isa)); /* the commit still names its service */
    w->keep_case = false;
    answer(w, 1, ACCORD_ALLOW);
    turn(w);
    assert_false(bus_party_busy(w->isa));
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    world_free(w);
}

/* ---- on the way out ---- */

static void delivery_that_its_link_could_not_take_waits_and_counts_no_attempt(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    bus_dispatch_return(w->kept, "the link's process is not ready");
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_WAITING);
    assert_int_equal(delivery_of(w, "isa")->attempts, 0);
    assert_true(turn_until(w, &w->sent, 2));
    assert_int_equal(w->attempt, 1);
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

static void link_that_dies_after_the_last_byte_leaves_it_to_the_service(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    w->services[1].resend_uncertain = false;
    offer(w, "1");
    w->outcome = ACCORD_UNCERTAIN;
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_int_equal(delivery_of(w, "isa")->attempts, 1);
    world_free(w);
}

static void delivery_whose_record_is_damaged_is_dead_and_on_record(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_block(w->isa, "link", true);
    offer(w, "1");
    store_lose(w);
    bus_party_block(w->isa, "link", false);
    turn(w);
    assert_int_equal(w->sent, 0);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    assert_string_equal(delivery_of(w, "isa")->rule, "store.damaged");
    assert_int_equal(records_of(w, "isa", "delivery-dead"), 1);
    world_free(w);
}

static void agreement_goes_off_while_its_delivery_is_judged(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_block(w->isa, "link", true);
    offer(w, "1");
    assert_int_equal(bus_party_set(w->isa, w->list[1], 99), 0);
    w->keep_case = true;
    bus_party_block(w->isa, "link", false);
    assert_true(turn_until(w, &w->asked_guard, 2));
    bus_party_enable(w->isa, false, "its file says enabled = no");
    w->keep_case = false;
    answer(w, w->case_count - 1, ACCORD_ALLOW);
    turn(w);
    assert_int_equal(w->sent, 0);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    world_free(w);
}

static void attempt_that_fails_while_the_agreement_is_off_is_held(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    bus_party_enable(w->isa, false, "its file says enabled = no");
    w->outcome = ACCORD_RETRY;
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_int_equal(delivery_of(w, "isa")->attempts, 1);
    world_free(w);
}

static void message_that_was_held_for_long_is_not_given_up_after_one_attempt(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].retry_for = 0;
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    assert_true(turn_until(w, &w->sent, 3));
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.retry-for");
    assert_int_equal(delivery_of(w, "isa")->attempts, 3);
    world_free(w);
}

static void deferral_that_goes_on_is_recorded_once(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_block(w->isa, "link", true);
    offer(w, "1");
    assert_int_equal(bus_party_set(w->isa, w->list[1], 99), 0);
    w->guard = ACCORD_DEFER;
    bus_party_block(w->isa, "link", false);
    assert_true(turn_until(w, &w->asked_guard, 3));
    turn(w);
    assert_int_equal(records_of(w, "isa", "delivery-retried"), 1);
    assert_int_equal(delivery_of(w, "isa")->attempts, 0);
    world_free(w);
}

/* ---- a store that fails ---- */

static void settlement_that_the_store_refuses_is_tried_again(void **state)
{
    (void)state;
    static const int failures[] = {ACCORD_ELIMIT, ACCORD_EIO, ACCORD_ENOMEM};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct world *w = world_new(false);
        w->keep_dispatch = true;
        offer(w, "1");
        store_break(w, failures[i]);
        finish(w);
        turn_some(w);
        assert_false(bus_idle(w->bus));
        store_break(w, 0);
        turn(w);
        assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
        assert_int_equal(records_of(w, "isa", "message-delivered"), 1);
        assert_int_equal(w->sent, 1);
        world_free(w);
    }
}

static void what_cannot_be_settled_is_given_up_at_the_end(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    store_break(w, ACCORD_EIO);
    finish(w);
    turn_some(w);
    assert_false(bus_idle(w->bus));
    bus_give_up(w->bus);
    assert_true(bus_idle(w->bus));
    assert_int_equal(delivery_of(w, "isa")->state, STORE_SENDING); /* which a restart makes waiting */
    world_free(w);
}

static void nothing_is_accepted_that_was_not_committed(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    store_break(w, ACCORD_ELIMIT);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
    assert_string_equal(w->rule, "hub.store-full");
    store_break(w, ACCORD_EIO);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
    assert_string_equal(w->rule, "hub.store-failed");
    assert_int_equal(w->sent, 0);
    store_break(w, 0);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void switch_that_the_store_could_not_follow_is_followed_later(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_enable(w->isa, false, "off");
    turn(w);
    offer(w, "1");
    store_break(w, ACCORD_ELIMIT);
    bus_party_enable(w->isa, true, "on");
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    store_break(w, 0);
    assert_true(turn_until(w, &w->sent, 1));
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

#define T(name) cmocka_unit_test_teardown(name, message_forget)

static void what_is_held_too_late_goes_on_with_its_agreement(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    assert_int_equal(w->sent, 1);
    bus_party_enable(w->isa, false, "off for a moment");
    turn_some(w);
    store_break(w, ACCORD_ELIMIT);
    w->outcome = ACCORD_RETRY;
    finish(w);
    turn_some(w);
    store_break(w, 0);
    bus_party_enable(w->isa, true, "on again");
    w->keep_dispatch = false;
    w->outcome = ACCORD_DELIVERED;
    assert_true(turn_until(w, &w->sent, 2));
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(payload_may_come_in_parts_of_what_was_asked_for),
        T(large_payload_in_odd_parts_arrives_whole),
        T(message_that_is_not_as_long_as_announced_stays_with_its_source),
        T(offer_grows_too_large_while_the_store_takes_a_piece),
        T(aborted_offer_leaves_nothing),
        T(offer_aborted_after_its_last_byte_is_admitted_all_the_same),
        T(offer_is_not_taken_when_its_agreement_ends_while_it_comes_in),
        T(two_inspectors_read_the_same_payload_at_the_same_time),
        T(used_control_number_ends_only_the_delivery_of_the_agreement_that_knows_it),
        T(refusal_stands_in_the_trail_of_every_agreement_that_refused),
        T(destination_of_another_type_refuses),
        T(nothing_flows_between_agreements_without_a_release),
        T(agreement_whose_file_is_gone_takes_nothing_new),
        T(agreement_is_busy_while_a_message_is_judged_for_it),
        T(delivery_that_its_link_could_not_take_waits_and_counts_no_attempt),
        T(link_that_dies_after_the_last_byte_leaves_it_to_the_service),
        T(delivery_whose_record_is_damaged_is_dead_and_on_record),
        T(agreement_goes_off_while_its_delivery_is_judged),
        T(attempt_that_fails_while_the_agreement_is_off_is_held),
        T(message_that_was_held_for_long_is_not_given_up_after_one_attempt),
        T(deferral_that_goes_on_is_recorded_once),
        T(settlement_that_the_store_refuses_is_tried_again),
        T(what_cannot_be_settled_is_given_up_at_the_end),
        T(nothing_is_accepted_that_was_not_committed),
        T(switch_that_the_store_could_not_follow_is_followed_later),
        T(what_is_held_too_late_goes_on_with_its_agreement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
