/* Reading the memory back end. */
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"
#include "util/text.h"

static uint8_t *small_payload(struct memory *m, struct store_claim *claim, const struct record_admission *a)
{
    size_t size = (size_t)a->size, got = 0;
    if (a->piece_count != 1 || a->size > STORE_SMALL || size > claim->payload_room - claim->payload_bytes)
        return NULL;
    uint8_t *payload = malloc(size);
    if (!payload || memory_peek(m, record_piece_position(a, 0), NULL, 0, payload, size, &got) ||
        got != size) {
        free(payload);
        return NULL;
    }
    claim->payload_bytes += size;
    return payload;
}

static int claim_one(struct memory *m, struct store_claim *claim, struct store_delivery *delivery)
{
    struct record_admission_room room;
    const struct kept *kept = memory_message(m, delivery->message);
    const struct record_admission *a = kept ? memory_decode(kept, &room) : NULL;
    struct store_claimed *claimed = &claim->claimed[claim->count];
    if (!a || !(claimed->message = message_new(a)))
        return ACCORD_ENOMEM;
    text_copy(claimed->message->origin, sizeof claimed->message->origin, kept->origin);
    claimed->message->flags = kept->flags;
    delivery->state = STORE_SENDING;
    claimed->delivery = *delivery;
    claimed->size = claimed->message->size;
    claimed->payload = small_payload(m, claim, a);
    claim->count++;
    return 0;
}

/* In order, a delivery that is neither over nor can be claimed now stops those behind it. */
static bool blocks(const struct store_claim *claim, const struct store_delivery *delivery)
{
    if (claim->order == STORE_ANY_ORDER || delivery->state == STORE_DELIVERED ||
        delivery->state == STORE_DISCARDED)
        return false;
    return delivery->state != STORE_DEAD || claim->order == STORE_ORDERED;
}

int memory_claim(void *state, struct store_claim *claim)
{
    struct memory *m = state;
    const struct store_delivery *blocker = NULL;
    int result = 0;
    claim->count = 0;
    claim->payload_bytes = 0;
    claim->next = 0;
    claim->blocked_by[0] = 0;
    for (size_t i = 0; i < m->deliveries.count && !result; i++) {
        struct store_delivery *delivery = &m->deliveries.items[i].delivery;
        if (!memory_of_route(delivery, claim->agreement, claim->service))
            continue;
        bool waits = delivery->state == STORE_WAITING, due = waits && delivery->not_before <= claim->now;
        if (blocker) {
            if (waits)
                text_copy(claim->blocked_by, sizeof claim->blocked_by, blocker->message);
        } else if (due && claim->count < claim->limit) {
            result = claim_one(m, claim, delivery);
        } else {
            int64_t when = due ? claim->now : delivery->not_before;
            if (waits && (!claim->next || when < claim->next))
                claim->next = when > 0 ? when : 1;
            if (blocks(claim, delivery)) {
                blocker = delivery;
                if (due)
                    break; /* only the limit is in its way */
            }
        }
    }
    claim->stopped = blocker;
    return result;
}

int memory_peek(void *state, uint64_t position, const struct seal_bond *bond, size_t offset, void *to,
                size_t room, size_t *got)
{
    (void)bond;
    const struct memory *m = state;
    if (position >= m->pieces.count || offset > m->pieces.items[position].size)
        return ACCORD_EIO;
    const struct cell *cell = &m->pieces.items[position];
    *got = cell->size - offset < room ? cell->size - offset : room;
    memcpy(to, cell->data + offset, *got);
    return 0;
}

int memory_read(void *state, struct store_read *read)
{
    struct record_admission_room room;
    struct kept *kept = memory_message(state, read->message);
    const struct record_admission *a = kept ? memory_decode(kept, &room) : NULL;
    read->got = 0;
    if (!a)
        return ACCORD_ENOENT;
    if (read->offset < 0)
        return ACCORD_EINVAL;
    while (read->got < read->room && read->offset + (int64_t)read->got < a->size) {
        size_t at = (size_t)read->offset + read->got, got = 0;
        int result =
            memory_peek(state, record_piece_position(a, at / ACCORD_PIECE_MAX), NULL, at % ACCORD_PIECE_MAX,
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
    const struct record_admission *a = memory_decode(kept, &room);
    struct store_message *message = a ? message_new(a) : NULL;
    if (!message)
        return NULL;
    text_copy(message->origin, sizeof message->origin, kept->origin);
    message->flags = kept->flags;
    size_t count = kept->count + kept->releases;
    if (count && !(message->deliveries = malloc(count * sizeof *message->deliveries))) {
        store_message_free(message);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = i < kept->count ? kept->first + i : kept->released + i - kept->count;
        message->deliveries[i] = m->deliveries.items[at].delivery;
    }
    message->delivery_count = count;
    return message;
}

int memory_get(void *state, struct store_get *get)
{
    struct kept *kept = memory_message(state, get->message);
    get->found = kept ? rebuild(state, kept) : NULL;
    return !kept ? ACCORD_ENOENT : get->found ? 0 : ACCORD_ENOMEM;
}

static bool of_agreement(const struct store_message *message, const char *agreement)
{
    if (text_is_below(message->origin, agreement))
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

int memory_scan(void *state, struct store_scan *scan)
{
    struct memory *m = state;
    scan->count = 0;
    for (size_t i = 0; i < m->messages.count; i++) {
        struct store_message *message = NULL;
        if (m->messages.items[i].gone)
            continue;
        if (!(message = rebuild(m, &m->messages.items[i])))
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

static int count_deliveries(struct memory *m, struct store_counts *counts, const struct kept *kept,
                            size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        const struct store_delivery *delivery = &m->deliveries.items[i].delivery;
        struct store_count *row = count_row(counts, delivery);
        if (!row)
            return ACCORD_ENOMEM;
        row->states[delivery->state]++;
        if (delivery->state < STORE_DELIVERED && (!row->oldest || kept->time < row->oldest))
            row->oldest = kept->time;
    }
    return 0;
}

int memory_counts(void *state, struct store_counts *counts)
{
    struct memory *m = state;
    int result = 0;
    *counts = (struct store_counts){0};
    for (size_t i = 0; i < m->messages.count && !result; i++) {
        const struct kept *kept = &m->messages.items[i];
        if (kept->gone)
            continue;
        counts->messages++;
        counts->bytes += (uint64_t)kept->size;
        counts->quarantined += (kept->flags & STORE_QUARANTINED) != 0;
        result = count_deliveries(m, counts, kept, kept->first, kept->count);
        if (!result)
            result = count_deliveries(m, counts, kept, kept->released, kept->releases);
    }
    return result;
}

const char *memory_cursor_of(const struct memory *m, const char *route)
{
    for (size_t i = m->cursors.count; i-- > 0;)
        if (!strcmp(m->cursors.items[i].route, route))
            return m->cursors.items[i].value;
    return "";
}

int memory_cursor(void *state, struct store_cursor *cursor)
{
    text_copy(cursor->value, sizeof cursor->value, memory_cursor_of(state, cursor->route));
    return 0;
}

int memory_trail(void *state, struct store_trail *trail)
{
    const struct memory *m = state;
    for (trail->count = 0; trail->count < trail->limit && trail->position < m->lines.count; trail->count++) {
        const struct cell *line = &m->lines.items[trail->position++];
        buf_put(trail->lines, line->data, line->size);
        buf_byte(trail->lines, '\n');
    }
    return trail->lines->failed ? ACCORD_ENOMEM : 0;
}

int memory_heads(void *state, struct store_heads *heads)
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
