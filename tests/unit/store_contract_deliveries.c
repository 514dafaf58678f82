/* The store's contract: claiming, settling and moving deliveries. */
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

static void claims_give_the_oldest_first_and_each_once(void **state)
{
    struct bench *bench = *state;
    struct store_claimed claimed[4];
    uint64_t numbers[5];
    for (size_t i = 0; i < 5; i++) {
        char source[8];
        snprintf(source, sizeof source, "%zu", i);
        numbers[i] = admit_small(bench, source, NULL);
        assert_true(!i || numbers[i] > numbers[i - 1]);
    }
    struct store_claim request = {
        .agreement = "isa", .service = "out", .now = 5, .limit = 3, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 3);
    assert_int_equal(request.next, 5);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(claimed[i].delivery.number, numbers[i]);
        assert_int_equal(claimed[i].delivery.state, STORE_SENDING);
        assert_string_equal(claimed[i].delivery.agreement, "isa");
        assert_string_equal(claimed[i].message->id, claimed[i].delivery.message);
        assert_int_equal(claimed[i].message->header_count, 2);
        assert_int_equal(state_of(bench, claimed[i].message->id, 0), STORE_SENDING);
        store_message_free(claimed[i].message);
    }
    request.service = NULL;
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 2);
    assert_int_equal(request.next, 0);
    assert_int_equal(claimed[0].delivery.number, numbers[3]);
    assert_int_equal(claimed[1].delivery.number, numbers[4]);
    store_message_free(claimed[0].message);
    store_message_free(claimed[1].message);
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 0);
    request.agreement = "nobody";
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 0);
}

static void a_claim_hands_out_small_payload_as_far_as_there_is_room(void **state)
{
    static const size_t sizes[] = {1000, 0, STORE_SMALL + 1, STORE_SMALL, 7, 1};
    static const bool expected[] = {true, false, false, true, false, true};
    static uint8_t bytes[STORE_SMALL + 1];
    struct bench *bench = *state;
    struct store_claimed claimed[6];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < 6; i++) {
        struct letter letter;
        letter_init(&letter, bench, "", bytes, sizes[i]);
        assert_int_equal(admit(bench, &letter), 0);
        letter_fini(&letter);
    }
    struct store_claim request = {.agreement = "isa",
                                  .service = "out",
                                  .now = 1,
                                  .limit = 6,
                                  .payload_room = 1000 + STORE_SMALL + 1,
                                  .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 6);
    assert_int_equal(request.payload_bytes, request.payload_room);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(claimed[i].size, sizes[i]);
        assert_int_equal(claimed[i].payload != NULL, expected[i]);
        if (claimed[i].payload)
            assert_memory_equal(claimed[i].payload, bytes, sizes[i]);
        free(claimed[i].payload);
        store_message_free(claimed[i].message);
    }
}

static void a_settled_delivery_keeps_its_receipt_and_is_final(void **state)
{
    struct bench *bench = *state;
    char id[ACCORD_ID_MAX];
    struct store_message *message;
    uint64_t number = admit_small(bench, "a", id);
    struct store_settlement settlement = {.number = number,
                                          .state = STORE_DELIVERED,
                                          .attempted = true,
                                          .generation = 9,
                                          .receipt = "/inbound/plan.edi 5 bytes"};
    assert_int_equal(settle_with(bench, &settlement), 0);
    assert_int_equal(get(bench, id, &message), 0);
    assert_int_equal(message->deliveries[0].state, STORE_DELIVERED);
    assert_int_equal(message->deliveries[0].attempts, 1);
    assert_int_equal(message->deliveries[0].generation, 9);
    assert_true(message->deliveries[0].changed > 0);
    assert_string_equal(message->deliveries[0].receipt, "/inbound/plan.edi 5 bytes");
    store_message_free(message);
    assert_int_equal(settle(bench, number, STORE_WAITING), ACCORD_ESTATE);
    assert_int_equal(settle(bench, number, STORE_DELIVERED), ACCORD_ESTATE);
    assert_int_equal(settle(bench, number + 1, STORE_DELIVERED), ACCORD_ENOENT);
    assert_int_equal(settle(bench, 0, STORE_DELIVERED), ACCORD_ENOENT);
    settlement.state = (enum store_state)42;
    assert_int_equal(settle_with(bench, &settlement), ACCORD_EINVAL);
    assert_int_equal(verify_chains(bench), 1); /* the refused ones left no line */
}

static void a_retry_waits_for_its_time_and_then_comes_first(void **state)
{
    struct bench *bench = *state;
    struct store_claimed claimed[4];
    char id[ACCORD_ID_MAX];
    uint64_t first = admit_small(bench, "a", id), second;
    struct store_claim request = {
        .agreement = "isa", .service = "out", .now = 100, .limit = 1, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 1);
    store_message_free(claimed[0].message);
    struct store_settlement retry = {.number = first,
                                     .state = STORE_WAITING,
                                     .attempted = true,
                                     .not_before = 1000,
                                     .reason = "connection lost"};
    assert_int_equal(settle_with(bench, &retry), 0);
    second = admit_small(bench, "b", NULL);
    request.limit = 4;
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 1);
    assert_int_equal(claimed[0].delivery.number, second);
    assert_int_equal(request.next, 1000);
    store_message_free(claimed[0].message);
    uint64_t third = admit_small(bench, "c", NULL);
    request.now = 1000;
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 2);
    assert_int_equal(claimed[0].delivery.number, first);
    assert_int_equal(claimed[0].delivery.attempts, 1);
    assert_int_equal(claimed[0].delivery.not_before, 1000);
    assert_string_equal(claimed[0].delivery.reason, "connection lost");
    assert_int_equal(claimed[1].delivery.number, third);
    store_message_free(claimed[0].message);
    store_message_free(claimed[1].message);
}

static void a_claimed_delivery_given_back_is_claimed_again(void **state)
{
    struct bench *bench = *state;
    struct store_claimed claimed[4];
    uint64_t numbers[3];
    for (size_t i = 0; i < 3; i++)
        numbers[i] = admit_small(bench, (const char *[]){"a", "b", "c"}[i], NULL);
    struct store_claim request = {
        .agreement = "isa", .service = "out", .now = 1, .limit = 4, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 3);
    for (size_t i = 0; i < 3; i++)
        store_message_free(claimed[i].message);
    assert_int_equal(settle(bench, numbers[1], STORE_WAITING), 0);
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 1);
    assert_int_equal(claimed[0].delivery.number, numbers[1]);
    store_message_free(claimed[0].message);
}

static void deliveries_of_several_services_are_claimed_in_order(void **state)
{
    struct bench *bench = *state;
    struct store_claimed claimed[8];
    uint64_t numbers[6];
    for (size_t i = 0; i < 6; i++) {
        struct letter letter;
        letter_init(&letter, bench, "", "x", 1);
        text_copy(letter.deliveries[0].service, STORE_NAME_MAX, i % 2 ? "odd" : "even");
        assert_int_equal(admit(bench, &letter), 0);
        numbers[i] = letter.deliveries[0].number;
        letter_fini(&letter);
    }
    struct store_claim request = {.agreement = "isa", .now = 1, .limit = 8, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(claimed[i].delivery.number, numbers[i]);
        store_message_free(claimed[i].message);
    }
}

static void a_move_takes_the_open_deliveries_and_no_others(void **state)
{
    struct bench *bench = *state;
    struct store_claimed claimed[4];
    char ids[4][ACCORD_ID_MAX];
    uint64_t numbers[4];
    for (size_t i = 0; i < 4; i++)
        numbers[i] = admit_small(bench, (const char *[]){"a", "b", "c", "d"}[i], ids[i]);
    assert_int_equal(settle(bench, numbers[3], STORE_DELIVERED), 0);
    struct store_claim request = {
        .agreement = "isa", .service = "out", .now = 1, .limit = 1, .claimed = claimed};
    assert_int_equal(claim(bench, &request), 0);
    store_message_free(claimed[0].message);
    struct store_audit record = {.chain = "isa", .body = make_body("agreement-down")};
    struct store_move hold = {.agreement = "isa",
                              .from = STORE_WAITING,
                              .to = STORE_HELD,
                              .reason = "switched off",
                              .audit = &record,
                              .audit_count = 1};
    assert_int_equal(move(bench, &hold), 0);
    assert_int_equal(hold.moved, 2);
    assert_int_equal(state_of(bench, ids[0], 0), STORE_SENDING);
    assert_int_equal(state_of(bench, ids[1], 0), STORE_HELD);
    assert_int_equal(state_of(bench, ids[2], 0), STORE_HELD);
    assert_int_equal(state_of(bench, ids[3], 0), STORE_DELIVERED);
    request.limit = 4;
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 0);
    struct store_message *message;
    assert_int_equal(get(bench, ids[1], &message), 0);
    assert_string_equal(message->deliveries[0].reason, "switched off");
    store_message_free(message);
    struct store_move release = {
        .agreement = "isa", .service = "out", .from = STORE_HELD, .to = STORE_WAITING};
    assert_int_equal(move(bench, &release), 0);
    assert_int_equal(release.moved, 2);
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 2);
    assert_int_equal(claimed[0].delivery.number, numbers[1]);
    store_message_free(claimed[0].message);
    store_message_free(claimed[1].message);
    struct store_move back = {.agreement = "isa", .from = STORE_SENDING, .to = STORE_WAITING};
    assert_int_equal(move(bench, &back), 0);
    assert_int_equal(back.moved, 3);
    struct store_move wrong = {.agreement = "isa", .from = STORE_DELIVERED, .to = STORE_WAITING};
    assert_int_equal(move(bench, &wrong), ACCORD_EINVAL);
    buf_fini(&record.body);
}

static void a_move_leaves_what_is_held_for_a_person(void **state)
{
    struct bench *bench = *state;
    char ids[2][ACCORD_ID_MAX];
    for (size_t i = 0; i < 2; i++) {
        struct store_settlement hold = {.number = admit_small(bench, (const char *[]){"a", "b"}[i], ids[i]),
                                        .state = STORE_HELD,
                                        .not_before = i ? STORE_NEVER : 0};
        assert_int_equal(settle_with(bench, &hold), 0);
    }
    struct store_move release = {.agreement = "isa", .from = STORE_HELD, .to = STORE_WAITING};
    assert_int_equal(move(bench, &release), 0);
    assert_int_equal(release.moved, 1);
    assert_int_equal(state_of(bench, ids[0], 0), STORE_WAITING);
    assert_int_equal(state_of(bench, ids[1], 0), STORE_HELD);
}

static void a_move_that_moves_nothing_is_not_recorded(void **state)
{
    struct bench *bench = *state;
    char id[ACCORD_ID_MAX];
    admit_small(bench, "a", id);
    size_t lines = verify_chains(bench);
    struct store_audit record = {.chain = "isa", .body = make_body("delivery-released")};
    struct store_move release = {
        .agreement = "isa", .from = STORE_HELD, .to = STORE_WAITING, .audit = &record, .audit_count = 1};
    assert_int_equal(move(bench, &release), 0);
    assert_int_equal(release.moved, 0);
    assert_int_equal(verify_chains(bench), lines);
    buf_fini(&record.body);
}

static void what_is_sent_at_once_does_not_hide_what_waits(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_claimed claimed[4];
    struct store_claim request = {
        .agreement = "isa", .service = "out", .now = 10, .limit = 4, .claimed = claimed};
    uint64_t waits = admit_small(bench, "a", NULL);
    letter_init(&letter, bench, "b", "x", 1);
    letter.deliveries[0].state = STORE_SENDING;
    assert_int_equal(admit(bench, &letter), 0);
    assert_int_equal(claim(bench, &request), 0);
    assert_int_equal(request.count, 1);
    assert_int_equal(claimed[0].delivery.number, waits);
    store_message_free(claimed[0].message);
    letter_fini(&letter);
}

int contract_deliveries(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(what_is_sent_at_once_does_not_hide_what_waits),
        contract_test(claims_give_the_oldest_first_and_each_once),
        contract_test(a_claim_hands_out_small_payload_as_far_as_there_is_room),
        contract_test(a_settled_delivery_keeps_its_receipt_and_is_final),
        contract_test(a_retry_waits_for_its_time_and_then_comes_first),
        contract_test(a_claimed_delivery_given_back_is_claimed_again),
        contract_test(deliveries_of_several_services_are_claimed_in_order),
        contract_test(a_move_takes_the_open_deliveries_and_no_others),
        contract_test(a_move_leaves_what_is_held_for_a_person),
        contract_test(a_move_that_moves_nothing_is_not_recorded),
    };
    return cmocka_run_group_tests_name("deliveries", tests, NULL, NULL);
}
