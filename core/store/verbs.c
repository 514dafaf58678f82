/* The rules of the store, on the store thread: what a verb checks, seals and puts. */
#include <stdlib.h>
#include <string.h>

#include "store/front.h"
#include "util/clock.h"
#include "util/text.h"

#define CHAIN_SPACE 512 /* upper bound of what sealing adds to a body */

/* ---- taking audit records over from the caller ---- */

void audit_batch_free(struct audit_batch *batch)
{
    for (size_t i = 0; batch && i < batch->count; i++)
        buf_fini(&batch->records[i].body);
    free(batch);
}

static struct audit_batch *audit_batch_take(struct store_audit *records, size_t count)
{
    size_t names = 0;
    for (size_t i = 0; i < count; i++)
        names += strlen(records[i].chain) + 1;
    struct audit_batch *batch = malloc(sizeof *batch + count * sizeof *records + names);
    if (!batch)
        return NULL;
    batch->count = count;
    batch->records = (struct store_audit *)(batch + 1);
    char *name = (char *)(batch->records + count);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(records[i].chain) + 1;
        batch->records[i] =
            (struct store_audit){.chain = memcpy(name, records[i].chain, size), .body = records[i].body};
        records[i].body = (struct buf){0};
        name += size;
    }
    return batch;
}

void store_audit(struct store *store, struct store_audit *records, size_t count, store_done done, void *arg)
{
    struct audit_batch *batch = audit_batch_take(records, count);
    if (!batch) {
        for (size_t i = 0; i < count; i++)
            buf_fini(&records[i].body);
        store_finish_later(store, ACCORD_ENOMEM, done, arg);
        return;
    }
    store_call(store, CALL_AUDIT, batch, done, arg);
}

/* ---- how much room a verb needs ---- */

static uint64_t length(const char *text)
{
    return text ? strlen(text) + 3 : 3;
}

static uint64_t audit_need(const struct store_audit *records, size_t count)
{
    uint64_t need = 0;
    for (size_t i = 0; i < count; i++)
        need += records[i].body.size + 2 * CHAIN_SPACE;
    return need;
}

static uint64_t payload_need(const struct store_payload *payload)
{
    uint64_t pieces = (uint64_t)payload->size / ACCORD_PIECE_MAX + 1;
    return payload->tail.size + 8 * pieces + (payload->tail.size / ACCORD_PIECE_MAX + 1) * 256;
}

static uint64_t admission_need(const struct store_admission *a)
{
    uint64_t need = 8192 + a->delivery_count * 1024 + length(a->cursor);
    for (size_t i = 0; i < a->envelope->header_count; i++)
        need += length(a->envelope->headers[i].name) + length(a->envelope->headers[i].value);
    for (size_t i = 0; i < a->key_count; i++)
        need += length(a->keys[i]);
    return need + (a->payload ? payload_need(a->payload) : 0) + audit_need(a->audit, a->audit_count);
}

static uint64_t move_need(const struct store *store, const struct store_move *move)
{
    uint64_t count = store->backend->movable(store->state, move);
    return count * 8 + (count / RECORD_MOVE_MAX + 1) * 1024 + audit_need(move->audit, move->audit_count);
}

uint64_t verb_need(const struct store *store, const struct call *call)
{
    const struct store_settlement *settlement = call->request;
    const struct audit_batch *batch = call->request;
    switch (call->kind) {
    case CALL_ADMIT:
        return admission_need(call->request);
    case CALL_SETTLE:
        return 4096 + audit_need(settlement->audit, settlement->audit_count);
    case CALL_MOVE:
        return move_need(store, call->request);
    case CALL_AUDIT:
        return audit_need(batch->records, batch->count);
    default:
        return payload_need(call->request);
    }
}

/* ---- chains ---- */

struct chain *verb_chain(struct store *store, const char *name)
{
    for (size_t i = 0; i < store->chain_count; i++)
        if (!strcmp(store->chains[i].name, name))
            return &store->chains[i];
    if (store->chain_count == store->chain_room) {
        size_t room = store->chain_room ? 2 * store->chain_room : 8;
        struct chain *chains = realloc(store->chains, room * sizeof *chains);
        if (!chains)
            return NULL;
        store->chains = chains;
        store->chain_room = room;
    }
    struct chain *chain = &store->chains[store->chain_count++];
    *chain = (struct chain){0};
    text_copy(chain->name, sizeof chain->name, name);
    return chain;
}

void verbs_keep(struct store *store)
{
    for (size_t i = 0; i < store->chain_count; i++)
        store->chains[i].moved = false;
    store->next_before = store->next_number;
}

void verbs_undo(struct store *store)
{
    for (size_t i = 0; i < store->chain_count; i++)
        if (store->chains[i].moved) {
            store->chains[i].head = store->chains[i].before;
            store->chains[i].moved = false;
        }
    store->next_number = store->next_before;
}

/* Asked before anything is put, so that sealing cannot fail for the caller's mistakes. */
static int audit_check(const struct store_audit *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!records[i].chain || !text_is_name(records[i].chain, STORE_NAME_MAX - 1) || !records[i].body.size)
            return ACCORD_EINVAL;
        if (records[i].body.failed)
            return ACCORD_ENOMEM;
        if (records[i].body.size > AUDIT_LINE_MAX - CHAIN_SPACE)
            return ACCORD_ELIMIT;
    }
    return 0;
}

/* Seals behind the body and takes the seal off again once it is in the group: the caller may try again. */
static int audit_put_one(struct store *store, struct store_audit *record)
{
    struct chain *chain = verb_chain(store, record->chain);
    if (!chain)
        return ACCORD_ENOMEM;
    if (!chain->moved) {
        chain->before = chain->head;
        chain->moved = true;
    }
    size_t size = record->body.size;
    int result = audit_seal(&record->body, record->chain, &chain->head);
    if (!result)
        result =
            store->backend->put_audit(store->state, &(struct record_audit){.chain = record->chain,
                                                                           .head = chain->head,
                                                                           .line = (char *)record->body.data,
                                                                           .size = record->body.size});
    record->body.size = size;
    return result;
}

static int audit_put(struct store *store, struct store_audit *records, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && !result; i++)
        result = audit_put_one(store, &records[i]);
    return result;
}

/* ---- admission ---- */

static bool fits(const char *text, size_t room)
{
    return text && strnlen(text, room) < room;
}

static bool fits_or_null(const char *text, size_t room)
{
    return !text || fits(text, room);
}

static int check_envelope(const struct accord_envelope *e)
{
    if (!e->id || !id_valid(e->id) || !fits(e->origin, STORE_ROUTE_MAX) || !fits(e->type, STORE_NAME_MAX) ||
        !fits(e->name, ACCORD_NAME_MAX) || !fits_or_null(e->source_id, ACCORD_SOURCE_ID_MAX) ||
        e->header_count > ACCORD_HEADERS_MAX)
        return ACCORD_EINVAL;
    for (size_t i = 0; i < e->header_count; i++)
        if (!fits(e->headers[i].name, RECORD_HEADER_MAX) || !fits(e->headers[i].value, RECORD_HEADER_MAX))
            return ACCORD_EINVAL;
    return 0;
}

static int check_delivery(const struct store_delivery *delivery)
{
    bool good = fits(delivery->agreement, STORE_NAME_MAX) && fits(delivery->service, STORE_NAME_MAX) &&
                fits(delivery->rule, ACCORD_RULE_MAX) && fits(delivery->reason, ACCORD_REASON_MAX) &&
                delivery->agreement[0] && delivery->state >= STORE_WAITING &&
                delivery->state <= STORE_DISCARDED && delivery->state != STORE_DELIVERED;
    return good ? 0 : ACCORD_EINVAL;
}

/* A sealed payload whose hash and size are those of the envelope, where the envelope tells them. */
static int check_payload(const struct store_admission *a)
{
    const struct accord_envelope *e = a->envelope;
    char hex[DIGEST_HEX];
    if (!a->payload || a->payload->digest || a->payload->pending)
        return ACCORD_EINVAL;
    if (a->payload->failed)
        return a->payload->failed;
    if ((uint64_t)a->payload->size > (uint64_t)RECORD_PIECES_MAX * ACCORD_PIECE_MAX)
        return ACCORD_ELIMIT;
    hex_encode(hex, a->payload->sha256, DIGEST_SIZE);
    bool same = !e->sha256 || !e->sha256[0] || (!strcmp(hex, e->sha256) && e->size == a->payload->size);
    return same ? 0 : ACCORD_EINVAL;
}

static int check_admission(const struct store_admission *a)
{
    int result = check_envelope(a->envelope);
    if (!result && (!fits_or_null(a->rule, ACCORD_RULE_MAX) || !fits_or_null(a->reason, ACCORD_REASON_MAX) ||
                    !fits_or_null(a->cursor, ACCORD_SOURCE_ID_MAX)))
        result = ACCORD_EINVAL;
    if (a->delivery_count > RECORD_DELIVERIES_MAX || a->key_count > RECORD_KEYS_MAX)
        result = result ? result : ACCORD_ELIMIT;
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        result = check_delivery(&a->deliveries[i]);
    for (size_t i = 0; !result && i < a->key_count; i++)
        result = fits(a->keys[i], RECORD_KEY_MAX) ? 0 : ACCORD_EINVAL;
    if (!result)
        result = check_payload(a);
    return result ? result : audit_check(a->audit, a->audit_count);
}

/* Sets the repeat flags; `a->repeat` when the message is held already. */
static int look_for_repeat(struct store *store, struct store_admission *a)
{
    const char *source_id = a->envelope->source_id ? a->envelope->source_id : "";
    struct backend_repeat repeat = {.origin = a->envelope->origin,
                                    .source_id = source_id,
                                    .sha256 = a->payload->sha256,
                                    .since = a->envelope->time - a->duplicate_horizon};
    enum backend_match match = BACKEND_UNSEEN;
    if (a->duplicate_horizon <= 0)
        return 0;
    int result = store->backend->find_repeat(store->state, &repeat, &match);
    if (result || match == BACKEND_UNSEEN)
        return result;
    if (match == BACKEND_CHANGED) {
        a->flags |= STORE_CHANGED_REPEAT;
    } else if (!source_id[0]) {
        a->flags |= STORE_POSSIBLE_REPEAT;
    } else {
        a->repeat = true;
        memcpy(a->repeated, repeat.id, sizeof a->repeated);
    }
    return 0;
}

static int look_for_keys(struct store *store, struct store_admission *a)
{
    for (size_t i = 0; i < a->key_count; i++) {
        bool used = false;
        int result = store->backend->find_key(store->state, a->keys[i], &used);
        a->used_key = i;
        if (result)
            return result;
        if (used)
            return ACCORD_EEXIST;
    }
    return 0;
}

/* Cuts what is not in the journal into pieces, whose positions go behind the others in `positions`. */
static int put_pieces(struct store *store, struct store_payload *payload, const char *message,
                      struct buf *positions)
{
    struct seal_bond bond = {.agreement = payload->agreement, .payload = payload->id};
    size_t size = payload->tail.size;
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < ACCORD_PIECE_MAX ? size - at : ACCORD_PIECE_MAX;
        uint64_t position;
        bond.message = at + piece == size ? message : NULL;
        int result =
            store->backend->put_piece(store->state,
                                      &(struct record_piece){.index = (uint32_t)(positions->size / 8),
                                                             .data = payload->tail.data + at,
                                                             .size = piece,
                                                             .bond = &bond},
                                      &position);
        if (result)
            return result;
        record_add_number(positions, position);
        at += piece;
    }
    return positions->failed ? ACCORD_ENOMEM : 0;
}

static void describe_delivery(struct record_delivery *to, const struct store_delivery *from)
{
    *to = (struct record_delivery){.agreement = from->agreement,
                                   .service = from->service,
                                   .state = from->state,
                                   .not_before = from->not_before,
                                   .generation = from->generation,
                                   .rule = from->rule,
                                   .reason = from->reason};
}

static int put_admission(struct store *store, struct store_admission *a)
{
    const struct accord_envelope *e = a->envelope;
    struct record_delivery deliveries[RECORD_DELIVERIES_MAX];
    struct buf *positions = &store->scratch;
    buf_clear(positions);
    buf_put(positions, a->payload->pieces.data, a->payload->pieces.size);
    int result = put_pieces(store, a->payload, e->id, positions);
    if (result)
        return result;
    for (size_t i = 0; i < a->delivery_count; i++)
        describe_delivery(&deliveries[i], &a->deliveries[i]);
    int64_t now = clock_wall();
    struct record_admission record = {
        .id = e->id,
        .origin = e->origin,
        .type = e->type,
        .name = e->name,
        .source_id = e->source_id ? e->source_id : "",
        .time = e->time,
        .changed = now,
        .size = a->payload->size,
        .sha256 = a->payload->sha256,
        .flags = a->flags,
        .rule = a->rule ? a->rule : "",
        .reason = a->reason ? a->reason : "",
        .headers = e->headers,
        .header_count = e->header_count,
        .first = store->next_number,
        .deliveries = deliveries,
        .delivery_count = a->delivery_count,
        .cursor = a->cursor,
        .keys = a->keys,
        .key_count = a->key_count,
        .pieces = positions->data,
        .piece_count = positions->size / 8,
    };
    if ((result = store->backend->put_admission(store->state, &record)))
        return result;
    for (size_t i = 0; i < a->delivery_count; i++) {
        a->deliveries[i].number = store->next_number++;
        a->deliveries[i].changed = now;
    }
    return 0;
}

static int apply_admit(struct store *store, struct store_admission *a)
{
    a->repeat = false;
    a->repeated[0] = 0;
    a->used_key = 0;
    a->flags &= ~(unsigned)(STORE_POSSIBLE_REPEAT | STORE_CHANGED_REPEAT);
    int result = check_admission(a);
    if (!result && !store->backend->roomy(store->state))
        result = ACCORD_ELIMIT;
    if (!result && !(result = look_for_repeat(store, a)) && !a->repeat)
        result = look_for_keys(store, a);
    if (result || a->repeat)
        return result;
    store->has_admission = true;
    result = put_admission(store, a);
    if (result == ACCORD_EEXIST)
        return ACCORD_EINVAL; /* the id is in use; EEXIST speaks of keys */
    if (!result)
        result = audit_put(store, a->audit, a->audit_count);
    return store->group_error = result;
}

/* ---- settlement, moves, audit ---- */

static int apply_settle(struct store *store, struct store_settlement *s)
{
    enum store_state state;
    if (s->state < STORE_WAITING || s->state > STORE_DISCARDED)
        return ACCORD_EINVAL;
    int result = audit_check(s->audit, s->audit_count);
    if (!result)
        result = store->backend->find_delivery(store->state, s->number, &state);
    if (!result && state >= STORE_DELIVERED)
        result = ACCORD_ESTATE;
    if (result)
        return result;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX], receipt[STORE_RECEIPT_MAX];
    text_copy(rule, sizeof rule, s->rule ? s->rule : "");
    text_copy(reason, sizeof reason, s->reason ? s->reason : "");
    text_copy(receipt, sizeof receipt, s->receipt ? s->receipt : "");
    store->has_settlement = true;
    result =
        store->backend->put_settlement(store->state, &(struct record_settlement){.number = s->number,
                                                                                 .state = s->state,
                                                                                 .attempted = s->attempted,
                                                                                 .not_before = s->not_before,
                                                                                 .changed = clock_wall(),
                                                                                 .generation = s->generation,
                                                                                 .rule = rule,
                                                                                 .reason = reason,
                                                                                 .receipt = receipt});
    if (!result)
        result = audit_put(store, s->audit, s->audit_count);
    return store->group_error = result;
}

static bool open_state(enum store_state state)
{
    return state >= STORE_WAITING && state <= STORE_SENDING;
}

static int apply_move(struct store *store, struct store_move *move)
{
    move->moved = 0;
    if (!fits(move->agreement, STORE_NAME_MAX) || !fits_or_null(move->service, STORE_NAME_MAX) ||
        !fits_or_null(move->reason, ACCORD_REASON_MAX) || !open_state(move->from) ||
        move->to < STORE_WAITING || move->to > STORE_DISCARDED || move->to == STORE_SENDING ||
        move->from == move->to)
        return ACCORD_EINVAL;
    int result = audit_check(move->audit, move->audit_count);
    if (result)
        return result;
    result = store->backend->put_move(store->state, move, clock_wall());
    if (!result && move->moved)
        result = audit_put(store, move->audit, move->audit_count);
    return store->group_error = result;
}

static int apply_audit(struct store *store, struct audit_batch *batch)
{
    int result = audit_check(batch->records, batch->count);
    return result ? result : (store->group_error = audit_put(store, batch->records, batch->count));
}

int verb_apply(struct store *store, struct call *call)
{
    if (store->stale)
        return ACCORD_ESTATE;
    switch (call->kind) {
    case CALL_ADMIT:
        return apply_admit(store, call->request);
    case CALL_SETTLE:
        return apply_settle(store, call->request);
    case CALL_MOVE:
        return apply_move(store, call->request);
    case CALL_AUDIT:
        return apply_audit(store, call->request);
    default:
        return store->group_error = payload_spill(store, call->request);
    }
}

/* What a refused or undone verb filled in must not be mistaken for facts. */
static void forget_admission(struct store_admission *a)
{
    a->repeat = false;
    for (size_t i = 0; i < a->delivery_count; i++)
        a->deliveries[i].number = 0;
}

void verb_settled(struct call *call)
{
    if (call->kind == CALL_AUDIT) {
        audit_batch_free(call->request);
    } else if (call->kind == CALL_SPILL) {
        payload_spilled(call->request, call->result);
    } else if (call->kind == CALL_ADMIT && call->result) {
        forget_admission(call->request);
    } else if (call->kind == CALL_MOVE && call->result) {
        ((struct store_move *)call->request)->moved = 0;
    }
}

int verb_look(struct store *store, struct call *call)
{
    const struct backend *backend = store->backend;
    switch (call->kind) {
    case CALL_CLAIM:
        return backend->claim(store->state, call->request);
    case CALL_READ:
        return backend->read(store->state, call->request);
    case CALL_GET:
        return backend->get(store->state, call->request);
    case CALL_SCAN:
        return backend->scan(store->state, call->request);
    case CALL_COUNTS:
        return backend->counts(store->state, call->request);
    case CALL_CURSOR:
        return backend->cursor(store->state, call->request);
    case CALL_TRAIL:
        return backend->trail(store->state, call->request);
    case CALL_HEADS:
        return backend->heads(store->state, call->request);
    case CALL_PEEK:
        return payload_look(store, call->request);
    default:
        return call->result;
    }
}
