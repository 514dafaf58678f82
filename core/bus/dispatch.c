#include "bus/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "bus/judge.h"
#include "bus/lane.h"
#include "bus/settle.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/text.h"

#define DEFER_LEAST 2000000  /* microseconds until a deferred judgement is asked again: */
#define DEFER_MOST  60000000 /* an eighth of the message's age, between these, unless the policy says when; */
#define WAIT_LEAST  100      /* ms: and then not sooner than this */

const struct bus_dispatch_view *bus_dispatch_view(const struct bus_dispatch *dispatch)
{
    return &dispatch->view;
}

/* ---- to its link ---- */

static struct bus *bus_of(const struct bus_dispatch *dispatch)
{
    return dispatch->lane->party->bus;
}

/* Its allow was good for a time, and that is over. */
static bool run_out(const struct bus_dispatch *dispatch)
{
    return dispatch->good_until && clock_ticks() >= dispatch->good_until;
}

static void keep(struct bus_lane *lane, struct bus_dispatch *dispatch)
{
    dispatch->next = NULL;
    if (lane->kept)
        lane->kept_last->next = dispatch;
    else
        lane->kept = dispatch;
    lane->kept_last = dispatch;
}

static struct bus_dispatch *take_kept(struct bus_lane *lane)
{
    struct bus_dispatch *dispatch = lane->kept;
    lane->kept = dispatch->next;
    return dispatch;
}

static void hand_over_now(struct bus_dispatch *dispatch)
{
    struct bus *bus = bus_of(dispatch);
    struct bus_lane *lane = dispatch->lane;
    const char *off = bus_party_off(lane->party);
    if (off) {
        bus_settle_held(dispatch, off, false);
        return;
    }
    if (lane->blocked || !lane->party->ready) {
        bus_settle_returned(dispatch, "its link takes nothing now");
        return;
    }
    dispatch->at_gate.suspect = bus->suspects.count && table_get(&bus->suspects, dispatch->delivery.number);
    lane->at_link++;
    gate_enter(lane->gate, &dispatch->at_gate);
}

static void hand_over(struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    if (lane->kept || lane->at_link >= bus_lane_window(lane))
        keep(lane, dispatch);
    else
        hand_over_now(dispatch);
}

/* What comes back at once is met by the loop that runs. */
static void go_on(struct bus_lane *lane)
{
    if (lane->going_on)
        return;
    lane->going_on = true;
    while (lane->kept && lane->at_link < bus_lane_window(lane))
        hand_over_now(take_kept(lane));
    lane->going_on = false;
}

void bus_dispatch_flush(struct bus_lane *lane)
{
    struct bus_dispatch *list = lane->kept;
    lane->kept = NULL;
    while (list) {
        struct bus_dispatch *dispatch = list;
        list = dispatch->next;
        hand_over_now(dispatch);
    }
}

/* Much may have changed since it came to the gate. */
void bus_dispatch_enter(struct gate_item *item)
{
    struct bus_dispatch *dispatch = (struct bus_dispatch *)item;
    dispatch->lane->at_link--;
    hand_over_now(dispatch);
}

void bus_dispatch_send(struct gate_item *item)
{
    struct bus_dispatch *dispatch = (struct bus_dispatch *)item;
    struct bus *bus = bus_of(dispatch);
    const char *off = bus_party_off(dispatch->lane->party); /* its last day may be over by now */
    if (off) {
        bus_settle_held(dispatch, off, false);
        bus_dispatch_left(dispatch);
        return;
    }
    if (run_out(dispatch)) {
        bus_settle_returned(dispatch,
                            "its policies must be asked again: their allow ran out while it waited");
        bus_dispatch_left(dispatch);
        return;
    }
    dispatch->sent_at = clock_ticks();
    bus->ports.send(bus->arg, dispatch);
}

void bus_dispatch_left(struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    lane->at_link--;
    gate_leave(lane->gate);
    go_on(lane);
}

/* ---- the end ---- */

void bus_dispatch_sent(struct bus_dispatch *dispatch)
{
    if (!dispatch->holds)
        return;
    dispatch->holds = false;
    bus_lane_sent(dispatch->lane, dispatch->size);
    free(bus_source_take(&dispatch->source));
}

void bus_dispatch_over(struct bus_dispatch *dispatch)
{
    struct bus_lane *lane = dispatch->lane;
    int64_t size = dispatch->size;
    bus_dispatch_sent(dispatch);
    bus_trail_free(&dispatch->audit, 1);
    store_message_free(dispatch->message);
    bus_content_unref(dispatch->content);
    bus_spare_give(lane->party->bus, dispatch);
    bus_lane_release(lane, size);
}

/* ---- judging at dispatch ---- */

/* Not longer than retry-longest: the policies may be others by then. */
int64_t bus_deferred_for(const struct bus_verdict *verdict, const struct conf_service *service)
{
    int64_t wait = verdict->wait < service->retry_longest ? verdict->wait : service->retry_longest;
    return verdict->wait <= 0 ? 0 : (wait < WAIT_LEAST ? WAIT_LEAST : wait) * 1000;
}

static void deferred(struct bus_dispatch *dispatch, const struct bus_verdict *verdict)
{
    text_copy(dispatch->lane->deferred, sizeof dispatch->lane->deferred, bus_verdict_words(verdict)->reason);
    struct pace *pace = &bus_of(dispatch)->pace;
    const struct bus_words *words = bus_verdict_words(verdict);
    int64_t pause = pace_age(pace, dispatch->view.envelope->time) / 8;
    pause = pause < DEFER_LEAST ? DEFER_LEAST : pause > DEFER_MOST ? DEFER_MOST : pause;
    if (verdict->wait > 0)
        pause = bus_deferred_for(verdict, dispatch->view.service);
    bus_settle(dispatch, &(struct bus_ending){.state = STORE_WAITING,
                                              .action = AUDIT_RETRIED,
                                              .unrecorded = strcmp(dispatch->delivery.rule, words->rule) == 0,
                                              .not_before = pace_now(pace) + pause,
                                              .module = words->module,
                                              .rule = words->rule,
                                              .reason = words->reason});
}

static void judged(void *arg, struct bus_verdict *verdict)
{
    struct bus_dispatch *dispatch = arg;
    const struct bus_words *words = bus_verdict_words(verdict);
    if (verdict->answer == ACCORD_ALLOW) {
        dispatch->lane->deferred[0] = 0;
        dispatch->good_until = verdict->good_until;
        dispatch->delivery.generation = bus_allowed_under(dispatch->lane->party, verdict);
        hand_over(dispatch);
    } else if (dispatch->source.unreadable) {
        bus_settle_damaged(dispatch);
    } else if (verdict->answer == ACCORD_DENY) {
        bus_settle(dispatch, &(struct bus_ending){.state = STORE_DEAD,
                                                  .action = AUDIT_DEAD,
                                                  .module = words->module,
                                                  .rule = words->rule,
                                                  .reason = words->reason});
    } else {
        deferred(dispatch, verdict);
    }
    bus_verdict_fini(verdict); /* its keys were recorded at admission */
}

/* The hub's own word on a delivery; NULL: go on. */
static const char *hub_objection(const struct bus_dispatch *dispatch, const char **rule)
{
    const struct conf_service *service = dispatch->view.service;
    *rule = "services.type";
    if (strcmp(dispatch->view.envelope->type, service->type->name) != 0)
        return "the service does not carry messages of this type";
    *rule = "services.size";
    if (dispatch->view.envelope->size > service->max_size)
        return "the message is larger than the service allows (max-size)";
    return NULL;
}

/* The store does not know until when an allow is good: with an end it is asked for again at each dispatch. */
uint64_t bus_allowed_under(const struct bus_party *party, const struct bus_verdict *verdict)
{
    return verdict->good_until ? 0 : party->generation;
}

static bool still_allowed(const struct bus_dispatch *dispatch)
{
    return dispatch->good_until ? !run_out(dispatch)
                                : dispatch->delivery.generation == dispatch->lane->party->generation;
}

static void begin(struct bus_dispatch *dispatch)
{
    struct bus_party *party = dispatch->lane->party;
    const char *rule, *objection = hub_objection(dispatch, &rule);
    if (objection) {
        bus_settle_dead(dispatch, rule, objection);
    } else if (bus_party_off(party) || still_allowed(dispatch)) {
        hand_over(dispatch);
    } else {
        struct bus_case_view view = {.party = party,
                                     .question = ACCORD_ASK_OUT,
                                     .service = dispatch->view.service,
                                     .envelope = dispatch->view.envelope,
                                     .encoded = dispatch->view.encoded};
        bus_judge(party->bus, &view, &dispatch->source, judged, dispatch);
    }
}

/* ---- the beginning ---- */

/* Claims are not durable: what was on its way when the agent was killed looks as if it had never been sent. A
 * connector that meets its own work at the partner's must know that it may be. */
static int64_t attempt_of(const struct bus_lane *lane, const struct bus_delivery *delivery)
{
    bool perhaps_sent = delivery->number < store_first_number(lane->party->bus->store);
    return delivery->attempts + 1 + perhaps_sent;
}

static void set_view(struct bus_dispatch *dispatch, const struct accord_envelope *envelope)
{
    struct bus_lane *lane = dispatch->lane;
    dispatch->view =
        (struct bus_dispatch_view){.party = lane->party,
                                   .service = lane->service,
                                   .number = dispatch->delivery.number,
                                   .attempt = attempt_of(lane, &dispatch->delivery),
                                   .envelope = envelope,
                                   .encoded = dispatch->content ? &dispatch->content->encoded : NULL,
                                   .source = &dispatch->source};
}

static void begin_anew(struct bus_dispatch *dispatch, struct bus_lane *lane, int64_t size)
{
    memset(dispatch, 0, offsetof(struct bus_dispatch, view));
    dispatch->delivery.rule[0] = 0;
    dispatch->lane = lane;
    dispatch->size = size;
}

static void learn(struct bus_dispatch *dispatch, const struct store_delivery *delivery)
{
    struct bus_delivery *to = &dispatch->delivery;
    to->number = delivery->number;
    to->attempts = delivery->attempts;
    to->attempts_before = delivery->attempts_before;
    to->since = delivery->since;
    to->generation = delivery->generation;
    text_copy(to->message, sizeof to->message, delivery->message);
}

/* The store has lost the message: there is nothing to judge or to send. */
static void claimed_lost(struct bus_dispatch *dispatch)
{
    dispatch->envelope =
        (struct accord_envelope){.id = "", .type = "", .name = "", .origin = "", .source_id = ""};
    set_view(dispatch, &dispatch->envelope);
    bus_lane_take(dispatch->lane, dispatch->size);
    bus_settle_damaged(dispatch);
}

void bus_dispatch_claimed(struct bus_lane *lane, const struct store_claimed *claimed)
{
    struct bus_dispatch *dispatch = bus_spare_take(lane->party->bus);
    struct store_message *message = claimed->message;
    begin_anew(dispatch, lane, claimed->size);
    dispatch->message = message;
    dispatch->holds = claimed->payload != NULL;
    dispatch->source = (struct bus_source){.store = lane->party->bus->store, .claimed = claimed->payload};
    learn(dispatch, &claimed->delivery);
    text_copy(dispatch->delivery.rule, sizeof dispatch->delivery.rule, claimed->delivery.rule);
    if (!message) {
        claimed_lost(dispatch);
        return;
    }
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
    dispatch->source.message = message->id;
    dispatch->source.size = message->size;
    set_view(dispatch, &dispatch->envelope);
    bus_lane_take(lane, dispatch->size);
    begin(dispatch);
}

struct bus_dispatch *bus_dispatch_reserve(struct bus_lane *lane, int64_t size)
{
    struct bus_dispatch *dispatch = bus_lane_open(lane, size) ? bus_spare_take(lane->party->bus) : NULL;
    if (!dispatch)
        return NULL;
    begin_anew(dispatch, lane, size);
    bus_lane_take(lane, size);
    return dispatch;
}

void bus_dispatch_unreserve(struct bus_dispatch *dispatch)
{
    bus_dispatch_over(dispatch);
}

void bus_dispatch_direct(struct bus_dispatch *dispatch, const struct store_delivery *delivery,
                         struct bus_content *content, int64_t good_until)
{
    size_t size;
    learn(dispatch, delivery);
    dispatch->good_until = good_until;
    dispatch->content = bus_content_ref(content);
    dispatch->source = (struct bus_source){
        .store = bus_of(dispatch)->store, .message = content->id.text, .size = content->envelope.size};
    if (store_payload_memory(content->payload,
                             &size)) /* otherwise it is read from the store, as for all others */
        dispatch->source.staged = content->payload;
    set_view(dispatch, &content->envelope);
    begin(dispatch);
}
