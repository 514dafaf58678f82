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

static const char *backend_name;

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench_open(bench, backend_name);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    free(*state);
    return 0;
}

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    return bytes;
}

/* ---- admission ---- */

static void an_admitted_message_reads_back_whole(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_message *message;
    letter_init(&letter, bench, "file-1", "hello", 5);
    letter.deliveries[0].generation = 7;
    letter.deliveries[1] = letter.deliveries[0];
    letter.deliveries[1].state = STORE_DEAD;
    text_copy(letter.deliveries[1].service, STORE_NAME_MAX, "other");
    text_copy(letter.deliveries[1].rule, ACCORD_RULE_MAX, "services.type");
    text_copy(letter.deliveries[1].reason, ACCORD_REASON_MAX, "not listed");
    letter.admission.delivery_count = 2;
    assert_int_equal(admit(bench, &letter), 0);
    assert_int_not_equal(letter.deliveries[0].number, 0);
    assert_int_equal(letter.deliveries[1].number, letter.deliveries[0].number + 1);
    assert_int_equal(get(bench, letter.id.text, &message), 0);
    assert_string_equal(message->id, letter.id.text);
    assert_string_equal(message->origin, "site/plans");
    assert_string_equal(message->type, "stow-plan");
    assert_string_equal(message->name, "plan.edi");
    assert_string_equal(message->source_id, "file-1");
    assert_int_equal(message->time, letter.envelope.time);
    assert_int_equal(message->size, 5);
    assert_int_equal(message->flags, 0);
    assert_int_equal(message->header_count, 2);
    assert_string_equal(message->headers[0].value, "text/plain");
    assert_string_equal(message->headers[1].name, "X-Empty");
    assert_int_equal(message->delivery_count, 2);
    assert_int_equal(message->deliveries[0].state, STORE_WAITING);
    assert_int_equal(message->deliveries[0].generation, 7);
    assert_string_equal(message->deliveries[0].message, letter.id.text);
    assert_string_equal(message->deliveries[1].service, "other");
    assert_int_equal(message->deliveries[1].state, STORE_DEAD);
    assert_string_equal(message->deliveries[1].rule, "services.type");
    assert_string_equal(message->deliveries[1].reason, "not listed");
    store_message_free(message);
    letter_fini(&letter);
}

static void payloads_of_every_size_read_back(void **state)
{
    static const size_t sizes[] = {0,      1,      131071, 131072, 131073,      262143,
                                   262144, 262145, 393216, 524289, 1024 * 1024, 3 * 1024 * 1024 + 5};
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct letter letter;
        uint8_t *bytes = pattern(sizes[i] + 1), *back = malloc(sizes[i] + 100);
        size_t got;
        letter_init(&letter, bench, "", bytes, sizes[i]);
        assert_int_equal(admit(bench, &letter), 0);
        assert_int_equal(read_payload(bench, letter.id.text, 0, back, sizes[i] + 100, &got), 0);
        assert_int_equal(got, sizes[i]);
        assert_memory_equal(back, bytes, sizes[i]);
        size_t middle = sizes[i] / 2;
        assert_int_equal(read_payload(bench, letter.id.text, (int64_t)middle, back, 70000, &got), 0);
        assert_int_equal(got, sizes[i] - middle < 70000 ? sizes[i] - middle : 70000);
        assert_memory_equal(back, bytes + middle, got);
        assert_int_equal(read_payload(bench, letter.id.text, (int64_t)sizes[i], back, 10, &got), 0);
        assert_int_equal(got, 0);
        letter_fini(&letter);
        free(bytes);
        free(back);
    }
}

static void a_payload_can_be_looked_at_before_admission(void **state)
{
    struct bench *bench = *state;
    size_t size = 5 * ACCORD_PIECE_MAX + 77, at = 0, got;
    uint8_t *bytes = pattern(size), *back = malloc(size);
    struct store_payload *payload = make_payload(bench, bytes, size);
    do {
        struct waited waited = {0};
        store_payload_peek(payload, (int64_t)at, back + at, 100000, &got, on_waited, &waited);
        assert_int_equal(wait_for(bench, &waited), 0);
        at += got;
    } while (got && at < size);
    assert_int_equal(at, size);
    assert_memory_equal(back, bytes, size);
    struct waited end = {0}, orphan = {0};
    store_payload_peek(payload, (int64_t)size, back, 1, &got, on_waited, &end);
    assert_int_equal(wait_for(bench, &end), 0);
    assert_int_equal(got, 0);
    store_payload_peek(payload, 0, back, 100, &got, on_waited, &orphan);
    store_payload_free(payload); /* while a call is under way */
    assert_int_equal(wait_for(bench, &orphan), 0);
    free(bytes);
    free(back);
}

static void a_payload_that_is_not_sealed_is_refused(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    letter_init(&letter, bench, "x", "hello", 5);
    store_payload_free(letter.admission.payload);
    letter.admission.payload = store_payload_new(bench->store);
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter_fini(&letter);
}

static void an_envelope_that_does_not_fit_is_refused(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_message *message;
    char longer[600];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    letter_init(&letter, bench, "x", "hello", 5);
    letter.envelope.source_id = longer;
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.envelope.source_id = "x";
    letter.envelope.id = "short";
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.envelope.id = letter.id.text;
    letter.envelope.sha256 = "00";
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.envelope.sha256 = "";
    letter.deliveries[0].state = STORE_DELIVERED;
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.deliveries[0].state = STORE_WAITING;
    letter.audit.chain = "../etc";
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    assert_int_equal(get(bench, letter.id.text, &message), ACCORD_ENOENT);
    letter.audit.chain = "isa";
    assert_int_equal(admit(bench, &letter), 0);
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL); /* the id is in use */
    assert_int_equal(verify_chains(bench), 1);
    letter_fini(&letter);
}

/* ---- repeats and keys ---- */

static int admit_as(struct bench *bench, struct letter *letter, const char *source_id, const char *payload)
{
    letter_init(letter, bench, source_id, payload, strlen(payload));
    letter->admission.duplicate_horizon = 1000000;
    return admit(bench, letter);
}

static void the_same_id_and_hash_is_the_same_message(void **state)
{
    struct bench *bench = *state;
    struct letter first, second;
    struct store_message *message;
    assert_int_equal(admit_as(bench, &first, "a", "one"), 0);
    assert_int_equal(admit_as(bench, &second, "a", "one"), 0);
    assert_false(first.admission.repeat);
    assert_true(second.admission.repeat);
    assert_string_equal(second.admission.repeated, first.id.text);
    assert_int_equal(get(bench, second.id.text, &message), ACCORD_ENOENT);
    assert_int_equal(verify_chains(bench), 1);
    letter_fini(&first);
    letter_fini(&second);
}

static void the_same_id_with_another_hash_is_flagged(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third;
    assert_int_equal(admit_as(bench, &first, "a", "one"), 0);
    assert_int_equal(admit_as(bench, &second, "a", "two"), 0);
    assert_false(second.admission.repeat);
    assert_int_equal(second.admission.flags, STORE_CHANGED_REPEAT);
    assert_int_equal(admit_as(bench, &third, "a", "one"), 0);
    assert_true(third.admission.repeat);
    assert_string_equal(third.admission.repeated, first.id.text);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
}

static void without_an_id_nothing_is_suppressed(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third, fourth;
    assert_int_equal(admit_as(bench, &first, "", "one"), 0);
    assert_int_equal(first.admission.flags, 0);
    assert_int_equal(admit_as(bench, &second, "", "one"), 0);
    assert_false(second.admission.repeat);
    assert_int_equal(second.admission.flags, STORE_POSSIBLE_REPEAT);
    assert_int_equal(admit_as(bench, &third, "named", "two"), 0);
    assert_int_equal(admit_as(bench, &fourth, "", "two"), 0);
    assert_int_equal(fourth.admission.flags, STORE_POSSIBLE_REPEAT);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
    letter_fini(&fourth);
}

static void other_origins_and_old_messages_are_no_repeats(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third, fourth;
    assert_int_equal(admit_as(bench, &first, "a", "one"), 0);
    letter_init(&second, bench, "a", "one", 3);
    second.admission.duplicate_horizon = 1000000;
    second.envelope.origin = "site/others";
    assert_int_equal(admit(bench, &second), 0);
    assert_false(second.admission.repeat);
    letter_init(&third, bench, "a", "one", 3);
    third.admission.duplicate_horizon = 1000000;
    third.envelope.time = first.envelope.time + 1000001;
    assert_int_equal(admit(bench, &third), 0);
    assert_false(third.admission.repeat);
    assert_int_equal(third.admission.flags, 0);
    letter_init(&fourth, bench, "a", "one", 3); /* horizon 0: not looked for */
    assert_int_equal(admit(bench, &fourth), 0);
    assert_false(fourth.admission.repeat);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
    letter_fini(&fourth);
}

static void a_key_can_be_used_once(void **state)
{
    struct bench *bench = *state;
    const char *first_keys[] = {"isa\x1f"
                                "001",
                                "isa\x1f"
                                "002"},
               *second_keys[] = {"isa\x1f"
                                 "003",
                                 "isa\x1f"
                                 "002"};
    const char *third_keys[] = {"isa\x1f"
                                "003"};
    struct letter first, second;
    struct store_message *message;
    letter_init(&first, bench, "a", "one", 3);
    first.admission.keys = first_keys;
    first.admission.key_count = 2;
    assert_int_equal(admit(bench, &first), 0);
    letter_init(&second, bench, "b", "two", 3);
    second.admission.keys = second_keys;
    second.admission.key_count = 2;
    second.admission.cursor = "must not move";
    assert_int_equal(admit(bench, &second), ACCORD_EEXIST);
    assert_int_equal(second.admission.used_key, 1);
    assert_int_equal(get(bench, second.id.text, &message), ACCORD_ENOENT);
    struct store_cursor cursor = {.route = "site/plans"};
    struct waited waited = {0};
    store_cursor(bench->store, &cursor, on_waited, &waited);
    assert_int_equal(wait_for(bench, &waited), 0);
    assert_string_equal(cursor.value, "");
    second.admission.keys = third_keys; /* 003 was not used by the refused one */
    second.admission.key_count = 1;
    assert_int_equal(admit(bench, &second), 0);
    assert_int_equal(verify_chains(bench), 2);
    letter_fini(&first);
    letter_fini(&second);
}

static void verbs_of_one_group_see_each_other(void **state)
{
    struct bench *bench = *state;
    const char *keys[] = {"isa\x1f"
                          "9"};
    struct letter letters[3];
    struct waited waited[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        letter_init(&letters[i], bench, i < 2 ? "same" : "other", "one", 3);
        letters[i].admission.duplicate_horizon = 1000000;
        letters[i].admission.keys = keys;
        letters[i].admission.key_count = 1;
    }
    for (size_t i = 0; i < 3; i++)
        store_admit(bench->store, &letters[i].admission, on_waited, &waited[i]);
    assert_int_equal(wait_for(bench, &waited[2]), ACCORD_EEXIST);
    assert_int_equal(waited[0].result, 0);
    assert_int_equal(waited[1].result, 0);
    assert_true(letters[1].admission.repeat);
    for (size_t i = 0; i < 3; i++)
        letter_fini(&letters[i]);
}

/* ---- claim and settle ---- */

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

/* ---- looking ---- */

static void a_scan_gives_pages_newest_first(void **state)
{
    struct bench *bench = *state;
    char ids[5][ACCORD_ID_MAX];
    struct store_message *found[3];
    struct clock_source clock = {.wall = 1700000000000000, .ticks = 1};
    clock_use(&clock);
    for (size_t i = 0; i < 5; i++) {
        clock.wall += 10000;
        struct letter letter;
        letter_init(&letter, bench, "", "x", 1);
        if (i == 1) {
            letter.envelope.type = "incident-report";
            letter.admission.flags = STORE_QUARANTINED;
            letter.admission.rule = "content.x";
            letter.admission.reason = "because";
            letter.admission.delivery_count = 0;
        }
        assert_int_equal(admit(bench, &letter), 0);
        memcpy(ids[i], letter.id.text, ACCORD_ID_MAX);
        letter_fini(&letter);
    }
    clock_use(NULL);
    struct store_scan all = {.limit = 3, .found = found};
    assert_int_equal(scan(bench, &all), 0);
    assert_int_equal(all.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(found[i]->id, ids[4 - i]);
        store_message_free(found[i]);
    }
    all.before = ids[2];
    assert_int_equal(scan(bench, &all), 0);
    assert_int_equal(all.count, 2);
    assert_string_equal(found[0]->id, ids[1]);
    assert_string_equal(found[0]->rule, "content.x");
    assert_string_equal(found[0]->reason, "because");
    assert_string_equal(found[1]->id, ids[0]);
    store_message_free(found[0]);
    store_message_free(found[1]);
    struct store_scan some[] = {{.state = -1, .limit = 3, .found = found},
                                {.type = "incident-report", .limit = 3, .found = found},
                                {.agreement = "site", .type = "incident-report", .limit = 3, .found = found}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scan(bench, &some[i]), 0);
        assert_int_equal(some[i].count, 1);
        assert_string_equal(found[0]->id, ids[1]);
        store_message_free(found[0]);
    }
    struct store_scan none[] = {{.state = STORE_DEAD, .limit = 3, .found = found},
                                {.agreement = "sit", .limit = 3, .found = found},
                                {.agreement = "isa", .type = "incident-report", .limit = 3, .found = found}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scan(bench, &none[i]), 0);
        assert_int_equal(none[i].count, 0);
    }
}

static void counts_follow_every_change(void **state)
{
    struct bench *bench = *state;
    uint64_t numbers[4];
    struct store_claimed claimed[1];
    struct store_counts request = {0};
    int64_t before = clock_wall();
    for (size_t i = 0; i < 4; i++)
        numbers[i] = admit_small(bench, (const char *[]){"a", "b", "c", "d"}[i], NULL);
    assert_int_equal(settle(bench, numbers[1], STORE_DELIVERED), 0);
    assert_int_equal(settle(bench, numbers[2], STORE_HELD), 0);
    struct store_claim taking = {.agreement = "isa", .now = 1, .limit = 1, .claimed = claimed};
    assert_int_equal(claim(bench, &taking), 0);
    store_message_free(claimed[0].message);
    assert_int_equal(counts(bench, &request), 0);
    assert_int_equal(request.messages, 4);
    assert_int_equal(request.quarantined, 0);
    assert_int_equal(request.bytes, 4);
    assert_int_equal(request.count, 1);
    assert_string_equal(request.rows[0].agreement, "isa");
    assert_string_equal(request.rows[0].service, "out");
    assert_int_equal(request.rows[0].states[STORE_WAITING], 1);
    assert_int_equal(request.rows[0].states[STORE_SENDING], 1);
    assert_int_equal(request.rows[0].states[STORE_HELD], 1);
    assert_int_equal(request.rows[0].states[STORE_DELIVERED], 1);
    assert_true(request.rows[0].oldest >= before && request.rows[0].oldest <= clock_wall());
    free(request.rows);
    assert_int_equal(settle(bench, numbers[0], STORE_DEAD), 0);
    assert_int_equal(settle(bench, numbers[2], STORE_DISCARDED), 0);
    assert_int_equal(settle(bench, numbers[3], STORE_DELIVERED), 0);
    assert_int_equal(counts(bench, &request), 0);
    assert_int_equal(request.rows[0].states[STORE_WAITING], 0);
    assert_int_equal(request.rows[0].states[STORE_SENDING], 0);
    assert_int_equal(request.rows[0].states[STORE_DEAD], 1);
    assert_int_equal(request.rows[0].states[STORE_DISCARDED], 1);
    assert_int_equal(request.rows[0].oldest, 0);
    free(request.rows);
}

static void cursors_move_with_their_messages(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_cursor cursor = {.route = "site/plans"}, other = {.route = "site/others"};
    struct waited waited[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        letter_init(&letter, bench, "", "x", 1);
        letter.admission.cursor = i ? "second" : "first";
        assert_int_equal(admit(bench, &letter), 0);
        letter_fini(&letter);
    }
    admit_small(bench, "no cursor", NULL);
    store_cursor(bench->store, &cursor, on_waited, &waited[0]);
    store_cursor(bench->store, &other, on_waited, &waited[1]);
    assert_int_equal(wait_for(bench, &waited[1]), 0);
    assert_string_equal(cursor.value, "second");
    assert_string_equal(other.value, "");
}

static void audit_chains_are_whole_and_apart(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(audit(bench, i % 3 ? "host" : "isa", "agent-start"), 0);
        if (i % 5 == 0)
            admit_small(bench, "x", NULL);
    }
    assert_int_equal(verify_chains(bench), 24);
    assert_int_equal(audit(bench, "", "x"), ACCORD_EINVAL);
    assert_int_equal(verify_chains(bench), 24);
}

/* ---- order and ends ---- */

struct order {
    int calls[64];
    int count;
};
struct ordered {
    struct order *order;
    int number;
};

static void on_ordered(void *arg, int result)
{
    struct ordered *ordered = arg;
    (void)result;
    ordered->order->calls[ordered->order->count++] = ordered->number;
}

static void calls_are_finished_in_order(void **state)
{
    struct bench *bench = *state;
    struct order order = {.count = 0};
    struct ordered ordered[32];
    struct store_heads heads[32] = {0};
    struct store_settlement settlements[32];
    for (int i = 0; i < 32; i++) {
        ordered[i] = (struct ordered){&order, i};
        settlements[i] = (struct store_settlement){.number = 999, .state = STORE_DEAD};
        if (i % 2)
            store_heads(bench->store, &heads[i], on_ordered, &ordered[i]);
        else
            store_settle(bench->store, &settlements[i], on_ordered, &ordered[i]);
        assert_int_equal(order.count, 0);
    }
    while (order.count < 32)
        uv_run(&bench->loop, UV_RUN_ONCE);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(order.calls[i], i);
        free(heads[i].rows);
    }
}

static void closing_finishes_what_was_called(void **state)
{
    struct bench *bench = *state;
    struct letter letters[8];
    struct waited waited[8] = {0};
    for (size_t i = 0; i < 8; i++) {
        letter_init(&letters[i], bench, "", "x", 1);
        store_admit(bench->store, &letters[i].admission, on_waited, &waited[i]);
    }
    bench_shut(bench);
    for (size_t i = 0; i < 8; i++) {
        assert_true(waited[i].done);
        assert_int_equal(waited[i].result, 0);
        letter_fini(&letters[i]);
    }
    assert_int_equal(bench_reopen(bench, NULL), 0);
}

static void close_from_done(void *arg, int result)
{
    struct bench *bench = arg;
    assert_int_equal(result, 0);
    store_close(bench->store);
    bench->store = NULL;
}

static void the_store_may_be_closed_by_a_done(void **state)
{
    struct bench *bench = *state;
    struct store_heads heads = {0}, more = {0};
    struct waited waited = {0};
    store_heads(bench->store, &heads, close_from_done, bench);
    store_heads(bench->store, &more, on_waited, &waited);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_true(waited.done);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    free(heads.rows);
    free(more.rows);
    assert_int_equal(bench_reopen(bench, NULL), 0);
}

static void an_idle_store_lets_the_loop_end(void **state)
{
    struct bench *bench = *state;
    admit_small(bench, "a", NULL);
    assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
}

static void an_unknown_back_end_is_named(void **state)
{
    struct store *store;
    struct reason why;
    struct store_config config = {.folder = "/nonexistent", .backend = "cloud"};
    struct bench *bench = *state;
    assert_int_equal(store_open(&store, &bench->loop, &config, NULL, &why), ACCORD_EINVAL);
    assert_non_null(strstr(why.text, "\"cloud\""));
}

int store_contract_run(const char *backend)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_admitted_message_reads_back_whole),
        T(payloads_of_every_size_read_back),
        T(a_payload_can_be_looked_at_before_admission),
        T(a_payload_that_is_not_sealed_is_refused),
        T(an_envelope_that_does_not_fit_is_refused),
        T(the_same_id_and_hash_is_the_same_message),
        T(the_same_id_with_another_hash_is_flagged),
        T(without_an_id_nothing_is_suppressed),
        T(other_origins_and_old_messages_are_no_repeats),
        T(a_key_can_be_used_once),
        T(verbs_of_one_group_see_each_other),
        T(claims_give_the_oldest_first_and_each_once),
        T(a_settled_delivery_keeps_its_receipt_and_is_final),
        T(a_retry_waits_for_its_time_and_then_comes_first),
        T(a_claimed_delivery_given_back_is_claimed_again),
        T(deliveries_of_several_services_are_claimed_in_order),
        T(a_move_takes_the_open_deliveries_and_no_others),
        T(a_move_leaves_what_is_held_for_a_person),
        T(a_scan_gives_pages_newest_first),
        T(counts_follow_every_change),
        T(cursors_move_with_their_messages),
        T(audit_chains_are_whole_and_apart),
        T(calls_are_finished_in_order),
        T(closing_finishes_what_was_called),
        T(the_store_may_be_closed_by_a_done),
        T(an_idle_store_lets_the_loop_end),
        T(an_unknown_back_end_is_named),
    };
    backend_name = backend;
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}
