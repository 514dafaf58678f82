/* The store's contract: calls end in order and exactly once, also when the store is closed. */
#include "store_contract.h"

#include <stdlib.h>
#include <string.h>

#include "store_calls.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

int contract_order(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(calls_are_finished_in_order),       contract_test(closing_finishes_what_was_called),
        contract_test(the_store_may_be_closed_by_a_done), contract_test(an_idle_store_lets_the_loop_end),
        contract_test(an_unknown_back_end_is_named),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
