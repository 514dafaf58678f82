/* What the bus does with messages, policies and links that behave. */
#include "bus_world.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void accepted_message_is_delivered_with_its_bytes(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->sent, 1);
    assert_string_equal(w->sent_id, w->id);
    assert_memory_equal(w->got, PAYLOAD, sizeof PAYLOAD - 1);
    const struct store_delivery *d = delivery_of(w, "isa");
    assert_non_null(d);
    assert_int_equal(d->state, STORE_DELIVERED);
    assert_string_equal(d->receipt, "path=/x");
    assert_string_equal(message_read()->name, "_._plan.edi");
    assert_int_equal(w->asked_guard, 1); /* not again at dispatch: same generation */
    world_free(w);
}

static void message_that_every_destination_denies_is_quarantined(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->inspect = ACCORD_DENY;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "stow-plan.unt-count");
    assert_int_equal(w->sent, 0);
    world_free(w);
}

static void message_that_no_service_takes_is_quarantined(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    text_copy(w->from.service, sizeof w->from.service, "elsewhere");
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "services.no-service");
    world_free(w);
}

static void repeat_of_a_source_id_with_the_same_content_is_taken_once(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    offer(w, "1");
    char first[ACCORD_ID_MAX];
    memcpy(first, w->id, sizeof first);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_string_equal(w->id, first);
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void one_destination_denies_and_the_other_gets_it(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->services[2].max_size = 3; /* other: too small */
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    const struct store_delivery *d = delivery_of(w, "other");
    assert_int_equal(d->state, STORE_DEAD);
    assert_string_equal(d->rule, "services.size");
    world_free(w);
}

static void deliveries_of_a_party_that_is_off_are_held_and_go_on_when_it_is_back(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_enable(w->isa, false, "its file says enabled = no");
    turn(w);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_int_equal(w->sent, 0);
    bus_party_enable(w->isa, true, "on");
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

static void failed_delivery_is_tried_again_and_counts_its_attempts(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    assert_true(turn_until(w, &w->sent, 3));
    assert_true(w->attempt >= 3);
    w->outcome = ACCORD_DELIVERED;
    for (int i = 0; i < 2000 && delivery_of(w, "isa")->state != STORE_DELIVERED; i++)
        uv_sleep(1);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

static void refused_delivery_is_dead_with_the_partners_words(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->outcome = ACCORD_REFUSED;
    offer(w, "1");
    const struct store_delivery *d = delivery_of(w, "isa");
    assert_int_equal(d->state, STORE_DEAD);
    assert_string_equal(d->rule, "partner.refused");
    assert_string_equal(d->reason, "scripted");
    world_free(w);
}

static void control_number_may_be_used_once(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->key = "edifact:SENDER:42";
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    offer(w, "2");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "hub.key-used");
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void message_judged_under_other_policies_is_judged_again_at_dispatch(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_block(w->isa, "link", true);
    offer(w, "1");
    assert_int_equal(w->asked_guard, 1);
    bus_party_ready(w->isa, false);
    bus_party_set(w->isa, w->list[1], 99);
    bus_party_ready(w->isa, true);
    w->guard = ACCORD_DENY;
    bus_party_block(w->isa, "link", false);
    turn(w);
    assert_int_equal(w->asked_guard, 2);
    assert_int_equal(w->sent, 0);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    world_free(w);
}

static void deferred_destination_waits_and_is_asked_again(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->guard = ACCORD_DEFER;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_WAITING);
    assert_int_equal(w->sent, 0);
    w->guard = ACCORD_ALLOW;
    assert_true(turn_until(w, &w->sent, 1));
    world_free(w);
}

static void oversize_offer_is_rejected_before_a_byte_is_taken(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[0].max_size = 5;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "services.size");
    assert_int_equal(w->pulled, 0);
    world_free(w);
}

static void offer_of_a_party_not_in_force_is_rejected(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->agreements[0].is_site = false;
    w->agreements[0].in_force_until = 1;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "hub.not-in-force");
    world_free(w);
}

static void more_bytes_than_were_asked_for_are_a_protocol_error(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    static uint8_t bytes[ACCORD_PIECE_MAX + 1];
    struct bus_offer *o = offer_begin(w, "", -1);
    assert_int_equal(bus_offer_data(o, bytes, sizeof bytes, false), ACCORD_EPROTO);
    bus_offer_abort(o);
    world_free(w);
}

#define T(name) cmocka_unit_test_teardown(name, message_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(accepted_message_is_delivered_with_its_bytes),
        T(message_that_every_destination_denies_is_quarantined),
        T(message_that_no_service_takes_is_quarantined),
        T(repeat_of_a_source_id_with_the_same_content_is_taken_once),
        T(one_destination_denies_and_the_other_gets_it),
        T(deliveries_of_a_party_that_is_off_are_held_and_go_on_when_it_is_back),
        T(failed_delivery_is_tried_again_and_counts_its_attempts),
        T(refused_delivery_is_dead_with_the_partners_words),
        T(control_number_may_be_used_once),
        T(message_judged_under_other_policies_is_judged_again_at_dispatch),
        T(deferred_destination_waits_and_is_asked_again),
        T(oversize_offer_is_rejected_before_a_byte_is_taken),
        T(offer_of_a_party_not_in_force_is_rejected),
        T(more_bytes_than_were_asked_for_are_a_protocol_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
