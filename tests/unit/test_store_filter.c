/* The filter in front of the repeats: it may err, but never by forgetting. */
#include "store/filter.h"
#include "store/index.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void the_filter_knows_all_and_little_else(void **state)
{
    struct filter filter = {0};
    unsigned wrong = 0;
    (void)state;
    filter_reset(&filter, 100000);
    filter.complete = true;
    for (uint64_t i = 0; i < 100000; i++)
        filter_add(&filter, index_spread(i));
    for (uint64_t i = 0; i < 100000; i++)
        assert_true(filter_may_have(&filter, index_spread(i)));
    for (uint64_t i = 100000; i < 200000; i++)
        wrong += filter_may_have(&filter, index_spread(i));
    assert_true(wrong < 3000);
    filter_reset(&filter, UINT64_MAX);
    assert_true(filter.blocks * 64 <= FILTER_MAX);
    filter_fini(&filter);
}

/* Otherwise each question would go to the file meanwhile. */
static void a_filter_that_grows_knows_all_and_little_else_meanwhile(void **state)
{
    struct filter filter = {0};
    unsigned wrong = 0;
    (void)state;
    filter_reset(&filter, 10000);
    for (uint64_t i = 0; i < 10000; i++)
        filter_add(&filter, index_spread(i));
    assert_true(filter_may_have(&filter, index_spread(20001))); /* it does not know all yet */
    filter_complete(&filter);
    for (int often = 0; often < 2; often++) {
        filter_grow(&filter, 100000);
        for (uint64_t i = 0; i < 5000; i++) /* learnt again */
            filter_add(&filter, index_spread(i));
        filter_add(&filter, index_spread(10000)); /* new */
        assert_false(filter.complete);
        for (uint64_t i = 0; i <= 10000; i++)
            assert_true(filter_may_have(&filter, index_spread(i)));
        for (uint64_t i = 100000; i < 200000; i++)
            wrong += filter_may_have(&filter, index_spread(i));
        assert_true(wrong < 6000);
    }
    for (uint64_t i = 5000; i < 10000; i++)
        filter_add(&filter, index_spread(i));
    filter_complete(&filter);
    assert_null(filter.older);
    for (uint64_t i = 0; i <= 10000; i++)
        assert_true(filter_may_have(&filter, index_spread(i)));
    filter_fini(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_filter_knows_all_and_little_else),
        cmocka_unit_test(a_filter_that_grows_knows_all_and_little_else_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
