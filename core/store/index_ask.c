#include <string.h>

#include "store/index.h"
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
    return ask(index, index_bind(index, INDEX_MESSAGE, "t", id), 0, position);
}

static size_t place_of(const struct index *index, int64_t id)
{
    /* Ids are given in order, so the place is near its number. */
    if (id > 0 && (size_t)id <= index->place_count && index->places[id - 1].id == id)
        return (size_t)id - 1;
    for (size_t i = 0; i < index->place_count; i++)
        if (index->places[i].id == id)
            return i;
    return SIZE_MAX;
}

static void overlay(const struct index *index, struct index_delivery *delivery)
{
    if (delivery->state == STORE_WAITING && numbers_has(&index->sending, delivery->number))
        delivery->state = STORE_SENDING;
}

/* Reads the row that a statement stands on, and resets it. */
static int read_delivery(struct index *index, sqlite3_stmt *row, struct index_delivery *to)
{
    *to = (struct index_delivery){
        .number = column(row, 0),
        .message = column(row, 1),
        .detail = column(row, 2),
        .place = place_of(index, sqlite3_column_int64(row, 3)),
        .state = (enum store_state)sqlite3_column_int(row, 4),
        .attempts = sqlite3_column_int64(row, 5),
        .not_before = sqlite3_column_int64(row, 6),
        .changed = sqlite3_column_int64(row, 7),
        .generation = column(row, 8),
    };
    sqlite3_reset(row);
    if (to->place == SIZE_MAX || to->state < STORE_WAITING || to->state > STORE_DISCARDED) {
        index->corrupt = true;
        return ACCORD_EFORMAT;
    }
    index->recent = *to;
    overlay(index, to);
    return 0;
}

int index_find_delivery(struct index *index, uint64_t number, struct index_delivery *found)
{
    if (number && index->recent.number == number) {
        *found = index->recent;
        overlay(index, found);
        return 0;
    }
    sqlite3_stmt *row = index_bind(index, INDEX_DELIVERY, "i", (int64_t)number);
    int result = index_step(index, row);
    return result > 0 ? read_delivery(index, row, found) : result ? result : ACCORD_ENOENT;
}

int index_find_key(struct index *index, const char *key, bool *used)
{
    uint64_t one;
    int result = ask(index, index_bind(index, INDEX_KEY, "t", key), 0, &one);
    *used = !result;
    return result == ACCORD_ENOENT ? 0 : result;
}

static int collect(struct index *index, sqlite3_stmt *row, uint64_t *positions, size_t limit, size_t *count)
{
    int result;
    *count = 0;
    while ((result = index_step(index, row)) > 0) {
        positions[(*count)++] = column(row, 0);
        if (*count == limit) {
            sqlite3_reset(row);
            return 0;
        }
    }
    return result;
}

int index_find_seen(struct index *index, uint64_t key, const uint8_t *sha256, int64_t since,
                    uint64_t *positions, size_t limit, size_t *count)
{
    int64_t hash;
    memcpy(&hash, sha256, sizeof hash);
    return collect(index, index_bind(index, INDEX_SEEN, "iiii", (int64_t)key, hash, since, (int64_t)limit),
                   positions, limit, count);
}

int index_find_changed(struct index *index, uint64_t key, int64_t since, uint64_t *positions, size_t limit,
                       size_t *count)
{
    return collect(index, index_bind(index, INDEX_CHANGED, "iii", (int64_t)key, since, (int64_t)limit),
                   positions, limit, count);
}

static int list(struct index *index, enum index_statement which, size_t place, enum store_state state,
                struct buf *numbers)
{
    sqlite3_stmt *row = index_bind(index, which, "i", index->places[place].id);
    int result;
    while ((result = index_step(index, row)) > 0) {
        uint64_t number = column(row, 0);
        bool sending = numbers_has(&index->sending, number);
        if (state == STORE_HELD || sending == (state == STORE_SENDING))
            record_add_number(numbers, number);
    }
    return result;
}

int index_list(struct index *index, size_t place, enum store_state state, struct buf *numbers)
{
    if (state == STORE_HELD)
        return list(index, INDEX_LIST_HELD, place, state, numbers);
    int result = list(index, INDEX_LIST_READY, place, state, numbers);
    return result ? result : list(index, INDEX_LIST_LATER, place, state, numbers);
}

/* ---- claiming ---- */

int index_next_due(struct index *index, size_t place, uint64_t after, struct index_delivery *found)
{
    for (;;) {
        sqlite3_stmt *row = index_bind(index, INDEX_NEXT_DUE, "ii", index->places[place].id, (int64_t)after);
        int result = index_step(index, row);
        found->number = 0;
        if (result <= 0)
            return result;
        if ((result = read_delivery(index, row, found)) || found->state == STORE_WAITING)
            return result;
        after = found->number; /* being sent */
    }
}

int index_promote(struct index *index, size_t place, int64_t now, int64_t *next)
{
    struct place *of = &index->places[place];
    for (*next = 0;;) {
        sqlite3_stmt *row = index_bind(index, INDEX_NEXT_LATER, "i", of->id);
        int result = index_step(index, row);
        if (result <= 0)
            return result;
        uint64_t number = column(row, 0);
        int64_t due = sqlite3_column_int64(row, 1);
        sqlite3_reset(row);
        if (due > now) {
            *next = due;
            return 0;
        }
        if (!index->begun && (result = index_run(index, index_bind(index, INDEX_BEGIN, ""))))
            return result;
        index->begun = true;
        if ((result = index_run(index, index_bind(index, INDEX_PROMOTE, "i", (int64_t)number))))
            return result;
        if (of->claimed >= number)
            of->claimed = number - 1;
    }
}

int index_claimed(struct index *index, const struct index_delivery *delivery)
{
    struct place *place = &index->places[delivery->place];
    int result = numbers_add(&index->sending, delivery->number);
    if (result)
        return result;
    place->sending++;
    if (place->claimed < delivery->number)
        place->claimed = delivery->number;
    return 0;
}

void index_unclaim(struct index *index, uint64_t number, size_t place)
{
    struct place *of = &index->places[place];
    if (numbers_remove(&index->sending, number))
        of->sending--;
    if (of->claimed >= number)
        of->claimed = number - 1;
}

int index_oldest(struct index *index, size_t place, uint64_t *message)
{
    static const enum index_statement statements[] = {INDEX_FIRST_READY, INDEX_FIRST_LATER, INDEX_FIRST_HELD};
    uint64_t oldest = 0;
    *message = 0;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        sqlite3_stmt *row = index_bind(index, statements[i], "i", index->places[place].id);
        int result = index_step(index, row);
        if (result < 0)
            return result;
        uint64_t number = result ? column(row, 0) : 0; /* NULL reads as 0 */
        if (number && (!oldest || number < oldest)) {
            oldest = number;
            *message = column(row, 1);
        }
        sqlite3_reset(row);
    }
    return 0;
}

/* ---- all messages ---- */

static const char *name_of(const struct index *index, int64_t id)
{
    if (id > 0 && (size_t)id <= index->name_count && index->names[id - 1].id == id)
        return index->names[id - 1].text;
    for (size_t i = 0; i < index->name_count; i++)
        if (index->names[i].id == id)
            return index->names[i].text;
    return "";
}

int index_walk(struct index *index, const char *before, int (*visit)(void *, const struct index_message *),
               void *arg)
{
    sqlite3_stmt *row = index_bind(index, INDEX_WALK, "t", before ? before : "~");
    int result;
    while ((result = index_step(index, row)) > 0) {
        struct index_message message = {
            .position = column(row, 1),
            .origin = name_of(index, sqlite3_column_int64(row, 2)),
            .type = name_of(index, sqlite3_column_int64(row, 3)),
            .flags = (uint32_t)column(row, 4),
            .first = column(row, 5),
            .count = column(row, 6),
        };
        text_copy(message.id, sizeof message.id, (const char *)sqlite3_column_text(row, 0));
        if (visit(arg, &message)) {
            sqlite3_reset(row);
            return 0;
        }
    }
    return result;
}
