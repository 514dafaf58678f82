/* What a group changes in the index, and how that is kept or undone. */
#include <string.h>

#include "store/index.h"
#include "util/text.h"

static int begin(struct index *index)
{
    if (index->begun)
        return 0;
    int result = index_run(index, index_bind(index, INDEX_BEGIN, ""));
    index->begun = !result;
    return result;
}

static int make_place(struct index *index, const char *agreement, const char *service, struct place **place)
{
    if ((*place = index_place(index, agreement, service)) && (*place)->id)
        return 0;
    int result = index_run(index, index_bind(index, INDEX_ADD_PLACE, "tt", agreement, service));
    int64_t id = sqlite3_last_insert_rowid(index->db);
    if (result)
        return result;
    if (*place)
        (*place)->id = id; /* its row had been undone */
    else
        *place = index_add_place(index, id, agreement, service);
    return *place ? 0 : ACCORD_ENOMEM;
}

static int make_name(struct index *index, const char *text, int64_t *id)
{
    struct name *name = index_find_name(index, text);
    int result = 0;
    if (!name) {
        result = index_run(index, index_bind(index, INDEX_ADD_NAME, "t", text));
        if (!result && !(name = index_add_name(index, sqlite3_last_insert_rowid(index->db), text)))
            result = ACCORD_ENOMEM;
    }
    if (!result)
        *id = name->id;
    return result;
}

static int add_delivery(struct index *index, uint64_t position, const struct record_admission *a, size_t i)
{
    const struct record_delivery *delivery = &a->deliveries[i];
    struct place *place = NULL;
    int result = make_place(index, delivery->agreement, delivery->service, &place);
    if (result)
        return result;
    bool sending = delivery->state == STORE_SENDING;
    enum store_state state = sending ? STORE_WAITING : delivery->state;
    int64_t due = delivery->not_before > 0 ? delivery->not_before : 0;
    place->states[state]++;
    place->dirty = true;
    return index_run(index,
                     index_bind(index, INDEX_ADD_DELIVERY, "iiiiiiiiii", (int64_t)(a->first + i),
                                (int64_t)position, (int64_t)position, place->id, (int64_t)state, (int64_t)0,
                                due, delivery->not_before, a->changed, (int64_t)delivery->generation));
}

static int64_t short_hash(const uint8_t *sha256)
{
    int64_t hash;
    memcpy(&hash, sha256, sizeof hash);
    return hash;
}

/* FNV-1a over origin and source id (or hash): collisions are found out by looking at the message itself. */
uint64_t index_repeat_key(const char *origin, const char *source_id, const uint8_t *sha256)
{
    uint64_t key = 0xcbf29ce484222325u;
    for (; *origin; origin++)
        key = (key ^ (uint8_t)*origin) * 0x100000001b3u;
    key = (key ^ 0xff) * 0x100000001b3u;
    if (!source_id[0])
        return key ^ (uint64_t)short_hash(sha256);
    for (; *source_id; source_id++)
        key = (key ^ (uint8_t)*source_id) * 0x100000001b3u;
    return key;
}

static int add_seen(struct index *index, uint64_t position, const struct record_admission *a)
{
    int64_t key = (int64_t)index_repeat_key(a->origin, "", a->sha256), hash = short_hash(a->sha256);
    int result =
        index_run(index, index_bind(index, INDEX_ADD_SEEN, "iiii", key, hash, a->time, (int64_t)position));
    if (result || !a->source_id[0])
        return result;
    key = (int64_t)index_repeat_key(a->origin, a->source_id, a->sha256);
    return index_run(index, index_bind(index, INDEX_ADD_SEEN, "iiii", key, hash, a->time, (int64_t)position));
}

static int set_cursor(struct index *index, const struct record_admission *a)
{
    struct name *name = index_find_name(index, a->origin);
    if (a->cursor && name) {
        text_copy(name->cursor, sizeof name->cursor, a->cursor);
        name->dirty = true;
    }
    return 0;
}

static void count_message(struct index *index, const struct record_admission *a)
{
    index->progress.messages++;
    index->progress.bytes += (uint64_t)a->size;
    index->progress.quarantined += (a->flags & STORE_QUARANTINED) != 0;
    if (index->progress.next_number < a->first + a->delivery_count)
        index->progress.next_number = a->first + a->delivery_count;
}

int index_admission(struct index *index, uint64_t position, const struct record_admission *a)
{
    int64_t origin, type;
    int result = begin(index);
    if (result || (result = make_name(index, a->origin, &origin)) ||
        (result = make_name(index, a->type, &type)))
        return result == ACCORD_EEXIST ? ACCORD_EIO : result;
    result =
        index_run(index, index_bind(index, INDEX_ADD_MESSAGE, "tiiiiii", a->id, (int64_t)position, origin,
                                    type, (int64_t)a->flags, (int64_t)a->first, (int64_t)a->delivery_count));
    if (result)
        return result;
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        result = add_delivery(index, position, a, i);
    for (size_t i = 0; !result && i < a->key_count; i++)
        result = index_run(index, index_bind(index, INDEX_ADD_KEY, "t", a->keys[i]));
    if (!result)
        result = add_seen(index, position, a);
    if (!result)
        result = set_cursor(index, a);
    if (!result)
        count_message(index, a);
    return result == ACCORD_EEXIST ? ACCORD_EIO : result;
}

static void recount(struct index *index, size_t place, enum store_state from, enum store_state to)
{
    struct place *counted = &index->places[place];
    counted->states[from == STORE_SENDING ? STORE_WAITING : from]--;
    counted->states[to == STORE_SENDING ? STORE_WAITING : to]++;
    counted->dirty = true;
}

int index_settlement(struct index *index, uint64_t position, const struct record_settlement *s)
{
    struct index_delivery before;
    int result = index_find_delivery(index, s->number, &before);
    if (!result)
        result = begin(index);
    if (result)
        return result;
    enum store_state state = s->state == STORE_SENDING ? STORE_WAITING : s->state;
    recount(index, before.place, before.state, state);
    index->recent.number = 0;
    return index_run(index, index_bind(index, INDEX_SETTLE, "iiiiiii", (int64_t)s->number, (int64_t)position,
                                       (int64_t)state, (int64_t)s->attempted,
                                       s->not_before > 0 ? s->not_before : (int64_t)0, s->changed,
                                       (int64_t)s->generation));
}

int index_move(struct index *index, uint64_t position, const struct record_move *move)
{
    int result = begin(index);
    for (size_t i = 0; !result && i < move->count; i++) {
        struct index_delivery before;
        uint64_t number = record_move_number(move, i);
        result = index_find_delivery(index, number, &before);
        if (result == ACCORD_ENOENT) { /* its admission was damaged */
            result = 0;
            continue;
        }
        if (!result)
            recount(index, before.place, before.state, move->to);
        index->recent.number = 0;
        if (!result)
            result = index_run(index, index_bind(index, INDEX_MOVE, "iiii", (int64_t)number,
                                                 (int64_t)position, (int64_t)move->to, move->changed));
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

/* ---- flush and undo ---- */

static int write_small(struct index *index)
{
    int result = 0;
    for (size_t i = 0; !result && i < index->place_count; i++) {
        const struct place *p = &index->places[i];
        if (p->dirty)
            result = index_run(
                index, index_bind(index, INDEX_SET_PLACE, "iiiiii", p->id, (int64_t)p->states[STORE_WAITING],
                                  (int64_t)p->states[STORE_HELD], (int64_t)p->states[STORE_DELIVERED],
                                  (int64_t)p->states[STORE_DEAD], (int64_t)p->states[STORE_DISCARDED]));
    }
    for (size_t i = 0; !result && i < index->name_count; i++)
        if (index->names[i].dirty)
            result = index_run(
                index, index_bind(index, INDEX_SET_NAME, "it", index->names[i].id, index->names[i].cursor));
    for (size_t i = 0; !result && i < index->head_count; i++) {
        const struct store_head *head = &index->heads[i].head;
        sqlite3_stmt *set = index->statements[INDEX_SET_HEAD];
        if (!index->heads[i].dirty)
            continue;
        sqlite3_bind_text(set, 1, head->chain, -1, SQLITE_STATIC);
        sqlite3_bind_int64(set, 2, (int64_t)head->head.sequence);
        sqlite3_bind_blob(set, 3, head->head.hash, DIGEST_SIZE, SQLITE_STATIC);
        result = index_run(index, set);
    }
    return result;
}

static void clean_small(struct index *index)
{
    for (size_t i = 0; i < index->place_count; i++)
        index->places[i].dirty = false;
    for (size_t i = 0; i < index->name_count; i++)
        index->names[i].dirty = false;
    for (size_t i = 0; i < index->head_count; i++)
        index->heads[i].dirty = false;
}

int index_flush(struct index *index)
{
    const struct index_progress *p = &index->progress;
    int result = begin(index);
    if (!result)
        result = write_small(index);
    if (!result)
        result = index_run(index, index_bind(index, INDEX_SET_PROGRESS, "iiiiiiii", (int64_t)p->position,
                                             (int64_t)p->marker, (int64_t)p->group, (int64_t)p->next_number,
                                             (int64_t)p->epoch, (int64_t)p->messages, (int64_t)p->quarantined,
                                             (int64_t)p->bytes));
    if (!result)
        result = index_run(index, index_bind(index, INDEX_COMMIT, ""));
    if (result)
        return result;
    index->begun = false;
    clean_small(index);
    return 0;
}

int index_undo(struct index *index)
{
    if (index->begun && !sqlite3_get_autocommit(index->db))
        index_run(index, index_bind(index, INDEX_ROLLBACK, ""));
    index->begun = false;
    index->recent.number = 0;
    for (size_t i = 0; i < index->place_count; i++) {
        index->places[i].id = 0; /* index_load() gives the rows that are there their number again */
        memset(index->places[i].states, 0, sizeof index->places[i].states);
    }
    return index_load(index);
}
