/* Deliveries that were over before the file heard of them. Nobody asks for them but by number, so that they need no
 * place in any list: each is a row of one blob, which costs a third of a row with columns.
 */
#include <string.h>

#include "store/index.h"

struct settled { /* this machine's order of bytes, as all of the index */
    uint64_t message, detail, generation, size;
    int64_t not_before, changed, since;
    uint32_t place, state, attempts, before;
};

bool index_packs(const struct fresh_row *row)
{
    const struct index_delivery *d = &row->delivery;
    return (!row->stored || row->packed) && (d->state == STORE_DELIVERED || d->state == STORE_DISCARDED) &&
           !d->answer_by && d->place < UINT32_MAX && d->attempts >= 0 && d->attempts <= UINT32_MAX &&
           d->before >= 0 && d->before <= d->attempts;
}

static void pack(const struct index_delivery *from, struct settled *to)
{
    *to = (struct settled){.message = from->message,
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

static int unpack(struct index *index, uint64_t number, sqlite3_stmt *row, struct index_delivery *to)
{
    struct settled from;
    bool good = sqlite3_column_bytes(row, 0) == (int)sizeof from;
    if (good)
        memcpy(&from, sqlite3_column_blob(row, 0), sizeof from);
    if (!good || from.place >= index->place_count ||
        (from.state != STORE_DELIVERED && from.state != STORE_DISCARDED)) {
        index->corrupt = true;
        return ACCORD_EFORMAT;
    }
    *to = (struct index_delivery){.number = number,
                                  .message = from.message,
                                  .detail = from.detail,
                                  .place = from.place,
                                  .state = (enum store_state)from.state,
                                  .attempts = from.attempts,
                                  .not_before = from.not_before,
                                  .changed = from.changed,
                                  .since = from.since,
                                  .before = from.before,
                                  .generation = from.generation,
                                  .size = from.size,
                                  .packed = true};
    return 0;
}

/* Many rows for each statement, as for the others. */
int index_write_settled(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    struct settled facts[INDEX_ROWS];
    uint64_t numbers[INDEX_ROWS];
    int result = 0, count = 0;
    for (uint32_t i = 0; !result && i <= fresh->by_number.count; i++) {
        bool end = i == fresh->by_number.count;
        if (!end && fresh->rows[i].dirty && index_packs(&fresh->rows[i])) {
            numbers[count] = fresh->rows[i].delivery.number;
            pack(&fresh->rows[i].delivery, &facts[count++]);
        }
        bool many = count == INDEX_ROWS;
        if (!many && !end)
            continue;
        sqlite3_stmt *add = index->statements[many ? INDEX_ADD_SETTLED_MANY : INDEX_ADD_SETTLED];
        for (int row = 0; !result && row < count; row++) {
            int at = many ? 2 * row : 0;
            sqlite3_bind_int64(add, at + 1, (int64_t)numbers[row]);
            sqlite3_bind_blob(add, at + 2, &facts[row], sizeof facts[row], SQLITE_STATIC);
            if (!many || row == count - 1)
                result = index_run(index, add);
        }
        count = 0;
    }
    return result;
}

int index_find_settled(struct index *index, uint64_t number, struct index_delivery *found)
{
    sqlite3_stmt *row = index_bind(index, INDEX_SETTLED, "i", (int64_t)number);
    int result = index_step(index, row);
    if (result <= 0)
        return result ? result : ACCORD_ENOENT;
    result = unpack(index, number, row, found);
    sqlite3_reset(row);
    return result;
}

int index_drop_settled(struct index *index, uint64_t first, uint64_t count)
{
    return index_run(index, index_bind(index, INDEX_DROP_SETTLED, "ii", (int64_t)first, (int64_t)count));
}
