/* Cursors of a source through the bus: in the store when what came before is held, and not sooner. And how many
 * deliveries a link is given at once. */
#include "bus_world.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

struct heard {
    struct cursor_wait wait; /* first */
    int times, result;
};

static void hear(struct cursor_wait *wait, int result)
{
    ((struct heard *)wait)->times++;
    ((struct heard *)wait)->result = result;
}

static void was_read(void *arg, int result)
{
    assert_int_equal(result, 0);
    *(bool *)arg = true;
}

static void expect_cursor(struct world *w, const char *expected)
{
    struct store_cursor verb = {.route = "site/plans"};
    bool read = false;
    turn_some(w);
    store_cursor(w->store, &verb, was_read, &read);
    while (!read)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_string_equal(verb.value, expected);
}

static const struct conf_service *plans(struct world *w)
{
    return &w->agreements[0].services[0];
}

static struct bus_offer *begin_at(struct world *w, const char *source_id, const char *cursor)
{
    struct accord_envelope envelope = {.name = "p", .source_id = source_id, .size = sizeof PAYLOAD - 1};
    struct bus_place place = {cursor};
    struct bus_offer *o;
    assert_int_equal(bus_offer_new(w->site, plans(w), &envelope, &place, &offer_events, w, &o), 0);
    return o;
}

static void end(struct world *w, struct bus_offer *o)
{
    int before = w->done;
    assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    assert_true(turn_until(w, &w->done, before + 1));
}

/* Fewer bytes come than were announced. */
static void defer(struct world *w, struct bus_offer *o)
{
    assert_int_equal(bus_offer_data(o, (const uint8_t *)"x", 1, true), 0);
    assert_int_equal(w->admitted.admission, ACCORD_DEFERRED);
}

static void offer_at(struct world *w, const char *source_id, const char *cursor)
{
    end(w, begin_at(w, source_id, cursor));
}

static void cursor_waits_for_what_was_offered_before(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct bus_offer *first = begin_at(w, "1", "a");
    offer_at(w, "2", "b");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    expect_cursor(w, "");
    end(w, first);
    expect_cursor(w, "b");
    world_free(w);
}

static void deferral_voids_the_cursors_behind_it(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct heard heard = {.wait.done = hear};
    struct bus_offer *first = begin_at(w, "1", "a"), *second = begin_at(w, "2", "b");
    assert_int_equal(bus_advance(w->site, plans(w), "c", &heard.wait), 0);
    assert_int_equal(bus_advances(w->site, plans(w)), 1);
    defer(w, first);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.result, ACCORD_ECANCELED);
    end(w, second);
    expect_cursor(w, "");
    offer_at(w, "1", "a");
    expect_cursor(w, "a");
    world_free(w);
}

static void quarantine_and_repeats_advance_too(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    offer_at(w, "1", "a");
    expect_cursor(w, "a");
    offer_at(w, "1", "b"); /* nothing is written for a repeat: the cursor goes by itself */
    expect_cursor(w, "b");
    w->guard = ACCORD_DENY;
    offer_at(w, "3", "c"); /* no destination may have it */
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    expect_cursor(w, "c");
    world_free(w);
}

static void cursor_is_set_and_removed_without_a_message(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct heard heard[3] = {{.wait.done = hear}, {.wait.done = hear}, {.wait.done = hear}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(bus_advance(w->site, plans(w), i ? "y" : "x", &heard[i].wait), 0);
    expect_cursor(w, "y");
    assert_int_equal(bus_advance(w->site, plans(w), "", &heard[2].wait), 0);
    expect_cursor(w, "");
    for (int i = 0; i < 3; i++)
        assert_true(heard[i].times == 1 && heard[i].result == 0);
    store_break(w, ACCORD_ELIMIT);
    heard[0].times = 0;
    assert_int_equal(bus_advance(w->site, plans(w), "z", &heard[0].wait), 0);
    turn_some(w);
    assert_int_equal(heard[0].result, ACCORD_ELIMIT);
    store_break(w, 0);
    offer_at(w, "4", NULL); /* takes along what is due */
    expect_cursor(w, "z");
    world_free(w);
}

static void of_a_gone_source_only_what_is_committed_already_moves_its_cursor(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct heard heard = {.wait.done = hear};
    struct bus_offer *whole = begin_at(w, "1", "a");
    assert_int_equal(bus_offer_data(whole, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    assert_int_equal(bus_advance(w->site, plans(w), "b", &heard.wait), 0);
    bus_offer_abort(whole);
    assert_int_equal(heard.result, ACCORD_ECANCELED);
    *bus_voids(w->site, plans(w)) = 3;
    bus_source_gone(w->site, plans(w));
    assert_int_equal(*bus_voids(w->site, plans(w)), 0);
    turn(w); /* it was whole, and is admitted all the same */
    expect_cursor(w, "a");
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void link_gets_no_more_at_once_than_it_wants(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->keep_dispatch = true;
    bus_party_window(w->isa, "link", 1);
    offer(w, "1");
    offer(w, "2");
    assert_int_equal(w->sent, 1);
    finish(w);
    turn_some(w);
    assert_int_equal(w->sent, 2);
    finish(w);
    turn(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_waits_for_what_was_offered_before),
        cmocka_unit_test(deferral_voids_the_cursors_behind_it),
        cmocka_unit_test(quarantine_and_repeats_advance_too),
        cmocka_unit_test(cursor_is_set_and_removed_without_a_message),
        cmocka_unit_test(of_a_gone_source_only_what_is_committed_already_moves_its_cursor),
        cmocka_unit_test(link_gets_no_more_at_once_than_it_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
