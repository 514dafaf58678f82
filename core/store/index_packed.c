/* Deliveries that need no place in any list of the file. Those that are over are only asked for by number: they are
 * packed (pack.h), and those that waited in the file until then are no rows of the deliveries any more. Those that are
 * being sent are in memory, and most are over before the next flush: each flush writes all of them anew, and they are only
 * read when memory is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "store/index.h"

#define SENDING_ROW 50   /* of those that are being sent, in a row of the file */
#define SENDING_MAX 1000 /* others are rows of the deliveries, so that a flush stays short */

struct packed { /* this machine's order of bytes, as all of the index */
    uint64_t number, message, detail, generation, size;
    int64_t not_before, changed, since;
    uint32_t place, state, attempts, before;
};

static const struct pack_kind settled_kind = {.find = INDEX_FIND_SETTLED,
                                              .put = INDEX_PUT_SETTLED,
                                              .drop = INDEX_DROP_SETTLED,
                                              .size = sizeof(struct packed)};

void index_init_settled(struct index *index)
{
    index->settled.kind = &settled_kind;
}

static bool fits(const struct index_delivery *d)
{
    return !d->answer_by && d->place < UINT32_MAX && d->attempts >= 0 && d->attempts <= UINT32_MAX &&
           d->before >= 0 && d->before <= d->attempts;
}

bool index_packs(const struct fresh_row *row)
{
    const struct index_delivery *d = &row->delivery;
    return (d->state == STORE_DELIVERED || d->state == STORE_DISCARDED) && fits(d);
}

static void pack(const struct index_delivery *from, struct packed *to)
{
    *to = (struct packed){.number = from->number,
                          .message = from->message,
                          .detail = from->detail,
                          .generation = from->generation,
                          .size = from->size,
                          .not_before = from->not_before,
                          .changed = from->changed,
                          .since = from->since,
                          .place = (uint32_t)from->place,
                          .state = (uint32_t)from->state,
                          .attempts = (uint32_t)from->attempts,
                          .before = (uint32_t)from->before};
}

static bool unpack(struct index *index, const struct packed *from, struct index_delivery *to)
{
    *to = (struct index_delivery){.number = from->number,
                                  .message = from->message,
                                  .detail = from->detail,
                                  .place = from->place,
                                  .state = (enum store_state)from->state,
                                  .attempts = from->attempts,
                                  .not_before = from->not_before,
                                  .changed = from->changed,
                                  .since = from->since,
                                  .before = from->before,
                                  .generation = from->generation,
                                  .size = from->size};
    return to->place < index->place_count;
}

/* ---- over ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t first = (*(const struct fresh_row *const *)a)->delivery.number,
             second = (*(const struct fresh_row *const *)b)->delivery.number;
    return (first > second) - (first < second);
}

/* In the order of their numbers: then each row of the file is asked for once. */
static int list_settled(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    const struct fresh_row *row, *before = NULL;
    bool sorted = true;
    buf_clear(&index->over);
    for (uint32_t i = 0; i < fresh->by_number.count; i++) {
        row = &fresh->rows[i];
        if (!row->dirty || !index_packs(row))
            continue;
        sorted &= !before || before->delivery.number < row->delivery.number;
        buf_put(&index->over, &row, sizeof row);
        before = row;
    }
    if (index->over.failed)
        return ACCORD_ENOMEM;
    if (!sorted)
        qsort(index->over.data, index->over.size / sizeof row, sizeof row, by_number);
    return 0;
}

/* How many of these, from the first on, are rows of the deliveries and follow each other. */
static size_t run_of(const struct fresh_row *const *rows, size_t count)
{
    size_t run = 0;
    while (run < count && rows[run]->stored && !rows[run]->packed &&
           rows[run]->delivery.number == rows[0]->delivery.number + run)
        run++;
    return run;
}

static int drop_waited(struct index *index, const struct fresh_row *const *rows, size_t count)
{
    int result = 0;
    for (size_t i = 0; !result && i < count;) {
        size_t run = run_of(rows + i, count - i);
        if (run)
            result = index_run(index, index_bind(index, INDEX_DROP_DELIVERIES, "ii",
                                                 (int64_t)rows[i]->delivery.number, (int64_t)run));
        i += run ? run : 1;
    }
    return result;
}

int index_write_settled(struct index *index)
{
    int result = list_settled(index);
    const struct fresh_row *const *rows = (const struct fresh_row *const *)index->over.data;
    size_t count = index->over.size / sizeof *rows;
    if (!result)
        result = drop_waited(index, rows, count);
    for (size_t i = 0; !result && i < count; i++) {
        struct packed settled;
        pack(&rows[i]->delivery, &settled);
        result = packs_put(index, &index->settled, &settled);
    }
    return result;
}

int index_find_settled(struct index *index, uint64_t number, struct index_delivery *found)
{
    struct packed from;
    int result = packs_find(index, &index->settled, (struct id_number){number, 0}, &from);
    if (result <= 0)
        return result ? result : ACCORD_ENOENT;
    if (!unpack(index, &from, found) ||
        (found->state != STORE_DELIVERED && found->state != STORE_DISCARDED)) {
        index->corrupt = true;
        return ACCORD_EFORMAT;
    }
    found->packed = true;
    return 0;
}

int index_drop_settled(struct index *index, uint64_t first, uint64_t count)
{
    int result = 0;
    for (uint64_t i = 0; !result && i < count; i++)
        result = packs_drop(index, &index->settled, (struct id_number){first + i, 0});
    return result;
}

/* ---- being sent ---- */

void index_choose_sending(struct index *index)
{
    size_t count = 0;
    for (uint32_t i = 0; i < index->fresh.by_number.count; i++) {
        struct fresh_row *row = &index->fresh.rows[i];
        row->kept = row->sending && !row->stored && fits(&row->delivery) && count < SENDING_MAX;
        count += row->kept;
    }
}

static int put_sending(struct index *index, int64_t id, const struct packed *rows, size_t count)
{
    sqlite3_stmt *put = index_bind(index, INDEX_PUT_SENDING, "i", id);
    sqlite3_bind_blob(put, 2, rows, (int)(count * sizeof *rows), SQLITE_STATIC);
    return index_run(index, put);
}

int index_write_sending(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    struct packed rows[SENDING_ROW];
    int64_t id = 0;
    size_t count = 0;
    int result = 0;
    for (uint32_t i = 0; !result && i < fresh->by_number.count; i++) {
        if (!fresh->rows[i].kept)
            continue;
        pack(&fresh->rows[i].delivery, &rows[count++]);
        if (count < SENDING_ROW)
            continue;
        result = put_sending(index, ++id, rows, count);
        count = 0;
    }
    if (!result && count)
        result = put_sending(index, ++id, rows, count);
    return result ? result : index_run(index, index_bind(index, INDEX_DROP_SENDING, "i", id));
}

bool index_load_sending(struct index *index, sqlite3_stmt *row)
{
    size_t size = (size_t)sqlite3_column_bytes(row, 0);
    const uint8_t *entries = sqlite3_column_blob(row, 0);
    index->corrupt |= size % sizeof(struct packed) != 0;
    for (size_t at = 0; !index->corrupt && at < size; at += sizeof(struct packed)) {
        struct packed from;
        struct index_delivery delivery;
        memcpy(&from, entries + at, sizeof from);
        index->corrupt |= !unpack(index, &from, &delivery) || delivery.state != STORE_WAITING;
        struct fresh_row *added = index->corrupt ? NULL : fresh_add_row(&index->fresh, &delivery, false);
        if (!added)
            return false;
        added->dirty = true;
        index_relist(index, added);
    }
    return !index->corrupt;
}
