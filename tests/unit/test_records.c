/* Audit records while the store takes none. */
#include "hub/records.h"
#include "bus_world.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void add(struct records *records, const char *agreement, const char *reason)
{
    records_add(records, &(struct audit_event){
                             .action = AUDIT_COMMAND, .agreement = agreement, .reason = reason, .user = "x"});
}

static void records_that_the_store_does_not_take_are_given_again_in_order(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct records records = {.store = w->store};
    store_break(w, ACCORD_ELIMIT);
    add(&records, "isa", "first");
    add(&records, NULL, "second");
    turn_some(w);
    assert_true(records.failing);
    add(&records, "isa", "third"); /* waits behind them */
    records_tick(&records, 1);
    turn_some(w);
    assert_true(records.failing);
    assert_int_equal(records_of(w, "isa", "command"), 0);
    store_break(w, 0);
    records_tick(&records, 2); /* too early */
    turn_some(w);
    assert_true(records.failing);
    records_tick(&records, 100000);
    turn_some(w);
    assert_false(records.failing);
    assert_int_equal(records_of(w, "isa", "command"), 2);
    assert_int_equal(records_of(w, "host", "command"), 1);
    assert_true(line_of(w, "first") < line_of(w, "third"));
    assert_int_equal(records_lost(&records), 0);
    world_free(w);
    records_fini(&records);
}

static void record_that_can_never_be_stored_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct records records = {.store = w->store};
    add(&records, "Not A Name", "first");
    add(&records, "isa", "second");
    turn_some(w);
    assert_false(records.failing);
    assert_int_equal(records_of(w, "isa", "command"), 1);
    assert_int_equal(records_lost(&records), 1);
    assert_int_equal(records_lost(&records), 0); /* told once */
    world_free(w);
    records_fini(&records);
}

static void no_more_are_kept_than_memory_is_for(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct records records = {.store = w->store};
    store_break(w, ACCORD_EIO);
    for (int i = 0; i < 5000; i++)
        add(&records, "isa", "one of many");
    turn_some(w);
    assert_int_equal(records_lost(&records), 5000 - 4096);
    store_break(w, 0);
    records_tick(&records, 100000);
    for (int i = 0; i < 100 && records.kept; i++)
        turn_some(w);
    assert_false(records.failing);
    turn_some(w);
    world_free(w);
    records_fini(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_the_store_does_not_take_are_given_again_in_order),
        cmocka_unit_test(record_that_can_never_be_stored_does_not_hold_up_the_others),
        cmocka_unit_test(no_more_are_kept_than_memory_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
