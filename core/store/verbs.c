/* The rules of the store, on the store thread: what a verb checks, seals and puts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/verbs.h"
#include "util/clock.h"
#include "util/text.h"

/* ---- how much room a verb needs ---- */

static uint64_t length(const char *text)
{
    return text ? strlen(text) + 3 : 3;
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
    const struct store_decision *decision = call->request;
    const struct store_unquarantine *release = call->request;
    const struct store_adoption *adoption = call->request;
    const struct store_note *note = call->request;
    const struct store_rotation *rotation = call->request;
    const struct audit_batch *batch = call->request;
    const struct store_missed *missed = call->request;
    switch (call->kind) {
    case CALL_ADMIT:
        return admission_need(call->request);
    case CALL_SETTLE:
        return 4096 + audit_need(settlement->audit, settlement->audit_count);
    case CALL_MOVE:
        return move_need(store, call->request);
    case CALL_AUDIT:
        return audit_need(batch->records, batch->count);
    case CALL_DECIDE:
        return 4096 + audit_need(decision->audit, decision->audit_count);
    case CALL_UNQUARANTINE:
        return 4096 + release->delivery_count * 1024 + audit_need(release->audit, release->audit_count);
    case CALL_ADOPT:
        return 4096 + audit_need(adoption->audit, adoption->audit_count);
    case CALL_NOTE:
        return 4096 + audit_need(note->audit, note->audit_count);
    case CALL_MISSED:
        return 4096 + missed->count * 8 + audit_need(missed->audit, missed->count * missed->audit_each);
    case CALL_RETAIN:
        return store->backend->retention_need(store->state);
    case CALL_ROTATE:
        return 4096 + audit_need(rotation->audit, rotation->audit_count);
    default:
        return payload_need(call->request);
    }
}

/* ---- admission ---- */

bool verb_fits(const char *text, size_t room)
{
    return text && strnlen(text, room) < room;
}

bool verb_fits_or_null(const char *text, size_t room)
{
    return !text || verb_fits(text, room);
}

static int check_envelope(const struct accord_envelope *e)
{
    if (!e->id || !id_valid(e->id) || !verb_fits(e->origin, STORE_ROUTE_MAX) ||
        !verb_fits(e->type, STORE_NAME_MAX) || !verb_fits(e->name, ACCORD_NAME_MAX) ||
        !verb_fits_or_null(e->source_id, ACCORD_SOURCE_ID_MAX) || e->header_count > ACCORD_HEADERS_MAX)
        return ACCORD_EINVAL;
    for (size_t i = 0; i < e->header_count; i++)
        if (!verb_fits(e->headers[i].name, RECORD_HEADER_MAX) ||
            !verb_fits(e->headers[i].value, RECORD_HEADER_MAX))
            return ACCORD_EINVAL;
    return 0;
}

int verb_check_delivery(const struct store_delivery *delivery)
{
    bool good = verb_fits(delivery->agreement, STORE_NAME_MAX) &&
                verb_fits(delivery->service, STORE_NAME_MAX) && verb_fits(delivery->rule, ACCORD_RULE_MAX) &&
                verb_fits(delivery->reason, ACCORD_REASON_MAX) && delivery->agreement[0] &&
                delivery->state >= STORE_WAITING && delivery->state <= STORE_DISCARDED &&
                delivery->state != STORE_DELIVERED;
    return good ? 0 : ACCORD_EINVAL;
}

/* A sealed payload whose hash and size are those of the envelope, where the envelope tells them. */
static int check_payload(const struct store_admission *a)
{
    const struct accord_envelope *e = a->envelope;
    char hex[DIGEST_HEX];
    if (!a->payload || !a->payload->sealed || a->payload->pending)
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
    if (!result &&
        (!verb_fits_or_null(a->rule, ACCORD_RULE_MAX) || !verb_fits_or_null(a->reason, ACCORD_REASON_MAX) ||
         !verb_fits_or_null(a->cursor, ACCORD_SOURCE_ID_MAX) ||
         !verb_fits_or_null(a->answers, ACCORD_ID_MAX)))
        result = ACCORD_EINVAL;
    if (a->delivery_count > RECORD_DELIVERIES_MAX || a->key_count > RECORD_KEYS_MAX)
        result = result ? result : ACCORD_ELIMIT;
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        result = verb_check_delivery(&a->deliveries[i]);
    for (size_t i = 0; !result && i < a->key_count; i++)
        result = verb_fits(a->keys[i], RECORD_KEY_MAX) ? 0 : ACCORD_EINVAL;
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
    if (!result && match == BACKEND_UNSEEN && a->former_origin) {
        repeat.origin = a->former_origin;
        result = store->backend->find_repeat(store->state, &repeat, &match);
    }
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

static int look_for_former(struct store *store, const char *key, const char *former, bool *used)
{
    char old[RECORD_KEY_MAX];
    const char *rest = strchr(key, '\x1f');
    int size = rest ? snprintf(old, sizeof old, "%s%s", former, rest) : 0;
    return size > 0 && (size_t)size < sizeof old ? store->backend->find_key(store->state, old, used) : 0;
}

static int look_for_keys(struct store *store, struct store_admission *a)
{
    for (size_t i = 0; i < a->key_count; i++) {
        bool used = false;
        int result = store->backend->find_key(store->state, a->keys[i], &used);
        if (!result && !used && a->key_formers && a->key_formers[i][0])
            result = look_for_former(store, a->keys[i], a->key_formers[i], &used);
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

void verb_describe_delivery(struct record_delivery *to, const struct store_delivery *from)
{
    *to = (struct record_delivery){.agreement = from->agreement,
                                   .service = from->service,
                                   .state = from->state,
                                   .not_before = from->not_before,
                                   .generation = from->generation,
                                   .rule = from->rule,
                                   .reason = from->reason};
}

void verb_number_deliveries(struct store *store, struct store_delivery *deliveries, size_t count,
                            const char *message, int64_t now)
{
    for (size_t i = 0; i < count; i++) {
        deliveries[i].number = store->next_number++;
        deliveries[i].changed = deliveries[i].since = now;
        text_copy(deliveries[i].message, sizeof deliveries[i].message, message);
    }
}

/* The agreement's name in "AGREEMENT/SERVICE". */
static void agreement_of(char to[STORE_NAME_MAX], const char *route)
{
    size_t size = strcspn(route, "/");
    text_copy(to, STORE_NAME_MAX, "");
    if (size < STORE_NAME_MAX)
        memcpy(to, route, size), to[size] = 0;
}

int verb_answer(struct store *store, const char *message, const char *agreement, bool *answered)
{
    struct buf *numbers = &store->scratch;
    buf_clear(numbers);
    int result = store->backend->find_expected(store->state, message, agreement, numbers);
    struct record_answered record = {.numbers = numbers->data, .count = numbers->size / 8};
    if (!result && numbers->failed)
        result = ACCORD_ENOMEM;
    *answered = !result && record.count;
    return *answered ? store->backend->put_answered(store->state, &record) : result;
}

static int put_answer(struct store *store, struct store_admission *a)
{
    char agreement[STORE_NAME_MAX];
    if (!a->answers || !a->answers[0])
        return 0;
    agreement_of(agreement, a->envelope->origin);
    return verb_answer(store, a->answers, agreement, &a->answered);
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
        verb_describe_delivery(&deliveries[i], &a->deliveries[i]);
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
    verb_number_deliveries(store, a->deliveries, a->delivery_count, e->id, now);
    return 0;
}

static int put_admission_audit(struct store *store, const struct store_admission *a)
{
    const char *note = a->flags & STORE_POSSIBLE_REPEAT  ? a->note_possible
                       : a->flags & STORE_CHANGED_REPEAT ? a->note_changed
                                                         : NULL;
    if (!note || !a->audit_count)
        return audit_put(store, a->audit, a->audit_count);
    struct buf *body = &a->audit[0].body;
    size_t size = body->size;
    buf_text(body, note);
    int result = body->failed ? ACCORD_ENOMEM : audit_put(store, a->audit, a->audit_count);
    body->size = size; /* the caller may try again */
    return result;
}

static int apply_admit(struct store *store, struct store_admission *a)
{
    a->repeat = a->answered = false;
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
        result = put_answer(store, a);
    if (!result)
        result = put_admission_audit(store, a);
    return store->group_error = result;
}

static int apply_audit(struct store *store, struct audit_batch *batch)
{
    int result = audit_check(batch->records, batch->count);
    return result ? result : (store->group_error = audit_put(store, batch->records, batch->count));
}

bool verb_is_first(const struct call *call)
{
    return call->kind == CALL_RETAIN;
}

int verb_apply(struct store *store, struct call *call)
{
    if (store->stale)
        return ACCORD_ESTATE;
    switch (call->kind) {
    case CALL_ADMIT:
        return apply_admit(store, call->request);
    case CALL_SETTLE:
        return verb_settle(store, call->request);
    case CALL_MOVE:
        return verb_move(store, call->request);
    case CALL_AUDIT:
        return apply_audit(store, call->request);
    case CALL_DECIDE:
        return verb_decide(store, call->request);
    case CALL_UNQUARANTINE:
        return verb_unquarantine(store, call->request);
    case CALL_ADOPT:
        return verb_adopt(store, call->request);
    case CALL_NOTE:
        return verb_note(store, call->request);
    case CALL_MISSED:
        return verb_missed(store, call->request);
    case CALL_RETAIN:
        return verb_retain(store, call->request);
    case CALL_ROTATE:
        return verb_rotate(store, call->request);
    default:
        return store->group_error = payload_spill(store, call->request);
    }
}

/* What a refused or undone verb filled in must not be mistaken for facts. */
static void forget_admission(struct store_admission *a)
{
    a->repeat = a->answered = false;
    for (size_t i = 0; i < a->delivery_count; i++)
        a->deliveries[i].number = 0;
}

static void forget_release(struct store_unquarantine *release)
{
    for (size_t i = 0; i < release->delivery_count; i++)
        release->deliveries[i].number = 0;
}

static void settle_retention(struct store *store, struct call *call)
{
    struct store_retention *retention = call->request;
    if (!call->result)
        call->result = store->backend->sweep(store->state, retention);
    else
        retention->messages = retention->segments = retention->bytes = 0;
}

void verb_settled(struct store *store, struct call *call)
{
    switch (call->kind) {
    case CALL_AUDIT:
        audit_batch_free(call->request);
        break;
    case CALL_SPILL:
        payload_spilled(call->request, call->result);
        break;
    case CALL_RETAIN:
        settle_retention(store, call);
        break;
    case CALL_ADMIT:
        if (call->result)
            forget_admission(call->request);
        break;
    case CALL_MOVE:
        if (call->result)
            ((struct store_move *)call->request)->moved = 0;
        break;
    case CALL_UNQUARANTINE:
        if (call->result)
            forget_release(call->request);
        break;
    case CALL_ADOPT:
        if (call->result)
            ((struct store_adoption *)call->request)->moved = 0;
        break;
    default:
        break;
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
    case CALL_STALE:
        return backend->stale(store->state, call->request);
    case CALL_OVERDUE:
        return backend->overdue(store->state, call->request);
    case CALL_COUNTS:
        return backend->counts(store->state, call->request);
    case CALL_CURSOR:
        return backend->cursor(store->state, call->request);
    case CALL_TRAIL:
        store->told = false;
        return backend->trail(store->state, call->request);
    case CALL_HEADS:
        return backend->heads(store->state, call->request);
    case CALL_PEEK:
        return payload_look(store, call->request);
    case CALL_BACKUP:
        return backend->backup(store->state, call->request);
    default:
        return call->result;
    }
}
