/* The back end for tests: plain lists, searched from end to end. Nothing outlives store_close(). */
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"
#include "util/text.h"

bool memory_grow(void **items, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 16;
    void *moved = realloc(*items, more * size);
    if (!moved)
        return false;
    *items = moved;
    *room = more;
    return true;
}

static bool cell_copy(struct cell *cell, const void *bytes, size_t size)
{
    cell->data = malloc(size ? size : 1);
    cell->size = size;
    if (cell->data && size)
        memcpy(cell->data, bytes, size);
    return cell->data != NULL;
}

/* ---- life ---- */

static int memory_open(void **state, const struct store_config *config, struct backend_found *found,
                       struct reason *why)
{
    (void)config;
    if (!(*state = calloc(1, sizeof(struct memory))))
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    found->next_number = 1;
    found->recovery.fresh = true;
    return 0;
}

/* Cuts every list back to its mark. */
static void cut(struct memory *m)
{
    while (m->messages.count > m->messages.mark)
        free(m->messages.items[--m->messages.count].body.data);
    while (m->pieces.count > m->pieces.mark)
        free(m->pieces.items[--m->pieces.count].data);
    while (m->keys.count > m->keys.mark)
        free(m->keys.items[--m->keys.count].key);
    while (m->lines.count > m->lines.mark)
        free(m->lines.items[--m->lines.count].data);
    m->deliveries.count = m->deliveries.mark;
    m->cursors.count = m->cursors.mark;
    m->heads.count = m->heads.mark;
}

static void memory_close(void *state)
{
    struct memory *m = state;
    m->messages.mark = m->pieces.mark = m->keys.mark = m->lines.mark = 0;
    cut(m);
    free(m->messages.items);
    free(m->deliveries.items);
    free(m->pieces.items);
    free(m->keys.items);
    free(m->cursors.items);
    free(m->lines.items);
    free(m->heads.items);
    free(m->undo.items);
    free(m);
}

/* ---- a group ---- */

static int memory_commit(void *state)
{
    struct memory *m = state;
    m->messages.mark = m->messages.count;
    m->deliveries.mark = m->deliveries.count;
    m->pieces.mark = m->pieces.count;
    m->keys.mark = m->keys.count;
    m->cursors.mark = m->cursors.count;
    m->lines.mark = m->lines.count;
    m->heads.mark = m->heads.count;
    m->undo.count = 0;
    m->keys_mark = m->keys_before;
    m->seen_mark = m->seen_before;
    return 0;
}

static int memory_begin(void *state, uint64_t need)
{
    (void)need;
    return memory_commit(state);
}

static bool memory_fits(void *state, uint64_t need)
{
    (void)state, (void)need;
    return true;
}

static bool memory_roomy(void *state)
{
    (void)state;
    return true;
}

static void memory_rollback(void *state)
{
    struct memory *m = state;
    while (m->undo.count) {
        struct undo *undo = &m->undo.items[--m->undo.count];
        if (undo->is_message)
            m->messages.items[undo->index] = undo->kept;
        else
            m->deliveries.items[undo->index] = undo->filed;
    }
    m->keys_before = m->keys_mark;
    m->seen_before = m->seen_mark;
    cut(m);
}

struct record_admission *memory_decode(const struct kept *kept, struct record_admission_room *room)
{
    return record_get_admission(kept->body.data, kept->body.size, room) ? NULL : &room->admission;
}

static int memory_find_repeat(void *state, struct backend_repeat *repeat, enum backend_match *match)
{
    struct memory *m = state;
    *match = BACKEND_UNSEEN;
    for (size_t i = m->messages.count; i-- > 0;) {
        struct record_admission_room room;
        const struct record_admission *a = memory_decode(&m->messages.items[i], &room);
        if (!a || a->time < repeat->since || a->time < m->seen_before || strcmp(a->origin, repeat->origin))
            continue;
        bool same_hash = !memcmp(a->sha256, repeat->sha256, DIGEST_SIZE);
        bool same_id = !strcmp(a->source_id, repeat->source_id);
        if (same_hash && (same_id || !repeat->source_id[0])) {
            memcpy(repeat->id, a->id, ACCORD_ID_MAX);
            *match = BACKEND_SEEN;
            return 0;
        }
        if (same_id && repeat->source_id[0])
            *match = BACKEND_CHANGED;
    }
    return 0;
}

static int memory_find_key(void *state, const char *key, bool *used)
{
    struct memory *m = state;
    *used = false;
    for (size_t i = 0; i < m->keys.count && !*used; i++)
        *used = m->keys.items[i].time >= m->keys_before && !strcmp(m->keys.items[i].key, key);
    return 0;
}

static int memory_find_delivery(void *state, uint64_t number, struct backend_delivery *found)
{
    struct memory *m = state;
    if (!number || number > m->deliveries.count || m->deliveries.items[number - 1].gone)
        return ACCORD_ENOENT;
    const struct store_delivery *delivery = &m->deliveries.items[number - 1].delivery;
    *found = (struct backend_delivery){delivery->state, delivery->not_before,
                                       m->deliveries.items[number - 1].answer_by};
    return 0;
}

static int memory_put_piece(void *state, const struct record_piece *piece, uint64_t *position)
{
    struct memory *m = state;
    *position = m->pieces.count;
    struct cell *cell = ADD(m->pieces);
    if (cell && cell_copy(cell, piece->data, piece->size))
        return 0;
    m->pieces.count -= cell != NULL;
    return ACCORD_ENOMEM;
}

int memory_add_delivery(struct memory *m, const char *message, int64_t size, int64_t changed,
                        const struct record_delivery *from)
{
    struct filed *filed = ADD(m->deliveries);
    if (!filed)
        return ACCORD_ENOMEM;
    *filed = (struct filed){.size = size,
                            .delivery = {.number = m->deliveries.count,
                                         .state = from->state,
                                         .not_before = from->not_before,
                                         .changed = changed,
                                         .since = changed,
                                         .generation = from->generation}};
    struct store_delivery *to = &filed->delivery;
    text_copy(to->message, sizeof to->message, message);
    text_copy(to->agreement, sizeof to->agreement, from->agreement);
    text_copy(to->service, sizeof to->service, from->service);
    text_copy(to->rule, sizeof to->rule, from->rule);
    text_copy(to->reason, sizeof to->reason, from->reason);
    return 0;
}

struct kept *memory_message(struct memory *m, const char *id)
{
    for (size_t i = 0; i < m->messages.count; i++) {
        struct record_admission_room room;
        const struct record_admission *a =
            m->messages.items[i].gone ? NULL : memory_decode(&m->messages.items[i], &room);
        if (a && !strcmp(a->id, id))
            return &m->messages.items[i];
    }
    return NULL;
}

static int add_cursor(struct memory *m, const char *route, const char *value)
{
    struct cursor *cursor = ADD(m->cursors);
    if (!cursor)
        return ACCORD_ENOMEM;
    text_copy(cursor->route, sizeof cursor->route, route);
    text_copy(cursor->value, sizeof cursor->value, value);
    return 0;
}

int memory_put_note(void *state, const struct record_note *note)
{
    return add_cursor(state, note->name, note->value);
}

static int add_key(struct memory *m, const char *key, int64_t time)
{
    struct used *to = ADD(m->keys);
    if (to && (to->key = strdup(key))) {
        to->time = time;
        return 0;
    }
    m->keys.count -= to != NULL;
    return ACCORD_ENOMEM;
}

static int memory_put_admission(void *state, const struct record_admission *a)
{
    struct memory *m = state;
    struct buf body = {0};
    if (memory_message(m, a->id))
        return ACCORD_EEXIST;
    struct kept *kept = ADD(m->messages);
    record_put_admission(&body, a);
    if (!kept || body.failed) {
        m->messages.count -= kept != NULL;
        buf_fini(&body);
        return ACCORD_ENOMEM;
    }
    *kept = (struct kept){.body = {body.data, body.size},
                          .first = m->deliveries.count,
                          .count = a->delivery_count,
                          .time = a->time,
                          .size = a->size,
                          .settled = a->changed,
                          .flags = a->flags};
    text_copy(kept->origin, sizeof kept->origin, a->origin);
    int result = 0;
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        result = memory_add_delivery(m, a->id, a->size, a->changed, &a->deliveries[i]);
    for (size_t i = 0; !result && i < a->key_count; i++)
        result = add_key(m, a->keys[i], a->time);
    if (!result && a->cursor)
        result = add_cursor(m, a->origin, a->cursor);
    return result;
}

struct filed *memory_change(struct memory *m, size_t delivery)
{
    struct undo *undo = ADD(m->undo);
    if (!undo)
        return NULL;
    *undo = (struct undo){.index = delivery, .filed = m->deliveries.items[delivery]};
    return &m->deliveries.items[delivery];
}

struct kept *memory_change_message(struct memory *m, struct kept *kept)
{
    struct undo *undo = ADD(m->undo);
    if (!undo)
        return NULL;
    *undo = (struct undo){.index = (size_t)(kept - m->messages.items), .is_message = true, .kept = *kept};
    return kept;
}

static int memory_put_settlement(void *state, const struct record_settlement *s)
{
    struct filed *filed = memory_change(state, s->number - 1);
    if (!filed)
        return ACCORD_ENOMEM;
    struct store_delivery *delivery = &filed->delivery;
    filed->answer_by = s->answer_by;
    delivery->state = s->state;
    delivery->attempts += s->attempted;
    delivery->not_before = s->not_before;
    delivery->changed = s->changed;
    delivery->generation = s->generation;
    if (s->since) {
        delivery->since = s->since;
        delivery->attempts_before = delivery->attempts;
    }
    text_copy(delivery->rule, sizeof delivery->rule, s->rule);
    text_copy(delivery->reason, sizeof delivery->reason, s->reason);
    text_copy(delivery->receipt, sizeof delivery->receipt, s->receipt);
    return 0;
}

bool memory_of_route(const struct store_delivery *delivery, const char *agreement, const char *service)
{
    return !strcmp(delivery->agreement, agreement) && (!service || !strcmp(delivery->service, service));
}

static bool is_for_a_person(const struct store_delivery *delivery)
{
    return delivery->state == STORE_HELD && delivery->not_before == STORE_NEVER;
}

static int memory_put_move(void *state, struct store_move *move, int64_t now)
{
    struct memory *m = state;
    for (size_t i = 0; i < m->deliveries.count; i++) {
        const struct store_delivery *found = &m->deliveries.items[i].delivery;
        if (found->state != move->from || is_for_a_person(found) ||
            !memory_of_route(found, move->agreement, move->service))
            continue;
        struct filed *filed = memory_change(m, i);
        if (!filed)
            return ACCORD_ENOMEM;
        struct store_delivery *delivery = &filed->delivery;
        delivery->state = move->to;
        delivery->changed = now;
        delivery->rule[0] = delivery->receipt[0] = 0;
        text_copy(delivery->reason, sizeof delivery->reason, move->reason ? move->reason : "");
        move->moved++;
    }
    return 0;
}

static uint64_t memory_movable(void *state, const struct store_move *move)
{
    (void)move;
    return ((struct memory *)state)->deliveries.count;
}

static int put_head(struct memory *m, const struct record_audit *audit)
{
    struct store_head *head = ADD(m->heads);
    if (!head)
        return ACCORD_ENOMEM;
    text_copy(head->chain, sizeof head->chain, audit->chain);
    head->head = audit->head;
    return 0;
}

static int memory_put_audit(void *state, struct record_audit *audit, struct audit_head *head)
{
    struct memory *m = state;
    struct buf record = {0};
    int result = record_put_unsealed(&record, audit, head);
    struct cell *line = result ? NULL : ADD(m->lines);
    if (!result && (!line || !cell_copy(line, audit->line, audit->size))) {
        m->lines.count -= line != NULL;
        result = ACCORD_ENOMEM;
    }
    buf_fini(&record);
    return result ? result : put_head(m, audit);
}

static int memory_put_epoch(void *state, uint64_t epoch)
{
    ((struct memory *)state)->epoch = epoch;
    return 0;
}

static void memory_idle(void *state)
{
    (void)state;
}

const struct backend store_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .settle_down = memory_idle,
    .begin = memory_begin,
    .fits = memory_fits,
    .roomy = memory_roomy,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .find_repeat = memory_find_repeat,
    .find_key = memory_find_key,
    .find_delivery = memory_find_delivery,
    .put_piece = memory_put_piece,
    .put_admission = memory_put_admission,
    .put_settlement = memory_put_settlement,
    .put_move = memory_put_move,
    .movable = memory_movable,
    .find_quarantined = memory_find_quarantined,
    .find_expected = memory_find_expected,
    .put_release = memory_put_release,
    .put_adoption = memory_put_adoption,
    .put_note = memory_put_note,
    .put_answered = memory_put_answered,
    .put_retention = memory_put_retention,
    .retention_need = memory_retention_need,
    .sweep = memory_sweep,
    .stale = memory_stale,
    .overdue = memory_overdue,
    .usage = memory_usage,
    .rotate = memory_rotate,
    .put_audit = memory_put_audit,
    .put_epoch = memory_put_epoch,
    .claim = memory_claim,
    .read = memory_read,
    .peek = memory_peek,
    .get = memory_get,
    .scan = memory_scan,
    .counts = memory_counts,
    .cursor = memory_cursor,
    .trail = memory_trail,
    .heads = memory_heads,
    .backup = memory_backup,
    .idle = memory_idle,
};
