/* Retention over the journal: traffic of a hundred segments leaves a few, nothing that lives is lost, and the index can
 * be made again from what is left. */
#include "journal_files.h"
#include "store/record.h"
#include "store/segment.h"
#include "store_calls.h"
#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEGMENT  (64 << 10)
#define MESSAGES 300
#define HORIZON  INT64_C(3600000000)

enum fate { DELIVERED, WAITING, DEAD, QUARANTINED, RELEASED, EXPECTED, FATES };

struct sent {
    char id[ACCORD_ID_MAX];
    uint64_t number;
    enum fate fate;
    size_t size;
};

struct world {
    struct bench bench;
    struct sent sent[MESSAGES];
    size_t count;
    uint64_t position; /* of the trail: read up to here */
    uint64_t bytes;    /* written, about */
    uint8_t *payload;
    size_t most; /* segments that there were at once */
};

/* ---- the folder ---- */

static size_t segments(const char *folder)
{
    DIR *list = opendir(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(list));)
        count += strstr(entry->d_name, ".seg") != NULL;
    closedir(list);
    return count;
}

/* ---- traffic ---- */

static const char *source_of(size_t i, char text[32])
{
    snprintf(text, 32, "source-%zu", i);
    return text;
}

static const char *key_of(size_t i, char text[32])
{
    snprintf(text, 32, "isa\x1fkey-%zu", i);
    return text;
}

static size_t size_of(size_t i)
{
    return i % 61 == 7 ? 400000 : i % 5 == 0 ? 100 : 15000;
}

/* Most are delivered; one of eighteen stays for another reason. */
static enum fate fate_of(size_t i)
{
    return i % 18 < FATES ? (enum fate)(i % 18) : DELIVERED;
}

static void finish(struct world *world, struct sent *sent)
{
    struct store_settlement settlement = {
        .number = sent->number, .state = STORE_DELIVERED, .attempted = true, .receipt = "taken as 7"};
    struct store_delivery delivery = {.state = STORE_WAITING, .rule = "a.b", .reason = "released by hand"};
    struct store_unquarantine release = {.message = sent->id, .deliveries = &delivery, .delivery_count = 1};
    text_copy(delivery.agreement, STORE_NAME_MAX, "isa");
    text_copy(delivery.service, STORE_NAME_MAX, "out");
    if (sent->fate == RELEASED)
        assert_int_equal(unquarantine(&world->bench, &release), 0);
    if (sent->fate == WAITING || sent->fate == QUARANTINED || sent->fate == RELEASED)
        return;
    if (sent->fate == EXPECTED)
        settlement.answer_by = INT64_MAX / 2;
    if (sent->fate == DEAD)
        settlement.state = STORE_DEAD;
    settlement.reason = sent->fate == DEAD ? "refused: no such folder" : NULL;
    assert_int_equal(settle_with(&world->bench, &settlement), 0);
}

static void send_one(struct world *world)
{
    size_t i = world->count++;
    struct sent *sent = &world->sent[i];
    struct letter letter;
    char source[32], key[32];
    const char *keys[] = {key_of(i, key)};
    *sent = (struct sent){.fate = fate_of(i), .size = size_of(i)};
    letter_init(&letter, &world->bench, source_of(i, source), world->payload + i, sent->size);
    letter.admission.cursor = source;
    letter.admission.duplicate_horizon = HORIZON;
    letter.admission.keys = keys;
    letter.admission.key_count = i % 3 == 0;
    if (sent->fate == QUARANTINED || sent->fate == RELEASED) {
        letter.admission.flags = STORE_QUARANTINED;
        letter.admission.delivery_count = 0;
    }
    assert_int_equal(admit(&world->bench, &letter), 0);
    assert_false(letter.admission.repeat);
    memcpy(sent->id, letter.id.text, ACCORD_ID_MAX);
    sent->number = letter.deliveries[0].number;
    letter_fini(&letter);
    finish(world, sent);
    world->bytes += sent->size;
    size_t now = segments(world->bench.folder);
    world->most = now > world->most ? now : world->most;
}

/* ---- retention ---- */

static void read_trail(struct world *world)
{
    struct buf lines = {0};
    struct store_trail trail = {.position = world->position, .limit = 1000, .lines = &lines};
    do {
        struct waited waited = {0};
        buf_clear(&lines);
        store_trail(world->bench.store, &trail, on_waited, &waited);
        assert_int_equal(wait_for(&world->bench, &waited), 0);
    } while (trail.count);
    world->position = trail.position;
    buf_fini(&lines);
}

static struct store_retention everything(const struct world *world)
{
    return (struct store_retention){
        .now = clock_wall(), .settled_before = INT64_MAX, .trail_position = world->position};
}

static uint64_t keep(struct world *world)
{
    uint64_t deleted = 0;
    read_trail(world);
    struct store_retention retention = everything(world);
    int calls = 0;
    do {
        assert_int_equal(retain(&world->bench, &retention), 0);
        deleted += retention.segments;
        assert_true(++calls < 10000);
    } while (retention.more);
    return deleted;
}

/* ---- what must be true ---- */

static void expect_one(struct world *world, size_t i)
{
    static const enum store_state states[] = {STORE_DELIVERED, STORE_WAITING, STORE_DEAD,
                                              STORE_WAITING,   STORE_WAITING, STORE_DELIVERED};
    const struct sent *sent = &world->sent[i];
    struct store_message *message = NULL;
    int result = get(&world->bench, sent->id, &message);
    if (sent->fate == DELIVERED && result == ACCORD_ENOENT)
        return;
    assert_int_equal(result, 0);
    assert_int_equal(message->delivery_count, sent->fate != QUARANTINED);
    assert_int_equal(message->flags & STORE_QUARANTINED, sent->fate == QUARANTINED ? STORE_QUARANTINED : 0);
    if (sent->fate != QUARANTINED) {
        assert_int_equal(message->deliveries[0].state, states[sent->fate]);
        assert_string_equal(message->deliveries[0].reason, sent->fate == DEAD ? "refused: no such folder"
                                                           : sent->fate == RELEASED ? "released by hand"
                                                                                    : "");
        assert_string_equal(
            message->deliveries[0].receipt,
            sent->fate == DELIVERED || sent->fate == DEAD || sent->fate == EXPECTED ? "taken as 7" : "");
        assert_true(message->deliveries[0].since > 0);
    }
    store_message_free(message);
    uint8_t *back = malloc(sent->size + 1);
    size_t got = 0;
    assert_int_equal(read_payload(&world->bench, sent->id, 0, back, sent->size + 1, &got), 0);
    assert_int_equal(got, sent->size);
    assert_memory_equal(back, world->payload + i, sent->size);
    free(back);
}

static void expect_known(struct world *world, size_t i)
{
    struct letter letter;
    char source[32], key[32];
    const char *keys[] = {key_of(i, key)};
    letter_init(&letter, &world->bench, source_of(i, source), world->payload + i, world->sent[i].size);
    letter.admission.duplicate_horizon = HORIZON;
    assert_int_equal(admit(&world->bench, &letter), 0);
    assert_true(letter.admission.repeat);
    assert_string_equal(letter.admission.repeated, world->sent[i].id);
    letter_fini(&letter);
    if (i % 3)
        return;
    letter_init(&letter, &world->bench, "another", "x", 1);
    letter.admission.keys = keys;
    letter.admission.key_count = 1;
    assert_int_equal(admit(&world->bench, &letter), ACCORD_EEXIST);
    letter_fini(&letter);
}

static void expect_everything(struct world *world)
{
    struct store_cursor cursor = {.route = "site/plans"}, note = {.route = "!suspended/isa"};
    struct waited waited = {0}, noted = {0};
    char source[32];
    for (size_t i = 0; i < world->count; i++)
        expect_one(world, i);
    for (size_t i = 0; i < world->count; i += 7)
        expect_known(world, i);
    store_cursor(world->bench.store, &cursor, on_waited, &waited);
    assert_int_equal(wait_for(&world->bench, &waited), 0);
    assert_string_equal(cursor.value, source_of(world->count - 1, source));
    store_cursor(world->bench.store, &note, on_waited, &noted);
    assert_int_equal(wait_for(&world->bench, &noted), 0);
    assert_string_equal(note.value, "yes");
}

static int by_chain(const void *a, const void *b)
{
    return strcmp(((const struct store_head *)a)->chain, ((const struct store_head *)b)->chain);
}

/* Everything that the store answers, in words. */
static void describe(struct world *world, struct buf *to)
{
    struct store_counts request = {0};
    struct store_heads heads = {0};
    struct store_usage usage = store_usage(world->bench.store, "isa"),
                       site = store_usage(world->bench.store, "site");
    struct waited waited = {0};
    buf_format(to, "%zu %zu %zu %zu\n", (size_t)usage.open_bytes, (size_t)usage.open_deliveries,
               (size_t)site.quarantine_bytes, (size_t)site.quarantined);
    assert_int_equal(counts(&world->bench, &request), 0);
    buf_format(to, "%zu %zu %zu\n", (size_t)request.messages, (size_t)request.quarantined,
               (size_t)request.bytes);
    for (size_t i = 0; i < request.count; i++)
        for (int j = 0; j <= STORE_DISCARDED; j++)
            buf_format(to, "%s/%s %d %zu\n", request.rows[i].agreement, request.rows[i].service, j,
                       (size_t)request.rows[i].states[j]);
    free(request.rows);
    store_heads(world->bench.store, &heads, on_waited, &waited);
    assert_int_equal(wait_for(&world->bench, &waited), 0);
    qsort(heads.rows, heads.count, sizeof *heads.rows, by_chain);
    for (size_t i = 0; i < heads.count; i++)
        buf_format(to, "%s %zu %02x%02x\n", heads.rows[i].chain, (size_t)heads.rows[i].head.sequence,
                   heads.rows[i].head.hash[0], heads.rows[i].head.hash[1]);
    free(heads.rows);
    for (size_t i = 0; i < world->count; i++) {
        struct store_message *message = NULL;
        int result = get(&world->bench, world->sent[i].id, &message);
        buf_format(to, "%zu %d\n", i, result);
        for (size_t j = 0; message && j < message->delivery_count; j++) {
            const struct store_delivery *d = &message->deliveries[j];
            buf_format(to, " %zu %d %d %d %lld %lld %lld\n", (size_t)d->number, (int)d->state,
                       (int)d->attempts, (int)d->attempts_before, (long long)d->changed, (long long)d->since,
                       (long long)d->not_before);
        }
        store_message_free(message);
    }
    buf_byte(to, 0);
}

static void reopen_whole(struct world *world)
{
    struct reason why = {""};
    if (bench_reopen(&world->bench, &why))
        fail_msg("store_open: %s", why.text);
    assert_int_equal(world->bench.recovery.damaged_records, 0);
    assert_int_equal(world->bench.recovery.lost_messages, 0);
    assert_int_equal(world->bench.recovery.lost_audit, 0);
}

static void expect_same_lines(const char *before, const char *after)
{
    for (;;) {
        size_t size = strcspn(before, "\n"), other = strcspn(after, "\n");
        if (size != other || memcmp(before, after, size))
            fail_msg("before: %.*s\nafter: %.*s", (int)size, before, (int)other, after);
        if (!before[size])
            return;
        before += size + 1;
        after += size + 1;
    }
}

static void expect_the_same_from_a_new_index(struct world *world)
{
    struct buf before = {0}, after = {0};
    describe(world, &before);
    bench_shut(&world->bench);
    delete_index(world->bench.folder);
    reopen_whole(world);
    describe(world, &after);
    expect_same_lines((const char *)before.data, (const char *)after.data);
    buf_fini(&before);
    buf_fini(&after);
}

/* ---- life ---- */

static int make_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct reason why = {""};
    world->payload = malloc(400000 + MESSAGES);
    for (size_t i = 0; i < 400000 + MESSAGES; i++)
        world->payload[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    bench_open(&world->bench, "journal");
    bench_shut(&world->bench);
    folder_remove(world->bench.folder);
    world->bench.config.segment_size = SEGMENT;
    if (bench_reopen(&world->bench, &why))
        fail_msg("store_open: %s", why.text);
    /* These are written once, so that only what is carried over has them later. */
    assert_int_equal(audit(&world->bench, "quiet", "agreement-up"), 0);
    assert_int_equal(set_note(&world->bench, &(struct store_note){.name = "!suspended/isa", .value = "yes"}),
                     0);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    if (world->bench.store)
        bench_close(&world->bench);
    free(world->payload);
    free(world);
    return 0;
}

/* ---- tests ---- */

static void a_hundred_segments_of_traffic_leave_a_few(void **state)
{
    struct world *world = *state;
    uint64_t deleted = 0;
    for (size_t i = 0; i < MESSAGES; i++) {
        send_one(world);
        if (i % 20 == 19)
            deleted += keep(world);
    }
    deleted += keep(world);
    expect_everything(world);
    deleted += keep(world);
    uint64_t live = 0;
    for (size_t i = 0; i < world->count; i++)
        live += world->sent[i].fate == DELIVERED ? 0 : world->sent[i].size;
    assert_true(deleted >= 40);
    assert_true(segments(world->bench.folder) <= 12 + 4 * (live / SEGMENT));
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

static void a_kill_while_a_segment_is_deleted_loses_nothing(void **state)
{
    check_kills(*state, die_at, 1, 1);
}

static void a_kill_at_any_point_of_retention_loses_nothing(void **state)
{
    check_kills(*state, die_anywhere, 1, 3);
}

/* ---- damage to what was carried over ---- */

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

#define world_test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_hundred_segments_of_traffic_leave_a_few),
        world_test(what_was_not_exported_stays),
        world_test(a_payload_that_waits_for_its_admission_stays),
        world_test(horizons_forget_repeats_and_keys_for_good),
        world_test(a_kill_while_a_segment_is_deleted_loses_nothing),
        world_test(a_kill_at_any_point_of_retention_loses_nothing),
        world_test(a_flipped_bit_in_what_was_carried_loses_one_message),
        world_test(a_cut_anywhere_in_the_last_segment_leaves_a_store_that_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
