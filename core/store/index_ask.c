#include <stdlib.h>
#include <string.h>

#include "store/index.h"
#include "store/segment.h"
#include "util/text.h"

static uint64_t column(sqlite3_stmt *row, int at)
{
    return (uint64_t)sqlite3_column_int64(row, at);
}

/* One row, one number; ACCORD_ENOENT when there is none. */
static int ask(struct index *index, sqlite3_stmt *statement, int at, uint64_t *value)
{
    int result = index_step(index, statement);
    if (result < 0)
        return result;
    bool found = result && sqlite3_column_type(statement, at) != SQLITE_NULL;
    if (found)
        *value = column(statement, at);
    if (result)
        sqlite3_reset(statement);
    return found ? 0 : ACCORD_ENOENT;
}

int index_any_message(struct index *index, const char *text, struct fresh_message *message)
{
    struct id_number id;
    if (!id_to_number(text, &id))
        return ACCORD_ENOENT;
    const struct fresh_message *fresh = fresh_message(&index->fresh, id);
    if (!fresh)
        return index_stored_message(index, id, message);
    *message = *fresh;
    return 0;
}

int index_find_message(struct index *index, const char *id, uint64_t *position)
{
    struct fresh_message message;
    int result = index_any_message(index, id, &message);
    if (!result)
        *position = message.position;
    return result;
}

int index_read_row(struct index *index, sqlite3_stmt *row, struct index_delivery *to)
{
    *to = (struct index_delivery){
        .number = column(row, 0),
        .message = column(row, 1),
        .detail = column(row, 2),
        .place = column(row, 3) - 1,
        .state = (enum store_state)sqlite3_column_int(row, 4),
        .attempts = sqlite3_column_int64(row, 5),
        .not_before = sqlite3_column_int64(row, 6),
        .changed = sqlite3_column_int64(row, 7),
        .since = sqlite3_column_int64(row, 8),
        .generation = column(row, 9),
        .size = column(row, 10),
        .before = sqlite3_column_int64(row, 11),
        .answer_by = sqlite3_column_int64(row, 12),
    };
    if (to->place >= index->place_count || to->state < STORE_WAITING || to->state > STORE_DISCARDED) {
        index->corrupt = true;
        return ACCORD_EFORMAT;
    }
    return 0;
}

int index_find_delivery(struct index *index, uint64_t number, struct index_delivery *found)
{
    const struct fresh_row *fresh = fresh_row(&index->fresh, number);
    if (fresh) {
        *found = fresh->delivery;
        if (found->state == STORE_WAITING && fresh->sending)
            found->state = STORE_SENDING;
        return 0;
    }
    return index_find_stored(index, number, found);
}

int index_find_stored(struct index *index, uint64_t number, struct index_delivery *found)
{
    sqlite3_stmt *row = index_bind(index, INDEX_DELIVERY, "i", (int64_t)number);
    int result = index_step(index, row);
    if (result <= 0)
        return result ? result : index_find_settled(index, number, found);
    result = index_read_row(index, row, found);
    sqlite3_reset(row);
    return result;
}

int index_find_key(struct index *index, const char *key, bool *used)
{
    uint64_t one;
    *used = fresh_has_key(&index->fresh, key, index->progress.keys_before);
    if (*used || !filter_may_have(&index->filter, lookup_hash_text(key)))
        return 0;
    int result = ask(index, index_bind(index, INDEX_KEY, "ti", key, index->progress.keys_before), 0, &one);
    *used = !result;
    return result == ACCORD_ENOENT ? 0 : result;
}

/* ---- lists ---- */

static int list_stored(struct index *index, enum index_statement which, size_t place, struct buf *numbers)
{
    sqlite3_stmt *row = index_bind(index, which, "i", (int64_t)place + 1);
    int result;
    while ((result = index_step(index, row)) > 0)
        if (!fresh_row(&index->fresh, column(row, 0)))
            record_add_number(numbers, column(row, 0));
    return result;
}

static void list_fresh(struct index *index, size_t place, enum store_state state, struct buf *numbers)
{
    enum fresh_list list = state == STORE_HELD      ? FRESH_STOPPED
                           : state == STORE_SENDING ? FRESH_SENDING
                                                    : FRESH_WAITING;
    enum store_state stored = state == STORE_SENDING ? STORE_WAITING : state;
    const struct fresh_row *row = fresh_at(&index->fresh, index->places[place].fresh.first[list]);
    for (; row; row = fresh_at(&index->fresh, row->next))
        if (row->delivery.state == stored && (state != STORE_HELD || row->delivery.not_before != STORE_NEVER))
            record_add_number(numbers, row->delivery.number);
}

static int by_number(const void *a, const void *b)
{
    struct record_move x = {.numbers = a, .count = 1}, y = {.numbers = b, .count = 1};
    uint64_t first = record_move_number(&x, 0), second = record_move_number(&y, 0);
    return first < second ? -1 : first > second;
}

int index_list(struct index *index, size_t place, enum store_state state, struct buf *numbers)
{
    int result = 0;
    size_t before = numbers->size;
    list_fresh(index, place, state, numbers);
    if (state == STORE_HELD)
        result = list_stored(index, INDEX_LIST_HELD, place, numbers);
    else if (state == STORE_WAITING && !(result = list_stored(index, INDEX_LIST_READY, place, numbers)))
        result = list_stored(index, INDEX_LIST_LATER, place, numbers);
    if (!result && !numbers->failed && numbers->size - before > 8)
        qsort(numbers->data + before, (numbers->size - before) / 8, 8, by_number);
    return result;
}

/* ---- all messages ---- */

const char *index_name_of(const struct index *index, int64_t id)
{
    return id > 0 && (size_t)id <= index->name_count ? index->names[id - 1].text : "";
}

static int newer_first(const void *a, const void *b)
{
    const struct fresh_message *const *x = a, *const *y = b;
    return id_compare((*y)->id, (*x)->id);
}

int index_list_fresh(const struct index *index, struct id_number before, const struct fresh_message ***list,
                     size_t *count)
{
    const struct fresh *fresh = &index->fresh;
    *count = 0;
    *list = malloc((fresh->by_id.count + 1) * sizeof **list);
    if (!*list)
        return ACCORD_ENOMEM;
    for (uint32_t i = 0; i < fresh->by_id.count; i++)
        if (id_compare(fresh->messages[i].id, before) < 0)
            (*list)[(*count)++] = &fresh->messages[i];
    qsort(*list, *count, sizeof **list, newer_first);
    return 0;
}

static struct index_message message_of(const struct index *index, const struct fresh_message *fresh)
{
    struct index_message message = {.position = fresh->position,
                                    .origin = index_name_of(index, fresh->origin),
                                    .type = index_name_of(index, fresh->type),
                                    .flags = fresh->flags,
                                    .first = fresh->first,
                                    .count = fresh->count};
    id_from_number(fresh->id, message.id);
    return message;
}

/* A message is in memory or in the file, and not in both. */
int index_walk(struct index *index, const char *before, int (*visit)(void *, const struct index_message *),
               void *arg)
{
    const struct fresh_message **fresh, *newer;
    struct id_number from = index_bound(before ? before : "~");
    struct fresh_message stored = {0};
    size_t count, at = 0;
    int result = index_list_fresh(index, from, &fresh, &count);
    if (result)
        return result;
    result = index_message_before(index, from, &stored);
    while (result > 0 || (!result && at < count)) {
        bool from_file = result && (at == count || id_compare(stored.id, fresh[at]->id) > 0);
        newer = from_file ? &stored : fresh[at++];
        struct index_message message = message_of(index, newer);
        if (visit(arg, &message))
            break;
        if (from_file)
            result = index_message_before(index, stored.id, &stored);
    }
    free(fresh);
    return result < 0 ? result : 0;
}
