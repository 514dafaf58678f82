#include "store/record_bytes.h"

#include <string.h>

#include "store/crc.h"
#include "util/id.h"

#define MAGIC 0x31524341u /* "ACR1" */

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
    bytes_put32(head, MAGIC);
    bytes_put32(head + 4, (uint32_t)size);
    bytes_put64(head + 8, position);
    bytes_put64(head + 16, group);
    bytes_put32(head + 24, type);
    bytes_put32(head + 28, crc32c(0, head + RECORD_HEAD, size));
    bytes_put32(head + 32, 0);
    uint32_t crc = crc32c(0, head, RECORD_HEAD - 4);
    bytes_put32(head + 36, crc);
    return crc;
}

bool record_read_head(const uint8_t *from, uint64_t position, struct record_head *head)
{
    if (bytes_get32(from) != MAGIC || bytes_get64(from + 8) != position || bytes_get32(from + 4) > RECORD_MAX)
        return false;
    uint32_t type = bytes_get32(from + 24);
    *head = (struct record_head){.size = bytes_get32(from + 4),
                                 .type = (uint16_t)type,
                                 .body_crc = bytes_get32(from + 28),
                                 .head_crc = bytes_get32(from + 36),
                                 .position = position,
                                 .group = bytes_get64(from + 16)};
    return type <= UINT16_MAX && bytes_get32(from + 32) == 0 &&
           head->head_crc == crc32c(0, from, RECORD_HEAD - 4);
}

bool record_body_good(const struct record_head *head, const uint8_t *body)
{
    return crc32c(0, body, head->size) == head->body_crc;
}

/* ---- writing bodies ---- */

void record_put_piece(struct buf *buf, const struct record_piece *piece)
{
    static const uint8_t none[RECORD_SEAL_SPACE];
    add32(buf, piece->seal);
    add32(buf, piece->index);
    buf_put(buf, piece->seal_data ? piece->seal_data : none, RECORD_SEAL_SPACE);
    buf_put(buf, piece->data, piece->size);
}

static void add_delivery(struct buf *buf, const struct record_delivery *delivery)
{
    add_text(buf, delivery->agreement);
    add_text(buf, delivery->service);
    add8(buf, delivery->state);
    add64(buf, (uint64_t)delivery->not_before);
    add64(buf, delivery->generation);
    add_text(buf, delivery->rule);
    add_text(buf, delivery->reason);
}

void add_deliveries(struct buf *buf, uint64_t first, const struct record_delivery *deliveries, size_t count)
{
    add64(buf, first);
    add32(buf, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        add_delivery(buf, &deliveries[i]);
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
    add_deliveries(buf, a->first, a->deliveries, a->delivery_count);
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
    if (!s->since && !s->answer_by)
        return; /* as in the first format */
    add64(buf, (uint64_t)s->since);
    add64(buf, (uint64_t)s->answer_by);
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

static void put_body(struct buf *buf, const struct record_audit *audit)
{
    const struct audit_shared *shared = audit->shared;
    buf_put(buf, audit->line, shared->at);
    buf_put(buf, shared->parts[0].data, shared->parts[0].size);
    buf_put(buf, shared->parts[1].data, shared->parts[1].size);
    buf_put(buf, audit->line + shared->at, audit->size - shared->at);
}

int record_put_unsealed(struct buf *buf, struct record_audit *audit, struct audit_head *head)
{
    add_text(buf, audit->chain);
    size_t facts = buf->size, line = facts + 8 + DIGEST_SIZE + 4;
    if (!buf_reserve(buf, line - facts))
        return ACCORD_ENOMEM;
    buf->size = line;
    put_body(buf, audit);
    int result = buf->failed ? ACCORD_ENOMEM : audit_seal(buf, line, audit->chain, head);
    if (result)
        return result;
    audit->head = *head;
    audit->line = (char *)buf->data + line;
    audit->size = buf->size - line;
    bytes_put64(buf->data + facts, head->sequence);
    memcpy(buf->data + facts + 8, head->hash, DIGEST_SIZE);
    bytes_put32(buf->data + facts + 8 + DIGEST_SIZE, (uint32_t)audit->size);
    return 0;
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

int record_get_piece(const uint8_t *body, size_t size, struct record_piece *piece)
{
    struct reader in = {body, size, false};
    uint32_t seal = take32(&in);
    piece->seal = (uint8_t)seal;
    piece->index = take32(&in);
    piece->seal_data = take(&in, RECORD_SEAL_SPACE);
    piece->data = in.at;
    piece->size = in.left;
    piece->bond = NULL;
    return in.bad || seal > SEAL_NEWEST || !piece->size || piece->size > ACCORD_PIECE_MAX ? ACCORD_EFORMAT
                                                                                          : 0;
}

size_t take_deliveries(struct reader *in, uint64_t *first,
                       struct record_delivery deliveries[RECORD_DELIVERIES_MAX])
{
    *first = take64(in);
    size_t count = take_count(in, RECORD_DELIVERIES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct record_delivery *delivery = &deliveries[i];
        delivery->agreement = take_text(in, STORE_NAME_MAX);
        delivery->service = take_text(in, STORE_NAME_MAX);
        delivery->state = take_state(in);
        delivery->not_before = (int64_t)take64(in);
        delivery->generation = take64(in);
        delivery->rule = take_text(in, ACCORD_RULE_MAX);
        delivery->reason = take_text(in, ACCORD_REASON_MAX);
    }
    return count;
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
    a->delivery_count = take_deliveries(&in, &a->first, room->deliveries);
    a->deliveries = room->deliveries;
    a->cursor = take_bool(&in) ? take_text(&in, ACCORD_SOURCE_ID_MAX) : NULL;
    take_keys(&in, room);
    a->piece_count = take_count(&in, RECORD_PIECES_MAX);
    a->pieces = take(&in, 8 * a->piece_count);
    uint64_t pieces = ((uint64_t)a->size + ACCORD_PIECE_MAX - 1) / ACCORD_PIECE_MAX;
    return a->size < 0 || pieces != a->piece_count || !id_valid(a->id) ? ACCORD_EFORMAT : take_end(&in);
}

void record_add_number(struct buf *buf, uint64_t number)
{
    add64(buf, number);
}

uint64_t record_piece_position(const struct record_admission *admission, size_t index)
{
    return bytes_get64(admission->pieces + 8 * index);
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
    bool more = in.left > 0;
    s->since = more ? (int64_t)take64(&in) : 0;
    s->answer_by = more ? (int64_t)take64(&in) : 0;
    if (more && !s->since && !s->answer_by)
        in.bad = true;
    return take_end(&in);
}

int record_get_move(const uint8_t *body, size_t size, struct record_move *move)
{
    struct reader in = {body, size, false};
    move->to = take_state(&in);
    move->changed = (int64_t)take64(&in);
    move->reason = take_text(&in, ACCORD_REASON_MAX);
    move->count = take_count(&in, RECORD_MOVE_MAX);
    move->numbers = take(&in, 8 * move->count);
    return take_end(&in);
}

uint64_t record_move_number(const struct record_move *move, size_t index)
{
    return bytes_get64(move->numbers + 8 * index);
}

int record_get_audit(const uint8_t *body, size_t size, struct record_audit *audit)
{
    struct reader in = {body, size, false};
    audit->chain = take_text(&in, STORE_NAME_MAX);
    audit->head.sequence = take64(&in);
    memcpy(audit->head.hash, take(&in, DIGEST_SIZE), DIGEST_SIZE);
    audit->size = take_count(&in, AUDIT_LINE_MAX);
    audit->line = (const char *)take(&in, audit->size);
    return !audit->size || !audit->head.sequence ? ACCORD_EFORMAT : take_end(&in);
}

int record_get_epoch(const uint8_t *body, size_t size, uint64_t *epoch)
{
    struct reader in = {body, size, false};
    *epoch = take64(&in);
    return take_end(&in);
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
    return commit->flags & ~RECORD_SYNCED ? ACCORD_EFORMAT : take_end(&in);
}
