/* Messages in the file: packed rows in the order of their ids, and by name those in quarantine. */
#include <stdlib.h>
#include <string.h>

#include "store/index.h"
#include "store/segment.h"

#define LOOKED_AT 1024 /* of the oldest messages, for the oldest position */

static const struct pack_kind message_kind = {.find = INDEX_FIND_MESSAGES,
                                              .put = INDEX_PUT_MESSAGES,
                                              .drop = INDEX_DROP_MESSAGES,
                                              .size = sizeof(struct fresh_message),
                                              .wide = true};

void index_init_messages(struct index *index)
{
    index->messages.kind = &message_kind;
}

struct id_number index_bound(const char *id)
{
    struct id_number number = {0};
    if (*id && !id_to_number(id, &number))
        number = (struct id_number){UINT64_MAX, UINT64_MAX};
    return number;
}

int index_stored_message(struct index *index, struct id_number id, struct fresh_message *message)
{
    int result = packs_find(index, &index->messages, id, message);
    return result > 0 ? 0 : result ? result : ACCORD_ENOENT;
}

int index_message_after(struct index *index, struct id_number id, struct fresh_message *message)
{
    return packs_after(index, &index->messages, id, message);
}

int index_message_before(struct index *index, struct id_number id, struct fresh_message *message)
{
    return packs_before(index, &index->messages, id, message);
}

static int put_quarantined(struct index *index, enum index_statement how, struct id_number id)
{
    char text[ACCORD_ID_MAX];
    id_from_number(id, text);
    return index_run(index, index_bind(index, how, "t", text));
}

int index_add_message(struct index *index, const struct fresh_message *message)
{
    int result = packs_put(index, &index->messages, message);
    return result || !(message->flags & STORE_QUARANTINED)
               ? result
               : put_quarantined(index, INDEX_ADD_QUARANTINED, message->id);
}

int index_change_message(struct index *index, const struct fresh_message *message)
{
    int result = index_add_message(index, message);
    return result || message->flags & STORE_QUARANTINED
               ? result
               : put_quarantined(index, INDEX_DROP_QUARANTINED, message->id);
}

int index_drop_message(struct index *index, struct id_number id)
{
    return packs_drop(index, &index->messages, id);
}

/* In the order of their ids, so that each packed row is written once. */
int index_write_messages(struct index *index)
{
    const struct fresh_message **newest_first;
    size_t count;
    int result = index_list_fresh(index, index_bound("~"), &newest_first, &count);
    if (result)
        return result;
    while (!result && count)
        result = index_add_message(index, newest_first[--count]);
    free(newest_first);
    return result;
}

/* ---- quarantine ---- */

int index_next_quarantined(struct index *index, sqlite3_stmt *row, struct fresh_message *message)
{
    int result = index_step(index, row);
    if (result <= 0)
        return result;
    struct id_number id;
    const char *text = (const char *)sqlite3_column_text(row, 0);
    result = text && id_to_number(text, &id) ? index_stored_message(index, id, message) : ACCORD_ENOENT;
    index->corrupt |= result == ACCORD_ENOENT;
    if (!result)
        return 1;
    sqlite3_reset(row);
    return result == ACCORD_ENOENT ? ACCORD_EFORMAT : result;
}

int index_adopt_quarantined(struct index *index, uint32_t from, uint32_t to)
{
    sqlite3_stmt *row = index_bind(index, INDEX_QUARANTINED, "");
    struct fresh_message message;
    int result;
    while ((result = index_next_quarantined(index, row, &message)) > 0) {
        if (message.origin != from)
            continue;
        message.origin = to;
        if ((result = packs_put(index, &index->messages, &message)))
            break;
    }
    sqlite3_reset(row);
    return result;
}

/* ---- files of the journal that are gone ---- */

int index_oldest_position(struct index *index, uint64_t *position)
{
    struct fresh_message message = {0};
    int result = 0;
    *position = 0;
    for (int i = 0; i < LOOKED_AT && (result = index_message_after(index, message.id, &message)) > 0; i++)
        if (!*position || message.position < *position)
            *position = message.position;
    return result < 0 ? result : 0;
}

/* Those that are in later files and began in these. */
static int count_spanning(struct index *index, uint32_t last, uint64_t *count)
{
    sqlite3_stmt *row = index_bind(index, INDEX_SPANNING, "i", (int64_t)last);
    struct fresh_message message;
    int result;
    while ((result = index_step(index, row)) > 0) {
        struct id_number id;
        const char *text = (const char *)sqlite3_column_text(row, 0);
        if (!text || !id_to_number(text, &id))
            continue;
        result = index_stored_message(index, id, &message);
        if (!result)
            *count += message.position >= POSITION(last + 1, 0);
        else if (result != ACCORD_ENOENT)
            break;
    }
    sqlite3_reset(row);
    return result;
}

int index_count_lost(struct index *index, uint32_t first, uint32_t last, uint64_t *count)
{
    struct fresh_message message = {0};
    int result;
    *count = 0;
    while ((result = index_message_after(index, message.id, &message)) > 0)
        *count += message.position >= POSITION(first, 0) && message.position < POSITION(last + 1, 0);
    return result ? result : count_spanning(index, last, count);
}
