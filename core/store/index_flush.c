/* From memory to the file, and back to what the file has. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/index.h"
#include "util/text.h"

#define DUE_ROWS                                                                                             \
    2048 /* messages, or changed deliveries: with what is looked up for them they stay in the cache */
#define DUE_BYTES (32u << 20) /* of the journal: as much as a killed process should have to read again */
#define FULL      32          /* times as many: flushing has failed for long */
#define LEARN     8192        /* keys that the filter learns at a time */

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

static void bind_delivery(sqlite3_stmt *to, int at, const struct index_delivery *d)
{
    const int64_t values[] = {(int64_t)d->number,
                              (int64_t)d->message,
                              (int64_t)d->detail,
                              (int64_t)d->place + 1,
                              (int64_t)d->state,
                              d->attempts,
                              d->not_before > 0 ? d->not_before : 0,
                              d->not_before,
                              d->changed,
                              d->since,
                              (int64_t)d->generation,
                              (int64_t)d->size,
                              d->before,
                              d->answer_by};
    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++)
        sqlite3_bind_int64(to, at + i + 1, values[i]);
}

static int write_row(struct index *index, enum index_statement which, const struct index_delivery *d)
{
    bind_delivery(index->statements[which], 0, d);
    return index_run(index, index->statements[which]);
}

/* Many rows for each statement: half of what one costs is its own beginning and end. */
static int write_new(struct index *index, const struct index_delivery *const *rows, int count)
{
    sqlite3_stmt *many = index->statements[INDEX_ADD_DELIVERIES];
    int result = 0;
    if (count == INDEX_ROWS) {
        for (int i = 0; i < count; i++)
            bind_delivery(many, 14 * i, rows[i]);
        return index_run(index, many);
    }
    for (int i = 0; !result && i < count; i++)
        result = write_row(index, INDEX_ADD_DELIVERY, rows[i]);
    return result;
}

/* What was among the settled ones and is not any more. */
static int unpack_row(struct index *index, const struct fresh_row *row)
{
    int result = index_drop_settled(index, row->delivery.number, 1);
    return result ? result : write_row(index, INDEX_ADD_DELIVERY, &row->delivery);
}

static int write_rows(struct index *index)
{
    const struct index_delivery *rows[INDEX_ROWS];
    const struct fresh *fresh = &index->fresh;
    int result = 0, count = 0;
    for (uint32_t i = 0; !result && i < fresh->by_number.count; i++) {
        if (!fresh->rows[i].dirty || fresh->rows[i].kept || index_packs(&fresh->rows[i]))
            continue;
        if (fresh->rows[i].stored) {
            result = fresh->rows[i].packed ? unpack_row(index, &fresh->rows[i])
                                           : write_row(index, INDEX_SET_DELIVERY, &fresh->rows[i].delivery);
            continue;
        }
        rows[count++] = &fresh->rows[i].delivery;
        if (count == INDEX_ROWS) {
            result = write_new(index, rows, count);
            count = 0;
        }
    }
    return result ? result : write_new(index, rows, count);
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
    index_choose_sending(index);
    if (result || (result = index_write_messages(index)) || (result = write_rows(index)) ||
        (result = index_write_settled(index)) || (result = index_write_sending(index)) ||
        (result = index_write_seen(index)) || (result = write_keys(index)) ||
        (result = write_places(index)) || (result = write_heads(index)) ||
        (result = packs_write(index, &index->messages)) || (result = packs_write(index, &index->settled)))
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
    packs_forget(&index->messages);
    packs_forget(&index->settled);
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
        if (id_compare(fresh->messages[i].id, index->newest) > 0)
            index->newest = fresh->messages[i].id;
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

void index_forget_fresh(struct index *index)
{
    fresh_clear(&index->fresh);
    reset_places(index);
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

/* What a flush does with the runs, taken back when it fails. */
static int keep_runs(struct seen_runs *kept, const struct seen_runs *runs)
{
    *kept = *runs;
    kept->items = runs->count ? malloc(runs->count * sizeof *kept->items) : NULL;
    kept->room = runs->count;
    if (kept->items)
        memcpy(kept->items, runs->items, runs->count * sizeof *kept->items);
    return runs->count && !kept->items ? ACCORD_ENOMEM : 0;
}

/* The disk begins with what was written: otherwise the checkpoint, which syncs the log, stops the store for as long
 * as 8 MiB take. It is a hint: what fails is found by the checkpoint. */
static void begin_sync(struct index *index)
{
    char path[PATH_MAX];
    if (!index->log_open && snprintf(path, sizeof path, "%s-wal", index->path) < (int)sizeof path) {
        index->log = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        index->log_open = index->log >= 0;
    }
    if (index->log_open)
        sync_file_range(index->log, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int index_flush(struct index *index)
{
    struct seen_runs before;
    int result = keep_runs(&before, &index->runs);
    if (result)
        return result;
    result = write_all(index);
    free(result ? index->runs.items : before.items);
    if (result)
        index->runs = before;
    if (!result) {
        index->begun = index->ahead = false;
        note_written(index);
        clean(index);
        begin_sync(index);
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
    for (size_t i = 0; i < index->place_count; i++) {
        memset(index->places[i].states, 0, sizeof index->places[i].states);
        index->places[i].open_bytes = index->places[i].sending = index->places[i].claimed = 0;
    }
    index_forget_fresh(index);
    index->unloaded = true;
    return index_reload(index);
}

int index_reload(struct index *index)
{
    int result = index->unloaded ? index_load(index) : 0;
    index->unloaded = result;
    return result;
}

/* Nor when it is not known what is being sent: all of that would be sent again. */
bool index_lost(const struct index *index)
{
    return index->corrupt || index->resumed.failed;
}

int index_resume(struct index *index)
{
    struct record_move list = {.numbers = index->resumed.data, .count = index->resumed.size / 8};
    int result = 0;
    for (size_t i = 0; !result && i < list.count; i++) {
        struct fresh_row *row;
        result = index_row(index, record_move_number(&list, i), &row);
        if (result == ACCORD_ENOENT)
            result = 0; /* its admission was undone */
        else if (!result)
            index_set_sending(index, row->delivery.number, true);
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
    size_t added = 0;
    int result;
    while (added < LEARN && (result = index_step(index, row)) > 0) {
        const uint8_t *entries = sqlite3_column_blob(row, 1);
        size_t count = (size_t)sqlite3_column_bytes(row, 1) / sizeof(struct fresh_seen);
        for (size_t i = 0; i < count; i++) {
            uint64_t key;
            memcpy(&key, entries + i * sizeof(struct fresh_seen), sizeof key);
            filter_add(filter, key);
        }
        filter->number = sqlite3_column_int64(row, 0);
        added += count;
    }
    sqlite3_reset(row);
    if (!result) {
        filter->reading = FILTER_ECHOES;
        filter->number = INT64_MIN;
    }
    return result < 0 ? result : 0;
}

static int learn_echoes(struct index *index)
{
    struct filter *filter = &index->filter;
    sqlite3_stmt *row = index_bind(index, INDEX_ECHOES_AFTER, "ii", filter->number, (int64_t)LEARN);
    int result, count = 0;
    for (; (result = index_step(index, row)) > 0; count++) {
        filter->number = sqlite3_column_int64(row, 0);
        filter_add(filter, index_spread((uint64_t)filter->number));
    }
    if (!result && count < LEARN)
        filter->reading = FILTER_KEYS;
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
        filter_complete(filter);
    return result;
}

bool index_learn(struct index *index)
{
    struct filter *filter = &index->filter;
    if (filter_crowded(filter) && !index->fresh.by_key.count && !index->fresh.by_text.count)
        filter_grow(filter, 2 * filter->count);
    if (!filter->bits || filter->complete)
        return false;
    static int (*const learn[])(struct index *) = {
        [FILTER_SEEN] = learn_seen, [FILTER_ECHOES] = learn_echoes, [FILTER_KEYS] = learn_keys};
    int result = learn[filter->reading](index);
    return !result && !filter->complete;
}
