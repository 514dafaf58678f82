/* The back end for tests: plain lists, searched from end to end. Nothing outlives store_close(). */
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"
#include "util/text.h"

struct cell { /* one byte string of its own allocation */
    uint8_t *data;
    size_t size;
};

struct kept { /* a message: its admission as an encoded body, and where its deliveries stand */
    struct cell body;
    size_t first, count; /* in `deliveries` */
};

struct cursor {
    char route[STORE_ROUTE_MAX], value[ACCORD_SOURCE_ID_MAX];
};

struct undo { /* a delivery before the group changed it */
    size_t index;
    struct store_delivery before;
};

#define LIST(type)                                                                                           \
    struct {                                                                                                 \
        type *items;                                                                                         \
        size_t count, room, mark; /* mark: count when the group began */                                     \
    }

struct memory {
    LIST(struct kept) messages;
    LIST(struct store_delivery) deliveries; /* number is index + 1 */
    LIST(struct cell) pieces;
    LIST(char *) keys;
    LIST(struct cursor) cursors; /* the last entry of a route counts */
    LIST(struct cell) lines;
    LIST(struct store_head) heads; /* the last entry of a chain counts */
    LIST(struct undo) undo;
    uint64_t epoch;
};

static bool grow(void **items, size_t *room, size_t count, size_t size)
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
#define ADD(list)                                                                                            \
    (grow((void **)&(list).items, &(list).room, (list).count, sizeof *(list).items)                          \
         ? &(list).items[(list).count++]                                                                     \
         : NULL)

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
        free(m->keys.items[--m->keys.count]);
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
        m->deliveries.items[undo->index] = undo->before;
    }
    cut(m);
}

static struct record_admission *decode(const struct kept *kept, struct record_admission_room *room)
{
    return record_get_admission(kept->body.data, kept->body.size, room) ? NULL : &room->admission;
}

static int memory_find_repeat(void *state, struct backend_repeat *repeat, enum backend_match *match)
{
    struct memory *m = state;
    *match = BACKEND_UNSEEN;
    for (size_t i = m->messages.count; i-- > 0;) {
        struct record_admission_room room;
        const struct record_admission *a = decode(&m->messages.items[i], &room);
        if (!a || a->time < repeat->since || strcmp(a->origin, repeat->origin))
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
        *used = !strcmp(m->keys.items[i], key);
    return 0;
}

static int memory_find_delivery(void *state, uint64_t number, enum store_state *found)
{
    struct memory *m = state;
    if (!number || number > m->deliveries.count)
        return ACCORD_ENOENT;
    *found = m->deliveries.items[number - 1].state;
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

static int add_delivery(struct memory *m, const struct record_admission *a,
                        const struct record_delivery *from)
{
    struct store_delivery *to = ADD(m->deliveries);
    if (!to)
        return ACCORD_ENOMEM;
    *to = (struct store_delivery){.number = m->deliveries.count,
                                  .state = from->state,
                                  .not_before = from->not_before,
                                  .changed = a->changed,
                                  .generation = from->generation};
    text_copy(to->message, sizeof to->message, a->id);
    text_copy(to->agreement, sizeof to->agreement, from->agreement);
    text_copy(to->service, sizeof to->service, from->service);
    text_copy(to->rule, sizeof to->rule, from->rule);
    text_copy(to->reason, sizeof to->reason, from->reason);
    return 0;
}

static struct kept *find_message(struct memory *m, const char *id)
{
    for (size_t i = 0; i < m->messages.count; i++) {
        struct record_admission_room room;
        const struct record_admission *a = decode(&m->messages.items[i], &room);
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

static int add_key(struct memory *m, const char *key)
{
    char **to = ADD(m->keys);
    if (to && (*to = strdup(key)))
        return 0;
    m->keys.count -= to != NULL;
    return ACCORD_ENOMEM;
}

static int memory_put_admission(void *state, const struct record_admission *a)
{
    struct memory *m = state;
    struct buf body = {0};
    if (find_message(m, a->id))
        return ACCORD_EEXIST;
    struct kept *kept = ADD(m->messages);
    record_put_admission(&body, a);
    if (!kept || body.failed) {
        m->messages.count -= kept != NULL;
        buf_fini(&body);
        return ACCORD_ENOMEM;
    }
    *kept = (struct kept){{body.data, body.size}, m->deliveries.count, a->delivery_count};
    int result = 0;
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        result = add_delivery(m, a, &a->deliveries[i]);
    for (size_t i = 0; !result && i < a->key_count; i++)
        result = add_key(m, a->keys[i]);
    if (!result && a->cursor)
        result = add_cursor(m, a->origin, a->cursor);
    return result;
}

/* The delivery, to be changed; what it was is kept for rollback. */
static struct store_delivery *change(struct memory *m, size_t index)
{
    struct undo *undo = ADD(m->undo);
    if (!undo)
        return NULL;
    *undo = (struct undo){index, m->deliveries.items[index]};
    return &m->deliveries.items[index];
}

static int memory_put_settlement(void *state, const struct record_settlement *s)
{
    struct store_delivery *delivery = change(state, s->number - 1);
    if (!delivery)
        return ACCORD_ENOMEM;
    delivery->state = s->state;
    delivery->attempts += s->attempted;
    delivery->not_before = s->not_before;
    delivery->changed = s->changed;
    delivery->generation = s->generation;
    text_copy(delivery->rule, sizeof delivery->rule, s->rule);
    text_copy(delivery->reason, sizeof delivery->reason, s->reason);
    text_copy(delivery->receipt, sizeof delivery->receipt, s->receipt);
    return 0;
}

static bool of_route(const struct store_delivery *delivery, const char *agreement, const char *service)
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
        if (m->deliveries.items[i].state != move->from || is_for_a_person(&m->deliveries.items[i]) ||
            !of_route(&m->deliveries.items[i], move->agreement, move->service))
            continue;
        struct store_delivery *delivery = change(m, i);
        if (!delivery)
            return ACCORD_ENOMEM;
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

static int memory_put_audit(void *state, const struct record_audit *audit)
{
    struct memory *m = state;
    struct cell *line = ADD(m->lines);
    if (!line || !cell_copy(line, audit->line, audit->size)) {
        m->lines.count -= line != NULL;
        return ACCORD_ENOMEM;
    }
    struct store_head *head = ADD(m->heads);
    if (!head)
        return ACCORD_ENOMEM;
    text_copy(head->chain, sizeof head->chain, audit->chain);
    head->head = audit->head;
    return 0;
}

static int memory_put_epoch(void *state, uint64_t epoch)
{
    ((struct memory *)state)->epoch = epoch;
    return 0;
}

/* ---- outside a group ---- */

static int claim_one(struct memory *m, struct store_claim *claim, struct store_delivery *delivery)
{
    struct record_admission_room room;
    const struct kept *kept = find_message(m, delivery->message);
    const struct record_admission *a = kept ? decode(kept, &room) : NULL;
    struct store_claimed *claimed = &claim->claimed[claim->count];
    if (!a || !(claimed->message = message_new(a)))
        return ACCORD_ENOMEM;
    delivery->state = STORE_SENDING;
    claimed->delivery = *delivery;
    claim->count++;
    return 0;
}

static int memory_claim(void *state, struct store_claim *claim)
{
    struct memory *m = state;
    int result = 0;
    claim->count = 0;
    claim->next = 0;
    for (size_t i = 0; i < m->deliveries.count && !result; i++) {
        struct store_delivery *delivery = &m->deliveries.items[i];
        if (delivery->state != STORE_WAITING || !of_route(delivery, claim->agreement, claim->service))
            continue;
        bool due = delivery->not_before <= claim->now;
        int64_t when = due ? claim->now : delivery->not_before;
        if (due && claim->count < claim->limit)
            result = claim_one(m, claim, delivery);
        else if (!claim->next || when < claim->next)
            claim->next = when > 0 ? when : 1;
    }
    return result;
}

static int memory_peek(void *state, uint64_t position, size_t offset, void *to, size_t room, size_t *got)
{
    const struct memory *m = state;
    if (position >= m->pieces.count || offset > m->pieces.items[position].size)
        return ACCORD_EIO;
    const struct cell *cell = &m->pieces.items[position];
    *got = cell->size - offset < room ? cell->size - offset : room;
    memcpy(to, cell->data + offset, *got);
    return 0;
}

static int memory_read(void *state, struct store_read *read)
{
    struct record_admission_room room;
    struct kept *kept = find_message(state, read->message);
    const struct record_admission *a = kept ? decode(kept, &room) : NULL;
    read->got = 0;
    if (!a)
        return ACCORD_ENOENT;
    if (read->offset < 0)
        return ACCORD_EINVAL;
    while (read->got < read->room && read->offset + (int64_t)read->got < a->size) {
        size_t at = (size_t)read->offset + read->got, got = 0;
        int result =
            memory_peek(state, record_piece_position(a, at / ACCORD_PIECE_MAX), at % ACCORD_PIECE_MAX,
                        (uint8_t *)read->to + read->got, read->room - read->got, &got);
        if (result)
            return result;
        read->got += got;
    }
    return 0;
}

static struct store_message *rebuild(struct memory *m, const struct kept *kept)
{
    struct record_admission_room room;
    const struct record_admission *a = decode(kept, &room);
    struct store_message *message = a ? message_new(a) : NULL;
    if (!message || !kept->count)
        return message;
    message->deliveries = malloc(kept->count * sizeof *message->deliveries);
    if (!message->deliveries) {
        store_message_free(message);
        return NULL;
    }
    memcpy(message->deliveries, m->deliveries.items + kept->first, kept->count * sizeof *message->deliveries);
    message->delivery_count = kept->count;
    return message;
}

static int memory_get(void *state, struct store_get *get)
{
    struct kept *kept = find_message(state, get->message);
    get->found = kept ? rebuild(state, kept) : NULL;
    return !kept ? ACCORD_ENOENT : get->found ? 0 : ACCORD_ENOMEM;
}

static bool of_agreement(const struct store_message *message, const char *agreement)
{
    size_t size = strlen(agreement);
    if (!strncmp(message->origin, agreement, size) && message->origin[size] == '/')
        return true;
    for (size_t i = 0; i < message->delivery_count; i++)
        if (!strcmp(message->deliveries[i].agreement, agreement))
            return true;
    return false;
}

static bool in_state(const struct store_message *message, int wanted)
{
    if (wanted <= 0)
        return !wanted || (message->flags & STORE_QUARANTINED);
    for (size_t i = 0; i < message->delivery_count; i++)
        if ((int)message->deliveries[i].state == wanted)
            return true;
    return false;
}

/* Puts a message into the page, newest id first; one that does not belong there is freed. */
static void page_insert(struct store_scan *scan, struct store_message *message)
{
    size_t at = scan->count;
    while (at && strcmp(scan->found[at - 1]->id, message->id) < 0)
        at--;
    if (at == scan->limit) {
        store_message_free(message);
        return;
    }
    if (scan->count == scan->limit)
        store_message_free(scan->found[--scan->count]);
    memmove(scan->found + at + 1, scan->found + at, (scan->count - at) * sizeof *scan->found);
    scan->found[at] = message;
    scan->count++;
}

static int memory_scan(void *state, struct store_scan *scan)
{
    struct memory *m = state;
    scan->count = 0;
    for (size_t i = 0; i < m->messages.count; i++) {
        struct store_message *message = rebuild(m, &m->messages.items[i]);
        if (!message)
            return ACCORD_ENOMEM;
        if ((!scan->before || strcmp(message->id, scan->before) < 0) &&
            (!scan->type || !strcmp(message->type, scan->type)) && in_state(message, scan->state) &&
            (!scan->agreement || of_agreement(message, scan->agreement)))
            page_insert(scan, message);
        else
            store_message_free(message);
    }
    return 0;
}

static struct store_count *count_row(struct store_counts *counts, const struct store_delivery *delivery)
{
    for (size_t i = 0; i < counts->count; i++)
        if (!strcmp(counts->rows[i].agreement, delivery->agreement) &&
            !strcmp(counts->rows[i].service, delivery->service))
            return &counts->rows[i];
    struct store_count *rows = realloc(counts->rows, (counts->count + 1) * sizeof *rows);
    if (!rows)
        return NULL;
    counts->rows = rows;
    struct store_count *row = &rows[counts->count++];
    *row = (struct store_count){0};
    text_copy(row->agreement, sizeof row->agreement, delivery->agreement);
    text_copy(row->service, sizeof row->service, delivery->service);
    return row;
}

static int count_message(struct memory *m, struct store_counts *counts, const struct kept *kept)
{
    struct record_admission_room room;
    const struct record_admission *a = decode(kept, &room);
    if (!a)
        return ACCORD_ENOMEM;
    counts->messages++;
    counts->bytes += (uint64_t)a->size;
    counts->quarantined += (a->flags & STORE_QUARANTINED) != 0;
    for (size_t i = kept->first; i < kept->first + kept->count; i++) {
        const struct store_delivery *delivery = &m->deliveries.items[i];
        struct store_count *row = count_row(counts, delivery);
        if (!row)
            return ACCORD_ENOMEM;
        row->states[delivery->state]++;
        if (delivery->state < STORE_DELIVERED && (!row->oldest || a->time < row->oldest))
            row->oldest = a->time;
    }
    return 0;
}

static int memory_counts(void *state, struct store_counts *counts)
{
    struct memory *m = state;
    int result = 0;
    *counts = (struct store_counts){0};
    for (size_t i = 0; i < m->messages.count && !result; i++)
        result = count_message(m, counts, &m->messages.items[i]);
    return result;
}

static int memory_cursor(void *state, struct store_cursor *cursor)
{
    const struct memory *m = state;
    cursor->value[0] = 0;
    for (size_t i = m->cursors.count; i-- > 0;)
        if (!strcmp(m->cursors.items[i].route, cursor->route)) {
            text_copy(cursor->value, sizeof cursor->value, m->cursors.items[i].value);
            break;
        }
    return 0;
}

static int memory_trail(void *state, struct store_trail *trail)
{
    const struct memory *m = state;
    for (trail->count = 0; trail->count < trail->limit && trail->position < m->lines.count; trail->count++) {
        const struct cell *line = &m->lines.items[trail->position++];
        buf_put(trail->lines, line->data, line->size);
        buf_byte(trail->lines, '\n');
    }
    return trail->lines->failed ? ACCORD_ENOMEM : 0;
}

static int memory_heads(void *state, struct store_heads *heads)
{
    const struct memory *m = state;
    *heads = (struct store_heads){.rows = calloc(m->heads.count + 1, sizeof *heads->rows)};
    if (!heads->rows)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < m->heads.count; i++) {
        size_t at = 0;
        while (at < heads->count && strcmp(heads->rows[at].chain, m->heads.items[i].chain))
            at++;
        heads->rows[at] = m->heads.items[i];
        heads->count += at == heads->count;
    }
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
    .idle = memory_idle,
};
