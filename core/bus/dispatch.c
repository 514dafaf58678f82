#include "bus/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "bus/judge.h"
#include "bus/settle.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define DEFER_LEAST 2000000  /* microseconds until a deferred judgement is asked again: */
#define DEFER_MOST  60000000 /* an eighth of the message's age, between these */
#define CLAIM_PAUSE 2000000  /* microseconds after a claim that failed */
#define AGAIN_PAUSE 1000     /* milliseconds until the store is asked again for what it did not take */

const struct bus_dispatch_view *bus_dispatch_view(const struct bus_dispatch *dispatch)
{
    return &dispatch->view;
}

/* ---- spares: what is claimed must be taken, also when there is no memory ---- */

static void put_spare(struct bus_lane *lane, struct bus_dispatch *dispatch)
{
    dispatch->next = lane->spare;
    lane->spare = dispatch;
    lane->spare_count++;
}

static struct bus_dispatch *take_spare(struct bus_lane *lane)
{
    struct bus_dispatch *dispatch = lane->spare;
    lane->spare = dispatch->next;
    lane->spare_count--;
    return dispatch;
}

static bool reserve(struct bus_lane *lane, size_t count)
{
    while (lane->spare_count < count) {
        struct bus_dispatch *dispatch = malloc(sizeof *dispatch);
        if (!dispatch)
            return false;
        put_spare(lane, dispatch);
    }
    return true;
}

void bus_lane_fini(struct bus_lane *lane)
{
    while (lane->spare)
        free(take_spare(lane));
}

/* ---- the end ---- */

void bus_dispatch_over(struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    struct bus_party *party = lane->party;
    buf_fini(&dispatch->audit.body);
    store_message_free(dispatch->message);
    put_spare(lane, dispatch);
    lane->in_flight--;
    party->dispatches--;
    party->bus->dispatches--;
    bus_lane_pump(lane);
    if (!lane->in_flight && !lane->claiming)
        bus_lane_fini(lane);
}

/* ---- judging at dispatch ---- */

/* Much may have changed since it was claimed or while it was judged. */
static void hand_over(struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    struct bus_party *party = lane->party;
    const char *off = bus_party_off(party);
    if (off)
        bus_settle_held(dispatch, off, false);
    else if (lane->blocked || !party->ready)
        bus_dispatch_return(dispatch, "its link takes nothing now");
    else
        party->bus->ports.send(party->bus->arg, dispatch);
}

static void deferred(struct bus_dispatch *dispatch, const struct bus_verdict *verdict)
{
    int64_t now = clock_wall(), pause = (now - dispatch->message->time) / 8;
    pause = pause < DEFER_LEAST ? DEFER_LEAST : pause > DEFER_MOST ? DEFER_MOST : pause;
    bus_settle(dispatch,
               &(struct bus_ending){.state = STORE_WAITING,
                                    .action = AUDIT_RETRIED,
                                    .unrecorded = strcmp(dispatch->delivery.rule, verdict->rule) == 0,
                                    .not_before = now + pause,
                                    .module = verdict->module,
                                    .rule = verdict->rule,
                                    .reason = verdict->reason});
}

static void judged(void *arg, struct bus_verdict *verdict)
{
    struct bus_dispatch *dispatch = arg;
    free(verdict->keys); /* recorded at admission */
    if (verdict->answer == ACCORD_ALLOW) {
        dispatch->delivery.generation = dispatch->lane->party->generation;
        hand_over(dispatch);
    } else if (dispatch->source.unreadable) {
        bus_settle_damaged(dispatch);
    } else if (verdict->answer == ACCORD_DENY) {
        bus_settle(dispatch, &(struct bus_ending){.state = STORE_DEAD,
                                                  .action = AUDIT_DEAD,
                                                  .module = verdict->module,
                                                  .rule = verdict->rule,
                                                  .reason = verdict->reason});
    } else {
        deferred(dispatch, verdict);
    }
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
        bus_dispatch_fail(dispatch, rule, objection);
    } else if (bus_party_off(party) || dispatch->delivery.generation == party->generation) {
        hand_over(dispatch);
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

static struct bus_dispatch *dispatch_new(struct bus_lane *lane, const struct store_claimed *claimed)
{
    struct bus_dispatch *dispatch = take_spare(lane);
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
    return dispatch;
}

static void claimed(void *arg, int result)
{
    struct bus_lane *lane = arg;
    struct store_claim claim = lane->claim;
    struct log_about about = {.agreement = lane->party->conf->name};
    lane->claim.claimed = NULL;
    if (result)
        log_event(ACCORD_ERROR, "bus.claim-failed", &about, "the store could not hand out deliveries (%s)",
                  error_name(result));
    if (claim.count == claim.limit)
        lane->hungry = true;
    lane->due = result ? clock_wall() + CLAIM_PAUSE : claim.next;
    for (size_t i = 0; i < claim.count; i++)
        begin(dispatch_new(lane, &claim.claimed[i]));
    free(claim.claimed);
    lane->claiming = false;
    bus_timer_set(lane->party->bus);
    bus_lane_pump(lane);
    if (!lane->in_flight && !lane->claiming)
        bus_lane_fini(lane);
}

void bus_lane_pump(struct bus_lane *lane)
{
    struct bus_party *party = lane->party;
    if (!lane->hungry || lane->claiming || lane->blocked || !party->ready || !party->enabled ||
        party->bus->giving_up || lane->in_flight > BUS_WINDOW / 2)
        return;
    size_t limit = BUS_WINDOW - lane->in_flight;
    struct store_claimed *rows = reserve(lane, limit) ? calloc(limit, sizeof *rows) : NULL;
    if (!rows) {
        lane->due = clock_wall() + CLAIM_PAUSE;
        bus_timer_set(party->bus);
        return;
    }
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

static void feed_due(struct bus_lane *lane, int64_t now)
{
    if (!lane->due || lane->due > now)
        return;
    lane->due = 0;
    bus_lane_feed(lane);
}

static void moves_again(struct bus *bus)
{
    for (struct bus_party *party = bus->parties; party; party = party->next)
        bus_party_move_again(party);
}

static void timer_fired(uv_timer_t *timer)
{
    struct bus *bus = timer->data;
    int64_t now = clock_wall();
    if (bus->again_at && uv_now(bus->loop) >= bus->again_at) {
        bus->again_at = 0;
        bus_settle_again(bus);
        moves_again(bus);
    }
    for (struct bus_party *party = bus->parties; party; party = party->next) {
        for (size_t i = 0; i < party->lane_count; i++)
            feed_due(&party->lanes[i], now);
    }
    bus_timer_set(bus);
}

static int64_t earliest_due(const struct bus *bus)
{
    int64_t due = 0;
    for (struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++)
            if (party->lanes[i].due && (!due || party->lanes[i].due < due))
                due = party->lanes[i].due;
    return due;
}

void bus_timer_set(struct bus *bus)
{
    int64_t due = earliest_due(bus), now = clock_wall();
    uint64_t ms = due > now ? (uint64_t)(due - now) / 1000 + 1 : 1;
    uint64_t ticks = uv_now(bus->loop), again = bus->again_at > ticks ? bus->again_at - ticks : 1;
    if (bus->again_at && (!due || again < ms))
        ms = again;
    if (due || bus->again_at)
        uv_timer_start(&bus->timer, timer_fired, ms, 0);
    else
        uv_timer_stop(&bus->timer);
}

void bus_try_again(struct bus *bus)
{
    if (!bus->again_at)
        bus->again_at = uv_now(bus->loop) + AGAIN_PAUSE;
    bus_timer_set(bus);
}
