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

int index_find_message(struct index *index, const char *id, uint64_t *position)
{
    const struct fresh_message *fresh = fresh_message(&index->fresh, id);
    if (fresh) {
        *position = fresh->position;
        return 0;
    }
    return ask(index, index_bind(index, INDEX_MESSAGE, "t", id), 0, position);
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
    return strcmp((*y)->id, (*x)->id);
}

/* Messages in memory alone that are older than `before`, newest first; the caller frees. */
static int list_messages(const struct index *index, const char *before, const struct fresh_message ***list,
                         size_t *count)
{
    const struct fresh *fresh = &index->fresh;
    *count = 0;
    *list = malloc((fresh->by_id.count + 1) * sizeof **list);
    if (!*list)
        return ACCORD_ENOMEM;
    for (uint32_t i = 0; i < fresh->by_id.count; i++)
        if (strcmp(fresh->messages[i].id, before) < 0)
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
    memcpy(message.id, fresh->id, sizeof message.id);
    return message;
}

static int next_message(struct index *index, sqlite3_stmt *row, struct index_message *message)
{
    int result = index_step(index, row);
    if (result <= 0)
        return result;
    *message = (struct index_message){.position = column(row, 1),
                                      .origin = index_name_of(index, sqlite3_column_int64(row, 2)),
                                      .type = index_name_of(index, sqlite3_column_int64(row, 3)),
                                      .flags = (uint32_t)column(row, 4),
                                      .first = column(row, 5),
                                      .count = column(row, 6)};
    text_copy(message->id, sizeof message->id, (const char *)sqlite3_column_text(row, 0));
    return 1;
}

/* A message is in memory or in the file, and not in both. */
int index_walk(struct index *index, const char *before, int (*visit)(void *, const struct index_message *),
               void *arg)
{
    const struct fresh_message **fresh;
    struct index_message stored = {0}, newer;
    size_t count, at = 0;
    sqlite3_stmt *row = index_bind(index, INDEX_WALK, "t", before ? before : "~");
    int result = list_messages(index, before ? before : "~", &fresh, &count);
    if (result)
        return result;
    result = next_message(index, row, &stored);
    while (result > 0 || (!result && at < count)) {
        bool from_file = result && (at == count || strcmp(stored.id, fresh[at]->id) > 0);
        newer = from_file ? stored : message_of(index, fresh[at++]);
        if (visit(arg, &newer))
            break;
        if (from_file)
            result = next_message(index, row, &stored);
    }
    sqlite3_reset(row);
    free(fresh);
    return result < 0 ? result : 0;
}

/* The number that a statement of one row gives; NULL reads as 0. */
static int read_number(struct index *index, sqlite3_stmt *row, uint64_t *number)
{
    int result = index_step(index, row);
    *number = result > 0 ? column(row, 0) : 0;
    sqlite3_reset(row);
    return result < 0 ? result : 0;
}

int index_oldest_position(struct index *index, uint64_t *position)
{
    return read_number(index, index_bind(index, INDEX_OLDEST_POSITION, ""), position);
}

int index_count_lost(struct index *index, uint32_t first, uint32_t last, uint64_t *count)
{
    return read_number(index,
                       index_bind(index, INDEX_COUNT_LOST, "iii", (int64_t)POSITION(first, 0),
                                  (int64_t)POSITION(last + 1, 0), (int64_t)last),
                       count);
}
