#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <accord/base.h>

#include "util/table.h"

#include <cmocka.h> /* last: it defines fail() */

#define IDS 512

/* Puts and takes in a fixed pseudo-random order, against an array. */
static void agrees_with_an_array(void **state)
{
    (void)state;
    struct table table = {0};
    static char values[IDS];
    bool there[IDS] = {false};
    size_t count = 0;
    uint32_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t id = 1 + (seed >> 16) % (IDS - 1);
        if (seed >> 31) {
            assert_int_equal(table_put(&table, id, &values[id]), there[id] ? ACCORD_EEXIST : 0);
            count += !there[id];
            there[id] = true;
        } else {
            assert_ptr_equal(table_take(&table, id), there[id] ? &values[id] : NULL);
            count -= there[id];
            there[id] = false;
        }
        assert_int_equal(table.count, count);
        for (size_t k = 1; k < IDS && i % 16 == 0; k++)
            assert_ptr_equal(table_get(&table, k), there[k] ? &values[k] : NULL);
    }
    size_t seen = 0;
    for (size_t at = 0; table_next(&table, &at);)
        seen++;
    assert_int_equal(seen, count);
    table_fini(&table);
}

static void an_empty_table_holds_nothing(void **state)
{
    (void)state;
    struct table table = {0};
    size_t at = 0;
    assert_null(table_get(&table, 1));
    assert_null(table_take(&table, 1));
    assert_null(table_next(&table, &at));
    assert_int_equal(table_put(&table, 1, &table), 0);
    assert_null(table_get(&table, 0));
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(an_empty_table_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
