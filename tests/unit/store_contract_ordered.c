/* The store's contract: services whose deliveries follow one another. */
#include "store_contract.h"

#include <string.h>

#include "store_calls.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct row {
    uint64_t numbers[4];
    char ids[4][ACCORD_ID_MAX];
};

static void admit_row(struct bench *bench, struct row *row)
{
    for (size_t i = 0; i < 4; i++)
        row->numbers[i] = admit_small(bench, (const char *[]){"a", "b", "c", "d"}[i], row->ids[i]);
}

/* How many it gives, which must be those from `first` on. */
static size_t claim_in_order(struct bench *bench, const struct row *row, struct store_claim *request,
                             size_t first)
{
    struct store_claimed claimed[4];
    request->agreement = "isa";
    request->service = "out";
    request->claimed = claimed;
    if (!request->order)
        request->order = STORE_ORDERED;
    if (!request->limit)
        request->limit = 4;
    if (!request->now)
        request->now = 10;
    assert_int_equal(claim(bench, request), 0);
    for (size_t i = 0; i < request->count; i++) {
        assert_int_equal(claimed[i].delivery.number, row->numbers[first + i]);
        store_message_free(claimed[i].message);
    }
    return request->count;
}

static void a_claim_in_order_gives_those_that_follow_each_other(void **state)
{
    struct row row;
    struct store_claim request = {.limit = 2};
    admit_row(*state, &row);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 2);
    assert_string_equal(request.blocked_by, "");
    assert_int_equal(request.next, 10);
    assert_int_equal(claim_in_order(*state, &row, &request, 2), 0);
    assert_string_equal(request.blocked_by, row.ids[0]);
    assert_int_equal(settle(*state, row.numbers[0], STORE_DELIVERED), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 2), 0);
    assert_string_equal(request.blocked_by, row.ids[1]);
    assert_int_equal(settle(*state, row.numbers[1], STORE_DELIVERED), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 2), 2);
    assert_int_equal(settle(*state, row.numbers[2], STORE_DELIVERED), 0);
    assert_int_equal(settle(*state, row.numbers[3], STORE_DELIVERED), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 0);
    assert_string_equal(request.blocked_by, "");
    assert_int_equal(request.next, 0);
}

static void a_retry_stops_those_behind_it_until_its_time(void **state)
{
    struct row row;
    struct store_claim request = {.limit = 1};
    admit_row(*state, &row);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 1);
    struct store_settlement retry = {.number = row.numbers[0], .state = STORE_WAITING, .not_before = 1000};
    assert_int_equal(settle_with(*state, &retry), 0);
    request.limit = 4;
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 0);
    assert_int_equal(request.next, 1000);
    assert_string_equal(request.blocked_by, row.ids[0]);
    request.now = 1000;
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 4);
}

static void what_is_held_stops_those_behind_it(void **state)
{
    struct row row;
    struct store_claim request = {0};
    admit_row(*state, &row);
    struct store_settlement hold = {.number = row.numbers[1], .state = STORE_HELD, .not_before = STORE_NEVER};
    assert_int_equal(settle_with(*state, &hold), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 1);
    assert_string_equal(request.blocked_by, row.ids[1]);
    struct store_decision discard = {.number = row.numbers[1], .state = STORE_DISCARDED};
    assert_int_equal(decide(*state, &discard), 0);
    assert_int_equal(settle(*state, row.numbers[0], STORE_DELIVERED), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 2), 2);
}

static void a_dead_one_stops_those_behind_it_unless_it_is_skipped(void **state)
{
    struct row row;
    struct store_claim request = {0}, skip = {.order = STORE_ORDERED_SKIP_DEAD};
    admit_row(*state, &row);
    assert_int_equal(settle(*state, row.numbers[0], STORE_DEAD), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 1), 0);
    assert_string_equal(request.blocked_by, row.ids[0]);
    assert_int_equal(claim_in_order(*state, &row, &skip, 1), 3);
    assert_string_equal(skip.blocked_by, "");
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(settle(*state, row.numbers[i], STORE_WAITING), 0);
    struct store_decision retry = {.number = row.numbers[0], .state = STORE_WAITING};
    assert_int_equal(decide(*state, &retry), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 4);
}

static void what_would_stop_the_next_one_is_told_before_it_comes(void **state)
{
    struct row row = {0};
    struct store_claim request = {0}, skip = {.order = STORE_ORDERED_SKIP_DEAD};
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 0);
    assert_false(request.stopped);
    admit_row(*state, &row);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(settle(*state, row.numbers[i], i == 1 ? STORE_DEAD : STORE_DELIVERED), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 0);
    assert_true(request.stopped);
    assert_string_equal(request.blocked_by, "");
    assert_int_equal(claim_in_order(*state, &row, &skip, 0), 0);
    assert_false(skip.stopped);
    struct store_decision discard = {.number = row.numbers[1], .state = STORE_DISCARDED};
    assert_int_equal(decide(*state, &discard), 0);
    assert_int_equal(claim_in_order(*state, &row, &request, 0), 0);
    assert_false(request.stopped);
}

int contract_ordered(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(a_claim_in_order_gives_those_that_follow_each_other),
        contract_test(a_retry_stops_those_behind_it_until_its_time),
        contract_test(what_is_held_stops_those_behind_it),
        contract_test(a_dead_one_stops_those_behind_it_unless_it_is_skipped),
        contract_test(what_would_stop_the_next_one_is_told_before_it_comes),
    };
    return cmocka_run_group_tests_name("ordered", tests, NULL, NULL);
}
