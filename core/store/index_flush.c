/* From memory to the file, and back to what the file has. */
#include <stdlib.h>
#include <string.h>

#include "store/index.h"
#include "util/text.h"

#define DUE_ROWS  4096        /* messages, or changed deliveries */
#define DUE_BYTES (16u << 20) /* of the journal: as much as a killed process should have to read again */
#define FULL      16          /* times as many: flushing has failed for long */
#define LEARN     2048        /* keys that the filter learns at a time */

bool index_due(const struct index *index, uint64_t position)
{
    const struct fresh *fresh = &index->fresh;
    return index->ahead || fresh->by_number.count >= 2 * DUE_ROWS || fresh->by_id.count >= DUE_ROWS ||
           fresh->by_text.count >= DUE_ROWS || position - index->flushed >= DUE_BYTES;
}

bool index_full(const struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    return fresh->by_number.count >= 2 * FULL * DUE_ROWS || fresh->by_id.count >= FULL * DUE_ROWS ||
           fresh->by_text.count >= FULL * DUE_ROWS;
}

/* ---- writing ---- */

static int write_messages(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    int result = 0;
    for (uint32_t i = 0; !result && i < fresh->by_id.count; i++) {
        const struct fresh_message *m = &fresh->messages[i];
        result = index_run(index, index_bind(index, INDEX_ADD_MESSAGE, "tiiiiii", m->id, (int64_t)m->position,
                                             m->origin, m->type, (int64_t)m->flags, (int64_t)m->first,
                                             (int64_t)m->count));
    }
    return result;
}

static int write_rows(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    int result = 0;
    for (uint32_t i = 0; !result && i < fresh->by_number.count; i++) {
        const struct index_delivery *d = &fresh->rows[i].delivery;
        if (!fresh->rows[i].dirty)
            continue;
        result = index_run(
            index, index_bind(index, fresh->rows[i].stored ? INDEX_SET_DELIVERY : INDEX_ADD_DELIVERY,
                              "iiiiiiiiiiiiii", (int64_t)d->number, (int64_t)d->message, (int64_t)d->detail,
                              (int64_t)d->place + 1, (int64_t)d->state, d->attempts,
                              d->not_before > 0 ? d->not_before : (int64_t)0, d->not_before, d->changed,
                              d->since, (int64_t)d->generation, (int64_t)d->size, d->before, d->answer_by));
    }
    return result;
}

static int by_key(const void *a, const void *b)
{
    const int64_t x = (int64_t)((const struct fresh_seen *)a)->key,
                  y = (int64_t)((const struct fresh_seen *)b)->key;
    return x < y ? -1 : x > y;
}

/* In the order of the table, so that each of its pages is visited once. */
static int write_seen(struct index *index)
{
    struct fresh *fresh = &index->fresh;
    size_t count = fresh->by_key.count;
    struct fresh_seen *sorted = count ? malloc(count * sizeof *sorted) : NULL;
    int result = 0;
    if (!sorted)
        return count ? ACCORD_ENOMEM : 0;
    memcpy(sorted, fresh->seen, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_key);
    for (size_t i = 0; !result && i < count; i++)
        result = index_run(index, index_bind(index, INDEX_ADD_SEEN, "iiii", (int64_t)sorted[i].key,
                                             sorted[i].hash, sorted[i].time, (int64_t)sorted[i].position));
    free(sorted);
    return result;
}

static int write_keys(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    int result = 0;
    for (uint32_t i = 0; !result && i < fresh->by_text.count; i++)
        result = index_run(
            index, index_bind(index, INDEX_ADD_KEY, "ti", fresh_key(fresh, i), fresh_key_time(fresh, i)));
    return result;
}

static int write_places(struct index *index)
{
    int result = 0;
    for (size_t i = 0; !result && i < index->place_count; i++) {
        const struct place *p = &index->places[i];
        if (p->dirty || !p->stored)
            result = index_run(index,
                               index_bind(index, INDEX_SET_PLACE, "ittiiiiii", (int64_t)i + 1, p->agreement,
                                          p->service, (int64_t)p->states[STORE_WAITING],
                                          (int64_t)p->states[STORE_HELD], (int64_t)p->states[STORE_DELIVERED],
                                          (int64_t)p->states[STORE_DEAD], (int64_t)p->states[STORE_DISCARDED],
                                          (int64_t)p->open_bytes));
    }
    for (size_t i = 0; !result && i < index->name_count; i++)
        if (index->names[i].dirty || !index->names[i].stored)
            result = index_run(index, index_bind(index, INDEX_SET_NAME, "ittii", (int64_t)i + 1,
                                                 index->names[i].text, index->names[i].cursor,
                                                 (int64_t)index->names[i].quarantined,
                                                 (int64_t)index->names[i].quarantine_bytes));
    return result;
}

static int write_heads(struct index *index)
{
    int result = 0;
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

static int write_all(struct index *index)
{
    const struct index_progress *p = &index->progress;
    int result = index_begin(index);
    if (result || (result = write_messages(index)) || (result = write_rows(index)) ||
        (result = write_seen(index)) || (result = write_keys(index)) || (result = write_places(index)) ||
        (result = write_heads(index)))
        return result;
    result = index_run(index, index_bind(index, INDEX_SET_PROGRESS, "iiiiiiiiii", (int64_t)p->position,
                                         (int64_t)p->marker, (int64_t)p->group, (int64_t)p->next_number,
                                         (int64_t)p->epoch, (int64_t)p->messages, (int64_t)p->quarantined,
                                         (int64_t)p->bytes, p->seen_before, p->keys_before));
    return result ? result : index_run(index, index_bind(index, INDEX_COMMIT, ""));
}

static void end_transaction(struct index *index)
{
    if (index->begun && !sqlite3_get_autocommit(index->db))
        index_run(index, index_bind(index, INDEX_ROLLBACK, ""));
    index->begun = index->ahead = false;
}

/* ---- after it ---- */

/* What was written as waiting can be claimed from the file. */
static void note_written(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    for (uint32_t i = 0; i < fresh->by_number.count; i++) {
        const struct fresh_row *row = &fresh->rows[i];
        struct place *place = &index->places[row->delivery.place];
        if (row->list == FRESH_WAITING && place->claimed >= row->delivery.number)
            place->claimed = row->delivery.number - 1;
    }
    for (uint32_t i = 0; i < fresh->by_id.count; i++)
        if (strcmp(fresh->messages[i].id, index->newest) > 0)
            text_copy(index->newest, sizeof index->newest, fresh->messages[i].id);
}

void index_forget_ahead(struct place *place)
{
    place->later = -1;
    free(place->page);
    place->page = NULL;
}

static void reset_places(struct index *index)
{
    for (size_t i = 0; i < index->place_count; i++) {
        fresh_place_init(&index->places[i].fresh);
        index_forget_ahead(&index->places[i]);
    }
}

static void clean(struct index *index)
{
    for (size_t i = 0; i < index->place_count; i++) {
        index->places[i].dirty = false;
        index->places[i].stored = true;
    }
    for (size_t i = 0; i < index->name_count; i++) {
        index->names[i].dirty = false;
        index->names[i].stored = true;
    }
    for (size_t i = 0; i < index->head_count; i++)
        index->heads[i].dirty = false;
    reset_places(index);
    fresh_keep_sending(&index->fresh);
    for (uint32_t i = 0; i < index->fresh.by_number.count; i++)
        index_relist(index, &index->fresh.rows[i]);
    index->flushed = index->progress.position;
    index->changed = false;
}

int index_flush(struct index *index)
{
    int result = write_all(index);
    if (!result) {
        index->begun = index->ahead = false;
        note_written(index);
        clean(index);
        index_learn(index);
    } else if (!index->ahead) {
        end_transaction(index);
    }
    return result;
}

int index_sync(struct index *index)
{
    if (index->begun)
        return ACCORD_ESTATE;
    return sqlite3_wal_checkpoint_v2(index->db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL) == SQLITE_OK
               ? 0
               : ACCORD_EIO;
}

int index_undo(struct index *index)
{
    struct fresh *fresh = &index->fresh;
    for (uint32_t i = 0; i < fresh->by_number.count; i++)
        if (fresh->rows[i].sending)
            record_add_number(&index->resumed, fresh->rows[i].delivery.number);
    end_transaction(index);
    fresh_clear(fresh);
    for (size_t i = 0; i < index->place_count; i++) {
        memset(index->places[i].states, 0, sizeof index->places[i].states);
        index->places[i].open_bytes = index->places[i].sending = index->places[i].claimed = 0;
    }
    reset_places(index);
    return index_load(index);
}

int index_resume(struct index *index)
{
    struct record_move list = {.numbers = index->resumed.data, .count = index->resumed.size / 8};
    int result = 0;
    for (size_t i = 0; !result && i < list.count; i++) {
        struct index_delivery delivery;
        result = index_find_delivery(index, record_move_number(&list, i), &delivery);
        if (result == ACCORD_ENOENT)
            result = 0; /* its admission was undone */
        else if (!result && delivery.state == STORE_WAITING)
            result = index_claimed(index, &delivery);
    }
    if (!result)
        buf_clear(&index->resumed);
    return result;
}

/* ---- the filter ---- */

static int learn_seen(struct index *index)
{
    struct filter *filter = &index->filter;
    sqlite3_stmt *row = index_bind(index, INDEX_SEEN_AFTER, "ii", filter->number, (int64_t)LEARN);
    int result, count = 0;
    for (; (result = index_step(index, row)) > 0; count++)
        filter_add(filter, (uint64_t)(filter->number = sqlite3_column_int64(row, 0)));
    if (!result && count < LEARN)
        filter->reading = 1;
    return result;
}

static int learn_keys(struct index *index)
{
    struct filter *filter = &index->filter;
    sqlite3_stmt *row = index_bind(index, INDEX_KEYS_AFTER, "ti", filter->text, (int64_t)LEARN);
    int result, count = 0;
    char last[sizeof filter->text] = "";
    for (; (result = index_step(index, row)) > 0; count++) {
        text_copy(last, sizeof last, (const char *)sqlite3_column_text(row, 0));
        filter_add(filter, lookup_hash_text(last));
    }
    if (count)
        text_copy(filter->text, sizeof filter->text, last);
    if (!result && count < LEARN)
        filter->complete = true;
    return result;
}

bool index_learn(struct index *index)
{
    struct filter *filter = &index->filter;
    if (filter_crowded(filter) && !index->fresh.by_key.count && !index->fresh.by_text.count)
        filter_reset(filter, 2 * filter->count); /* bits cannot be told apart again: it learns anew */
    if (!filter->bits || filter->complete)
        return false;
    int result = filter->reading ? learn_keys(index) : learn_seen(index);
    return !result && !filter->complete;
}
