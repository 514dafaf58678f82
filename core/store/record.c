#include "store/record.h"

#include <string.h>

#include "store/crc.h"

#define MAGIC 0x31524341u /* "ACR1" */

/* ---- numbers ---- */

static void put32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void put64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static uint64_t get64(const uint8_t *from)
{
    return (uint64_t)get32(from + 4) << 32 | get32(from);
}

/* ---- heads ---- */

size_t record_span(size_t body)
{
    return (RECORD_HEAD + body + 7) & ~(size_t)7;
}

uint32_t record_finish(struct buf *buf, size_t start, uint64_t position, uint64_t group,
                       enum record_type type)
{
    static const uint8_t zeros[8];
    if (buf->failed)
        return 0;
    size_t size = buf->size - start - RECORD_HEAD;
    buf_put(buf, zeros, record_span(size) - RECORD_HEAD - size);
    if (buf->failed)
        return 0;
    uint8_t *head = buf->data + start;
    put32(head, MAGIC);
    put32(head + 4, (uint32_t)size);
    put64(head + 8, position);
    put64(head + 16, group);
    put32(head + 24, type);
    put32(head + 28, crc32c(0, head + RECORD_HEAD, size));
    put32(head + 32, 0);
    uint32_t crc = crc32c(0, head, RECORD_HEAD - 4);
    put32(head + 36, crc);
    return crc;
}

bool record_read_head(const uint8_t *from, uint64_t position, struct record_head *head)
{
    if (get32(from) != MAGIC || get64(from + 8) != position || get32(from + 4) > RECORD_MAX)
        return false;
    uint32_t type = get32(from + 24);
    *head = (struct record_head){.size = get32(from + 4),
                                 .type = (uint16_t)type,
                                 .body_crc = get32(from + 28),
                                 .head_crc = get32(from + 36),
                                 .position = position,
                                 .group = get64(from + 16)};
    return type <= UINT16_MAX && get32(from + 32) == 0 && head->head_crc == crc32c(0, from, RECORD_HEAD - 4);
}

bool record_body_good(const struct record_head *head, const uint8_t *body)
{
    return crc32c(0, body, head->size) == head->body_crc;
}

/* ---- writing bodies ---- */

static void add8(struct buf *buf, unsigned value)
{
    buf_byte(buf, (uint8_t)value);
}

static void add32(struct buf *buf, uint32_t value)
{
    uint8_t *to = buf_reserve(buf, 4);
    if (to) {
        put32(to, value);
        buf->size += 4;
    }
}

static void add64(struct buf *buf, uint64_t value)
{
    uint8_t *to = buf_reserve(buf, 8);
    if (to) {
        put64(to, value);
        buf->size += 8;
    }
}

static void add_text(struct buf *buf, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > UINT16_MAX) {
        buf->failed = true;
        return;
    }
    uint8_t *to = buf_reserve(buf, 2 + size);
    if (!to)
        return;
    to[0] = (uint8_t)size;
    to[1] = (uint8_t)(size >> 8);
    memcpy(to + 2, text, size);
    buf->size += 2 + size;
}

void record_put_piece(struct buf *buf, const struct record_piece *piece)
{
    static const uint8_t none[RECORD_SEAL_SPACE];
    add32(buf, piece->seal);
    add32(buf, piece->index);
    buf_put(buf, piece->seal_data ? piece->seal_data : none, RECORD_SEAL_SPACE);
    buf_put(buf, piece->data, piece->size);
}

static void put_delivery(struct buf *buf, const struct record_delivery *delivery)
{
    add_text(buf, delivery->agreement);
    add_text(buf, delivery->service);
    add8(buf, delivery->state);
    add64(buf, (uint64_t)delivery->not_before);
    add64(buf, delivery->generation);
    add_text(buf, delivery->rule);
    add_text(buf, delivery->reason);
}

void record_put_admission(struct buf *buf, const struct record_admission *a)
{
    add_text(buf, a->id);
    add_text(buf, a->origin);
    add_text(buf, a->type);
    add_text(buf, a->name);
    add_text(buf, a->source_id);
    add64(buf, (uint64_t)a->time);
    add64(buf, (uint64_t)a->changed);
    add64(buf, (uint64_t)a->size);
    buf_put(buf, a->sha256, DIGEST_SIZE);
    add32(buf, a->flags);
    add_text(buf, a->rule);
    add_text(buf, a->reason);
    add8(buf, (unsigned)a->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        add_text(buf, a->headers[i].name);
        add_text(buf, a->headers[i].value);
    }
    add64(buf, a->first);
    add32(buf, (uint32_t)a->delivery_count);
    for (size_t i = 0; i < a->delivery_count; i++)
        put_delivery(buf, &a->deliveries[i]);
    add8(buf, a->cursor != NULL);
    if (a->cursor)
        add_text(buf, a->cursor);
    add32(buf, (uint32_t)a->key_count);
    for (size_t i = 0; i < a->key_count; i++)
        add_text(buf, a->keys[i]);
    add32(buf, (uint32_t)a->piece_count);
    buf_put(buf, a->pieces, 8 * a->piece_count);
}

void record_put_settlement(struct buf *buf, const struct record_settlement *s)
{
    add64(buf, s->number);
    add8(buf, s->state);
    add8(buf, s->attempted);
    add64(buf, (uint64_t)s->not_before);
    add64(buf, (uint64_t)s->changed);
    add64(buf, s->generation);
    add_text(buf, s->rule);
    add_text(buf, s->reason);
    add_text(buf, s->receipt);
}

void record_put_move(struct buf *buf, const struct record_move *move)
{
    add8(buf, move->to);
    add64(buf, (uint64_t)move->changed);
    add_text(buf, move->reason);
    add32(buf, (uint32_t)move->count);
    buf_put(buf, move->numbers, 8 * move->count);
}

void record_put_audit(struct buf *buf, const struct record_audit *audit)
{
    add_text(buf, audit->chain);
    add64(buf, audit->head.sequence);
    buf_put(buf, audit->head.hash, DIGEST_SIZE);
    add32(buf, (uint32_t)audit->size);
    buf_put(buf, audit->line, audit->size);
}

void record_put_epoch(struct buf *buf, uint64_t epoch)
{
    add64(buf, epoch);
}

void record_put_commit(struct buf *buf, const struct record_commit *commit)
{
    add64(buf, commit->start);
    add32(buf, commit->count);
    add32(buf, commit->heads_crc);
    add32(buf, commit->flags);
    add64(buf, commit->next_number);
    add64(buf, (uint64_t)commit->time);
}

/* ---- reading bodies: the first mistake sets `bad`, and everything read after it is empty ---- */

struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct reader *in, size_t size)
{
    static const uint8_t zeros[RECORD_SEAL_SPACE];
    if (in->bad || size > in->left) {
        in->bad = true;
        return size <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *at = in->at;
    in->at += size;
    in->left -= size;
    return at;
}

static unsigned take8(struct reader *in)
{
    return *take(in, 1);
}

static uint32_t take32(struct reader *in)
{
    return get32(take(in, 4));
}

static uint64_t take64(struct reader *in)
{
    return get64(take(in, 8));
}

static size_t take_count(struct reader *in, size_t limit)
{
    size_t count = take32(in);
    if (count <= limit)
        return count;
    in->bad = true;
    return 0;
}

static bool take_bool(struct reader *in)
{
    unsigned value = take8(in);
    if (value > 1)
        in->bad = true;
    return value == 1;
}

static enum store_state take_state(struct reader *in)
{
    unsigned value = take8(in);
    if (value < STORE_WAITING || value > STORE_DISCARDED)
        in->bad = true;
    return (enum store_state)value;
}

/* `room` counts the NUL. */
static const char *take_text(struct reader *in, size_t room)
{
    const uint8_t *sizes = take(in, 2);
    size_t size = (size_t)sizes[0] | (size_t)sizes[1] << 8;
    const uint8_t *text = !size || size > room ? NULL : take(in, size);
    if (in->bad || !text || memchr(text, 0, size) != text + size - 1) {
        in->bad = true;
        return "";
    }
    return (const char *)text;
}

static int finish(const struct reader *in)
{
    return in->bad || in->left ? ACCORD_EFORMAT : 0;
}

int record_get_piece(const uint8_t *body, size_t size, struct record_piece *piece)
{
    struct reader in = {body, size, false};
    uint32_t seal = take32(&in);
    piece->seal = (uint8_t)seal;
    piece->index = take32(&in);
    piece->seal_data = take(&in, RECORD_SEAL_SPACE);
    piece->data = in.at;
    piece->size = in.left;
    /* A sealed piece may be longer by its tag; no algorithm is known yet. */
    return in.bad || seal != 0 || !piece->size || piece->size > ACCORD_PIECE_MAX ? ACCORD_EFORMAT : 0;
}

static void take_deliveries(struct reader *in, struct record_admission_room *room)
{
    struct record_admission *a = &room->admission;
    a->first = take64(in);
    a->delivery_count = take_count(in, RECORD_DELIVERIES_MAX);
    for (size_t i = 0; i < a->delivery_count; i++) {
        struct record_delivery *delivery = &room->deliveries[i];
        delivery->agreement = take_text(in, STORE_NAME_MAX);
        delivery->service = take_text(in, STORE_NAME_MAX);
        delivery->state = take_state(in);
        delivery->not_before = (int64_t)take64(in);
        delivery->generation = take64(in);
        delivery->rule = take_text(in, ACCORD_RULE_MAX);
        delivery->reason = take_text(in, ACCORD_REASON_MAX);
    }
    a->deliveries = room->deliveries;
}

static void take_headers(struct reader *in, struct record_admission_room *room)
{
    struct record_admission *a = &room->admission;
    a->header_count = take8(in);
    if (a->header_count > ACCORD_HEADERS_MAX) {
        in->bad = true;
        a->header_count = 0;
    }
    for (size_t i = 0; i < a->header_count; i++) {
        room->headers[i].name = take_text(in, RECORD_HEADER_MAX);
        room->headers[i].value = take_text(in, RECORD_HEADER_MAX);
    }
    a->headers = room->headers;
}

static void take_keys(struct reader *in, struct record_admission_room *room)
{
    struct record_admission *a = &room->admission;
    a->key_count = take_count(in, RECORD_KEYS_MAX);
    for (size_t i = 0; i < a->key_count; i++)
        room->keys[i] = take_text(in, RECORD_KEY_MAX);
    a->keys = room->keys;
}

int record_get_admission(const uint8_t *body, size_t size, struct record_admission_room *room)
{
    struct reader in = {body, size, false};
    struct record_admission *a = &room->admission;
    *a = (struct record_admission){0};
    a->id = take_text(&in, ACCORD_ID_MAX);
    a->origin = take_text(&in, STORE_ROUTE_MAX);
    a->type = take_text(&in, STORE_NAME_MAX);
    a->name = take_text(&in, ACCORD_NAME_MAX);
    a->source_id = take_text(&in, ACCORD_SOURCE_ID_MAX);
    a->time = (int64_t)take64(&in);
    a->changed = (int64_t)take64(&in);
    a->size = (int64_t)take64(&in);
    a->sha256 = take(&in, DIGEST_SIZE);
    a->flags = take32(&in);
    a->rule = take_text(&in, ACCORD_RULE_MAX);
    a->reason = take_text(&in, ACCORD_REASON_MAX);
    take_headers(&in, room);
    take_deliveries(&in, room);
    a->cursor = take_bool(&in) ? take_text(&in, ACCORD_SOURCE_ID_MAX) : NULL;
    take_keys(&in, room);
    a->piece_count = take_count(&in, RECORD_PIECES_MAX);
    a->pieces = take(&in, 8 * a->piece_count);
    uint64_t pieces = ((uint64_t)a->size + ACCORD_PIECE_MAX - 1) / ACCORD_PIECE_MAX;
    return a->size < 0 || pieces != a->piece_count || strlen(a->id) != ACCORD_ID_MAX - 1 ? ACCORD_EFORMAT
                                                                                         : finish(&in);
}

void record_add_number(struct buf *buf, uint64_t number)
{
    add64(buf, number);
}

uint64_t record_piece_position(const struct record_admission *admission, size_t index)
{
    return get64(admission->pieces + 8 * index);
}

int record_get_settlement(const uint8_t *body, size_t size, struct record_settlement *s)
{
    struct reader in = {body, size, false};
    s->number = take64(&in);
    s->state = take_state(&in);
    s->attempted = take_bool(&in);
    s->not_before = (int64_t)take64(&in);
    s->changed = (int64_t)take64(&in);
    s->generation = take64(&in);
    s->rule = take_text(&in, ACCORD_RULE_MAX);
    s->reason = take_text(&in, ACCORD_REASON_MAX);
    s->receipt = take_text(&in, STORE_RECEIPT_MAX);
    return finish(&in);
}

int record_get_move(const uint8_t *body, size_t size, struct record_move *move)
{
    struct reader in = {body, size, false};
    move->to = take_state(&in);
    move->changed = (int64_t)take64(&in);
    move->reason = take_text(&in, ACCORD_REASON_MAX);
    move->count = take_count(&in, RECORD_MOVE_MAX);
    move->numbers = take(&in, 8 * move->count);
    return finish(&in);
}

uint64_t record_move_number(const struct record_move *move, size_t index)
{
    return get64(move->numbers + 8 * index);
}

uint64_t record_answered_number(const struct record_answered *answered, size_t index)
{
    return get64(answered->numbers + 8 * index);
}

int record_get_audit(const uint8_t *body, size_t size, struct record_audit *audit)
{
    struct reader in = {body, size, false};
    audit->chain = take_text(&in, STORE_NAME_MAX);
    audit->head.sequence = take64(&in);
    memcpy(audit->head.hash, take(&in, DIGEST_SIZE), DIGEST_SIZE);
    audit->size = take_count(&in, AUDIT_LINE_MAX);
    audit->line = (const char *)take(&in, audit->size);
    return !audit->size || !audit->head.sequence ? ACCORD_EFORMAT : finish(&in);
}

int record_get_epoch(const uint8_t *body, size_t size, uint64_t *epoch)
{
    struct reader in = {body, size, false};
    *epoch = take64(&in);
    return finish(&in);
}

int record_get_commit(const uint8_t *body, size_t size, struct record_commit *commit)
{
    struct reader in = {body, size, false};
    commit->start = take64(&in);
    commit->count = take32(&in);
    commit->heads_crc = take32(&in);
    commit->flags = take32(&in);
    commit->next_number = take64(&in);
    commit->time = (int64_t)take64(&in);
    return commit->flags & ~RECORD_SYNCED ? ACCORD_EFORMAT : finish(&in);
}
