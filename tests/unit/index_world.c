#include "index_world.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_calls.h"

void reopen_index(struct world *world)
{
    struct reason why = {""};
    if (index_open(&world->index, world->folder, &why))
        fail_msg("%s", why.text);
    while (index_learn(&world->index))
        ;
}

int make_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    const char *temporary = getenv("TMPDIR");
    snprintf(world->folder, sizeof world->folder, "%s/index-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(world->folder));
    world->next = 1;
    reopen_index(world);
    *state = world;
    return 0;
}

int drop_world(void **state)
{
    struct world *world = *state;
    index_close(&world->index);
    folder_remove(world->folder);
    free(world);
    return 0;
}

/* ---- messages ---- */

uint64_t position_of(uint64_t number)
{
    return ((uint64_t)1 << 36) + number * 4096;
}

void describe(struct synthetic *s, uint64_t number)
{
    snprintf(s->id, sizeof s->id, "%012llu000000000000", (unsigned long long)number);
    snprintf(s->source_id, sizeof s->source_id, "source-%llu", (unsigned long long)number);
    digest_of(s->source_id, strlen(s->source_id), s->sha256);
    s->delivery = (struct record_delivery){
        .agreement = "isa", .service = "out", .state = STORE_WAITING, .rule = "", .reason = ""};
    s->record = (struct record_admission){.id = s->id,
                                          .origin = "site/in",
                                          .type = "opaque",
                                          .name = "",
                                          .source_id = s->source_id,
                                          .time = NOW,
                                          .changed = NOW,
                                          .size = 10,
                                          .sha256 = s->sha256,
                                          .rule = "",
                                          .reason = "",
                                          .first = number,
                                          .deliveries = &s->delivery,
                                          .delivery_count = 1};
}

uint64_t add(struct world *world)
{
    struct synthetic s;
    uint64_t number = world->next++;
    describe(&s, number);
    assert_int_equal(index_admission(&world->index, position_of(number), &s.record), 0);
    return number;
}

void settle_to(struct world *world, uint64_t number, enum store_state state, int64_t not_before)
{
    struct record_settlement settlement = {.number = number, .state = state, .not_before = not_before};
    assert_int_equal(index_settlement(&world->index, position_of(number) + 8, &settlement), 0);
    index_set_sending(&world->index, number, false);
}

void flush(struct world *world)
{
    world->index.progress.position = position_of(world->next);
    assert_int_equal(index_flush(&world->index), 0);
}

size_t found(struct world *world, uint64_t number, uint64_t *position)
{
    struct synthetic s;
    describe(&s, number);
    int64_t hash = index_short_hash(s.sha256);
    struct index_seen seen = {.key = index_repeat_key("site/in", s.source_id, s.sha256), .hash = &hash};
    assert_int_equal(index_find_seen(&world->index, &seen), 0);
    if (seen.count)
        *position = seen.positions[0];
    return seen.count;
}

enum store_state state_in(struct world *world, uint64_t number)
{
    struct index_delivery delivery;
    assert_int_equal(index_find_delivery(&world->index, number, &delivery), 0);
    return delivery.state;
}

uint64_t next_due(struct world *world, uint64_t after, int64_t now)
{
    struct index_delivery delivery;
    assert_int_equal(index_promote(&world->index, 0, now, 16), 0);
    assert_int_equal(index_next_due(&world->index, 0, after, now, &delivery), 0);
    return delivery.number;
}

uint64_t claim_next(struct world *world, int64_t now)
{
    struct index_delivery delivery;
    assert_int_equal(index_promote(&world->index, 0, now, 16), 0);
    assert_int_equal(index_next_due(&world->index, 0, 0, now, &delivery), 0);
    if (delivery.number)
        assert_int_equal(index_claimed(&world->index, &delivery), 0);
    return delivery.number;
}
