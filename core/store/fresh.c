#include "store/fresh.h"

#include <stdlib.h>
#include <string.h>

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 64;
    void *moved = realloc(*items, more * size);
    if (!moved)
        return false;
    *items = moved;
    *room = more;
    return true;
}

void fresh_place_init(struct fresh_place *place)
{
    for (size_t i = 0; i < FRESH_LISTS; i++)
        place->first[i] = place->last[i] = LOOKUP_NONE;
    place->later = place->promoted = 0;
}

struct fresh_row *fresh_at(const struct fresh *fresh, uint32_t row)
{
    return row == LOOKUP_NONE ? NULL : &fresh->rows[row];
}

struct fresh_row *fresh_row(const struct fresh *fresh, uint64_t number)
{
    uint32_t at = lookup_first(&fresh->by_number, lookup_hash_number(number));
    while (at != LOOKUP_NONE && fresh->rows[at].delivery.number != number)
        at = lookup_next(&fresh->by_number, at);
    return fresh_at(fresh, at);
}

static uint64_t hash_id(struct id_number id)
{
    return lookup_hash_number(id.high ^ id.low);
}

const struct fresh_message *fresh_message(const struct fresh *fresh, struct id_number id)
{
    uint32_t at = lookup_first(&fresh->by_id, hash_id(id));
    while (at != LOOKUP_NONE && id_compare(fresh->messages[at].id, id))
        at = lookup_next(&fresh->by_id, at);
    return at == LOOKUP_NONE ? NULL : &fresh->messages[at];
}

const char *fresh_key(const struct fresh *fresh, uint32_t at)
{
    return (const char *)fresh->key_texts.data + fresh->keys[at];
}

int64_t fresh_key_time(const struct fresh *fresh, uint32_t at)
{
    int64_t time;
    memcpy(&time, fresh_key(fresh, at) - sizeof time, sizeof time);
    return time;
}

struct fresh_message *fresh_message_to_change(struct fresh *fresh, struct id_number id)
{
    const struct fresh_message *message = fresh_message(fresh, id);
    return message ? &fresh->messages[message - fresh->messages] : NULL;
}

bool fresh_has_key(const struct fresh *fresh, const char *key, int64_t since)
{
    uint32_t at = lookup_first(&fresh->by_text, lookup_hash_text(key));
    while (at != LOOKUP_NONE && (strcmp(fresh_key(fresh, at), key) || fresh_key_time(fresh, at) < since))
        at = lookup_next(&fresh->by_text, at);
    return at != LOOKUP_NONE;
}

/* ---- adding ---- */

struct fresh_row *fresh_add_row(struct fresh *fresh, const struct index_delivery *delivery, bool stored)
{
    uint32_t at = fresh->by_number.count;
    if (!grow((void **)&fresh->rows, &fresh->row_room, at, sizeof *fresh->rows) ||
        lookup_add(&fresh->by_number, lookup_hash_number(delivery->number)))
        return NULL;
    fresh->rows[at] = (struct fresh_row){.delivery = *delivery,
                                         .previous = LOOKUP_NONE,
                                         .next = LOOKUP_NONE,
                                         .list = FRESH_LISTS,
                                         .stored = stored,
                                         .packed = delivery->packed};
    return &fresh->rows[at];
}

int fresh_add_message(struct fresh *fresh, const struct fresh_message *message)
{
    uint32_t at = fresh->by_id.count;
    if (!grow((void **)&fresh->messages, &fresh->message_room, at, sizeof *fresh->messages) ||
        lookup_add(&fresh->by_id, hash_id(message->id)))
        return ACCORD_ENOMEM;
    fresh->messages[at] = *message;
    return 0;
}

int fresh_add_seen(struct fresh *fresh, const struct fresh_seen *seen)
{
    uint32_t at = fresh->by_key.count;
    if (!grow((void **)&fresh->seen, &fresh->seen_room, at, sizeof *fresh->seen) ||
        lookup_add(&fresh->by_key, lookup_hash_number(seen->key)))
        return ACCORD_ENOMEM;
    fresh->seen[at] = *seen;
    return 0;
}

int fresh_add_key(struct fresh *fresh, const char *key, int64_t time)
{
    uint32_t at = fresh->by_text.count;
    size_t offset = fresh->key_texts.size + sizeof time;
    buf_put(&fresh->key_texts, &time, sizeof time);
    buf_put(&fresh->key_texts, key, strlen(key) + 1);
    if (fresh->key_texts.failed || offset > UINT32_MAX ||
        !grow((void **)&fresh->keys, &fresh->key_room, at, sizeof *fresh->keys) ||
        lookup_add(&fresh->by_text, lookup_hash_text(key)))
        return ACCORD_ENOMEM;
    fresh->keys[at] = (uint32_t)offset;
    return 0;
}

/* ---- lists ---- */

static enum fresh_list list_for(const struct fresh_row *row)
{
    enum store_state state = row->delivery.state;
    if (row->sending)
        return FRESH_SENDING;
    return state == STORE_WAITING                       ? FRESH_WAITING
           : state == STORE_HELD || state == STORE_DEAD ? FRESH_STOPPED
                                                        : FRESH_LISTS;
}

void fresh_unlist(struct fresh *fresh, struct fresh_place *place, struct fresh_row *row)
{
    struct fresh_row *previous = fresh_at(fresh, row->previous), *next = fresh_at(fresh, row->next);
    if (row->list == FRESH_LISTS)
        return;
    *(previous ? &previous->next : &place->first[row->list]) = row->next;
    *(next ? &next->previous : &place->last[row->list]) = row->previous;
    place->later -= row->later;
    place->promoted -= row->promoted;
    row->later = row->promoted = false;
    row->list = FRESH_LISTS;
}

/* New rows go to the end; what comes back has one of the lowest numbers, so it is looked for from the front. */
static struct fresh_row *row_before(const struct fresh *fresh, const struct fresh_place *place,
                                    enum fresh_list list, uint64_t number)
{
    struct fresh_row *last = fresh_at(fresh, place->last[list]), *before = NULL;
    if (!last || list == FRESH_SENDING || last->delivery.number < number)
        return last;
    struct fresh_row *row = fresh_at(fresh, place->first[list]);
    while (row && row->delivery.number < number) {
        before = row;
        row = fresh_at(fresh, row->next);
    }
    return before;
}

void fresh_relist(struct fresh *fresh, struct fresh_place *place, struct fresh_row *row)
{
    enum fresh_list list = list_for(row);
    uint32_t at = (uint32_t)(row - fresh->rows);
    fresh_unlist(fresh, place, row);
    if (list == FRESH_LISTS)
        return;
    struct fresh_row *before = row_before(fresh, place, list, row->delivery.number);
    uint32_t *link = before ? &before->next : &place->first[list];
    row->previous = before ? (uint32_t)(before - fresh->rows) : LOOKUP_NONE;
    row->next = *link;
    *link = at;
    struct fresh_row *next = fresh_at(fresh, row->next);
    *(next ? &next->previous : &place->last[list]) = at;
    row->list = (uint8_t)list;
    row->later = list == FRESH_WAITING && row->delivery.not_before > 0;
    row->promoted = list == FRESH_WAITING && row->stored && !row->dirty;
    place->later += row->later;
    place->promoted += row->promoted;
}

/* ---- forgetting ---- */

void fresh_clear(struct fresh *fresh)
{
    lookup_clear(&fresh->by_number);
    lookup_clear(&fresh->by_id);
    lookup_clear(&fresh->by_key);
    lookup_clear(&fresh->by_text);
    buf_clear(&fresh->key_texts);
}

void fresh_keep_sending(struct fresh *fresh)
{
    uint32_t count = fresh->by_number.count;
    fresh_clear(fresh);
    for (uint32_t i = 0; i < count; i++) {
        struct fresh_row row = fresh->rows[i];
        if (!row.sending)
            continue;
        struct fresh_row *again = fresh_add_row(fresh, &row.delivery, !row.kept); /* the room is there */
        again->sending = true;
        again->dirty = row.kept;
    }
}

void fresh_fini(struct fresh *fresh)
{
    free(fresh->rows);
    free(fresh->messages);
    free(fresh->seen);
    free(fresh->keys);
    lookup_fini(&fresh->by_number);
    lookup_fini(&fresh->by_id);
    lookup_fini(&fresh->by_key);
    lookup_fini(&fresh->by_text);
    buf_fini(&fresh->key_texts);
    *fresh = (struct fresh){0};
}
