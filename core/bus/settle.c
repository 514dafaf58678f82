#include "bus/settle.h"

#include <stdlib.h>
#include <sys/random.h>

#include "bus/count.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define RETURN_PAUSE   500000 /* microseconds until what its link could not take is claimed again */
#define ATTEMPTS_LEAST 3 /* before retry-for may end a delivery: it may have been held for all that time */

static void settle_later(struct bus_dispatch *dispatch, int result)
{
    struct bus *bus = dispatch->lane->party->bus;
    struct log_about about = {dispatch->delivery.agreement, NULL, dispatch->delivery.message};
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

static void settled(void *arg, int result)
{
    struct bus_dispatch *dispatch = arg;
    struct bus_lane *lane = dispatch->lane;
    struct bus *bus = lane->party->bus;
    struct log_about about = {dispatch->delivery.agreement, NULL, dispatch->delivery.message};
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
                           dispatch->envelope.size);
    bus->settling_fails = false;
    if (dispatch->settlement.state == STORE_WAITING &&
        (!lane->due || dispatch->settlement.not_before < lane->due)) {
        lane->due = dispatch->settlement.not_before;
        bus_timer_set(bus);
    }
    bus_dispatch_over(dispatch);
}

static void render(struct bus_dispatch *dispatch)
{
    const struct store_message *message = dispatch->message;
    struct audit_event event = {
        .action = dispatch->action,
        .outcome = dispatch->settlement.state == STORE_DELIVERED ? AUDIT_SUCCESS : AUDIT_FAILURE,
        .agreement = dispatch->delivery.agreement,
        .link = dispatch->view.service->link->name,
        .service = dispatch->delivery.service,
        .message = message->id,
        .name = message->name,
        .type = message->type,
        .sha256 = dispatch->sha256,
        .size = message->size,
        .module = dispatch->module,
        .rule = dispatch->rule,
        .reason = dispatch->reason,
        .receipt = dispatch->receipt,
    };
    buf_fini(&dispatch->audit.body);
    bus_trail_render(&dispatch->audit, &event);
}

static void settle_now(struct bus_dispatch *dispatch)
{
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

static void keep(char *to, size_t room, const char *text)
{
    text_copy(to, room, text ? text : "");
}

void bus_settle(struct bus_dispatch *dispatch, const struct bus_ending *ending)
{
    keep(dispatch->module, sizeof dispatch->module, ending->module);
    keep(dispatch->rule, sizeof dispatch->rule, ending->rule);
    keep(dispatch->reason, sizeof dispatch->reason, ending->reason);
    keep(dispatch->receipt, sizeof dispatch->receipt, ending->receipt);
    dispatch->action = ending->action;
    dispatch->recorded = !ending->unrecorded;
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

/* Exponential back-off from the service's first pause to its longest, plus or minus a fifth at random, so
 * that a partner that comes back is not met by everybody at once. */
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

static bool given_up(const struct bus_dispatch *dispatch, int64_t now)
{
    return dispatch->delivery.attempts + 1 >= ATTEMPTS_LEAST &&
           now - dispatch->message->time > dispatch->view.service->retry_for * 1000;
}

static void settle_retry(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    const struct conf_service *service = dispatch->view.service;
    const char *off = bus_party_off(dispatch->lane->party);
    int64_t now = clock_wall();
    struct bus_ending ending = {.state = STORE_WAITING,
                                .action = AUDIT_RETRIED,
                                .attempted = true,
                                .generation = dispatch->delivery.generation,
                                .reason = result->reason};
    int64_t pause = back_off(service, dispatch->delivery.attempts + 1);
    if (result->wait > pause)
        pause = result->wait < service->retry_longest ? result->wait : service->retry_longest;
    ending.not_before = now + pause * 1000;
    if (given_up(dispatch, now)) {
        ending.state = STORE_DEAD;
        ending.action = AUDIT_DEAD;
        ending.rule = "hub.retry-for";
    } else if (off) {
        bus_settle_held(dispatch, off, true);
        return;
    }
    bus_settle(dispatch, &ending);
}

static void settle_uncertain(struct bus_dispatch *dispatch, const struct accord_result *result)
{
    if (dispatch->view.service->resend_uncertain) {
        settle_retry(dispatch, result);
        return;
    }
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_HELD,
                                              .action = AUDIT_HELD,
                                              .attempted = true,
                                              .not_before = STORE_NEVER,
                                              .rule = "hub.uncertain",
                                              .reason = result->reason});
}

void bus_dispatch_fail(struct bus_dispatch *dispatch, const char *rule, const char *reason)
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
    struct log_about about = {dispatch->delivery.agreement, NULL, dispatch->delivery.message};
    const char *reason = "the store's copy of the payload is damaged; get the message from its source again";
    log_event(ACCORD_ERROR, "bus.damaged", &about, "a message cannot be delivered: %s", reason);
    bus_dispatch_fail(dispatch, "store.damaged", reason);
}

void bus_dispatch_return(struct bus_dispatch *dispatch, const char *reason)
{
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_WAITING,
                                              .unrecorded = true,
                                              .not_before = clock_wall() + RETURN_PAUSE,
                                              .generation = dispatch->delivery.generation,
                                              .rule = "hub.not-ready",
                                              .reason = reason});
}

void bus_dispatch_finish(struct bus_dispatch *dispatch, const struct accord_result *result)
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
