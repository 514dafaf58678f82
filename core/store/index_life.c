/* What persons decide, in the index: messages let out of quarantine, agreements that take over another's, notes and
 * expected answers. What is rare is written through to the file's open transaction. */
#include <stdio.h>
#include <string.h>

#include "store/index.h"
#include "util/text.h"

static uint64_t column(sqlite3_stmt *row, int at)
{
    return (uint64_t)sqlite3_column_int64(row, at);
}

int index_write_through(struct index *index)
{
    int result = index_begin(index);
    index->ahead |= !result;
    index->changed = true;
    return result;
}

/* ---- messages ---- */

static int find_released(struct index *index, const char *id, struct index_entry *entry)
{
    sqlite3_stmt *row = index_bind(index, INDEX_RELEASED, "t", id);
    int result = index_step(index, row);
    if (result <= 0)
        return result;
    entry->released = column(row, 0);
    entry->releases = column(row, 1);
    entry->released_at = sqlite3_column_int64(row, 2);
    entry->size = sqlite3_column_int64(row, 3);
    sqlite3_reset(row);
    return 0;
}

int index_find_entry(struct index *index, const char *id, struct index_entry *entry)
{
    struct fresh_message message;
    *entry = (struct index_entry){0};
    int result = index_any_message(index, id, &message);
    if (result)
        return result;
    entry->position = message.position;
    entry->origin = index_name_of(index, message.origin);
    entry->flags = message.flags;
    entry->first = message.first;
    entry->count = message.count;
    return find_released(index, id, entry);
}

/* ---- quarantine ---- */

static int clear_flag(struct index *index, const char *id)
{
    struct fresh_message message, *fresh;
    int result = index_any_message(index, id, &message);
    if (result)
        return result;
    message.flags &= ~(unsigned)STORE_QUARANTINED;
    if (!(fresh = fresh_message_to_change(&index->fresh, message.id)))
        return index_change_message(index, &message);
    *fresh = message;
    return 0;
}

static void count_out(struct index *index, const char *origin, int64_t size)
{
    struct name *name = index_find_name(index, origin);
    index->progress.quarantined--;
    if (!name)
        return;
    name->quarantined--;
    name->quarantine_bytes -= (uint64_t)size;
    name->dirty = true;
}

int index_release(struct index *index, uint64_t position, const struct record_release *release)
{
    struct index_entry entry;
    int result = index_find_entry(index, release->message, &entry);
    if (result || !(entry.flags & STORE_QUARANTINED))
        return result;
    if ((result = index_write_through(index)) || (result = clear_flag(index, release->message)))
        return result;
    count_out(index, entry.origin, release->size);
    for (size_t i = 0; !result && i < release->delivery_count; i++)
        result = index_add_delivery(index,
                                    &(struct index_delivery){.number = release->first + i,
                                                             .message = entry.position,
                                                             .detail = position,
                                                             .changed = release->changed,
                                                             .size = (uint64_t)release->size},
                                    &release->deliveries[i]);
    if (index->progress.next_number < release->first + release->delivery_count)
        index->progress.next_number = release->first + release->delivery_count;
    return result ? result
                  : index_run(index, index_bind(index, INDEX_ADD_RELEASED, "tiiii", release->message,
                                                (int64_t)release->first, (int64_t)release->delivery_count,
                                                release->changed, release->size));
}

static int visit_quarantined(const struct index *index, const struct fresh_message *message,
                             int (*visit)(void *, const char *, const char *, uint64_t), void *arg)
{
    char id[ACCORD_ID_MAX];
    id_from_number(message->id, id);
    return visit(arg, id, index_name_of(index, message->origin), message->position);
}

int index_stale(struct index *index,
                int (*visit)(void *, const char *id, const char *origin, uint64_t position), void *arg)
{
    sqlite3_stmt *row = index_bind(index, INDEX_QUARANTINED, "");
    struct fresh_message message;
    int result;
    while ((result = index_next_quarantined(index, row, &message)) > 0)
        if (visit_quarantined(index, &message, visit, arg)) {
            sqlite3_reset(row);
            return 0;
        }
    for (uint32_t i = 0; !result && i < index->fresh.by_id.count; i++)
        if (index->fresh.messages[i].flags & STORE_QUARANTINED &&
            visit_quarantined(index, &index->fresh.messages[i], visit, arg))
            break;
    return result;
}

/* ---- adoption ---- */

/* Its routes begin with the agreement; its notes end with it. */
static bool is_name_of(const char *name, const char *agreement)
{
    const char *slash = strchr(name, '/');
    return name[0] == '!' ? slash && !strcmp(slash + 1, agreement) : text_is_below(name, agreement);
}

static uint64_t move_counts(struct place *from, struct place *to)
{
    static const enum store_state states[] = {STORE_WAITING, STORE_HELD, STORE_DEAD};
    uint64_t moved = 0;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        moved += from->states[states[i]];
        to->states[states[i]] += from->states[states[i]];
        from->states[states[i]] = 0;
    }
    to->open_bytes += from->open_bytes;
    from->open_bytes = 0;
    from->claimed = to->claimed = 0;
    from->dirty = to->dirty = true;
    index_forget_ahead(from);
    index_forget_ahead(to);
    return moved;
}

static void move_fresh(struct index *index, size_t from, size_t to)
{
    for (uint32_t i = 0; i < index->fresh.by_number.count; i++) {
        struct fresh_row *row = &index->fresh.rows[i];
        if (row->delivery.place != from || row->delivery.state == STORE_DELIVERED ||
            row->delivery.state == STORE_DISCARDED)
            continue;
        fresh_unlist(&index->fresh, &index->places[from].fresh, row);
        index->places[from].sending -= row->sending;
        index->places[to].sending += row->sending;
        row->delivery.place = to;
        index_relist(index, row);
    }
}

static int adopt_place(struct index *index, size_t from, const char *agreement, uint64_t *moved)
{
    static const enum index_statement statements[] = {INDEX_ADOPT_WAITING, INDEX_ADOPT_HELD,
                                                      INDEX_ADOPT_DEAD};
    char service[STORE_NAME_MAX]; /* places may move */
    text_copy(service, sizeof service, index->places[from].service);
    const struct place *place = index_make_place(index, agreement, service);
    int result = place ? 0 : ACCORD_ENOMEM;
    size_t to = place ? (size_t)(place - index->places) : 0;
    for (size_t i = 0; !result && i < sizeof statements / sizeof *statements; i++)
        result = index_run(index, index_bind(index, statements[i], "ii", (int64_t)from + 1, (int64_t)to + 1));
    if (result)
        return result;
    move_fresh(index, from, to);
    *moved += move_counts(&index->places[from], &index->places[to]);
    return 0;
}

static void adopt_fresh_messages(struct index *index, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < index->fresh.by_id.count; i++) {
        struct fresh_message *message = &index->fresh.messages[i];
        if (message->origin == from && message->flags & STORE_QUARANTINED)
            message->origin = to;
    }
}

/* The origin's quarantined messages, and its cursor where the other has none. */
static int adopt_name(struct index *index, size_t from, const struct record_adoption *adoption,
                      uint64_t *moved)
{
    char text[STORE_ROUTE_MAX + 8];
    const char *name = index->names[from].text, *slash = strchr(name, '/');
    if (name[0] == '!')
        snprintf(text, sizeof text, "%.*s/%s", (int)(slash - name), name, adoption->to);
    else
        snprintf(text, sizeof text, "%s%s", adoption->to, slash);
    if (strlen(text) >= STORE_ROUTE_MAX)
        return 0; /* cannot be: services have names of their own limit */
    uint32_t id = index_make_name(index, text);
    if (!id)
        return ACCORD_ENOMEM;
    struct name *old = &index->names[from], *new = &index->names[id - 1];
    if (!new->cursor[0])
        memcpy(new->cursor, old->cursor, sizeof new->cursor), old->cursor[0] = 0;
    *moved += old->quarantined;
    new->quarantined += old->quarantined;
    new->quarantine_bytes += old->quarantine_bytes;
    old->quarantined = old->quarantine_bytes = 0;
    old->dirty = new->dirty = true;
    adopt_fresh_messages(index, (uint32_t)from + 1, id);
    return index_adopt_quarantined(index, (uint32_t)from + 1, id);
}

int index_adopt(struct index *index, const struct record_adoption *adoption, uint64_t *moved)
{
    int result = index_write_through(index);
    size_t places = index->place_count, names = index->name_count;
    for (size_t i = 0; !result && i < places; i++)
        if (!strcmp(index->places[i].agreement, adoption->from))
            result = adopt_place(index, i, adoption->to, moved);
    for (size_t i = 0; !result && i < names; i++) {
        if (is_name_of(index->names[i].text, adoption->from))
            result = adopt_name(index, i, adoption, moved);
    }
    return result;
}

/* ---- notes and answers ---- */

int index_note(struct index *index, const struct record_note *note)
{
    uint32_t id = index_make_name(index, note->name);
    if (!id)
        return ACCORD_ENOMEM;
    struct name *name = &index->names[id - 1];
    text_copy(name->cursor, sizeof name->cursor, note->value);
    name->dirty = index->changed = true;
    return 0;
}

int index_answered(struct index *index, const struct record_answered *answered)
{
    int result = 0;
    for (size_t i = 0; !result && i < answered->count; i++) {
        struct fresh_row *row;
        result = index_row(index, record_answered_number(answered, i), &row);
        if (result == ACCORD_ENOENT) {
            result = 0; /* its admission was damaged */
            continue;
        }
        if (result)
            return result;
        row->delivery.answer_by = 0;
        row->dirty = index->changed = true;
    }
    return result;
}

/* Those in the file first: they are older, as a rule. */
int index_overdue(struct index *index, int64_t now, struct index_delivery *found, size_t limit, size_t *count)
{
    int result = 0;
    *count = 0;
    sqlite3_stmt *row = index_bind(index, INDEX_OVERDUE, "i", now);
    while (*count < limit && (result = index_step(index, row)) > 0) {
        if ((result = index_read_row(index, row, &found[*count])))
            break;
        *count += fresh_row(&index->fresh, found[*count].number) == NULL;
    }
    sqlite3_reset(row);
    for (uint32_t i = 0; result >= 0 && i < index->fresh.by_number.count && *count < limit; i++) {
        const struct index_delivery *delivery = &index->fresh.rows[i].delivery;
        if (delivery->answer_by && delivery->answer_by <= now)
            found[(*count)++] = *delivery;
    }
    return result < 0 ? result : 0;
}
