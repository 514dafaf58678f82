/* What is forgotten and what is carried over, in the index. All of it is written through to the file's open
 * transaction, but for deliveries' rows. */
#include <string.h>

#include "store/index.h"
#include "util/text.h"

#define BATCH 512 /* messages that one record forgets, or that are looked at for it */

/* At most `room` messages of the interval, oldest first. */
static int walk_up(struct index *index, struct id_number after, struct id_number until,
                   struct fresh_message *to, size_t room, size_t *count)
{
    int result = 0;
    for (*count = 0; *count < room && (result = index_message_after(index, after, &to[*count])) > 0;
         ++*count) {
        if (id_compare(to[*count].id, until) > 0)
            break;
        after = to[*count].id;
    }
    return result < 0 ? result : 0;
}

/* ---- forgetting ---- */

struct standing { /* of a message: what decides whether it may be forgotten, and what it counts for */
    bool open;
    int64_t changed; /* the last time */
    uint64_t size;
    bool sized;
};

static void note_standing(const struct index_delivery *delivery, struct standing *standing)
{
    standing->open |=
        (delivery->state != STORE_DELIVERED && delivery->state != STORE_DISCARDED) || delivery->answer_by;
    if (delivery->changed > standing->changed)
        standing->changed = delivery->changed;
    standing->size = delivery->size;
    standing->sized = true;
}

static int look_at(struct index *index, uint64_t first, uint64_t count, struct standing *standing)
{
    int result = 0;
    for (uint64_t i = 0; !result && i < count; i++) {
        struct index_delivery delivery;
        standing->open |= fresh_row(&index->fresh, first + i) != NULL;
        result = index_find_stored(index, first + i, &delivery);
        if (result == ACCORD_ENOENT)
            result = 0;
        else if (!result)
            note_standing(&delivery, standing);
    }
    return result;
}

static int stands(struct index *index, const struct fresh_message *walked, struct standing *standing,
                  struct index_entry *entry)
{
    *standing = (struct standing){.open = (walked->flags & STORE_QUARANTINED) != 0};
    char id[ACCORD_ID_MAX];
    id_from_number(walked->id, id);
    int result = index_find_entry(index, id, entry);
    if (!result)
        result = look_at(index, walked->first, walked->count, standing);
    if (!result)
        result = look_at(index, entry->released, entry->releases, standing);
    if (entry->released_at) {
        standing->size = (uint64_t)entry->size;
        standing->sized = true;
        if (entry->released_at > standing->changed)
            standing->changed = entry->released_at;
    }
    standing->open |= !standing->sized;
    return result;
}

static int drop_deliveries(struct index *index, uint64_t first, uint64_t count)
{
    int result = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct index_delivery delivery;
        result = index_find_stored(index, first + i, &delivery);
        if (result && result != ACCORD_ENOENT)
            return result;
        if (!result)
            index_recount(index, &delivery, -1);
    }
    if (!count)
        return 0;
    result = index_run(index, index_bind(index, INDEX_DROP_DELIVERIES, "ii", (int64_t)first, (int64_t)count));
    return result ? result : index_drop_settled(index, first, count);
}

static int forget_one(struct index *index, const struct fresh_message *walked,
                      const struct standing *standing, const struct index_entry *entry)
{
    int result = drop_deliveries(index, walked->first, walked->count);
    if (!result)
        result = drop_deliveries(index, entry->released, entry->releases);
    char id[ACCORD_ID_MAX];
    id_from_number(walked->id, id);
    if (!result && entry->released_at)
        result = index_run(index, index_bind(index, INDEX_DROP_RELEASED, "t", id));
    if (!result)
        result = index_drop_message(index, walked->id);
    index->progress.messages--;
    index->progress.bytes -= standing->size;
    return result;
}

static int forget_batch(struct index *index, const struct record_forget *forget,
                        const struct fresh_message *walked, size_t count, uint64_t *messages)
{
    int result = 0;
    for (size_t i = 0; !result && i < count; i++) {
        struct standing standing;
        struct index_entry entry;
        result = stands(index, &walked[i], &standing, &entry);
        if (result || standing.open || standing.changed >= forget->settled_before)
            continue;
        result = forget_one(index, &walked[i], &standing, &entry);
        ++*messages;
    }
    return result;
}

int index_forget(struct index *index, const struct record_forget *forget, uint64_t *messages)
{
    struct fresh_message walked[BATCH];
    struct id_number after = index_bound(forget->after), until = index_bound(forget->until);
    size_t count = BATCH;
    int result = index_write_through(index);
    while (!result && count == BATCH && forget->until[0]) {
        result = walk_up(index, after, until, walked, BATCH, &count);
        if (!result)
            result = forget_batch(index, forget, walked, count, messages);
        if (count)
            after = walked[count - 1].id;
    }
    if (index->progress.seen_before < forget->seen_before)
        index->progress.seen_before = forget->seen_before;
    if (index->progress.keys_before < forget->keys_before)
        index->progress.keys_before = forget->keys_before;
    return result ? result : index_forget_seen(index, index->progress.seen_before);
}

int index_has_old(struct index *index, const char *after, const char *bound, bool *old)
{
    const struct fresh *fresh = &index->fresh;
    struct id_number newest = index_bound(bound);
    struct fresh_message walked;
    size_t count;
    int result = walk_up(index, index_bound(after), newest, &walked, 1, &count);
    *old = count > 0;
    for (uint32_t i = 0; !*old && i < fresh->by_id.count; i++)
        *old = id_compare(fresh->messages[i].id, newest) <= 0;
    return result;
}

int index_forgettable(struct index *index, struct record_forget *forget, const char *bound,
                      char until[ACCORD_ID_MAX], bool *some, bool *last)
{
    struct fresh_message walked[BATCH];
    size_t count;
    int result = walk_up(index, index_bound(forget->after), index_bound(bound), walked, BATCH, &count);
    *some = false;
    *last = count < BATCH;
    until[0] = 0;
    if (count)
        id_from_number(walked[count - 1].id, until);
    for (size_t i = 0; !result && !*some && i < count; i++) {
        struct standing standing;
        struct index_entry entry;
        result = stands(index, &walked[i], &standing, &entry);
        *some = !standing.open && standing.changed < forget->settled_before;
    }
    return result;
}

/* ---- messages carried over ---- */

static int carry_message(struct index *index, uint64_t position, const struct record_carried *carried)
{
    const struct record_admission *a = carried->admission;
    struct fresh_message message, stored, *fresh;
    int result = index_describe(index, position, a, &message);
    if (result)
        return result;
    if ((fresh = fresh_message_to_change(&index->fresh, message.id))) {
        fresh->position = position;
    } else if (!(result = index_stored_message(index, message.id, &stored))) {
        stored.position = position;
        stored.origin = message.origin;
        stored.flags = message.flags;
        result = index_change_message(index, &stored);
    } else if (result == ACCORD_ENOENT) {
        result = fresh_add_message(&index->fresh, &message);
        index_count_message(index, message.origin, a);
    }
    if (result || !carried->released_at)
        return result;
    return index_run(index, index_bind(index, INDEX_ADD_RELEASED, "tiiii", a->id, (int64_t)carried->released,
                                       (int64_t)carried->releases, carried->released_at, a->size));
}

static int carry_delivery(struct index *index, uint64_t position, int64_t size,
                          const struct record_standing *standing)
{
    struct place *place = index_make_place(index, standing->agreement, standing->service);
    struct fresh_row *row;
    if (!place)
        return ACCORD_ENOMEM;
    struct index_delivery delivery = {.number = standing->number,
                                      .message = position,
                                      .detail = position,
                                      .place = (size_t)(place - index->places),
                                      .state = standing->state,
                                      .attempts = standing->attempts,
                                      .before = standing->attempts_before,
                                      .not_before = standing->not_before,
                                      .changed = standing->changed,
                                      .since = standing->since,
                                      .answer_by = standing->answer_by,
                                      .generation = standing->generation,
                                      .size = (uint64_t)size};
    int result = index_row(index, standing->number, &row);
    if (result == ACCORD_ENOENT) {
        row = fresh_add_row(&index->fresh, &delivery, false);
        result = row ? 0 : ACCORD_ENOMEM;
    } else if (!result) {
        index_recount(index, &row->delivery, -1);
        fresh_unlist(&index->fresh, &index->places[row->delivery.place].fresh, row);
        row->delivery = delivery;
    }
    if (result)
        return result;
    row->dirty = true;
    index_recount(index, &delivery, 1);
    index_relist(index, row);
    return 0;
}

int index_carried(struct index *index, uint64_t position, const struct record_carried *carried)
{
    const struct record_admission *a = carried->admission;
    int result = index_write_through(index);
    if (!result)
        result = carry_message(index, position, carried);
    for (size_t i = 0; !result && i < carried->standing_count; i++) {
        result = carry_delivery(index, position, a->size, &carried->standings[i]);
        if (index->progress.next_number <= carried->standings[i].number)
            index->progress.next_number = carried->standings[i].number + 1;
    }
    if (!result)
        result = index_add_seen(index, position, a);
    return result ? result : index_add_span(index, position, a);
}

/* ---- small things carried over ---- */

int index_kept(struct index *index, const struct record_kept *kept)
{
    int result = index_write_through(index);
    for (size_t i = 0; !result && i < kept->echo_count; i++) {
        const struct record_echo *echo = &kept->echoes[i];
        result = index_run(index, index_bind(index, INDEX_ADD_ECHO, "iiit", (int64_t)echo->key, echo->hash,
                                             echo->time, echo->id));
        filter_add(&index->filter, index_spread(echo->key));
        index->echoes = true;
    }
    for (size_t i = 0; !result && i < kept->key_count; i++) {
        filter_add(&index->filter, lookup_hash_text(kept->keys[i].key));
        result =
            index_run(index, index_bind(index, INDEX_ADD_KEY, "ti", kept->keys[i].key, kept->keys[i].time));
    }
    return result;
}

int index_snapshot(struct index *index, const struct record_snapshot *snapshot)
{
    struct index_progress *progress = &index->progress;
    for (size_t i = 0; i < snapshot->chain_count; i++) {
        struct index_head *head = index_add_head(index, snapshot->chains[i].name);
        if (!head)
            return ACCORD_ENOMEM;
        if (head->head.head.sequence >= snapshot->chains[i].head.sequence)
            continue;
        head->head.head = snapshot->chains[i].head;
        head->dirty = true;
    }
    if (progress->epoch < snapshot->epoch)
        progress->epoch = snapshot->epoch;
    if (progress->seen_before < snapshot->seen_before)
        progress->seen_before = snapshot->seen_before;
    if (progress->keys_before < snapshot->keys_before)
        progress->keys_before = snapshot->keys_before;
    index->changed = true;
    return 0;
}

int index_add_span(struct index *index, uint64_t position, const struct record_admission *a)
{
    uint32_t oldest = UINT32_MAX;
    for (size_t i = 0; i < a->piece_count; i++) {
        uint32_t segment = (uint32_t)(record_piece_position(a, i) >> 36);
        oldest = segment < oldest ? segment : oldest;
    }
    if (oldest >= (uint32_t)(position >> 36))
        return 0;
    int result = index_write_through(index);
    return result ? result
                  : index_run(index, index_bind(index, INDEX_ADD_SPAN, "it", (int64_t)oldest, a->id));
}

int index_span(struct index *index, uint32_t segment, char id[ACCORD_ID_MAX])
{
    sqlite3_stmt *row = index_bind(index, INDEX_SPAN, "i", (int64_t)segment);
    int result = index_step(index, row);
    if (result <= 0)
        return result ? result : ACCORD_ENOENT;
    text_copy(id, ACCORD_ID_MAX, (const char *)sqlite3_column_text(row, 0));
    sqlite3_reset(row);
    return 0;
}

int index_drop_span(struct index *index, uint32_t segment, const char *id)
{
    int result = index_write_through(index);
    return result ? result : index_run(index, index_bind(index, INDEX_DROP_SPAN, "it", (int64_t)segment, id));
}

int index_drop_key(struct index *index, const struct record_used *used)
{
    int result = index_write_through(index);
    return result ? result
                  : index_run(index, index_bind(index, INDEX_DROP_KEY, "ti", used->key,
                                                index->progress.keys_before));
}

int index_drop_echo(struct index *index, const struct record_echo *echo)
{
    int result = index_write_through(index);
    return result ? result
                  : index_run(index, index_bind(index, INDEX_DROP_ECHO, "iit", (int64_t)echo->key, echo->hash,
                                                echo->id));
}

int index_find_echo(struct index *index, uint64_t key, const int64_t *hash, int64_t since,
                    char id[ACCORD_ID_MAX], bool *found)
{
    *found = false;
    if (!index->echoes || !filter_may_have(&index->filter, index_spread(key)))
        return 0;
    sqlite3_stmt *row = hash ? index_bind(index, INDEX_ECHO, "iii", (int64_t)key, *hash, since)
                             : index_bind(index, INDEX_ECHO_CHANGED, "ii", (int64_t)key, since);
    int result = index_step(index, row);
    if (result <= 0)
        return result;
    *found = true;
    text_copy(id, ACCORD_ID_MAX, (const char *)sqlite3_column_text(row, 0));
    sqlite3_reset(row);
    return 0;
}
