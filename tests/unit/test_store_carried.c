/* Damage to what retention carried over: the store starts, and loses what was hit. */
#include "journal_files.h"
#include "store/record.h"
#include "store/segment.h"
#include "store_world.h"
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

/* Opens a damaged copy of the folder: it starts, what it still has is right, and it can go on. Returns how many of the
 * live messages it lacks. */
static size_t missing_in(struct world *world, const char *copy)
{
    struct bench bench = world->bench, kept = world->bench;
    struct reason why = {""};
    size_t missing = 0;
    text_copy(bench.folder, sizeof bench.folder, copy);
    bench.config.folder = bench.folder;
    if (bench_reopen(&bench, &why))
        fail_msg("store_open: %s", why.text);
    for (size_t i = 0; i < world->count; i++) {
        const struct sent *sent = &world->sent[i];
        uint8_t *back = malloc(sent->size + 1);
        size_t got = 0;
        if (sent->fate != DELIVERED && read_payload(&bench, sent->id, 0, back, sent->size + 1, &got))
            missing++;
        else if (sent->fate != DELIVERED)
            assert_true(got == sent->size && !memcmp(back, world->payload + i, got));
        free(back);
    }
    char id[ACCORD_ID_MAX];
    uint64_t number = admit_small(&bench, "afterwards", id);
    assert_int_equal(settle(&bench, number, STORE_DELIVERED), 0);
    assert_int_equal(state_of(&bench, id, 0), STORE_DELIVERED);
    bench_close(&bench);
    world->bench = kept;
    return missing;
}

static void prepare_damage(struct world *world, char copy[160])
{
    for (size_t i = 0; i < 60; i++)
        send_one(world);
    keep(world);
    bench_shut(&world->bench);
    snprintf(copy, 160, "%s-copy", world->bench.folder);
}

static void a_flipped_bit_in_what_was_carried_loses_one_message(void **state)
{
    struct world *world = *state;
    static const int types[] = {RECORD_CARRIED, RECORD_KEPT,    RECORD_SNAPSHOT, RECORD_NOTE,
                                RECORD_FORGET,  RECORD_RELEASE, RECORD_PIECE};
    char copy[160], path[200];
    uint64_t position;
    uint32_t size;
    size_t flips = 0;
    prepare_damage(world, copy);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t n = 0; n < 3; n++) {
            copy_folder(world->bench.folder, copy);
            if (find_record(copy, types[i], n, &position, &size)) {
                segment_path(copy, POSITION_SEGMENT(position), path, sizeof path);
                flip_bit(path, POSITION_OFFSET(position) + RECORD_HEAD + (n * 977) % size, n % 8);
                if (n % 2)
                    delete_index(copy);
                assert_true(missing_in(world, copy) <= 1);
                flips++;
            }
            folder_remove(copy);
        }
    assert_true(flips > 12);
    reopen_whole(world);
    expect_everything(world);
}

static void a_cut_anywhere_in_the_last_segment_leaves_a_store_that_starts(void **state)
{
    struct world *world = *state;
    char copy[160], path[200];
    prepare_damage(world, copy);
    uint64_t end = journal_end(world->bench.folder);
    for (uint64_t cut = SEGMENT_DATA + 3; cut < POSITION_OFFSET(end); cut += 3331) {
        copy_folder(world->bench.folder, copy);
        segment_path(copy, POSITION_SEGMENT(end), path, sizeof path);
        truncate_at(path, cut);
        if (cut % 2)
            delete_index(copy);
        missing_in(world, copy);
        folder_remove(copy);
    }
    reopen_whole(world);
    expect_everything(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_flipped_bit_in_what_was_carried_loses_one_message),
        world_test(a_cut_anywhere_in_the_last_segment_leaves_a_store_that_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
