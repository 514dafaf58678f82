/* The bus's verbs on deliveries. Store thread. */
#include "store/verbs.h"
#include "util/clock.h"
#include "util/text.h"

int verb_settle(struct store *store, struct store_settlement *s)
{
    struct backend_delivery found;
    if (s->state < STORE_WAITING || s->state > STORE_DISCARDED)
        return ACCORD_EINVAL;
    int result = audit_check(s->audit, s->audit_count);
    if (!result)
        result = store->backend->find_delivery(store->state, s->number, &found);
    if (!result && found.state >= STORE_DELIVERED)
        result = ACCORD_ESTATE;
    if (!result && s->answer_by && s->state != STORE_DELIVERED)
        result = ACCORD_EINVAL;
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
                                                                                 .answer_by = s->answer_by,
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

int verb_move(struct store *store, struct store_move *move)
{
    move->moved = 0;
    if (!verb_fits(move->agreement, STORE_NAME_MAX) || !verb_fits_or_null(move->service, STORE_NAME_MAX) ||
        !verb_fits_or_null(move->reason, ACCORD_REASON_MAX) || !open_state(move->from) ||
        (move->to != STORE_WAITING && move->to != STORE_HELD) || move->from == move->to)
        return ACCORD_EINVAL;
    int result = audit_check(move->audit, move->audit_count);
    if (result)
        return result;
    result = store->backend->put_move(store->state, move, clock_wall());
    if (!result && move->moved)
        result = audit_put(store, move->audit, move->audit_count);
    return store->group_error = result;
}
