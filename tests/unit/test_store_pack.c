/* Packed rows of the index: the same as a sorted list, in whatever order entries come and go. */
#include "index_number.h"
#include "store_calls.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000

struct world {
    struct index index;
    char folder[128];
    uint64_t chance;
    struct fresh_message model[MANY]; /* sorted */
    size_t count;
};

static void reopen(struct world *world)
{
    struct reason why = {""};
    if (index_open(&world->index, world->folder, &why))
        fail_msg("%s", why.text);
}

static int make_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    const char *temporary = getenv("TMPDIR");
    snprintf(world->folder, sizeof world->folder, "%s/pack-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(world->folder));
    reopen(world);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    index_close(&world->index);
    folder_remove(world->folder);
    free(world);
    return 0;
}

static uint64_t chance(struct world *world, uint64_t below)
{
    world->chance = world->chance * 6364136223846793005u + 1442695040888963407u;
    return (world->chance >> 33) % below;
}

/* Some share their first 64 bits, and so the row's number; others only that. */
static struct id_number some_id(struct world *world)
{
    uint64_t kind = chance(world, 3);
    return (struct id_number){kind == 0 ? 5000 + chance(world, 3) : chance(world, 10000) * 1000003,
                              (chance(world, 1 << 20) + 1) << 8};
}

/* ---- the model ---- */

static size_t place_in(const struct world *world, struct id_number id)
{
    size_t at = 0;
    while (at < world->count && id_compare(world->model[at].id, id) < 0)
        at++;
    return at;
}

static bool is_in(const struct world *world, size_t at, struct id_number id)
{
    return at < world->count && !id_compare(world->model[at].id, id);
}

static void put(struct world *world, struct id_number id)
{
    struct fresh_message message = {.id = id, .position = chance(world, 1 << 30)};
    size_t at = place_in(world, id);
    assert_int_equal(packs_put(&world->index, &world->index.messages, &message), 0);
    if (!is_in(world, at, id))
        memmove(&world->model[at + 1], &world->model[at], (world->count++ - at) * sizeof message);
    world->model[at] = message;
}

static void drop(struct world *world, struct id_number id)
{
    size_t at = place_in(world, id);
    assert_int_equal(packs_drop(&world->index, &world->index.messages, id), 0);
    if (is_in(world, at, id))
        memmove(&world->model[at], &world->model[at + 1], (--world->count - at) * sizeof world->model[0]);
}

static void expect_message(const struct fresh_message *a, const struct fresh_message *b)
{
    assert_int_equal(id_compare(a->id, b->id), 0);
    assert_int_equal(a->position, b->position);
}

static void expect_model(struct world *world)
{
    struct packs *packs = &world->index.messages;
    struct fresh_message found = {0};
    size_t at = 0;
    while (packs_after(&world->index, packs, found.id, &found) > 0)
        expect_message(&found, &world->model[at++]);
    assert_int_equal(at, world->count);
    found.id = index_bound("~");
    while (packs_before(&world->index, packs, found.id, &found) > 0)
        expect_message(&found, &world->model[--at]);
    assert_int_equal(at, 0);
    for (int i = 0; i < 300; i++) {
        struct id_number id =
            i % 2 && world->count ? world->model[chance(world, world->count)].id : some_id(world);
        at = place_in(world, id);
        assert_int_equal(packs_find(&world->index, packs, id, &found), is_in(world, at, id));
        if (is_in(world, at, id))
            expect_message(&found, &world->model[at]);
    }
}

/* ---- cases ---- */

static void they_are_as_a_sorted_list_is(void **state)
{
    struct world *world = *state;
    for (int round = 0; round < 12; round++) {
        assert_int_equal(index_begin(&world->index), 0);
        for (int i = 0; i < 400 && world->count < MANY - 1; i++)
            put(world, some_id(world));
        for (int i = 0; i < 300 && round % 3 == 2; i++)
            drop(world, i % 5 ? world->model[chance(world, world->count)].id : some_id(world));
        if (round % 2)
            expect_model(world);
        assert_int_equal(index_flush(&world->index), 0);
        expect_model(world);
        index_close(&world->index);
        reopen(world);
        expect_model(world);
    }
    assert_int_equal(index_begin(&world->index), 0);
    while (world->count)
        drop(world, world->model[chance(world, world->count)].id);
    expect_model(world);
    assert_int_equal(index_flush(&world->index), 0);
    expect_model(world);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM messages"), 0);
}

static void what_comes_in_order_fills_its_rows(void **state)
{
    struct world *world = *state;
    assert_int_equal(index_begin(&world->index), 0);
    for (uint64_t i = 0; i < 84 * 10; i++)
        put(world, (struct id_number){i * 1000, 256});
    assert_int_equal(index_flush(&world->index), 0);
    expect_model(world);
    assert_int_equal(index_number(&world->index, "SELECT count(*) FROM messages"), 10);
    assert_int_equal(index_number(&world->index, "SELECT max(length(entries)) FROM messages"),
                     84 * sizeof(struct fresh_message));
}

static void what_is_taken_back_is_as_before(void **state)
{
    struct world *world = *state;
    assert_int_equal(index_begin(&world->index), 0);
    for (uint64_t i = 1; i < 200; i++)
        put(world, (struct id_number){i * 1000, 256});
    assert_int_equal(index_flush(&world->index), 0);
    for (int often = 1; often < 200; often += 150) {
        assert_int_equal(index_begin(&world->index), 0);
        for (int i = 0; i < often; i++) {
            struct fresh_message message = {.id = {7 + (uint64_t)i * 777, 512}};
            assert_int_equal(packs_put(&world->index, &world->index.messages, &message), 0);
        }
        assert_int_equal(index_undo(&world->index), 0);
        expect_model(world);
    }
}

static void a_damaged_row_is_noticed(void **state)
{
    static const char *const damages[] = {
        "UPDATE messages SET entries=zeroblob(96)",
        "UPDATE messages SET entries=substr(entries, 1, 40)",
        "UPDATE messages SET entries=x''",
        "UPDATE messages SET id=id+100000",
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct fresh_message found;
        assert_int_equal(index_begin(&world->index), 0);
        for (uint64_t k = 1; k < 20; k++)
            put(world, (struct id_number){1000 + k, 256});
        assert_int_equal(index_flush(&world->index), 0);
        packs_forget(&world->index.messages);
        assert_int_equal(sqlite3_exec(world->index.db, damages[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(
            packs_find(&world->index, &world->index.messages, (struct id_number){400000, 256}, &found),
            ACCORD_EFORMAT);
        assert_true(index_lost(&world->index));
        world->index.corrupt = false;
        assert_int_equal(sqlite3_exec(world->index.db, "DELETE FROM messages", NULL, NULL, NULL), SQLITE_OK);
        world->count = 0;
    }
}

static void an_id_and_its_number_are_the_same(void **state)
{
    static const char *const good[] = {"000000000000000000000000", "0123456789abcdefghjkmnpq",
                                       "rstvwxyz9876543210zyxwvt", "zzzzzzzzzzzzzzzzzzzzzzzz"};
    static const char *const bad[] = {"",
                                      "~",
                                      "0123456789abcdefghjkmnp",
                                      "0123456789abcdefghjkmnpqr",
                                      "0123456789abcdefghjkmnpi",
                                      "0123456789Abcdefghjkmnpq"};
    char text[ACCORD_ID_MAX];
    struct id_number before = {0}, number;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(id_to_number(good[i], &number));
        id_from_number(number, text);
        assert_string_equal(text, good[i]);
        assert_true(!i || id_compare(before, number) < 0);
        assert_true(id_compare(number, index_bound("~")) < 0);
        before = number;
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(id_to_number(bad[i], &number));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)
    const struct CMUnitTest tests[] = {
        CASE(they_are_as_a_sorted_list_is),
        CASE(what_comes_in_order_fills_its_rows),
        CASE(what_is_taken_back_is_as_before),
        CASE(a_damaged_row_is_noticed),
        cmocka_unit_test(an_id_and_its_number_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
