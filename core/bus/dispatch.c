/* Out: claims what is due, judges it again when the policies have changed, hands it to its link, settles. */
#include "bus/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bus/judge.h"
#include "bus/source.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define DEFER_PAUSE  2000000 /* microseconds until a deferred judgement is asked again */
#define SETTLE_PAUSE 1000    /* milliseconds until a settlement that the store refused is tried again */

struct bus_dispatch {
    struct bus_lane *lane;
    struct bus_dispatch *next; /* in bus->unsettled */
    struct bus_dispatch_view view;
    struct store_delivery delivery;
    struct store_message *message;
    struct accord_envelope envelope;
    char sha256[DIGEST_HEX];
    struct bus_source source;
    struct store_settlement settlement;
    struct store_audit audit;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX], receipt[STORE_RECEIPT_MAX];
};

const struct bus_dispatch_view *bus_dispatch_view(const struct bus_dispatch *dispatch)
{
    return &dispatch->view;
}

/* ---- settling ---- */

static void dispatch_free(struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    struct bus_party *party = lane->party;
    buf_fini(&dispatch->audit.body);
    store_message_free(dispatch->message);
    free(dispatch);
    lane->in_flight--;
    party->dispatches--;
    party->bus->dispatches--;
    bus_lane_pump(lane);
}

static void settled(void *arg, int result)
{
    struct bus_dispatch *dispatch = arg;
    struct bus *bus = dispatch->lane->party->bus;
    struct log_about about = {dispatch->delivery.agreement, NULL, dispatch->delivery.message};
    if (result == ACCORD_ELIMIT || result == ACCORD_ENOMEM) {
        log_event(
            ACCORD_ERROR, "bus.settle-waits", &about,
            "the store has no room to settle a delivery; trying again every second: make room on its disk");
        dispatch->next = bus->unsettled;
        bus->unsettled = dispatch;
        bus_timer_set(bus);
        return;
    }
    if (result)
        log_event(ACCORD_ERROR, "bus.settle-failed", &about,
                  "a delivery could not be settled (%d); it will be offered again after a restart", result);
    struct bus_lane *lane = dispatch->lane;
    if (dispatch->settlement.state == STORE_WAITING &&
        (!lane->due || dispatch->settlement.not_before < lane->due)) {
        lane->due = dispatch->settlement.not_before;
        bus_timer_set(bus);
    }
    dispatch_free(dispatch);
}

static void settle_again(struct bus *bus)
{
    struct bus_dispatch *list = bus->unsettled;
    bus->unsettled = NULL;
    while (list) {
        struct bus_dispatch *dispatch = list;
        list = list->next;
        store_settle(bus->store, &dispatch->settlement, settled, dispatch);
    }
}

struct ending {
    enum store_state state;
    enum audit_action action;
    bool attempted;
    int64_t not_before;
    uint64_t generation;
    const char *module, *rule, *reason, *receipt;
};

static void settle(struct bus_dispatch *dispatch, const struct ending *ending)
{
    text_copy(dispatch->rule, sizeof dispatch->rule, ending->rule ? ending->rule : "");
    text_copy(dispatch->reason, sizeof dispatch->reason, ending->reason ? ending->reason : "");
    text_copy(dispatch->receipt, sizeof dispatch->receipt, ending->receipt ? ending->receipt : "");
    struct audit_event event = {
        .action = ending->action,
        .outcome = ending->state == STORE_DELIVERED ? AUDIT_SUCCESS : AUDIT_FAILURE,
        .agreement = dispatch->delivery.agreement,
        .link = dispatch->view.service->link->name,
        .service = dispatch->delivery.service,
        .message = dispatch->message->id,
        .name = dispatch->message->name,
        .type = dispatch->message->type,
        .sha256 = dispatch->sha256,
        .size = dispatch->message->size,
        .module = ending->module,
        .rule = dispatch->rule,
        .reason = dispatch->reason,
        .receipt = dispatch->receipt,
    };
    bus_trail_render(&dispatch->audit, &event);
    dispatch->settlement = (struct store_settlement){
        .number = dispatch->delivery.number,
        .state = ending->state,
        .attempted = ending->attempted,
        .not_before = ending->not_before,
        .generation = ending->generation,
        .rule = dispatch->rule,
        .reason = dispatch->reason,
        .receipt = dispatch->receipt,
        .audit = &dispatch->audit,
        .audit_count = 1,
    };
    store_settle(dispatch->lane->party->bus->store, &dispatch->settlement, settled, dispatch);
}

/* Exponential back-off from the service's first pause to its longest, plus or minus a fifth at random, so that
 * a partner that comes back is not met by everybody at once. */
static int64_t back_off(const struct conf_service *service, int64_t attempts)
{
    int64_t pause = service->retry_first;
    for (int64_t i = 1; i < attempts && pause < service->retry_longest; i++)
        pause *= 2;
    if (pause > service->retry_longest)
        pause = service->retry_longest;
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = UINT32_MAX / 2;
    return pause - pause / 5 + (int64_t)((double)random / UINT32_MAX * 0.4 * (double)pause);
}

static void settle_retry(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    const struct conf_service *service = dispatch->view.service;
    int64_t now = clock_wall();
    struct ending ending = {.state = STORE_WAITING,
                            .action = AUDIT_RETRIED,
                            .attempted = true,
                            .generation = dispatch->delivery.generation,
                            .reason = result->reason};
    int64_t pause = back_off(service, dispatch->delivery.attempts + 1);
    if (result->wait > pause)
        pause = result->wait < service->retry_longest ? result->wait : service->retry_longest;
    ending.not_before = now + pause * 1000;
    if (now - dispatch->message->time > service->retry_for * 1000) {
        ending.state = STORE_DEAD;
        ending.action = AUDIT_DEAD;
        ending.rule = "hub.retry-for";
    }
    settle(dispatch, &ending);
}

static void settle_uncertain(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    if (dispatch->view.service->resend_uncertain) {
        settle_retry(dispatch, result);
        return;
    }
    settle(dispatch, &(struct ending){.state = STORE_HELD,
                                      .action = AUDIT_HELD,
                                      .attempted = true,
                                      .rule = "hub.uncertain",
                                      .reason = result->reason});
}

void bus_dispatch_finish(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    uint64_t generation = dispatch->delivery.generation;
    switch (result->outcome) {
    case ACCORD_DELIVERED:
        settle(dispatch, &(struct ending){.state = STORE_DELIVERED,
                                          .action = AUDIT_DELIVERED,
                                          .attempted = true,
                                          .generation = generation,
                                          .receipt = result->receipt});
        break;
    case ACCORD_REFUSED:
        settle(dispatch, &(struct ending){.state = STORE_DEAD,
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

/* ---- judging at dispatch ---- */

static void judged(void *arg, struct bus_verdict *verdict)
{
    struct bus_dispatch *dispatch = arg;
    struct bus_party *party = dispatch->lane->party;
    free(verdict->keys); /* recorded at admission */
    if (verdict->answer == ACCORD_ALLOW) {
        dispatch->delivery.generation = party->generation;
        party->bus->ports.send(party->bus->arg, dispatch);
        return;
    }
    struct ending ending = {.module = verdict->module, .rule = verdict->rule, .reason = verdict->reason};
    ending.state = verdict->answer == ACCORD_DENY ? STORE_DEAD : STORE_WAITING;
    ending.action = verdict->answer == ACCORD_DENY ? AUDIT_DEAD : AUDIT_RETRIED;
    ending.not_before = clock_wall() + DEFER_PAUSE;
    settle(dispatch, &ending);
}

/* The hub's own word on a delivery; NULL: go on. */
static const char *hub_objection(const struct bus_dispatch *dispatch, const char **rule)
{
    const struct conf_service *service = dispatch->view.service;
    *rule = "services.type";
    if (strcmp(dispatch->message->type, service->type->name) != 0)
        return "the service does not carry messages of this type";
    *rule = "services.size";
    if (dispatch->message->size > service->max_size)
        return "the message is larger than the service allows (max-size)";
    return NULL;
}

static void begin(struct bus_dispatch *dispatch)
{
    struct bus_party *party = dispatch->lane->party;
    const char *rule, *objection = hub_objection(dispatch, &rule);
    if (objection) {
        settle(dispatch, &(struct ending){.state = STORE_DEAD,
                                          .action = AUDIT_DEAD,
                                          .module = "hub",
                                          .rule = rule,
                                          .reason = objection});
    } else if (!party->enabled || !bus_in_force(party->conf, clock_wall())) {
        settle(dispatch,
               &(struct ending){.state = STORE_HELD,
                                .action = AUDIT_HELD,
                                .rule = "hub.not-in-force",
                                .reason = party->enabled ? "the agreement is not in force" : party->why_off});
    } else if (dispatch->delivery.generation == party->generation) {
        party->bus->ports.send(party->bus->arg, dispatch);
    } else {
        struct bus_case_view view = {.party = party,
                                     .question = ACCORD_ASK_OUT,
                                     .service = dispatch->view.service,
                                     .envelope = &dispatch->envelope};
        bus_judge(party->bus, &view, &dispatch->source, judged, dispatch);
    }
}

/* ---- claiming ---- */

/* Claims are not durable: what was on its way when the agent was killed looks as if it had never been sent. A
 * connector that meets its own work at the partner's must know that it may be. */
static int64_t attempt_of(const struct bus_lane *lane, const struct store_delivery *delivery)
{
    bool perhaps_sent = delivery->number < store_first_number(lane->party->bus->store);
    return delivery->attempts + 1 + perhaps_sent;
}

static bool dispatch_new(struct bus_lane *lane, struct store_claimed *claimed)
{
    struct bus_dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (!dispatch)
        return false;
    struct store_message *message = claimed->message;
    *dispatch = (struct bus_dispatch){.lane = lane, .delivery = claimed->delivery, .message = message};
    hex_encode(dispatch->sha256, message->sha256, DIGEST_SIZE);
    dispatch->envelope = (struct accord_envelope){
        .id = message->id,
        .type = message->type,
        .name = message->name,
        .origin = message->origin,
        .source_id = message->source_id,
        .time = message->time,
        .size = message->size,
        .sha256 = dispatch->sha256,
        .headers = message->headers,
        .header_count = message->header_count,
    };
    dispatch->source =
        (struct bus_source){.store = lane->party->bus->store, .message = message->id, .size = message->size};
    dispatch->view = (struct bus_dispatch_view){.party = lane->party,
                                                .service = lane->service,
                                                .number = claimed->delivery.number,
                                                .attempt = attempt_of(lane, &claimed->delivery),
                                                .envelope = &dispatch->envelope,
                                                .source = &dispatch->source};
    lane->in_flight++;
    lane->party->dispatches++;
    lane->party->bus->dispatches++;
    begin(dispatch);
    return true;
}

static void claimed(void *arg, int result)
{
    struct bus_lane *lane = arg;
    struct store_claim claim = lane->claim;
    lane->claim.claimed = NULL;
    struct log_about about = {.agreement = lane->party->conf->name};
    if (result)
        log_event(ACCORD_ERROR, "bus.claim-failed", &about, "the store could not hand out deliveries (%d)",
                  result);
    if (!result && claim.count == claim.limit)
        lane->hungry = true;
    lane->due = result ? clock_wall() + DEFER_PAUSE : claim.next;
    for (size_t i = 0; !result && i < claim.count; i++)
        if (!dispatch_new(lane, &claim.claimed[i])) {
            store_message_free(claim.claimed[i].message);
            log_event(ACCORD_ERROR, "bus.no-memory", &about, "out of memory; a delivery waits for a restart");
        }
    free(claim.claimed);
    lane->claiming = false;
    bus_timer_set(lane->party->bus);
    bus_lane_pump(lane);
}

void bus_lane_pump(struct bus_lane *lane)
{
    struct bus_party *party = lane->party;
    if (!lane->hungry || lane->claiming || lane->blocked || !party->ready || !party->enabled ||
        lane->in_flight > BUS_WINDOW / 2)
        return;
    size_t limit = BUS_WINDOW - lane->in_flight;
    struct store_claimed *rows = calloc(limit, sizeof *rows);
    if (!rows)
        return;
    lane->claiming = true;
    lane->hungry = false; /* what is admitted from here on sets it again */
    lane->claim = (struct store_claim){.agreement = party->conf->name,
                                       .service = lane->service->name,
                                       .now = clock_wall(),
                                       .limit = limit,
                                       .claimed = rows};
    store_claim(party->bus->store, &lane->claim, claimed, lane);
}

void bus_lane_feed(struct bus_lane *lane)
{
    lane->hungry = true;
    bus_lane_pump(lane);
}

/* ---- the timer ---- */

static void timer_fired(uv_timer_t *timer)
{
    struct bus *bus = timer->data;
    int64_t now = clock_wall();
    settle_again(bus);
    for (struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++) {
            struct bus_lane *lane = &party->lanes[i];
            if (!lane->due || lane->due > now)
                continue;
            lane->due = 0;
            bus_lane_feed(lane);
        }
    bus_timer_set(bus);
}

void bus_timer_set(struct bus *bus)
{
    int64_t due = 0, now = clock_wall();
    for (struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++)
            if (party->lanes[i].due && (!due || party->lanes[i].due < due))
                due = party->lanes[i].due;
    int64_t ms = due > now ? (due - now) / 1000 + 1 : 1;
    if (bus->unsettled && (!due || ms > SETTLE_PAUSE))
        ms = SETTLE_PAUSE;
    if (due || bus->unsettled)
        uv_timer_start(&bus->timer, timer_fired, (uint64_t)ms, 0);
    else
        uv_timer_stop(&bus->timer);
}
