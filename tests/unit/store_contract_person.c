/* The store's contract: what persons decide. */
#include "store_contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_calls.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct store_delivery delivery_of(struct bench *bench, const char *id, size_t at)
{
    struct store_message *message;
    assert_int_equal(get(bench, id, &message), 0);
    assert_true(at < message->delivery_count);
    struct store_delivery delivery = message->deliveries[at];
    store_message_free(message);
    return delivery;
}

static size_t claimable(struct bench *bench, const char *agreement)
{
    struct store_claimed claimed[8];
    struct store_claim request = {.agreement = agreement, .now = 1, .limit = 8, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    for (size_t i = 0; i < request.count; i++)
        store_message_free(claimed[i].message);
    return request.count;
}

/* ---- decisions ---- */

static void a_dead_delivery_is_retried_from_the_beginning(void **state)
{
    struct bench *bench = *state;
    char id[ACCORD_ID_MAX];
    uint64_t number = admit_small(bench, "a", id);
    struct store_delivery before = delivery_of(bench, id, 0);
    assert_true(before.since > 0);
    assert_int_equal(before.attempts_before, 0);
    assert_int_equal(settle(bench, number, STORE_DEAD), 0);
    assert_int_equal(settle(bench, number, STORE_WAITING), ACCORD_ESTATE);
    size_t lines = verify_chains(bench);
    struct store_audit record = {.chain = "isa", .body = make_body("delivery-retried")};
    struct store_decision retry = {.number = number,
                                   .state = STORE_WAITING,
                                   .reason = "the partner is back",
                                   .audit = &record,
                                   .audit_count = 1};
    assert_int_equal(decide(bench, &retry), 0);
    struct store_delivery after = delivery_of(bench, id, 0);
    assert_int_equal(after.state, STORE_WAITING);
    assert_string_equal(after.reason, "the partner is back");
    assert_true(after.since > before.since);
    assert_int_equal(after.attempts, 1);
    assert_int_equal(after.attempts_before, 1);
    assert_int_equal(after.not_before, 0);
    assert_int_equal(after.generation, 0);
    assert_int_equal(verify_chains(bench), lines + 1);
    assert_int_equal(claimable(bench, "isa"), 1);
    buf_fini(&record.body);
}

static void what_is_held_for_a_person_is_retried_and_the_rest_of_the_held_is_not(void **state)
{
    struct bench *bench = *state;
    char ids[2][ACCORD_ID_MAX];
    for (size_t i = 0; i < 2; i++) {
        struct store_settlement hold = {.number = admit_small(bench, (const char *[]){"a", "b"}[i], ids[i]),
                                        .state = STORE_HELD,
                                        .not_before = i ? STORE_NEVER : 0};
        assert_int_equal(settle_with(bench, &hold), 0);
        struct store_decision retry = {.number = hold.number, .state = STORE_WAITING};
        assert_int_equal(decide(bench, &retry), i ? 0 : ACCORD_ESTATE);
    }
    assert_int_equal(state_of(bench, ids[0], 0), STORE_HELD);
    assert_int_equal(state_of(bench, ids[1], 0), STORE_WAITING);
}

static void what_is_not_delivered_can_be_given_up(void **state)
{
    struct bench *bench = *state;
    static const enum store_state from[] = {STORE_WAITING, STORE_HELD, STORE_DEAD, STORE_DELIVERED};
    char id[ACCORD_ID_MAX];
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        uint64_t number = admit_small(bench, (const char *[]){"a", "b", "c", "d"}[i], id);
        struct store_decision give_up = {.number = number, .state = STORE_DISCARDED, .reason = "withdrawn"};
        assert_int_equal(settle(bench, number, from[i]), 0);
        assert_int_equal(decide(bench, &give_up), from[i] == STORE_DELIVERED ? ACCORD_ESTATE : 0);
        assert_int_equal(state_of(bench, id, 0),
                         from[i] == STORE_DELIVERED ? STORE_DELIVERED : STORE_DISCARDED);
        assert_int_equal(decide(bench, &give_up), ACCORD_ESTATE);
        give_up.state = STORE_WAITING;
        assert_int_equal(decide(bench, &give_up), ACCORD_ESTATE);
    }
    assert_int_equal(claimable(bench, "isa"), 0);
}

static void what_is_being_sent_cannot_be_decided_on(void **state)
{
    struct bench *bench = *state;
    char id[ACCORD_ID_MAX];
    uint64_t number = admit_small(bench, "a", id);
    assert_int_equal(claimable(bench, "isa"), 1);
    struct store_decision decision = {.number = number, .state = STORE_DISCARDED};
    assert_int_equal(decide(bench, &decision), ACCORD_ESTATE);
    decision.state = STORE_WAITING;
    assert_int_equal(decide(bench, &decision), ACCORD_ESTATE);
    decision.state = STORE_DELIVERED;
    assert_int_equal(decide(bench, &decision), ACCORD_EINVAL);
    decision = (struct store_decision){.number = number + 1, .state = STORE_DISCARDED};
    assert_int_equal(decide(bench, &decision), ACCORD_ENOENT);
    assert_int_equal(state_of(bench, id, 0), STORE_SENDING);
}

/* ---- quarantine ---- */

static void quarantine_one(struct bench *bench, const char *source_id, char id[ACCORD_ID_MAX])
{
    struct letter letter;
    letter_init(&letter, bench, source_id, "five!", 5);
    letter.admission.flags = STORE_QUARANTINED;
    letter.admission.rule = "content.unt-count";
    letter.admission.reason = "the count is wrong";
    letter.admission.delivery_count = 0;
    assert_int_equal(admit(bench, &letter), 0);
    memcpy(id, letter.id.text, ACCORD_ID_MAX);
    letter_fini(&letter);
}

static size_t quarantined(struct bench *bench)
{
    struct store_counts request = {0};
    assert_int_equal(counts(bench, &request), 0);
    size_t count = request.quarantined;
    struct store_message *found[8];
    struct store_scan page = {.state = -1, .limit = 8, .found = found};
    assert_int_equal(scan(bench, &page), 0);
    assert_int_equal(page.count, count);
    for (size_t i = 0; i < page.count; i++)
        store_message_free(found[i]);
    free(request.rows);
    return count;
}

static void a_released_message_goes_on_to_its_deliveries(void **state)
{
    struct bench *bench = *state;
    char id[ACCORD_ID_MAX], text[8];
    size_t got;
    uint64_t before = admit_small(bench, "before", NULL);
    quarantine_one(bench, "a", id);
    assert_int_equal(quarantined(bench), 1);
    struct store_audit record = {.chain = "isa", .body = make_body("quarantine-released")};
    struct store_delivery deliveries[2] = {{.state = STORE_WAITING}, {.state = STORE_HELD, .reason = "off"}};
    for (size_t i = 0; i < 2; i++) {
        text_copy(deliveries[i].agreement, STORE_NAME_MAX, i ? "other" : "isa");
        text_copy(deliveries[i].service, STORE_NAME_MAX, "out");
    }
    struct store_unquarantine release = {.message = id,
                                         .deliveries = deliveries,
                                         .delivery_count = 2,
                                         .reason = "looked at",
                                         .audit = &record,
                                         .audit_count = 1};
    assert_int_equal(unquarantine(bench, &release), 0);
    assert_true(deliveries[0].number > before);
    assert_int_equal(deliveries[1].number, deliveries[0].number + 1);
    assert_int_equal(quarantined(bench), 0);
    assert_int_equal(delivery_of(bench, id, 0).number, deliveries[0].number);
    assert_int_equal(delivery_of(bench, id, 1).state, STORE_HELD);
    assert_string_equal(delivery_of(bench, id, 1).reason, "off");
    struct store_claimed claimed[4];
    struct store_claim request = {.agreement = "isa", .now = 1, .limit = 4, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 2);
    assert_string_equal(claimed[1].message->id, id);
    assert_int_equal(claimed[1].message->flags & STORE_QUARANTINED, 0);
    store_message_free(claimed[0].message);
    store_message_free(claimed[1].message);
    struct store_message *found[2];
    struct store_scan page = {.agreement = "other", .state = STORE_HELD, .limit = 2, .found = found};
    assert_int_equal(scan(bench, &page), 0);
    assert_int_equal(page.count, 1);
    assert_string_equal(found[0]->id, id);
    store_message_free(found[0]);
    assert_int_equal(read_payload(bench, id, 0, text, sizeof text, &got), 0);
    assert_int_equal(got, 5);
    assert_int_equal(settle(bench, deliveries[0].number, STORE_DELIVERED), 0);
    assert_int_equal(state_of(bench, id, 0), STORE_DELIVERED);
    assert_int_equal(unquarantine(bench, &release), ACCORD_ESTATE);
    assert_true(admit_small(bench, "after", NULL) > deliveries[1].number);
    assert_int_equal(verify_chains(bench), 5);
    buf_fini(&record.body);
}

static void a_quarantined_message_can_be_discarded(void **state)
{
    struct bench *bench = *state;
    char id[ACCORD_ID_MAX];
    struct store_message *message;
    quarantine_one(bench, "a", id);
    struct store_unquarantine discard = {.message = id, .reason = "spam"};
    assert_int_equal(unquarantine(bench, &discard), 0);
    assert_int_equal(quarantined(bench), 0);
    assert_int_equal(get(bench, id, &message), 0);
    assert_int_equal(message->delivery_count, 0);
    assert_string_equal(message->rule, "content.unt-count");
    store_message_free(message);
    assert_int_equal(unquarantine(bench, &discard), ACCORD_ESTATE);
    discard.message = "0123456789abcdefghjkmnpq";
    assert_int_equal(unquarantine(bench, &discard), ACCORD_ENOENT);
}

/* ---- adoption and notes ---- */

static void note(struct bench *bench, const char *name, const char *value)
{
    assert_int_equal(set_note(bench, &(struct store_note){.name = name, .value = value}), 0);
}

static void expect_note(struct bench *bench, const char *name, const char *value)
{
    struct store_cursor cursor = {.route = name};
    struct waited waited = {0};
    store_cursor(bench->store, &cursor, on_waited, &waited);
    assert_int_equal(wait_for(bench, &waited), 0);
    assert_string_equal(cursor.value, value);
}

static void notes_and_cursors_are_kept_changed_and_removed(void **state)
{
    struct bench *bench = *state;
    struct store_audit record = {.chain = "isa", .body = make_body("agreement-suspended")};
    struct store_note suspended = {
        .name = "!suspended/isa", .value = "yes", .audit = &record, .audit_count = 1};
    expect_note(bench, "!suspended/isa", "");
    assert_int_equal(set_note(bench, &suspended), 0);
    expect_note(bench, "!suspended/isa", "yes");
    note(bench, "isa/in", "position 5");
    note(bench, "!suspended/isa", "no");
    expect_note(bench, "!suspended/isa", "no");
    expect_note(bench, "isa/in", "position 5");
    note(bench, "!suspended/isa", "");
    expect_note(bench, "!suspended/isa", "");
    assert_int_equal(set_note(bench, &(struct store_note){.name = "", .value = "x"}), ACCORD_EINVAL);
    assert_int_equal(verify_chains(bench), 1);
    buf_fini(&record.body);
}

static void an_agreement_takes_over_what_was_anothers(void **state)
{
    struct bench *bench = *state;
    char ids[3][ACCORD_ID_MAX], stale[2][ACCORD_ID_MAX], in_quarantine[ACCORD_ID_MAX];
    uint64_t numbers[3];
    for (size_t i = 0; i < 3; i++)
        numbers[i] = admit_small(bench, (const char *[]){"a", "b", "c"}[i], ids[i]);
    assert_int_equal(settle(bench, numbers[0], STORE_DELIVERED), 0);
    assert_int_equal(settle(bench, numbers[1], STORE_DEAD), 0);
    struct letter letter;
    letter_init(&letter, bench, "q", "x", 1);
    letter.envelope.origin = "isa/in";
    letter.admission.flags = STORE_QUARANTINED;
    letter.admission.delivery_count = 0;
    letter.admission.cursor = "q";
    assert_int_equal(admit(bench, &letter), 0);
    memcpy(in_quarantine, letter.id.text, ACCORD_ID_MAX);
    letter_fini(&letter);
    note(bench, "!suspended/isa", "yes");
    note(bench, "!suspended/isabel", "hers");
    struct store_audit record = {.chain = "cbp", .body = make_body("agreement-adopted")};
    struct store_adoption adoption = {.from = "isa", .to = "cbp", .audit = &record, .audit_count = 1};
    assert_int_equal(adopt(bench, &adoption), 0);
    assert_int_equal(adoption.moved, 3);
    assert_string_equal(delivery_of(bench, ids[0], 0).agreement, "isa"); /* history */
    assert_string_equal(delivery_of(bench, ids[1], 0).agreement, "cbp");
    assert_string_equal(delivery_of(bench, ids[2], 0).agreement, "cbp");
    expect_note(bench, "cbp/in", "q");
    expect_note(bench, "isa/in", "");
    expect_note(bench, "!suspended/cbp", "yes");
    expect_note(bench, "!suspended/isa", "");
    expect_note(bench, "!suspended/isabel", "hers");
    assert_int_equal(claimable(bench, "isa"), 0);
    assert_int_equal(claimable(bench, "cbp"), 1);
    assert_int_equal(settle(bench, numbers[2], STORE_DELIVERED), 0);
    struct store_stale request = {.agreement = "cbp", .before = INT64_MAX, .limit = 2, .found = stale};
    assert_int_equal(find_stale(bench, &request), 0);
    assert_int_equal(request.count, 1);
    assert_string_equal(stale[0], in_quarantine);
    struct store_message *message;
    assert_int_equal(get(bench, in_quarantine, &message), 0);
    assert_string_equal(message->origin, "cbp/in");
    store_message_free(message);
    assert_int_equal(adopt(bench, &adoption), 0);
    assert_int_equal(adoption.moved, 0);
    adoption.to = "isa";
    assert_int_equal(adopt(bench, &adoption), ACCORD_EINVAL);
    buf_fini(&record.body);
}

static void what_the_new_one_has_already_stays(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    char id[ACCORD_ID_MAX];
    uint64_t older = admit_small(bench, "a", id);
    letter_init(&letter, bench, "b", "x", 1);
    text_copy(letter.deliveries[0].agreement, STORE_NAME_MAX, "cbp");
    assert_int_equal(admit(bench, &letter), 0);
    note(bench, "isa/in", "old");
    note(bench, "cbp/in", "new");
    struct store_adoption adoption = {.from = "isa", .to = "cbp"};
    assert_int_equal(adopt(bench, &adoption), 0);
    assert_int_equal(adoption.moved, 1);
    expect_note(bench, "cbp/in", "new");
    struct store_claimed claimed[4];
    struct store_claim request = {
        .agreement = "cbp", .service = "out", .now = 1, .limit = 4, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 2);
    assert_int_equal(claimed[0].delivery.number, older);
    assert_int_equal(claimed[1].delivery.number, letter.deliveries[0].number);
    store_message_free(claimed[0].message);
    store_message_free(claimed[1].message);
    letter_fini(&letter);
}

static void every_service_of_the_former_one_is_taken_over(void **state)
{
    struct bench *bench = *state;
    char services[16][8];
    for (size_t i = 0; i < 16; i++) {
        struct letter letter;
        snprintf(services[i], sizeof services[i], "out-%zu", i);
        letter_init(&letter, bench, services[i], "x", 1);
        text_copy(letter.deliveries[0].service, STORE_NAME_MAX, services[i]);
        assert_int_equal(admit(bench, &letter), 0);
        letter_fini(&letter);
    }
    struct store_adoption adoption = {.from = "isa", .to = "cbp"};
    assert_int_equal(adopt(bench, &adoption), 0);
    assert_int_equal(adoption.moved, 16);
    for (size_t i = 0; i < 16; i++) {
        struct store_claimed claimed;
        struct store_claim request = {
            .agreement = "cbp", .service = services[i], .now = 1, .limit = 1, .claimed = &claimed};
        assert_int_equal(claim(bench, &request), 0);
        assert_int_equal(request.count, 1);
        store_message_free(claimed.message);
    }
}

int contract_person(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(a_dead_delivery_is_retried_from_the_beginning),
        contract_test(what_is_held_for_a_person_is_retried_and_the_rest_of_the_held_is_not),
        contract_test(what_is_not_delivered_can_be_given_up),
        contract_test(what_is_being_sent_cannot_be_decided_on),
        contract_test(a_released_message_goes_on_to_its_deliveries),
        contract_test(a_quarantined_message_can_be_discarded),
        contract_test(notes_and_cursors_are_kept_changed_and_removed),
        contract_test(an_agreement_takes_over_what_was_anothers),
        contract_test(what_the_new_one_has_already_stays),
        contract_test(every_service_of_the_former_one_is_taken_over),
    };
    return cmocka_run_group_tests_name("person", tests, NULL, NULL);
}
