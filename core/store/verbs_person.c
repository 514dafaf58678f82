/* Verbs behind which stands a person: a delivery retried or given up, a message let out of quarantine, an agreement
 * that takes over another's. Store thread. */
#include <string.h>

#include "store/verbs.h"
#include "util/clock.h"
#include "util/text.h"

/* ---- one delivery ---- */

static bool may_become(const struct backend_delivery *found, enum store_state state)
{
    bool for_a_person = found->state == STORE_HELD && found->not_before == STORE_NEVER;
    if (state == STORE_WAITING)
        return found->state == STORE_DEAD || for_a_person;
    return found->state == STORE_WAITING || found->state == STORE_HELD || found->state == STORE_DEAD;
}

int verb_decide(struct store *store, struct store_decision *decision)
{
    struct backend_delivery found;
    char reason[ACCORD_REASON_MAX];
    int64_t now = clock_wall();
    if (decision->state != STORE_WAITING && decision->state != STORE_DISCARDED)
        return ACCORD_EINVAL;
    int result = audit_check(decision->audit, decision->audit_count);
    if (!result)
        result = store->backend->find_delivery(store->state, decision->number, &found);
    if (!result && !may_become(&found, decision->state))
        result = ACCORD_ESTATE;
    if (result)
        return result;
    text_copy(reason, sizeof reason, decision->reason ? decision->reason : "");
    struct record_settlement record = {.number = decision->number,
                                       .state = decision->state,
                                       .changed = now,
                                       .since = decision->state == STORE_WAITING ? now : 0,
                                       .rule = "",
                                       .reason = reason,
                                       .receipt = ""};
    store->has_settlement = true;
    result = store->backend->put_settlement(store->state, &record);
    if (!result)
        result = audit_put(store, decision->audit, decision->audit_count);
    return store->group_error = result;
}

/* ---- quarantine ---- */

static int check_release(const struct store_unquarantine *release)
{
    int result = verb_fits(release->message, ACCORD_ID_MAX) ? 0 : ACCORD_EINVAL;
    if (!result && release->delivery_count > RECORD_DELIVERIES_MAX)
        result = ACCORD_ELIMIT;
    for (size_t i = 0; !result && i < release->delivery_count; i++)
        result = verb_check_delivery(&release->deliveries[i]);
    return result ? result : audit_check(release->audit, release->audit_count);
}

static int put_release(struct store *store, struct store_unquarantine *release, int64_t size)
{
    struct record_delivery deliveries[RECORD_DELIVERIES_MAX];
    char reason[ACCORD_REASON_MAX];
    int64_t now = clock_wall();
    text_copy(reason, sizeof reason, release->reason ? release->reason : "");
    for (size_t i = 0; i < release->delivery_count; i++)
        verb_describe_delivery(&deliveries[i], &release->deliveries[i]);
    struct record_release record = {.message = release->message,
                                    .reason = reason,
                                    .changed = now,
                                    .size = size,
                                    .first = store->next_number,
                                    .deliveries = deliveries,
                                    .delivery_count = release->delivery_count};
    int result = store->backend->put_release(store->state, &record);
    if (!result)
        verb_number_deliveries(store, release->deliveries, release->delivery_count, release->message, now);
    return result;
}

int verb_unquarantine(struct store *store, struct store_unquarantine *release)
{
    bool quarantined = false;
    int64_t size = 0;
    int result = check_release(release);
    if (!result)
        result = store->backend->find_quarantined(store->state, release->message, &quarantined, &size);
    if (!result && !quarantined)
        result = ACCORD_ESTATE;
    if (result)
        return result;
    result = put_release(store, release, size);
    if (!result)
        result = audit_put(store, release->audit, release->audit_count);
    return store->group_error = result;
}

/* ---- agreements ---- */

int verb_adopt(struct store *store, struct store_adoption *adoption)
{
    adoption->moved = 0;
    if (!verb_fits(adoption->from, STORE_NAME_MAX) || !verb_fits(adoption->to, STORE_NAME_MAX) ||
        !adoption->from[0] || !adoption->to[0] || !strcmp(adoption->from, adoption->to))
        return ACCORD_EINVAL;
    int result = audit_check(adoption->audit, adoption->audit_count);
    if (result)
        return result;
    struct record_adoption record = {.from = adoption->from, .to = adoption->to, .changed = clock_wall()};
    result = store->backend->put_adoption(store->state, &record, &adoption->moved);
    if (!result)
        result = audit_put(store, adoption->audit, adoption->audit_count);
    return store->group_error = result;
}

int verb_note(struct store *store, struct store_note *note)
{
    if (!verb_fits(note->name, STORE_ROUTE_MAX) || !note->name[0] ||
        !verb_fits_or_null(note->value, ACCORD_SOURCE_ID_MAX))
        return ACCORD_EINVAL;
    int result = audit_check(note->audit, note->audit_count);
    if (result)
        return result;
    struct record_note record = {.name = note->name, .value = note->value ? note->value : ""};
    result = store->backend->put_note(store->state, &record);
    if (!result)
        result = audit_put(store, note->audit, note->audit_count);
    return store->group_error = result;
}
