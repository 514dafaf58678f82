#include "bus/settle.h"

#include <stdio.h>
#include <string.h>

#include "bus/answers.h"
#include "bus/count.h"
#include "bus/lane.h"
#include "bus/trail.h"
#include "util/ahead.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define RETURN_PAUSE   500000 /* microseconds until what its link could not take is claimed again */
#define ATTEMPTS_LEAST 3 /* before retry-for may end a delivery: it may have been held for all that time */

static const char *agreement_of(const struct bus_dispatch *dispatch)
{
    return dispatch->lane->party->conf->name;
}

static void settle_later(struct bus_dispatch *dispatch, int result)
{
    struct bus *bus = dispatch->lane->party->bus;
    struct log_about about = {agreement_of(dispatch), NULL, dispatch->delivery.message};
    if (bus->giving_up) {
        bus_dispatch_over(dispatch);
        return;
    }
    if (!bus->settling_fails)
        log_event(ACCORD_ERROR, "bus.settle-waits", &about,
                  "the store cannot settle a delivery (%s); trying again every second: make room on its disk",
                  error_name(result));
    bus->settling_fails = true;
    dispatch->next = bus->unsettled;
    bus->unsettled = dispatch;
    bus_try_again(bus);
}

/* What its new state means for those behind it. */
static void went_on(const struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    struct bus *bus = lane->party->bus;
    enum store_state state = dispatch->settlement.state;
    bool is_off = state == STORE_HELD && dispatch->settlement.not_before != STORE_NEVER;
    if (is_off && !bus_party_off(lane->party))
        bus_party_moved_in(lane->party); /* it was switched on while the store did not take this */
    if (state == STORE_WAITING)
        bus_lane_due(lane, dispatch->settlement.not_before);
    else if (state != STORE_DELIVERED && lane->service->ordered)
        bus_lane_feed(lane); /* the next claim says whether they wait for it */
    if (state >= STORE_DELIVERED && bus->suspects.count)
        table_take(&bus->suspects, dispatch->delivery.number);
}

static void settled(void *arg, int result)
{
    struct bus_dispatch *dispatch = arg;
    ahead(dispatch->content, sizeof *dispatch->content);
    struct bus_lane *lane = dispatch->lane;
    struct bus *bus = lane->party->bus;
    struct log_about about = {agreement_of(dispatch), NULL, dispatch->delivery.message};
    if (result && result != ACCORD_ENOENT && result != ACCORD_ESTATE) {
        settle_later(dispatch, result);
        return;
    }
    if (result)
        log_event(ACCORD_ERROR, "bus.settle-failed", &about, "a delivery was settled or gone already (%s)",
                  error_name(result));
    else if (bus->settling_fails)
        log_event(ACCORD_NOTICE, "bus.settles", &about, "the store settles deliveries again");
    if (!result)
        bus_count_delivery(lane->party, lane->service->name, dispatch->settlement.state,
                           dispatch->view.envelope->size);
    bus->settling_fails = false;
    went_on(dispatch);
    bus_dispatch_over(dispatch);
}

static void render(struct bus_dispatch *dispatch)
{
    const struct accord_envelope *envelope = dispatch->view.envelope;
    struct audit_event event = {
        .action = dispatch->action,
        .outcome = dispatch->settlement.state == STORE_DELIVERED ? AUDIT_SUCCESS : AUDIT_FAILURE,
        .agreement = agreement_of(dispatch),
        .link = dispatch->view.service->link->name,
        .service = dispatch->lane->service->name,
        .message = envelope->id,
        .name = envelope->name,
        .type = envelope->type,
        .sha256 = envelope->sha256,
        .size = envelope->size,
        .kept = dispatch->content ? &dispatch->content->recorded : NULL,
        .module = dispatch->module,
        .rule = dispatch->rule,
        .reason = dispatch->reason,
        .receipt = dispatch->receipt,
    };
    bus_trail_free(&dispatch->audit, 1);
    bus_trail_render(&dispatch->audit, &event);
}

static void settle_now(struct bus_dispatch *dispatch)
{
    bus_dispatch_sent(dispatch); /* or it never will be */
    if (dispatch->recorded && (!dispatch->audit.body.size || dispatch->audit.body.failed))
        render(dispatch);
    store_settle(dispatch->lane->party->bus->store, &dispatch->settlement, settled, dispatch);
}

void bus_settle_again(struct bus *bus)
{
    struct bus_dispatch *list = bus->unsettled;
    bus->unsettled = NULL;
    while (list) {
        struct bus_dispatch *dispatch = list;
        list = list->next;
        settle_now(dispatch);
    }
}

void bus_give_up(struct bus *bus)
{
    struct bus_dispatch *list = bus->unsettled;
    bus->unsettled = NULL;
    bus->giving_up = true;
    for (struct bus_party *party = bus->parties; party; party = party->next)
        party->move_due = false;
    while (list) {
        struct bus_dispatch *dispatch = list;
        list = list->next;
        bus_dispatch_over(dispatch);
    }
}

/* Moves *at behind the copy. */
static const char *keep(char **at, size_t room, const char *text)
{
    char *to = *at;
    text_copy(to, room, text ? text : "");
    *at += strlen(to) + 1;
    return to;
}

void bus_settle(struct bus_dispatch *dispatch, const struct bus_ending *ending)
{
    char *at = dispatch->texts;
    dispatch->module = keep(&at, 64, ending->module);
    dispatch->rule = keep(&at, ACCORD_RULE_MAX, ending->rule);
    dispatch->reason = keep(&at, ACCORD_REASON_MAX, ending->reason);
    dispatch->receipt = keep(&at, STORE_RECEIPT_MAX, ending->receipt);
    dispatch->action = ending->action;
    dispatch->recorded = !ending->unrecorded;
    dispatch->settlement = (struct store_settlement){
        .number = dispatch->delivery.number,
        .state = ending->state,
        .attempted = ending->attempted,
        .not_before = ending->not_before,
        .generation = ending->generation,
        .answer_by = ending->state == STORE_DELIVERED ? bus_answer_by(dispatch) : 0,
        .rule = dispatch->rule,
        .reason = dispatch->reason,
        .receipt = dispatch->receipt,
        .prompt = dispatch->lane->service->ordered,
        .audit = &dispatch->audit,
        .audit_count = dispatch->recorded,
    };
    settle_now(dispatch);
}

/* The agreement is off: it waits until that changes. */
void bus_settle_held(struct bus_dispatch *dispatch, const char *off, bool attempted)
{
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_HELD,
                                              .action = AUDIT_HELD,
                                              .attempted = attempted,
                                              .generation = dispatch->delivery.generation,
                                              .rule = "hub.not-enabled",
                                              .reason = off});
}

/* NULL: it is tried again. Or the rule that ends it. */
static const char *given_up(const struct bus_dispatch *dispatch, char *reason, size_t room,
                            const struct accord_result *result)
{
    const struct conf_service *service = dispatch->view.service;
    struct pace *pace = &dispatch->lane->party->bus->pace;
    int64_t attempts = dispatch->delivery.attempts + 1 - dispatch->delivery.attempts_before;
    if (service->retry_attempts && attempts >= service->retry_attempts) {
        snprintf(reason, room, "%lld attempts have failed (retry-attempts); the last one: %s",
                 (long long)attempts, result->reason);
        return "hub.retry-attempts";
    }
    int64_t since = dispatch->delivery.since ? dispatch->delivery.since : dispatch->view.envelope->time;
    if (attempts < ATTEMPTS_LEAST || pace_age(pace, since) <= service->retry_for * 1000)
        return NULL;
    text_copy(reason, room, result->reason);
    return "hub.retry-for";
}

static void settle_retry(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    const struct conf_service *service = dispatch->view.service;
    struct pace *pace = &dispatch->lane->party->bus->pace;
    const char *off = bus_party_off(dispatch->lane->party);
    char reason[ACCORD_REASON_MAX];
    struct bus_ending ending = {.state = STORE_WAITING,
                                .action = AUDIT_RETRIED,
                                .attempted = true,
                                .generation = dispatch->delivery.generation,
                                .reason = result->reason};
    int64_t pause = pace_back_off(service, dispatch->delivery.attempts + 1);
    if (result->wait > pause)
        pause = result->wait < service->retry_longest ? result->wait : service->retry_longest;
    ending.not_before = pace_now(pace) + pause * 1000;
    const char *rule = given_up(dispatch, reason, sizeof reason, result);
    if (rule) {
        ending.state = STORE_DEAD;
        ending.action = AUDIT_DEAD;
        ending.not_before = 0;
        ending.rule = rule;
        ending.reason = reason;
    } else if (off) {
        bus_settle_held(dispatch, off, true);
        return;
    }
    bus_settle(dispatch, &ending);
}

/* The partner may have it: a person asks. */
static void settle_for_a_person(struct bus_dispatch *dispatch, const char *reason)
{
    const struct conf_service *service = dispatch->view.service;
    struct bus *bus = dispatch->lane->party->bus;
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_HELD,
                                              .action = AUDIT_HELD,
                                              .attempted = true,
                                              .not_before = STORE_NEVER,
                                              .generation = dispatch->delivery.generation,
                                              .rule = "hub.uncertain",
                                              .reason = reason});
    bus_incident(
        bus, agreement_of(dispatch), service->link->name, "hub.uncertain",
        "message %s to %s may or may not have reached the partner (%s): ask it, then retry or discard "
        "the message",
        dispatch->view.envelope->id, service->name, reason);
}

static void settle_uncertain(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    if (dispatch->view.service->resend_uncertain)
        settle_retry(dispatch, result);
    else
        settle_for_a_person(dispatch, result->reason);
}

void bus_settle_dead(struct bus_dispatch *dispatch, const char *rule, const char *reason)
{
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_DEAD,
                                              .action = AUDIT_DEAD,
                                              .generation = dispatch->delivery.generation,
                                              .module = "hub",
                                              .rule = rule,
                                              .reason = reason});
}

void bus_settle_damaged(struct bus_dispatch *dispatch)
{
    struct log_about about = {agreement_of(dispatch), NULL, dispatch->delivery.message};
    const char *reason = "the store's copy of the message is damaged; get it from its source again";
    log_event(ACCORD_ERROR, "bus.damaged", &about, "a message cannot be delivered: %s", reason);
    bus_settle_dead(dispatch, "store.damaged", reason);
}

void bus_settle_returned(struct bus_dispatch *dispatch, const char *reason)
{
    bus_settle(dispatch,
               &(struct bus_ending){.state = STORE_WAITING,
                                    .unrecorded = true,
                                    .not_before = pace_now(&dispatch->lane->party->bus->pace) + RETURN_PAUSE,
                                    .generation = dispatch->delivery.generation,
                                    .rule = "hub.not-ready",
                                    .reason = reason});
}

/* ---- what the link's side says ---- */

void bus_dispatch_return(struct bus_dispatch *dispatch, const char *reason)
{
    bus_settle_returned(dispatch, reason);
    bus_dispatch_left(dispatch);
}

static void settle_result(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    uint64_t generation = dispatch->delivery.generation;
    if (dispatch->source.unreadable && result->outcome != ACCORD_DELIVERED) {
        bus_settle_damaged(dispatch);
        return;
    }
    switch (result->outcome) {
    case ACCORD_DELIVERED:
        bus_settle(dispatch, &(struct bus_ending){.state = STORE_DELIVERED,
                                                  .action = AUDIT_DELIVERED,
                                                  .attempted = true,
                                                  .generation = generation,
                                                  .receipt = result->receipt});
        break;
    case ACCORD_REFUSED:
        bus_settle(dispatch, &(struct bus_ending){.state = STORE_DEAD,
                                                  .action = AUDIT_DEAD,
                                                  .attempted = true,
                                                  .generation = generation,
                                                  .rule = "partner.refused",
                                                  .reason = result->reason});
        break;
    case ACCORD_UNCERTAIN:
        settle_uncertain(dispatch, result);
        break;
    case ACCORD_RETRY:
    default:
        settle_retry(dispatch, result);
    }
}

void bus_dispatch_finish(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    struct bus *bus = dispatch->lane->party->bus;
    bus_lane_paced(dispatch->lane, clock_ticks() - dispatch->sent_at);
    if (bus->suspects.count) /* its process has lived through it */
        table_take(&bus->suspects, dispatch->delivery.number);
    settle_result(dispatch, result);
    bus_dispatch_left(dispatch);
}

void bus_dispatch_cut(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    settle_result(dispatch, result);
    bus_dispatch_left(dispatch);
}

/* ---- its process has died ---- */

/* Returns how sure it is now that this one is the cause. */
static unsigned suspect(struct bus *bus, uint64_t number, const struct bus_crash *crash)
{
    uintptr_t score = (uintptr_t)table_take(&bus->suspects, number);
    score = score ? score : 1; /* the table takes no 0 */
    if (crash->alone)
        score += crash->busy ? GATE_UNSURE : GATE_SURE;
    table_put(&bus->suspects, number, (void *)score); /* without memory it is not under suspicion */
    return (unsigned)(score - 1);
}

static void settle_poison(struct bus_dispatch *dispatch)
{
    const struct bus_lane *lane = dispatch->lane;
    static const char *const reason =
        "its link's process has died of it again and again, with no other delivery "
        "in its hands; have the connector mended, then retry it";
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_DEAD,
                                              .action = AUDIT_DEAD,
                                              .attempted = true,
                                              .generation = dispatch->delivery.generation,
                                              .module = lane->service->link->connector->name,
                                              .rule = "hub.connector-crashed",
                                              .reason = reason});
    bus_incident(
        lane->party->bus, lane->party->conf->name, lane->service->link->name, "hub.connector-crashed",
        "message %s ends the process of its link: it is dead, and others go on", dispatch->view.envelope->id);
}

void bus_dispatch_crashed(struct bus_dispatch *dispatch, const struct bus_crash *crash)
{
    struct bus_lane *lane = dispatch->lane;
    struct bus *bus = lane->party->bus;
    const char *off = bus_party_off(lane->party);
    lane->window = LANE_WINDOW_LEAST;
    unsigned score = suspect(bus, dispatch->delivery.number, crash);
    if (crash->sent_whole && !lane->service->resend_uncertain)
        settle_for_a_person(dispatch, crash->reason);
    else if (crash->alone && score >= GATE_GUILTY)
        settle_poison(dispatch);
    else if (off)
        bus_settle_held(dispatch, off, true);
    else
        bus_settle(dispatch, &(struct bus_ending){.state = STORE_WAITING,
                                                  .action = AUDIT_RETRIED,
                                                  .attempted = true,
                                                  .not_before = pace_now(&bus->pace),
                                                  .generation = dispatch->delivery.generation,
                                                  .rule = "hub.link-ended",
                                                  .reason = crash->reason});
    bus_dispatch_left(dispatch);
}
