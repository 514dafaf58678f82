/* The store's contract: order, expected answers, retention, and what each agreement keeps. */
#include "store_contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_calls.h"
#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* ---- answers ---- */

static uint64_t delivered_to_be_answered(struct bench *bench, const char *source, char id[ACCORD_ID_MAX],
                                         int64_t answer_by)
{
    uint64_t number = admit_small(bench, source, id);
    struct store_settlement settlement = {
        .number = number, .state = STORE_DELIVERED, .receipt = "taken", .answer_by = answer_by};
    assert_int_equal(settle_with(bench, &settlement), 0);
    return number;
}

static size_t overdue(struct bench *bench, int64_t now, struct store_delivery *found, size_t limit)
{
    struct store_overdue request = {.now = now, .limit = limit, .found = found};
    assert_int_equal(find_overdue(bench, &request), 0);
    return request.count;
}

/* Returns how many were told. */
static size_t tell(struct bench *bench, const struct store_delivery *found, size_t count, int expected)
{
    struct store_audit audit[4];
    bool told[4];
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        audit[i] = (struct store_audit){.chain = "isa", .body = make_body("response-overdue")};
    struct store_missed missed = {
        .deliveries = found, .audit = audit, .audit_each = 1, .told = told, .count = count};
    assert_int_equal(tell_missed(bench, &missed), expected);
    for (size_t i = 0; i < count; i++) {
        sum += told[i];
        buf_fini(&audit[i].body);
    }
    return sum;
}

static size_t missed(struct bench *bench, int64_t now, struct store_delivery *found, size_t limit)
{
    return tell(bench, found, overdue(bench, now, found, limit), 0);
}

static void an_answer_that_is_late_is_found_until_it_was_told(void **state)
{
    struct bench *bench = *state;
    struct store_delivery found[4];
    char ids[3][ACCORD_ID_MAX];
    uint64_t numbers[3];
    for (size_t i = 0; i < 3; i++)
        numbers[i] =
            delivered_to_be_answered(bench, (const char *[]){"a", "b", "c"}[i], ids[i], 1000 + (int64_t)i);
    assert_int_equal(overdue(bench, 999, found, 4), 0);
    assert_int_equal(overdue(bench, 1001, found, 4), 2);
    assert_int_equal(overdue(bench, 1001, found, 4), 2);
    assert_int_equal(found[0].number, numbers[0]);
    assert_string_equal(found[0].message, ids[0]);
    assert_string_equal(found[0].receipt, "taken");
    assert_int_equal(found[0].state, STORE_DELIVERED);
    assert_string_equal(found[1].service, "out");
    size_t lines = verify_chains(bench);
    assert_int_equal(tell(bench, found, 2, 0), 2);
    assert_int_equal(verify_chains(bench), lines + 2);
    assert_int_equal(tell(bench, found, 2, 0), 0);
    assert_int_equal(verify_chains(bench), lines + 2);
    assert_int_equal(overdue(bench, 1001, found, 4), 0);
    assert_int_equal(overdue(bench, 2000, found, 4), 1);
    assert_int_equal(found[0].number, numbers[2]);
    struct store_settlement wrong = {
        .number = admit_small(bench, "d", NULL), .state = STORE_WAITING, .answer_by = 5};
    assert_int_equal(settle_with(bench, &wrong), ACCORD_EINVAL);
}

static bool answer_from(struct bench *bench, const char *origin, const char *answers)
{
    struct letter letter;
    letter_init(&letter, bench, "", "answer", 6);
    letter.envelope.origin = origin;
    letter.admission.answers = answers;
    assert_int_equal(admit(bench, &letter), 0);
    bool answered = letter.admission.answered;
    letter_fini(&letter);
    return answered;
}

static void an_answer_in_time_is_expected_no_more(void **state)
{
    struct bench *bench = *state;
    struct store_delivery found[4];
    char id[ACCORD_ID_MAX];
    delivered_to_be_answered(bench, "a", id, 1000);
    assert_false(answer_from(bench, "other/in", id)); /* it was not delivered to them */
    assert_true(answer_from(bench, "isa/in", id));
    assert_false(answer_from(bench, "isa/in", id));
    assert_false(answer_from(bench, "isa/in", "0123456789abcdefghjkmnpq"));
    assert_int_equal(overdue(bench, 5000, found, 4), 0);
}

static void an_answer_that_comes_before_it_was_told_is_not_told(void **state)
{
    struct bench *bench = *state;
    struct store_delivery found[4];
    char ids[2][ACCORD_ID_MAX];
    delivered_to_be_answered(bench, "a", ids[0], 1000);
    delivered_to_be_answered(bench, "b", ids[1], 1000);
    assert_int_equal(overdue(bench, 1000, found, 4), 2);
    assert_true(answer_from(bench, "isa/in", ids[0]));
    size_t lines = verify_chains(bench);
    assert_int_equal(tell(bench, found, 2, 0), 1);
    assert_int_equal(verify_chains(bench), lines + 1);
    assert_int_equal(overdue(bench, 1000, found, 4), 0);
    assert_false(answer_from(bench, "isa/in", ids[1]));
}

static void overdue_answers_come_in_pages(void **state)
{
    struct bench *bench = *state;
    struct store_delivery found[2];
    for (int i = 0; i < 5; i++) {
        char source[8];
        snprintf(source, sizeof source, "%d", i);
        delivered_to_be_answered(bench, source, NULL, 1000);
    }
    assert_int_equal(missed(bench, 1000, found, 2), 2);
    assert_int_equal(missed(bench, 1000, found, 2), 2);
    assert_int_equal(missed(bench, 1000, found, 2), 1);
    assert_int_equal(overdue(bench, 1000, found, 2), 0);
}

/* ---- retention ---- */

static uint64_t forget_all(struct bench *bench, struct store_retention *retention)
{
    uint64_t messages = 0;
    do {
        assert_int_equal(retain(bench, retention), 0);
        messages += retention->messages;
    } while (retention->more);
    return messages;
}

static bool exists(struct bench *bench, const char *id)
{
    struct store_message *message;
    int result = get(bench, id, &message);
    store_message_free(message);
    assert_true(result == 0 || result == ACCORD_ENOENT);
    return result == 0;
}

static void what_has_had_its_time_is_forgotten_and_nothing_else(void **state)
{
    struct bench *bench = *state;
    static const enum store_state states[] = {STORE_DELIVERED, STORE_DISCARDED, STORE_DEAD, STORE_WAITING,
                                              STORE_HELD};
    char ids[5][ACCORD_ID_MAX], answered[ACCORD_ID_MAX], later[ACCORD_ID_MAX], source[8];
    uint64_t number = 0;
    for (int i = 0; i < 5; i++) {
        snprintf(source, sizeof source, "%d", i);
        number = admit_small(bench, source, ids[i]);
        assert_int_equal(settle(bench, number, states[i]), 0);
    }
    delivered_to_be_answered(bench, "answered", answered, 1000);
    int64_t before = clock_wall() + 1;
    while (clock_wall() <= before)
        ;
    uint64_t late = admit_small(bench, "later", later);
    assert_int_equal(settle(bench, late, STORE_DELIVERED), 0);
    struct store_retention retention = {.now = clock_wall(), .settled_before = before, .trail_position = 0};
    assert_int_equal(forget_all(bench, &retention), 2);
    assert_false(exists(bench, ids[0]));
    assert_false(exists(bench, ids[1]));
    for (int i = 2; i < 5; i++)
        assert_int_equal(state_of(bench, ids[i], 0), states[i]);
    assert_true(exists(bench, answered));
    assert_true(exists(bench, later));
    struct store_counts request = {0};
    assert_int_equal(counts(bench, &request), 0);
    assert_int_equal(request.messages, 5);
    free(request.rows);
    assert_int_equal(settle(bench, number, STORE_WAITING), 0); /* the held one lives on */
    struct store_decision decision = {.number = number - 4, .state = STORE_WAITING};
    assert_int_equal(decide(bench, &decision), ACCORD_ENOENT);
    assert_int_equal(forget_all(bench, &retention), 0);
    assert_int_equal(verify_chains(bench), 14); /* the trail is no part of it */
}

static void quarantined_messages_stay_until_they_are_let_out(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    letter_init(&letter, bench, "q", "x", 1);
    letter.admission.flags = STORE_QUARANTINED;
    letter.admission.delivery_count = 0;
    assert_int_equal(admit(bench, &letter), 0);
    struct store_retention retention = {.settled_before = INT64_MAX};
    assert_int_equal(forget_all(bench, &retention), 0);
    assert_true(exists(bench, letter.id.text));
    struct store_unquarantine discard = {.message = letter.id.text};
    assert_int_equal(unquarantine(bench, &discard), 0);
    assert_int_equal(forget_all(bench, &retention), 1);
    assert_false(exists(bench, letter.id.text));
    letter_fini(&letter);
}

static int admit_with_key(struct bench *bench, const char *source, const char *key, bool *repeat)
{
    const char *keys[] = {key};
    struct letter letter;
    letter_init(&letter, bench, source, "x", 1);
    letter.admission.keys = keys;
    letter.admission.key_count = 1;
    letter.admission.duplicate_horizon = 1000000000;
    int result = admit(bench, &letter);
    *repeat = letter.admission.repeat;
    letter_fini(&letter);
    return result;
}

static void keys_and_repeats_outlive_their_message_until_their_own_time(void **state)
{
    struct bench *bench = *state;
    bool repeat;
    char id[ACCORD_ID_MAX];
    const char *key = "isa\x1f"
                      "7";
    assert_int_equal(admit_with_key(bench, "a", key, &repeat), 0);
    struct store_claimed claimed[1];
    struct store_claim request = {.agreement = "isa", .now = 1, .limit = 1, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    memcpy(id, claimed[0].message->id, sizeof id);
    store_message_free(claimed[0].message);
    assert_int_equal(settle(bench, claimed[0].delivery.number, STORE_DELIVERED), 0);
    struct store_retention retention = {.settled_before = INT64_MAX};
    assert_int_equal(forget_all(bench, &retention), 1);
    assert_false(exists(bench, id));
    assert_int_equal(admit_with_key(bench, "b", key, &repeat), ACCORD_EEXIST);
    assert_int_equal(admit_with_key(bench, "a", "isa\x1f", &repeat), 0);
    assert_true(repeat);
    retention.keys_before = retention.seen_before = clock_wall() + 1;
    forget_all(bench, &retention);
    while (clock_wall() <= retention.keys_before)
        ;
    assert_int_equal(admit_with_key(bench, "a", key, &repeat), 0);
    assert_false(repeat);
    assert_int_equal(admit_with_key(bench, "c", key, &repeat), ACCORD_EEXIST); /* used again, and anew */
}

static void stale_messages_of_one_agreement_come_oldest_first(void **state)
{
    struct bench *bench = *state;
    char found[2][ACCORD_ID_MAX], ids[4][ACCORD_ID_MAX];
    int64_t times[4];
    for (size_t i = 0; i < 4; i++) {
        struct letter letter;
        letter_init(&letter, bench, "", "x", 1);
        letter.envelope.origin = i == 1 ? "other/in" : "isa/in";
        letter.admission.flags = STORE_QUARANTINED;
        letter.admission.delivery_count = 0;
        times[i] = letter.envelope.time;
        while (clock_wall() < times[i] + 2000)
            ; /* the next id is greater */
        assert_int_equal(admit(bench, &letter), 0);
        memcpy(ids[i], letter.id.text, ACCORD_ID_MAX);
        letter_fini(&letter);
    }
    struct store_stale request = {.agreement = "isa", .before = times[3], .limit = 2, .found = found};
    assert_int_equal(find_stale(bench, &request), 0);
    assert_int_equal(request.count, 2);
    assert_string_equal(found[0], ids[0]);
    assert_string_equal(found[1], ids[2]);
    request.limit = 1;
    assert_int_equal(find_stale(bench, &request), 0);
    assert_int_equal(request.count, 1);
    request.agreement = "nobody";
    assert_int_equal(find_stale(bench, &request), 0);
    assert_int_equal(request.count, 0);
}

/* ---- usage ---- */

static void expect_usage(struct bench *bench, const char *agreement, uint64_t bytes, uint64_t deliveries,
                         uint64_t quarantine_bytes, uint64_t quarantined)
{
    struct store_usage usage = store_usage(bench->store, agreement);
    assert_int_equal(usage.open_bytes, bytes);
    assert_int_equal(usage.open_deliveries, deliveries);
    assert_int_equal(usage.quarantine_bytes, quarantine_bytes);
    assert_int_equal(usage.quarantined, quarantined);
}

static void usage_follows_every_verb(void **state)
{
    struct bench *bench = *state;
    struct letter letter, bad;
    expect_usage(bench, "isa", 0, 0, 0, 0);
    uint64_t first = admit_small(bench, "abc", NULL); /* its payload is its source id */
    expect_usage(bench, "isa", 3, 1, 0, 0);
    letter_init(&letter, bench, "x", "0123456789", 10);
    letter.deliveries[1] = letter.deliveries[0];
    text_copy(letter.deliveries[1].agreement, STORE_NAME_MAX, "cisa");
    letter.admission.delivery_count = 2;
    assert_int_equal(admit(bench, &letter), 0);
    expect_usage(bench, "isa", 13, 2, 0, 0);
    expect_usage(bench, "cisa", 10, 1, 0, 0);
    expect_usage(bench, "site", 0, 0, 0, 0);
    assert_int_equal(settle(bench, first, STORE_DEAD), 0);
    expect_usage(bench, "isa", 10, 1, 0, 0);
    struct store_decision retry = {.number = first, .state = STORE_WAITING};
    assert_int_equal(decide(bench, &retry), 0);
    expect_usage(bench, "isa", 13, 2, 0, 0);
    struct store_move hold = {.agreement = "isa", .from = STORE_WAITING, .to = STORE_HELD};
    assert_int_equal(move(bench, &hold), 0);
    expect_usage(bench, "isa", 13, 2, 0, 0);
    letter_init(&bad, bench, "q", "12345", 5);
    bad.admission.flags = STORE_QUARANTINED;
    bad.admission.delivery_count = 0;
    assert_int_equal(admit(bench, &bad), 0);
    expect_usage(bench, "site", 0, 0, 5, 1);
    struct store_adoption adoption = {.from = "isa", .to = "cisa"};
    assert_int_equal(adopt(bench, &adoption), 0);
    expect_usage(bench, "isa", 0, 0, 0, 0);
    expect_usage(bench, "cisa", 23, 3, 0, 0);
    assert_int_equal(settle(bench, letter.deliveries[0].number, STORE_DELIVERED), 0);
    expect_usage(bench, "cisa", 13, 2, 0, 0);
    struct store_delivery delivery = letter.deliveries[0];
    struct store_unquarantine release = {
        .message = bad.id.text, .deliveries = &delivery, .delivery_count = 1};
    assert_int_equal(unquarantine(bench, &release), 0);
    expect_usage(bench, "site", 0, 0, 0, 0);
    expect_usage(bench, "isa", 5, 1, 0, 0);
    assert_true(store_roomy(bench->store));
    letter_fini(&letter);
    letter_fini(&bad);
}

int contract_time(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(an_answer_that_is_late_is_found_until_it_was_told),
        contract_test(an_answer_that_comes_before_it_was_told_is_not_told),
        contract_test(an_answer_in_time_is_expected_no_more),
        contract_test(overdue_answers_come_in_pages),
        contract_test(what_has_had_its_time_is_forgotten_and_nothing_else),
        contract_test(quarantined_messages_stay_until_they_are_let_out),
        contract_test(keys_and_repeats_outlive_their_message_until_their_own_time),
        contract_test(stale_messages_of_one_agreement_come_oldest_first),
        contract_test(usage_follows_every_verb),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
