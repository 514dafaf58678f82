/* The journal's index on its own: rows in memory and in the file, runs of what was seen, the filter. */
#include "index_number.h"
#include "index_world.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

static void expect_same(const struct index_delivery *a, const struct index_delivery *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->message, b->message);
    assert_int_equal(a->detail, b->detail);
    assert_int_equal(a->place, b->place);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->attempts, b->attempts);
    assert_int_equal(a->changed, b->changed);
    assert_int_equal(a->since, b->since);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->answer_by, b->answer_by);
}

/* More than one packed row holds. */
static void what_was_over_before_the_file_heard_of_it_is_found_changed_and_dropped(void **state)
{
    struct world *world = *state;
    enum { MANY = 137 };
    struct index_delivery before[MANY], after;
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t number = add(world);
        struct record_settlement settlement = {.number = number,
                                               .state = i % 2 ? STORE_DELIVERED : STORE_DISCARDED,
                                               .attempted = i % 3 != 0,
                                               .not_before = (int64_t)i,
                                               .changed = 7 + (int64_t)i,
                                               .since = i % 5 ? 0 : 11,
                                               .generation = 8};
        assert_int_equal(index_settlement(&world->index, position_of(77 + i), &settlement), 0);
        assert_int_equal(index_find_delivery(&world->index, number, &before[i]), 0);
    }
    flush(world);
    index_close(&world->index);
    reopen_index(world);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(index_find_delivery(&world->index, i + 1, &after), 0);
        assert_true(after.packed);
        expect_same(&before[i], &after);
        assert_int_equal(before[i].not_before, after.not_before);
        assert_int_equal(before[i].before, after.before);
    }
    assert_int_equal(next_due(world, 0, NOW), 0);
    /* as when its message is carried over */
    struct fresh_row *row;
    assert_int_equal(index_row(&world->index, 5, &row), 0);
    row->delivery.message = row->delivery.detail = position_of(1000);
    row->dirty = true;
    flush(world);
    assert_int_equal(index_find_delivery(&world->index, 5, &after), 0);
    assert_true(after.packed && after.message == position_of(1000) && after.state == STORE_DISCARDED);
    /* as when an answer to it is expected again */
    assert_int_equal(index_row(&world->index, 5, &row), 0);
    row->delivery.answer_by = NOW + 1;
    row->dirty = true;
    flush(world);
    assert_int_equal(index_find_delivery(&world->index, 5, &after), 0);
    assert_true(!after.packed && after.message == position_of(1000) && after.answer_by == NOW + 1);
    assert_int_equal(index_find_settled(&world->index, 5, &after), ACCORD_ENOENT);
    row = NULL;
    assert_int_equal(index_row(&world->index, 5, &row), 0);
    row->delivery.answer_by = 0;
    row->dirty = true;
    flush(world);
    /* and forgotten */
    uint64_t messages = 0;
    struct record_forget forget = {.after = "", .until = "~", .settled_before = NOW};
    assert_int_equal(index_forget(&world->index, &forget, &messages), 0);
    assert_int_equal(messages, MANY);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(index_find_delivery(&world->index, i + 1, &after), ACCORD_ENOENT);
}

static int64_t rows_in_the_file(struct world *world)
{
    sqlite3_stmt *count;
    assert_int_equal(sqlite3_prepare_v2(world->index.db, "SELECT count(*) FROM deliveries", -1, &count, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    int64_t rows = sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    return rows;
}

static bool stays_open(uint64_t number)
{
    return number % 16 == 3 || number % 16 == 4 || number % 16 == 7;
}

/* What becomes of the delivery of this number: of those that are over, some follow each other. */
static struct record_settlement ending_of(uint64_t number)
{
    bool waits = number % 16 == 3, dies = number % 16 == 4, answered = number % 16 == 7;
    return (struct record_settlement){.number = number,
                                      .state = waits                    ? STORE_WAITING
                                               : dies                   ? STORE_DEAD
                                               : answered || number % 2 ? STORE_DELIVERED
                                                                        : STORE_DISCARDED,
                                      .attempted = true,
                                      .not_before = waits ? NOW + 7 : 0,
                                      .changed = 7 + (int64_t)number,
                                      .answer_by = answered ? NOW + 1 : 0};
}

static void what_waited_in_the_file_leaves_its_lists_when_it_is_over(void **state)
{
    struct world *world = *state;
    enum { MANY = 320, OPEN = MANY / 16 * 3 };
    struct index_delivery before[MANY + 1], after;
    for (uint64_t i = 0; i < MANY; i++)
        add(world);
    flush(world);
    assert_int_equal(rows_in_the_file(world), MANY);
    for (uint64_t step = 0; step < MANY; step++) {
        uint64_t number = 1 + step * 7 % MANY; /* 7 and MANY have no divisor in common */
        struct record_settlement settlement = ending_of(number);
        assert_int_equal(index_settlement(&world->index, position_of(500 + step), &settlement), 0);
        assert_int_equal(index_find_delivery(&world->index, number, &before[number]), 0);
    }
    flush(world);
    assert_int_equal(rows_in_the_file(world), OPEN);
    index_close(&world->index);
    reopen_index(world);
    for (uint64_t number = 1; number <= MANY; number++) {
        assert_int_equal(index_find_delivery(&world->index, number, &after), 0);
        assert_int_equal(after.packed, !stays_open(number));
        expect_same(&before[number], &after);
    }
    assert_int_equal(next_due(world, 0, NOW), 0);
    assert_int_equal(world->index.places[0].states[STORE_WAITING], MANY / 16);
}

static void a_row_is_the_same_in_memory_and_in_the_file(void **state)
{
    struct world *world = *state;
    uint64_t number = add(world), position;
    struct index_delivery before, after;
    struct record_settlement settlement = {.number = number,
                                           .state = STORE_DELIVERED,
                                           .attempted = true,
                                           .changed = 7,
                                           .generation = 8,
                                           .answer_by = 9};
    assert_int_equal(index_settlement(&world->index, position_of(77), &settlement), 0);
    assert_int_equal(index_find_delivery(&world->index, number, &before), 0);
    assert_int_equal(before.answer_by, 9);
    flush(world);
    assert_null(fresh_row(&world->index.fresh, number));
    assert_int_equal(index_find_delivery(&world->index, number, &after), 0);
    expect_same(&before, &after);
    index_close(&world->index);
    reopen_index(world);
    assert_int_equal(index_find_delivery(&world->index, number, &after), 0);
    expect_same(&before, &after);
    assert_int_equal(index_find_message(&world->index, "000000000001000000000000", &position), 0);
    assert_int_equal(position, position_of(1));
    assert_int_equal(world->index.places[0].states[STORE_DELIVERED], 1);
    assert_int_equal(world->index.places[0].states[STORE_WAITING], 0);
}

static void an_id_is_refused_in_memory_and_in_the_file(void **state)
{
    struct world *world = *state;
    struct synthetic s;
    for (int i = 0; i < 40; i++)
        add(world);
    for (int flushed = 0; flushed < 2; flushed++) {
        describe(&s, 7);
        s.record.first = world->next;
        assert_int_equal(index_admission(&world->index, position_of(900), &s.record), ACCORD_EEXIST);
        flush(world);
    }
}

static void what_is_being_sent_stays_so_over_flush_and_undo(void **state)
{
    struct world *world = *state;
    uint64_t number = add(world), other = add(world);
    flush(world);
    assert_int_equal(claim_next(world, NOW), number);
    flush(world);
    assert_int_equal(state_in(world, number), STORE_SENDING);
    settle_to(world, other, STORE_HELD, 0);
    assert_int_equal(index_undo(&world->index), 0);
    assert_int_equal(index_resume(&world->index), 0);
    assert_int_equal(state_in(world, number), STORE_SENDING);
    assert_int_equal(state_in(world, other), STORE_WAITING);
    assert_int_equal(claim_next(world, NOW), other);
    assert_int_equal(claim_next(world, NOW), 0);
    assert_int_equal(world->index.places[0].sending, 2);
}

/* Also when there are more than are kept together. */
static void what_was_being_sent_waits_after_a_restart(void **state)
{
    struct world *world = *state;
    enum { MANY = 1100, KEPT = 1000, OVER = 70 };
    for (int i = 0; i < MANY; i++)
        index_set_sending(&world->index, add(world), true);
    flush(world);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM sending"), 20);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM deliveries"), MANY - KEPT);
    for (uint64_t n = 1; n <= OVER; n++)
        settle_to(world, n, STORE_DELIVERED, 0);
    settle_to(world, OVER + 1, STORE_HELD, 0);
    flush(world);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM sending"), 19);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM deliveries"), MANY - KEPT + 1);
    index_close(&world->index);
    reopen_index(world);
    for (uint64_t n = 1; n <= OVER; n++)
        assert_int_equal(state_in(world, n), STORE_DELIVERED);
    assert_int_equal(state_in(world, OVER + 1), STORE_HELD);
    assert_int_equal(world->index.places[0].states[STORE_WAITING], MANY - OVER - 1);
    assert_int_equal(world->index.places[0].sending, 0);
    flush(world);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM sending"), 0);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM deliveries"), MANY - OVER);
    for (uint64_t n = OVER + 2; n <= MANY; n++) {
        assert_int_equal(claim_next(world, NOW), n);
        settle_to(world, n, STORE_DELIVERED, 0);
    }
    assert_int_equal(claim_next(world, NOW), 0);
}

static void what_is_being_sent_is_not_forgotten(void **state)
{
    struct world *world = *state;
    struct synthetic s;
    uint64_t messages = 0;
    struct record_delivery two[2];
    describe(&s, 1);
    two[0] = two[1] = s.delivery;
    s.record.deliveries = two;
    s.record.delivery_count = 2;
    assert_int_equal(index_admission(&world->index, position_of(1), &s.record), 0);
    index_set_sending(&world->index, 2, true);
    settle_to(world, 1, STORE_DELIVERED, 0);
    flush(world);
    struct record_forget forget = {.after = "", .until = "~", .settled_before = 2 * NOW};
    assert_int_equal(index_forget(&world->index, &forget, &messages), 0);
    assert_int_equal(messages, 0);
    settle_to(world, 2, STORE_DELIVERED, 0);
    flush(world);
    assert_int_equal(index_forget(&world->index, &forget, &messages), 0);
    assert_int_equal(messages, 1);
}

/* ---- claims ---- */

static void claims_come_oldest_first_from_file_and_memory(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 200; i++)
        add(world);
    flush(world);
    for (int i = 0; i < 50; i++)
        add(world);
    for (uint64_t n = 1; n <= 250; n++) {
        assert_int_equal(claim_next(world, NOW), n);
        if (n == 100 || n == 220)
            flush(world);
    }
    assert_int_equal(claim_next(world, NOW), 0);
}

static void what_comes_back_is_claimed_again_before_the_younger(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 150; i++)
        add(world);
    flush(world);
    for (uint64_t n = 1; n <= 100; n++)
        assert_int_equal(claim_next(world, NOW), n);
    settle_to(world, 40, STORE_WAITING, 0);
    assert_int_equal(claim_next(world, NOW), 40);
    settle_to(world, 41, STORE_WAITING, 0);
    flush(world);
    assert_int_equal(claim_next(world, NOW), 41);
    assert_int_equal(claim_next(world, NOW), 101);
}

static void what_is_sent_at_once_hides_nothing_older(void **state)
{
    struct world *world = *state;
    struct fresh_row *row;
    for (int i = 0; i < 5; i++)
        add(world);
    flush(world);
    assert_int_equal(index_row(&world->index, 2, &row), 0); /* asked for, and not changed */
    index_set_sending(&world->index, add(world), true);
    for (uint64_t n = 1; n <= 5; n++) {
        assert_int_equal(claim_next(world, NOW), n);
        flush(world);
    }
    assert_int_equal(claim_next(world, NOW), 0);
    assert_int_equal(world->index.places[0].sending, 6);
}

static void a_retry_waits_for_its_time_in_memory_and_in_the_file(void **state)
{
    struct world *world = *state;
    for (int flushed = 0; flushed < 2; flushed++) {
        uint64_t number = add(world);
        assert_int_equal(claim_next(world, NOW), number);
        settle_to(world, number, STORE_WAITING, 2 * NOW);
        if (flushed)
            flush(world);
        assert_int_equal(claim_next(world, 2 * NOW - 1), 0);
        assert_int_equal(index_next_later(&world->index, 0), 2 * NOW);
        assert_int_equal(claim_next(world, 2 * NOW), number);
        assert_int_equal(index_next_later(&world->index, 0), 0);
        settle_to(world, number, STORE_DELIVERED, 0);
    }
}

static void retries_in_the_file_are_read_a_few_at_a_time(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 100; i++)
        settle_to(world, add(world), STORE_WAITING, NOW + i);
    flush(world);
    next_due(world, 0, 3 * NOW);
    next_due(world, 0, 3 * NOW);
    assert_int_equal(world->index.fresh.by_number.count, 16);
    for (int i = 0; i < 100; i++)
        assert_int_not_equal(claim_next(world, 3 * NOW), 0);
    assert_int_equal(claim_next(world, 3 * NOW), 0);
}

static void many_that_are_moved_do_not_fill_memory_and_can_be_claimed(void **state)
{
    struct world *world = *state;
    struct buf numbers = {0};
    for (int i = 0; i < 300; i++)
        add(world);
    flush(world);
    for (uint64_t n = 1; n <= 10; n++)
        claim_next(world, NOW);
    for (uint64_t n = 1; n <= 300; n++)
        record_add_number(&numbers, n);
    struct record_move held = {.to = STORE_HELD, .reason = "", .numbers = numbers.data + 80, .count = 290};
    assert_int_equal(index_move(&world->index, position_of(1000), &held), 0);
    assert_int_equal(world->index.fresh.by_number.count, 10);
    assert_int_equal(claim_next(world, NOW), 0);
    assert_int_equal(world->index.places[0].states[STORE_HELD], 290);
    held.to = STORE_WAITING;
    assert_int_equal(index_move(&world->index, position_of(1001), &held), 0);
    assert_int_equal(claim_next(world, NOW), 11);
    flush(world);
    for (uint64_t n = 12; n <= 300; n++)
        assert_int_equal(claim_next(world, NOW), n);
    buf_fini(&numbers);
}

static void the_blocker_is_the_oldest_in_memory_or_file(void **state)
{
    struct world *world = *state;
    struct index_delivery blocker;
    for (int i = 0; i < 9; i++)
        add(world);
    settle_to(world, 8, STORE_HELD, 0);
    settle_to(world, 3, STORE_DEAD, 0);
    settle_to(world, 6, STORE_WAITING, 5 * NOW);
    for (int flushed = 0; flushed < 2; flushed++) {
        assert_int_equal(index_blocker(&world->index, 0, NOW, true, &blocker), 0);
        assert_int_equal(blocker.number, 3);
        assert_int_equal(index_blocker(&world->index, 0, NOW, false, &blocker), 0);
        assert_int_equal(blocker.number, 6);
        assert_int_equal(index_blocker(&world->index, 0, 5 * NOW, false, &blocker), 0);
        assert_int_equal(blocker.number, 8);
        flush(world);
    }
    assert_int_equal(claim_next(world, NOW), 1);
    assert_int_equal(index_blocker(&world->index, 0, NOW, true, &blocker), 0);
    assert_int_equal(blocker.number, 1);
}

/* ---- repeats ---- */

static void every_message_is_found_again_over_merges_and_a_restart(void **state)
{
    struct world *world = *state;
    uint64_t position = 0;
    const uint64_t count = 20000;
    for (uint64_t n = 1; n <= count; n++) {
        settle_to(world, add(world), STORE_DELIVERED, 0);
        if (n % (n < 2000 ? 37 : 700) == 0)
            flush(world);
    }
    flush(world);
    assert_true(world->index.runs.count < 40);
    for (int again = 0; again < 2; again++) {
        for (uint64_t n = 1; n <= count; n++) {
            assert_int_equal(found(world, n, &position), 1);
            assert_int_equal(position, position_of(n));
        }
        for (uint64_t n = count + 1; n <= count + 1000; n++)
            assert_int_equal(found(world, n, &position), 0);
        index_close(&world->index);
        reopen_index(world);
    }
}

static void runs_that_are_old_are_forgotten(void **state)
{
    struct world *world = *state;
    uint64_t position;
    add(world);
    flush(world);
    assert_int_equal(index_forget_seen(&world->index, NOW), 0);
    assert_int_equal(found(world, 1, &position), 1);
    assert_int_equal(index_forget_seen(&world->index, NOW + 1), 0);
    flush(world);
    assert_int_equal(found(world, 1, &position), 0);
    assert_int_equal(world->index.runs.count, 0);
}

static void a_small_filter_grows_and_learns_anew(void **state)
{
    struct world *world = *state;
    uint64_t position;
    size_t before = world->index.filter.blocks;
    for (int i = 0; i < 45000; i++) {
        add(world);
        if (i % 4096 == 0)
            flush(world);
    }
    flush(world);
    while (index_learn(&world->index))
        ;
    assert_true(world->index.filter.blocks > before);
    assert_true(world->index.filter.complete);
    for (uint64_t n = 1; n <= 45000; n += 97)
        assert_int_equal(found(world, n, &position), 1);
}

/* ---- a file that takes nothing ---- */

static void a_full_disk_loses_nothing_and_memory_stays_bounded(void **state)
{
    struct world *world = *state;
    uint64_t position, count = 0;
    for (; count < 1000; count++)
        add(world);
    flush(world);
    assert_int_equal(sqlite3_exec(world->index.db, "PRAGMA max_page_count=1", NULL, NULL, NULL), SQLITE_OK);
    for (; !index_full(&world->index); count++)
        add(world);
    assert_true(index_due(&world->index, 0));
    assert_int_equal(index_flush(&world->index), ACCORD_ELIMIT);
    assert_int_equal(found(world, count, &position), 1);
    assert_int_equal(state_in(world, count), STORE_WAITING);
    assert_int_equal(claim_next(world, NOW), 1);
    assert_int_equal(sqlite3_exec(world->index.db, "PRAGMA max_page_count=1000000", NULL, NULL, NULL),
                     SQLITE_OK);
    flush(world);
    assert_int_equal(world->index.fresh.by_number.count, 1); /* the one that is being sent */
    for (uint64_t n = 1; n <= count; n += 501)
        assert_int_equal(found(world, n, &position), 1);
    assert_int_equal(state_in(world, count), STORE_WAITING);
}

/* What the same group has settled is not being sent any more once the group is over, and stays where it was. */
static void adoption_takes_along_what_is_being_sent_and_no_more(void **state)
{
    struct world *world = *state;
    uint64_t settled = add(world), sending = add(world);
    assert_int_equal(claim_next(world, NOW), settled);
    assert_int_equal(claim_next(world, NOW), sending);
    struct record_settlement settlement = {.number = settled, .state = STORE_DELIVERED};
    assert_int_equal(index_settlement(&world->index, position_of(settled) + 8, &settlement), 0);
    struct record_adoption adoption = {.from = "isa", .to = "cbp"};
    uint64_t moved = 0;
    assert_int_equal(index_adopt(&world->index, &adoption, &moved), 0);
    index_set_sending(&world->index, settled, false);
    assert_int_equal(index_place(&world->index, "isa", "out")->sending, 0);
    assert_int_equal(index_place(&world->index, "cbp", "out")->sending, 1);
}

static int deny(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
    (void)arg, (void)a, (void)b, (void)c, (void)d;
    return action == SQLITE_READ ? SQLITE_DENY : SQLITE_OK;
}

/* Otherwise the journal would be replayed from too far on, and what was only in memory would be gone. */
static void what_could_not_be_read_back_is_read_before_the_replay(void **state)
{
    struct world *world = *state;
    add(world);
    flush(world);
    uint64_t flushed = world->index.progress.position, number = add(world);
    world->index.progress.position = position_of(world->next);
    sqlite3_set_authorizer(world->index.db, deny, NULL);
    assert_true(index_undo(&world->index) < 0);
    assert_true(index_reload(&world->index) < 0);
    sqlite3_set_authorizer(world->index.db, NULL, NULL);
    assert_int_equal(index_reload(&world->index), 0);
    assert_int_equal(world->index.progress.position, flushed);
    assert_int_equal(world->index.places[0].states[STORE_WAITING], 1);
    struct index_delivery delivery;
    assert_int_equal(index_find_delivery(&world->index, number, &delivery), ACCORD_ENOENT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)
    const struct CMUnitTest tests[] = {
        CASE(what_waited_in_the_file_leaves_its_lists_when_it_is_over),
        CASE(a_row_is_the_same_in_memory_and_in_the_file),
        CASE(what_was_over_before_the_file_heard_of_it_is_found_changed_and_dropped),
        CASE(an_id_is_refused_in_memory_and_in_the_file),
        CASE(what_is_being_sent_stays_so_over_flush_and_undo),
        CASE(what_was_being_sent_waits_after_a_restart),
        CASE(what_is_being_sent_is_not_forgotten),
        CASE(adoption_takes_along_what_is_being_sent_and_no_more),
        CASE(what_could_not_be_read_back_is_read_before_the_replay),
        CASE(claims_come_oldest_first_from_file_and_memory),
        CASE(what_comes_back_is_claimed_again_before_the_younger),
        CASE(what_is_sent_at_once_hides_nothing_older),
        CASE(a_retry_waits_for_its_time_in_memory_and_in_the_file),
        CASE(retries_in_the_file_are_read_a_few_at_a_time),
        CASE(many_that_are_moved_do_not_fill_memory_and_can_be_claimed),
        CASE(the_blocker_is_the_oldest_in_memory_or_file),
        CASE(every_message_is_found_again_over_merges_and_a_restart),
        CASE(runs_that_are_old_are_forgotten),
        CASE(a_small_filter_grows_and_learns_anew),
        CASE(a_full_disk_loses_nothing_and_memory_stays_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
