/* Order, limits, and what persons decide. */
#include "bus/party.h"
#include "bus_world.h"
#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define SIZE ((int64_t)sizeof PAYLOAD - 1)

static void on_done(void *arg, int result)
{
    *(int *)arg = result;
}

/* A person's decision about the delivery of the message that was admitted last. */
static int decide(struct world *w, enum store_state state)
{
    struct store_decision decision = {.number = delivery_of(w, "isa")->number, .state = state};
    struct store_delivery delivery = *delivery_of(w, "isa");
    int result = 1;
    store_decide(w->store, &decision, on_done, &result);
    while (result > 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    if (!result)
        bus_decided(w->bus, &delivery);
    return result;
}

static void admit_three(struct world *w, char ids[3][ACCORD_ID_MAX])
{
    for (int i = 0; i < 3; i++) {
        offer(w, (char[]){(char)('1' + i), 0});
        text_copy(ids[i], ACCORD_ID_MAX, w->id);
    }
}

static void sent_is(struct world *w, int count, const char *id)
{
    assert_true(turn_until(w, &w->sent, count));
    turn_some(w);
    assert_int_equal(w->sent, count);
    assert_string_equal(w->sent_id, id);
}

/* ---- order ---- */

static void ordered_service_has_one_under_way(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    char ids[3][ACCORD_ID_MAX];
    w->services[1].ordered = true;
    w->keep_dispatch = true;
    admit_three(w, ids);
    for (int i = 0; i < 3; i++) {
        sent_is(w, i + 1, ids[i]);
        finish(w);
    }
    turn(w);
    assert_int_equal(records_of(w, "isa", "message-delivered"), 3);
    world_free(w);
}

static void retry_keeps_its_place(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    char ids[3][ACCORD_ID_MAX];
    w->services[1].ordered = true;
    w->keep_dispatch = true;
    admit_three(w, ids);
    sent_is(w, 1, ids[0]);
    w->outcome = ACCORD_RETRY;
    finish(w);
    sent_is(w, 2, ids[0]);
    w->outcome = ACCORD_DELIVERED;
    finish(w);
    sent_is(w, 3, ids[1]);
    finish(w);
    sent_is(w, 4, ids[2]);
    finish(w);
    world_free(w);
}

static bool turn_until_blocked(struct world *w, struct bus_lane_view *lane)
{
    for (int i = 0; i < 8000; i++) {
        if (bus_party_lane(w->isa, 0, lane) && lane->blocked_by[0])
            return true;
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    return false;
}

static void dead_one_holds_up_those_behind_it_until_a_person_decides(void **state)
{
    (void)state;
    static const enum store_state decisions[] = {STORE_WAITING, STORE_DISCARDED};
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new(false);
        struct bus_lane_view lane;
        char ids[3][ACCORD_ID_MAX];
        w->services[1].ordered = true;
        w->keep_dispatch = true;
        admit_three(w, ids);
        w->outcome = ACCORD_REFUSED;
        finish(w);
        assert_true(turn_until_blocked(w, &lane));
        assert_int_equal(w->sent, 1);
        assert_string_equal(lane.blocked_by, ids[0]);
        assert_true(lane.blocked_since > 0);
        text_copy(w->id, sizeof w->id, ids[0]);
        assert_int_equal(decide(w, decisions[i]), 0);
        w->outcome = ACCORD_DELIVERED;
        if (decisions[i] == STORE_WAITING) {
            sent_is(w, 2, ids[0]);
            finish(w);
        }
        for (int next = 1; next < 3; next++) {
            assert_true(turn_until(w, &w->sent, w->sent + (w->kept ? 0 : 1)));
            assert_string_equal(w->sent_id, ids[next]);
            finish(w);
        }
        turn(w);
        assert_true(bus_party_lane(w->isa, 0, &lane));
        assert_string_equal(lane.blocked_by, "");
        world_free(w);
    }
}

static void dead_one_is_skipped_when_its_service_says_so(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    char ids[3][ACCORD_ID_MAX];
    w->services[1].ordered = w->services[1].skip_dead = true;
    w->keep_dispatch = true;
    admit_three(w, ids);
    w->outcome = ACCORD_REFUSED;
    finish(w);
    sent_is(w, 2, ids[1]);
    finish(w);
    sent_is(w, 3, ids[2]);
    finish(w);
    world_free(w);
}

static void nothing_overtakes_a_dead_one_when_the_lane_is_idle(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].ordered = true;
    w->outcome = ACCORD_REFUSED;
    offer(w, "1");
    w->outcome = ACCORD_DELIVERED;
    offer(w, "2");
    turn_some(w);
    assert_int_equal(w->sent, 1);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_WAITING);
    world_free(w);
}

/* Answers what is kept, and what is asked thereupon; `denies` NULL: everyone allows. */
static void answer_kept(struct world *w, const struct bus_party *denies)
{
    for (size_t i = 0; i < w->case_count; i++)
        answer(w, i, bus_case_view(w->cases[i])->party == denies ? ACCORD_DENY : ACCORD_ALLOW);
    w->case_count = 0;
}

static void nothing_overtakes_one_that_was_dead_from_the_beginning(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    struct bus_lane_view lane;
    w->services[1].ordered = true;
    offer(w, "1");
    w->keep_case = true;
    struct bus_offer *o = offer_begin(w, "2", SIZE);
    assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    assert_true(turn_until(w, &w->asked_guard, 4));
    answer_kept(w, w->isa);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    char dead[ACCORD_ID_MAX];
    text_copy(dead, sizeof dead, w->id);
    w->keep_case = false;
    offer(w, "3");
    assert_int_equal(delivery_of(w, "isa")->state, STORE_WAITING);
    assert_true(bus_party_lane(w->isa, 0, &lane));
    assert_string_equal(lane.blocked_by, dead);
    world_free(w);
}

static void begin_judged_by_the_guard(struct world *w, const char *source_id)
{
    int asked = w->asked_guard;
    struct bus_offer *o = offer_begin(w, source_id, SIZE);
    assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    assert_true(turn_until(w, &w->asked_guard, asked + 1));
    answer(w, w->case_count - 1, ACCORD_ALLOW);
}

static void on_cursor(void *arg, int result)
{
    struct world *w = arg;
    (void)result;
    answer(w, 3, ACCORD_ALLOW);
}

/* The second is being committed when what was before it is settled; the third could go at once. */
static void nothing_overtakes_what_is_being_committed(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct store_cursor cursor = {.route = "site/plans"};
    w->services[1].ordered = true;
    offer(w, "1");
    w->keep_dispatch = true;
    offer(w, "2");
    assert_int_equal(w->sent, 2);
    w->keep_case = true;
    begin_judged_by_the_guard(w, "3");
    begin_judged_by_the_guard(w, "4");
    int done = w->done;
    finish(w);
    store_cursor(w->store, &cursor, on_cursor, w);
    answer(w, 1, ACCORD_ALLOW);
    assert_true(turn_until(w, &w->done, done + 2));
    assert_true(turn_until(w, &w->sent, 3));
    assert_string_not_equal(w->sent_id, w->id); /* of the one that was accepted last */
    finish(w);
    assert_true(turn_until(w, &w->sent, 4));
    assert_string_equal(w->sent_id, w->id);
    finish(w);
    turn(w);
    world_free(w);
}

/* ---- persons ---- */

static void dead_delivery_is_retried_and_judged_anew(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->outcome = ACCORD_REFUSED;
    offer(w, "1");
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    w->outcome = ACCORD_DELIVERED;
    assert_int_equal(decide(w, STORE_WAITING), 0);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    assert_int_equal(w->asked_guard, 2);
    assert_int_equal(w->attempt, 2);
    assert_int_equal(decide(w, STORE_DISCARDED), ACCORD_ESTATE);
    world_free(w);
}

/* What a person's retry was given is counted from there. */
static void retried_one_has_all_its_attempts_again(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].retry_attempts = 2;
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    assert_true(turn_until(w, &w->sent, 2));
    turn(w);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.retry-attempts");
    assert_int_equal(decide(w, STORE_WAITING), 0);
    assert_true(turn_until(w, &w->sent, 4));
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    assert_int_equal(w->sent, 4);
    world_free(w);
}

static void release_of(struct world *w, int dones)
{
    struct store_get get = {.message = w->id};
    int result = 1;
    store_get(w->store, &get, on_done, &result);
    while (result > 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(bus_release(w->bus, get.found, "alice(1000)", "seen and good", &offer_events, w), 0);
    assert_true(turn_until(w, &w->done, dones));
    turn(w);
    store_message_free(get.found);
}

static void released_message_goes_on_though_its_content_was_denied(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->inspect = ACCORD_DENY;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    release_of(w, 2);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->asked_inspect, 1); /* a person has read it */
    assert_int_equal(w->asked_guard, 2);
    assert_int_equal(w->sent, 1);
    assert_memory_equal(w->got, PAYLOAD, sizeof PAYLOAD - 1);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    assert_int_equal(records_of(w, "site", "quarantine-released"), 1);
    assert_true(line_of(w, "alice(1000)") != SIZE_MAX);
    assert_true(line_of(w, "seen and good") != SIZE_MAX);
    release_of(w, 3); /* once */
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "hub.not-quarantined");
    world_free(w);
}

static void released_message_leaves_its_unique_key_free(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->key = "edifact:SENDER:42";
    w->inspect = ACCORD_DENY;
    offer(w, "1");
    release_of(w, 2);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    w->inspect = ACCORD_ALLOW;
    offer(w, "2"); /* the corrected one, with the same number */
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    offer(w, "3");
    assert_string_equal(w->rule, "hub.key-used");
    int dones = w->done + 1;
    release_of(w, dones);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->sent, 3);
    world_free(w);
}

static void release_does_not_override_the_guard(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->guard = ACCORD_DENY;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    release_of(w, 2);
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "services.rate");
    assert_null(delivery_of(w, "isa"));
    assert_true(message_read()->flags & STORE_QUARANTINED);
    assert_int_equal(w->sent, 0);
    world_free(w);
}

static void release_needs_a_service_that_takes_it(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_retire(w->isa, true);
    offer(w, "1");
    assert_string_equal(w->rule, "services.no-service");
    release_of(w, 2);
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    bus_party_retire(w->isa, false);
    release_of(w, 3);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

/* ---- limits ---- */

static void destination_at_its_limit_stops_its_sources_until_a_tenth_is_free(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->agreements[1].store_limit = 10 * SIZE;
    bus_party_block(w->isa, "link", true);
    for (int i = 0; i < 10; i++) {
        offer(w, (char[]){(char)('a' + i), 0});
        assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    }
    for (int i = 0; i < 5; i++) {
        offer(w, (char[]){(char)('k' + i), 0});
        assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
        assert_string_equal(w->rule, "hub.store-limit");
        assert_non_null(strstr(w->reason, "isa"));
    }
    assert_int_equal(w->asked_guard, 10);
    assert_int_equal(w->records[AUDIT_DEFERRED], 1);
    assert_int_equal(w->records[AUDIT_SOURCES_STOPPED], 1);
    assert_string_equal(w->incident, "hub.store-limit");
    bus_party_block(w->isa, "link", false);
    assert_true(turn_until(w, &w->records[AUDIT_SOURCES_RESUMED], 1));
    offer(w, "k");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    world_free(w);
}

static void limit_of_one_agreement_does_not_stop_another(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->services[2].from_count = 0; /* the other takes nothing of this source */
    w->agreements[2].store_limit = 1;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    world_free(w);
}

static void full_quarantine_stops_its_source(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->agreements[0].quarantine_limit = 2 * SIZE;
    w->inspect = ACCORD_DENY;
    offer(w, "1");
    offer(w, "2");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    offer(w, "3");
    assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
    assert_string_equal(w->rule, "hub.quarantine-limit");
    assert_non_null(strstr(w->reason, "site"));
    w->inspect = ACCORD_ALLOW;
    offer(w, "4"); /* also what is good: a person must look first */
    assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
    w->agreements[0].quarantine_limit = 0;
    assert_true(turn_until(w, &w->records[AUDIT_SOURCES_RESUMED], 1));
    offer(w, "4");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    world_free(w);
}

static void one_link_has_its_share_of_the_stores_queue(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_case = true;
    for (int i = 0; i < 4; i++) {
        struct bus_offer *o = offer_begin(w, (char[]){(char)('a' + i), 0}, -1);
        w->site->inlets[0].most = 2;
        assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, (size_t)SIZE, true), 0);
    }
    turn_some(w);
    assert_int_equal(w->asked_guard, 2);
    w->keep_case = false;
    answer(w, 0, ACCORD_ALLOW);
    answer(w, 1, ACCORD_ALLOW);
    turn(w);
    assert_int_equal(w->done, 4);
    world_free(w);
}

#define T(name) cmocka_unit_test_teardown(name, message_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ordered_service_has_one_under_way),
        T(nothing_overtakes_one_that_was_dead_from_the_beginning),
        T(nothing_overtakes_what_is_being_committed),
        T(retry_keeps_its_place),
        T(dead_one_holds_up_those_behind_it_until_a_person_decides),
        T(dead_one_is_skipped_when_its_service_says_so),
        T(nothing_overtakes_a_dead_one_when_the_lane_is_idle),
        T(dead_delivery_is_retried_and_judged_anew),
        T(retried_one_has_all_its_attempts_again),
        T(released_message_goes_on_though_its_content_was_denied),
        T(released_message_leaves_its_unique_key_free),
        T(release_does_not_override_the_guard),
        T(release_needs_a_service_that_takes_it),
        T(destination_at_its_limit_stops_its_sources_until_a_tenth_is_free),
        T(limit_of_one_agreement_does_not_stop_another),
        T(full_quarantine_stops_its_source),
        T(one_link_has_its_share_of_the_stores_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
