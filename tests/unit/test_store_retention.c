/* Retention over the journal: traffic of a hundred segments leaves a few, nothing that lives is lost, and the index can
 * be made again from what is left. */
#include "journal_files.h"
#include "store_world.h"
#include "util/clock.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_hundred_segments_of_traffic_leave_a_few(void **state)
{
    struct world *world = *state;
    uint64_t deleted = 0, live = 0;
    int64_t until = clock_ticks() + 20000;
    for (size_t i = 0; i < MESSAGES; i++) {
        send_one(world);
        if (i % 20 == 19)
            deleted += keep(world);
    }
    deleted += keep(world);
    expect_everything(world);
    for (size_t i = 0; i < world->count; i++)
        live += world->sent[i].fate == DELIVERED ? 0 : world->sent[i].size;
    /* under load less is cleaned than after it */
    while (world_segments(world->bench.folder) > 12 + 2 * (live / SEGMENT) && clock_ticks() < until)
        deleted += keep(world);
    assert_true(deleted >= 40);
    assert_true(world_segments(world->bench.folder) <= 12 + 2 * (live / SEGMENT));
    expect_the_same_from_a_new_index(world);
    expect_everything(world);
    for (size_t i = 0; i < world->count; i++) { /* those that nothing kept are gone */
        struct store_message *message;
        if (world->sent[i].fate == DELIVERED)
            assert_int_equal(get(&world->bench, world->sent[i].id, &message), ACCORD_ENOENT);
    }
}

static void what_was_not_exported_stays(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < 40; i++)
        send_one(world);
    struct store_retention retention = {.settled_before = INT64_MAX};
    do
        assert_int_equal(retain(&world->bench, &retention), 0);
    while (retention.more);
    assert_int_equal(verify_chains(&world->bench), 41);
    assert_true(keep(world) > 3);
    expect_everything(world);
}

static void a_payload_that_waits_for_its_admission_stays(void **state)
{
    struct world *world = *state;
    struct letter letter;
    char *back = malloc(400001);
    size_t got;
    letter_init(&letter, &world->bench, "staged", world->payload, 400000);
    for (size_t i = 0; i < 40; i++)
        send_one(world);
    keep(world);
    assert_int_equal(admit(&world->bench, &letter), 0);
    char id[ACCORD_ID_MAX];
    memcpy(id, letter.id.text, sizeof id);
    letter_fini(&letter);
    for (size_t i = 0; i < 40; i++)
        send_one(world);
    assert_true(keep(world) > 3);
    assert_int_equal(read_payload(&world->bench, id, 0, back, 400001, &got), 0);
    assert_int_equal(got, 400000);
    assert_memory_equal(back, world->payload, got);
    expect_the_same_from_a_new_index(world);
    assert_int_equal(read_payload(&world->bench, id, 0, back, 400001, &got), 0);
    assert_memory_equal(back, world->payload, got);
    free(back);
}

static void horizons_forget_repeats_and_keys_for_good(void **state)
{
    struct world *world = *state;
    char key[32];
    const char *keys[] = {key_of(0, key)};
    for (size_t i = 0; i < 40; i++)
        send_one(world);
    keep(world);
    expect_everything(world);
    struct store_retention retention = everything(world);
    retention.keys_before = retention.seen_before = clock_wall() + 1;
    do
        assert_int_equal(retain(&world->bench, &retention), 0);
    while (retention.more);
    bench_shut(&world->bench);
    delete_index(world->bench.folder);
    reopen_whole(world);
    struct letter letter;
    letter_init(&letter, &world->bench, "source-0", world->payload, world->sent[0].size);
    letter.admission.duplicate_horizon = HORIZON;
    letter.admission.keys = keys;
    letter.admission.key_count = 1;
    assert_int_equal(admit(&world->bench, &letter), 0);
    assert_false(letter.admission.repeat);
    letter_fini(&letter);
}

/* ---- killed on the way ---- */

static int points_left;

static void die_at(const char *point)
{
    if (!strcmp(point, "compact") && --points_left == 0)
        _exit(9);
}

static void die_anywhere(const char *point)
{
    (void)point;
    if (--points_left == 0)
        _exit(9);
}

/* A process of its own that keeps the store, and is killed at the n-th point; whether it was. */
static bool killed_keeping(struct world *world, void (*fault)(const char *), int nth)
{
    struct reason why = {""};
    pid_t child = fork();
    if (child) {
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0);
        return WEXITSTATUS(status) == 9;
    }
    points_left = nth;
    world->bench.config.fault = fault;
    if (bench_reopen(&world->bench, &why))
        _exit(8);
    keep(world);
    _exit(0);
}

static void check_kills(struct world *world, void (*fault)(const char *), int first, int step)
{
    for (int nth = first; world->count + 12 < MESSAGES; nth += step) {
        for (size_t i = 0; i < 12; i++)
            send_one(world);
        read_trail(world);
        bench_shut(&world->bench);
        bool killed = killed_keeping(world, fault, nth);
        if (nth % 2)
            delete_index(world->bench.folder);
        reopen_whole(world);
        expect_everything(world);
        if (!killed && nth > 20)
            break;
    }
    keep(world);
    expect_the_same_from_a_new_index(world);
    expect_everything(world);
}

static void a_disk_with_little_room_is_told(void **state)
{
    struct world *world = *state;
    for (int narrow = 0; narrow < 2; narrow++) {
        struct store_retention retention = everything(world);
        bench_shut(&world->bench);
        world->bench.config.reserve = narrow ? INT64_MAX / 8 : 1;
        assert_int_equal(bench_reopen(&world->bench, NULL), 0);
        assert_int_equal(retain(&world->bench, &retention), 0);
        assert_int_equal(retention.hurry, narrow);
    }
}

static void a_kill_while_a_segment_is_deleted_loses_nothing(void **state)
{
    check_kills(*state, die_at, 1, 1);
}

static void a_kill_at_any_point_of_retention_loses_nothing(void **state)
{
    check_kills(*state, die_anywhere, 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_hundred_segments_of_traffic_leave_a_few),
        world_test(what_was_not_exported_stays),
        world_test(a_payload_that_waits_for_its_admission_stays),
        world_test(horizons_forget_repeats_and_keys_for_good),
        world_test(a_disk_with_little_room_is_told),
        world_test(a_kill_while_a_segment_is_deleted_loses_nothing),
        world_test(a_kill_at_any_point_of_retention_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
