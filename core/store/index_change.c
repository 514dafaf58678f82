/* What a group changes in the index: rows in memory, counters, chain heads and cursors. */
#include <string.h>

#include "store/index.h"
#include "util/text.h"

struct place *index_make_place(struct index *index, const char *agreement, const char *service)
{
    struct place *place = index_place(index, agreement, service);
    return place ? place : index_add_place(index, agreement, service);
}

/* The row's number in the file; 0: out of memory. */
uint32_t index_make_name(struct index *index, const char *text)
{
    struct name *name = index_find_name(index, text);
    if (!name && index->name_count < UINT32_MAX - 1)
        name = index_add_name(index, text);
    return name ? (uint32_t)(name - index->names + 1) : 0;
}

static bool is_open(enum store_state state)
{
    return state <= STORE_SENDING;
}

void index_recount(struct index *index, const struct index_delivery *delivery, int by)
{
    struct place *place = &index->places[delivery->place];
    place->states[delivery->state == STORE_SENDING ? STORE_WAITING : delivery->state] +=
        (uint64_t)(int64_t)by;
    if (is_open(delivery->state))
        place->open_bytes += (uint64_t)((int64_t)delivery->size * by);
    place->dirty = true;
    index->changed = true;
}

void index_relist(struct index *index, struct fresh_row *row)
{
    fresh_relist(&index->fresh, &index->places[row->delivery.place].fresh, row);
}

int index_row(struct index *index, uint64_t number, struct fresh_row **row)
{
    struct index_delivery delivery;
    if ((*row = fresh_row(&index->fresh, number)))
        return 0;
    int result = index_find_delivery(index, number, &delivery);
    if (result)
        return result;
    if (!(*row = fresh_add_row(&index->fresh, &delivery, true)))
        return ACCORD_ENOMEM;
    index_relist(index, *row);
    return 0;
}

/* ---- admission ---- */

int index_add_delivery(struct index *index, const struct index_delivery *as,
                       const struct record_delivery *from)
{
    struct place *place = index_make_place(index, from->agreement, from->service);
    if (!place)
        return ACCORD_ENOMEM;
    struct index_delivery delivery = *as;
    delivery.place = (size_t)(place - index->places);
    delivery.state = from->state == STORE_SENDING ? STORE_WAITING : from->state;
    delivery.not_before = from->not_before;
    delivery.since = delivery.changed;
    delivery.generation = from->generation;
    struct fresh_row *row = fresh_add_row(&index->fresh, &delivery, false);
    if (!row)
        return ACCORD_ENOMEM;
    row->dirty = true;
    index_recount(index, &delivery, 1);
    index_relist(index, row);
    return 0;
}

int64_t index_short_hash(const uint8_t *sha256)
{
    int64_t hash;
    memcpy(&hash, sha256, sizeof hash);
    return hash;
}

/* FNV-1a over origin and source id (or hash): collisions are found out by looking at the message itself. Echoes in the
 * journal have it: it must not change. */
uint64_t index_repeat_key(const char *origin, const char *source_id, const uint8_t *sha256)
{
    uint64_t key = 0xcbf29ce484222325u;
    for (; *origin; origin++)
        key = (key ^ (uint8_t)*origin) * 0x100000001b3u;
    key = (key ^ 0xff) * 0x100000001b3u;
    if (!source_id[0])
        return key ^ (uint64_t)index_short_hash(sha256);
    for (; *source_id; source_id++)
        key = (key ^ (uint8_t)*source_id) * 0x100000001b3u;
    return key;
}

int index_add_seen(struct index *index, uint64_t position, const struct record_admission *a)
{
    struct fresh_seen seen = {.key = index_spread(index_repeat_key(a->origin, "", a->sha256)),
                              .hash = index_short_hash(a->sha256),
                              .time = a->time,
                              .position = position};
    int result = fresh_add_seen(&index->fresh, &seen);
    filter_add(&index->filter, seen.key);
    if (result || !a->source_id[0])
        return result;
    seen.key = index_spread(index_repeat_key(a->origin, a->source_id, a->sha256));
    filter_add(&index->filter, seen.key);
    return fresh_add_seen(&index->fresh, &seen);
}

static int add_keys(struct index *index, const struct record_admission *a)
{
    int result = 0;
    for (size_t i = 0; !result && i < a->key_count; i++) {
        filter_add(&index->filter, lookup_hash_text(a->keys[i]));
        result = fresh_add_key(&index->fresh, a->keys[i], a->time);
    }
    return result;
}

static void set_cursor(struct index *index, uint32_t origin, const struct record_admission *a)
{
    struct name *name = &index->names[origin - 1];
    if (a->cursor) {
        text_copy(name->cursor, sizeof name->cursor, a->cursor);
        name->dirty = true;
    }
}

void index_count_message(struct index *index, uint32_t origin, const struct record_admission *a)
{
    struct name *name = &index->names[origin - 1];
    if (a->flags & STORE_QUARANTINED) {
        name->quarantined++;
        name->quarantine_bytes += (uint64_t)a->size;
        name->dirty = true;
    }
    index->progress.messages++;
    index->progress.bytes += (uint64_t)a->size;
    index->progress.quarantined += (a->flags & STORE_QUARANTINED) != 0;
    if (index->progress.next_number < a->first + a->delivery_count)
        index->progress.next_number = a->first + a->delivery_count;
    index->changed = true;
}

int index_describe(struct index *index, uint64_t position, const struct record_admission *a,
                   struct fresh_message *message)
{
    *message = (struct fresh_message){.position = position,
                                      .first = a->first,
                                      .origin = index_make_name(index, a->origin),
                                      .type = index_make_name(index, a->type),
                                      .count = (uint32_t)a->delivery_count,
                                      .flags = a->flags};
    if (!message->origin || !message->type)
        return ACCORD_ENOMEM;
    return id_to_number(a->id, &message->id) ? 0 : ACCORD_EFORMAT;
}

/* Ids are made in the order of time, so that most are greater than all in the file. */
static int check_new(struct index *index, struct id_number id)
{
    struct fresh_message stored;
    if (fresh_message(&index->fresh, id))
        return ACCORD_EEXIST;
    if (id_compare(id, index->newest) > 0)
        return 0;
    int result = index_stored_message(index, id, &stored);
    return result == ACCORD_ENOENT ? 0 : result ? result : ACCORD_EEXIST;
}

int index_admission(struct index *index, uint64_t position, const struct record_admission *a)
{
    struct fresh_message message;
    int result = index_describe(index, position, a, &message);
    if (!result)
        result = check_new(index, message.id);
    if (!result)
        result = fresh_add_message(&index->fresh, &message);
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        result = index_add_delivery(index,
                                    &(struct index_delivery){.number = a->first + i,
                                                             .message = position,
                                                             .detail = position,
                                                             .changed = a->changed,
                                                             .size = (uint64_t)a->size},
                                    &a->deliveries[i]);
    if (!result)
        result = add_keys(index, a);
    if (!result)
        result = index_add_seen(index, position, a);
    if (result)
        return result;
    set_cursor(index, message.origin, a);
    index_count_message(index, message.origin, a);
    return index_add_span(index, position, a);
}

/* ---- changes ---- */

int index_settlement(struct index *index, uint64_t position, const struct record_settlement *s)
{
    struct fresh_row *row;
    int result = index_row(index, s->number, &row);
    if (result)
        return result;
    struct index_delivery *d = &row->delivery;
    index_recount(index, d, -1);
    d->detail = position;
    d->state = s->state == STORE_SENDING ? STORE_WAITING : s->state;
    d->attempts += s->attempted;
    d->not_before = s->not_before;
    d->answer_by = s->answer_by;
    if (s->since) {
        d->since = s->since;
        d->before = d->attempts;
    }
    d->changed = s->changed;
    d->generation = s->generation;
    row->dirty = true;
    index_recount(index, d, 1);
    index_relist(index, row);
    return 0;
}

/* There may be more of them than memory should hold: the file is changed at once, and kept with the next flush. */
static int move_stored(struct index *index, uint64_t number, uint64_t position,
                       const struct record_move *move)
{
    struct index_delivery delivery;
    int result = index_find_delivery(index, number, &delivery);
    if (result)
        return result == ACCORD_ENOENT ? 0 : result; /* its admission was damaged */
    if ((result = index_begin(index)))
        return result;
    struct place *place = &index->places[delivery.place];
    index_forget_ahead(place);
    if (place->claimed >= number)
        place->claimed = number - 1;
    index->ahead = true;
    index_recount(index, &delivery, -1);
    delivery.state = move->to;
    index_recount(index, &delivery, 1);
    return index_run(index, index_bind(index, INDEX_MOVE, "iiii", (int64_t)number, (int64_t)position,
                                       (int64_t)move->to, move->changed));
}

int index_move(struct index *index, uint64_t position, const struct record_move *move)
{
    int result = 0;
    for (size_t i = 0; !result && i < move->count; i++) {
        uint64_t number = record_move_number(move, i);
        struct fresh_row *row = fresh_row(&index->fresh, number);
        if (!row) {
            result = move_stored(index, number, position, move);
            continue;
        }
        index_recount(index, &row->delivery, -1);
        row->delivery.detail = position;
        row->delivery.state = move->to;
        row->delivery.changed = move->changed;
        row->dirty = true;
        index_recount(index, &row->delivery, 1);
        index_relist(index, row);
    }
    return result;
}

int index_audit(struct index *index, const struct record_audit *audit)
{
    struct index_head *head = index_add_head(index, audit->chain);
    if (!head)
        return ACCORD_ENOMEM;
    head->head.head = audit->head;
    head->dirty = true;
    return 0;
}
