/* Messages that end the process that has them, uncertain ones, and limits of trying. */
#include "bus/denials.h"
#include "bus/gate.h"
#include "bus/lane.h"
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

static void crash(struct world *w, bool alone, bool busy, bool whole)
{
    struct bus_dispatch *dispatch = w->kept;
    w->kept = NULL;
    bus_dispatch_crashed(dispatch, &(struct bus_crash){alone, busy, whole, "the link's process died"});
    turn_some(w);
}

static void delivery_that_ends_two_links_alone_is_dead(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    crash(w, true, false, false);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_SENDING); /* offered again at once */
    assert_int_equal(delivery_of(w, "isa")->attempts, 1);
    assert_int_equal(w->attempt, 2);
    crash(w, true, false, false);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.connector-crashed");
    assert_string_equal(w->incident, "hub.connector-crashed");
    assert_int_equal(records_of(w, "isa", "delivery-dead"), 1);
    world_free(w);
}

static void one_crash_in_company_proves_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    for (int i = 0; i < 5; i++) {
        crash(w, false, false, false);
        assert_non_null(w->kept);
    }
    crash(w, true, false, false);
    assert_non_null(w->kept);
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

/* The hub says again and again that a link is blocked. */
static void suspect_has_its_turn_while_another_link_is_blocked(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    text_copy(w->links[2].name, sizeof w->links[2].name, "parked");
    text_copy(w->services[2].name, sizeof w->services[2].name, "second");
    w->services[2].from_count = 0;
    w->agreements[1].link_count = w->agreements[1].service_count = 2;
    assert_int_equal(bus_party_set(w->isa, &w->agreements[1], 7), 0);
    bus_party_block(w->isa, "link", false);
    w->keep_dispatch = true;
    offer(w, "1");
    struct bus_dispatch *first = w->kept;
    offer(w, "2");
    struct bus_dispatch *second = w->kept;
    w->kept = first;
    crash(w, false, false, false); /* it must be alone, and the second is there */
    for (int64_t until = clock_ticks() + 2 * GATE_TURN; clock_ticks() < until;) {
        bus_party_block(w->isa, "parked", true);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    offer(w, "3");
    assert_int_equal(w->sent, 2); /* it lets the suspect go first */
    w->kept = second;
    finish(w);
    for (int sent = 3; sent <= 4; sent++) {
        assert_true(turn_until(w, &w->sent, sent));
        finish(w);
    }
    turn(w);
    world_free(w);
}

static void link_that_took_messages_in_may_have_died_of_those(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    for (int i = 0; i < 3; i++) {
        crash(w, true, true, false);
        assert_non_null(w->kept);
    }
    crash(w, true, true, false);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    world_free(w);
}

static void suspicion_ends_with_an_answer(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    crash(w, true, false, false);
    finish(w); /* this time the link lived */
    assert_true(turn_until(w, &w->sent, 3));
    crash(w, true, false, false);
    assert_non_null(w->kept);
    w->outcome = ACCORD_DELIVERED;
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

/* Three were with the link when it died: each goes alone, and others go on before them. */
static void suspects_are_offered_one_at_a_time(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct bus_dispatch *three[3];
    w->keep_dispatch = true;
    for (int i = 0; i < 3; i++) {
        offer(w, (char[]){(char)('1' + i), 0});
        three[i] = w->kept;
    }
    assert_int_equal(w->sent, 3);
    bus_party_block(w->isa, "link", true);
    for (int i = 0; i < 3; i++)
        bus_dispatch_crashed(three[i], &(struct bus_crash){.reason = "died"});
    turn_some(w);
    bus_party_block(w->isa, "link", false);
    for (int sent = 4; sent <= 6; sent++) {
        assert_true(turn_until(w, &w->sent, sent));
        turn_some(w);
        assert_int_equal(w->sent, sent);
        finish(w);
    }
    turn(w);
    assert_int_equal(records_of(w, "isa", "message-delivered"), 3);
    world_free(w);
}

static void end_on_request_accuses_nobody(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    offer(w, "1");
    for (int i = 0; i < 4; i++) {
        struct accord_result result = {.outcome = ACCORD_RETRY, .reason = "the link's process ended"};
        int before = w->sent;
        bus_dispatch_cut(w->kept, &result);
        assert_true(turn_until(w, &w->sent, before + 1));
    }
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

static void link_that_goes_while_suspects_wait_gets_them_later(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct bus_dispatch *two[2];
    w->keep_dispatch = true;
    for (int i = 0; i < 2; i++) {
        offer(w, (char[]){(char)('1' + i), 0});
        two[i] = w->kept;
    }
    for (int i = 0; i < 2; i++)
        bus_dispatch_crashed(two[i], &(struct bus_crash){.reason = "died"});
    assert_true(turn_until(w, &w->sent, 3)); /* the first of them; the other waits behind it */
    turn_some(w);
    bus_party_block(w->isa, "link", true); /* as the hub does when it sees its process gone */
    crash(w, true, false, false);
    assert_int_equal(w->sent, 3);
    bus_party_block(w->isa, "link", false);
    assert_true(turn_until(w, &w->sent, 4));
    turn_some(w);
    assert_int_equal(w->sent, 4);
    finish(w);
    assert_true(turn_until(w, &w->sent, 5));
    finish(w);
    turn(w);
    assert_int_equal(records_of(w, "isa", "message-delivered"), 2);
    world_free(w);
}

/* ---- judges ---- */

static struct bus_case *kept_case(struct world *w)
{
    struct bus_case *c = w->cases[--w->case_count];
    w->cases[w->case_count] = NULL;
    return c;
}

static void judge_back(struct world *w)
{
    bus_party_ready(w->isa, false);
    bus_party_ready(w->isa, true);
}

static void begin_offer(struct world *w, const char *source_id)
{
    struct bus_offer *o = offer_begin(w, source_id, -1);
    assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    turn_some(w);
}

static void message_that_ends_two_inspectors_alone_is_quarantined(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_case = true;
    begin_offer(w, "1");
    w->case_count = 0;
    answer(w, 0, ACCORD_ALLOW); /* the guard; now the inspector has it */
    assert_int_equal(w->asked_inspect, 1);
    bus_case_crashed(kept_case(w), true);
    turn_some(w);
    assert_int_equal(w->asked_inspect, 1); /* until there is another */
    assert_int_equal(w->done, 0);
    judge_back(w);
    assert_int_equal(w->asked_inspect, 2);
    bus_case_crashed(kept_case(w), true);
    turn(w);
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "hub.inspect-crashed");
    assert_string_equal(w->incident, "hub.inspect-crashed");
    judge_back(w);
    world_free(w);
}

static void message_that_ends_two_guards_alone_is_quarantined(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_case = true;
    begin_offer(w, "1");
    bus_case_crashed(kept_case(w), true);
    judge_back(w);
    bus_case_crashed(kept_case(w), true);
    turn(w);
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "hub.guard-crashed");
    judge_back(w);
    world_free(w);
}

static void questions_that_were_with_it_are_put_again_one_at_a_time(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_case = true;
    begin_offer(w, "1");
    begin_offer(w, "2");
    assert_int_equal(w->asked_guard, 2);
    bus_case_crashed(kept_case(w), false);
    bus_case_crashed(kept_case(w), false);
    judge_back(w);
    assert_int_equal(w->asked_guard, 3);
    w->keep_case = false;
    judge_back(w);
    w->case_count = 0;
    answer(w, 0, ACCORD_ALLOW);
    turn(w);
    assert_int_equal(w->done, 2);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->incidents, 0);
    world_free(w);
}

static void agreement_that_drains_gives_back_what_waits_for_a_judge(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_case = true;
    begin_offer(w, "1");
    bus_case_crashed(kept_case(w), true);
    bus_party_drain(w->isa);
    bus_party_enable(w->isa, false, "its file says enabled = no");
    turn(w);
    assert_int_equal(w->done, 1);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    bus_party_enable(w->isa, true, "on");
    bus_party_ready(w->isa, true);
    w->keep_case = false;
    assert_true(turn_until(w, &w->sent, 1));
    world_free(w);
}

/* ---- uncertain, and limits of trying ---- */

static void uncertain_one_waits_for_a_person_when_its_service_says_hold(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].resend_uncertain = false;
    w->outcome = ACCORD_UNCERTAIN;
    offer(w, "1");
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_int_equal(delivery_of(w, "isa")->not_before, STORE_NEVER);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.uncertain");
    assert_string_equal(w->incident, "hub.uncertain");
    for (int turns = 0; turns < 2; turns++) {
        bus_party_enable(w->isa, false, "off");
        if (turns)
            turn(w);
        bus_party_enable(w->isa, true, "on"); /* is not what it waits for */
        turn(w);
        assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
        assert_int_equal(w->sent, 1);
    }
    world_free(w);
}

static void crash_behind_the_last_byte_is_uncertain(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].resend_uncertain = false;
    w->keep_dispatch = true;
    offer(w, "1");
    crash(w, true, false, true);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.uncertain");
    world_free(w);
}

static void uncertain_one_is_sent_again_and_says_so_when_its_service_says_resend(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->outcome = ACCORD_UNCERTAIN;
    w->keep_dispatch = true;
    offer(w, "1");
    finish(w);
    assert_true(turn_until(w, &w->sent, 2));
    assert_int_equal(w->attempt, 2);
    w->outcome = ACCORD_DELIVERED;
    finish(w);
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->attempts, 2);
    world_free(w);
}

static void attempts_are_counted_up_to_the_services_limit(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].retry_attempts = 2;
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    assert_true(turn_until(w, &w->sent, 2));
    turn(w);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.retry-attempts");
    assert_int_equal(w->sent, 2);
    world_free(w);
}

static void retry_comes_in_time_though_the_clock_is_put_back(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct clock_source clock = {.wall = clock_wall(), .ticks = clock_ticks()};
    clock_use(&clock);
    w->services[1].retry_first = w->services[1].retry_longest = 10000;
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    assert_int_equal(w->sent, 1);
    clock.wall -= 86400000000;
    bus_timer_set(w->bus);
    turn_some(w);
    assert_int_equal(w->sent, 1);
    clock.ticks += 12001;
    clock.wall += 12001000;
    bus_timer_set(w->bus);
    assert_true(turn_until(w, &w->sent, 2));
    clock_use(NULL);
    world_free(w);
}

static void retry_for_does_not_end_early_when_the_clock_is_put_ahead(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct clock_source clock = {.wall = clock_wall(), .ticks = clock_ticks()};
    clock_use(&clock);
    bus_timer_set(w->bus);
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    for (int sent = 2; sent < 8; sent++) {
        clock.wall += 86400000000 + 1000000; /* a day ahead, while a second passes */
        clock.ticks += 1000;
        bus_timer_set(w->bus);
        assert_true(turn_until(w, &w->sent, sent));
        turn_some(w);
    }
    assert_int_equal(delivery_of(w, "isa")->state, STORE_WAITING);
    clock.ticks += 60001;
    clock.wall += 60001000;
    bus_timer_set(w->bus);
    assert_true(turn_until(w, &w->sent, 8));
    turn(w);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.retry-for");
    clock_use(NULL);
    world_free(w);
}

/* ---- again and again ---- */

static void same_refusal_is_recorded_once_and_then_counted(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct clock_source clock = {.wall = clock_wall(), .ticks = clock_ticks()};
    clock_use(&clock);
    w->services[0].max_size = 3;
    for (int i = 0; i < 50; i++)
        offer_begin(w, "1", 9);
    assert_int_equal(w->done, 50);
    assert_int_equal(w->records[AUDIT_REFUSED], 1);
    offer_begin(w, "2", 9); /* another file */
    assert_int_equal(w->records[AUDIT_REFUSED], 2);
    clock.ticks += DENIALS_EVERY;
    bus_party_drain(w->site); /* or the clock's own turn */
    assert_int_equal(w->records[AUDIT_REFUSED], 3);
    assert_string_equal(w->detail, "times-more=49");
    clock_use(NULL);
    world_free(w);
}

static void agreement_that_is_off_is_told_of_once_for_all_messages(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_enable(w->site, false, "off");
    for (int i = 0; i < 20; i++)
        offer_begin(w, (char[]){(char)('a' + i), 0}, 9);
    assert_int_equal(w->records[AUDIT_DEFERRED], 1);
    world_free(w);
}

#define T(name) cmocka_unit_test_teardown(name, message_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(delivery_that_ends_two_links_alone_is_dead),
        T(one_crash_in_company_proves_nothing),
        T(suspect_has_its_turn_while_another_link_is_blocked),
        T(link_that_took_messages_in_may_have_died_of_those),
        T(suspicion_ends_with_an_answer),
        T(suspects_are_offered_one_at_a_time),
        T(end_on_request_accuses_nobody),
        T(link_that_goes_while_suspects_wait_gets_them_later),
        T(message_that_ends_two_inspectors_alone_is_quarantined),
        T(message_that_ends_two_guards_alone_is_quarantined),
        T(questions_that_were_with_it_are_put_again_one_at_a_time),
        T(agreement_that_drains_gives_back_what_waits_for_a_judge),
        T(uncertain_one_waits_for_a_person_when_its_service_says_hold),
        T(crash_behind_the_last_byte_is_uncertain),
        T(uncertain_one_is_sent_again_and_says_so_when_its_service_says_resend),
        T(attempts_are_counted_up_to_the_services_limit),
        T(retry_comes_in_time_though_the_clock_is_put_back),
        T(retry_for_does_not_end_early_when_the_clock_is_put_ahead),
        T(same_refusal_is_recorded_once_and_then_counted),
        T(agreement_that_is_off_is_told_of_once_for_all_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
