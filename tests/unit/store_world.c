#include "store_world.h"

#include "journal_files.h"
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

/* ---- the folder ---- */

size_t world_segments(const char *folder)
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

const char *key_of(size_t i, char text[32])
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

void send_one(struct world *world)
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
    size_t now = world_segments(world->bench.folder);
    world->most = now > world->most ? now : world->most;
}

/* ---- retention ---- */

void read_trail(struct world *world)
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

struct store_retention everything(const struct world *world)
{
    return (struct store_retention){
        .now = clock_wall(), .settled_before = INT64_MAX, .trail_position = world->position};
}

uint64_t keep(struct world *world)
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

void expect_everything(struct world *world)
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

void reopen_whole(struct world *world)
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

void expect_the_same_from_a_new_index(struct world *world)
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

int make_world(void **state)
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

int drop_world(void **state)
{
    struct world *world = *state;
    if (world->bench.store)
        bench_close(&world->bench);
    free(world->payload);
    free(world);
    return 0;
}
