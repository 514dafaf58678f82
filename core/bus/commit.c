/* One commit: message, deliveries, cursor, unique keys and audit records. */

#include "bus/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/advance.h"
#include "bus/answers.h"
#include "bus/lane.h"
#include "bus/limits.h"
#include "bus/trail.h"
#include "util/ahead.h"
#include "util/clock.h"
#include "util/text.h"

#define DELIVERIES_MAX 256 /* of one message, and likewise keys: what the store takes */
#define KEYS_MAX       256
#define VERDICTS_TOLD  32 /* in the source's record */

/* Of a message whose content (possible), or whose source's name for it (changed), the store has seen before: behind the
 * source's record. */
#define REPEAT_NOTE(which) ",\"accord.details.repeat\":\"" which "-repeat\""

static bool audit_reserve(struct bus_offer *offer)
{
    if (!offer->audit) {
        offer->audit = offer->few_audit;
        offer->audit_room = OFFER_FEW;
    }
    if (offer->audit_count < offer->audit_room)
        return true;
    bool few = offer->audit == offer->few_audit;
    struct store_audit *audit = realloc(few ? NULL : offer->audit, 2 * offer->audit_room * sizeof *audit);
    if (!audit)
        return false;
    if (few)
        memcpy(audit, offer->few_audit, sizeof offer->few_audit);
    offer->audit = audit;
    offer->audit_room *= 2;
    return true;
}

static bool add_audit(struct bus_offer *offer, const struct audit_event *event)
{
    if (!audit_reserve(offer))
        return false;
    struct store_audit *audit = &offer->audit[offer->audit_count++];
    bus_trail_render(audit, event);
    return !audit->body.failed;
}

static struct audit_event event_of(const struct bus_offer *offer, enum audit_action action)
{
    return (struct audit_event){
        .action = action,
        .outcome = action == AUDIT_ADMITTED ? AUDIT_SUCCESS : AUDIT_FAILURE,
        .message = offer->content->id.text,
        .name = offer->content->envelope.name,
        .type = offer->service->type->name,
        .sha256 = offer->content->sha256,
        .size = offer->content->envelope.size,
        .kept = &offer->content->recorded,
    };
}

static const char *const answer_names[] = {"allow", "deny", "defer"};

/* In `room` when it has a rule. */
static const char *verdict_text(char room[ACCORD_RULE_MAX + 16], const struct bus_verdict *verdict)
{
    const char *rule = bus_verdict_words(verdict)->rule;
    if (!rule[0])
        return answer_names[verdict->answer];
    text_join(room, ACCORD_RULE_MAX + 16, answer_names[verdict->answer], " ", rule);
    return room;
}

/* The source's record, with every verdict as a detail: those that do not fit one record stand in their
 * destinations' own. */
static bool audit_source(struct bus_offer *offer, bool quarantined)
{
    struct accord_pair details[VERDICTS_TOLD + 1];
    char verdicts[VERDICTS_TOLD + 1][ACCORD_RULE_MAX + 16];
    size_t count = 0;
    for (; count < offer->route_count && count < VERDICTS_TOLD; count++) {
        const struct offer_route *route = &offer->routes[count];
        details[count] =
            (struct accord_pair){route->lane->verdict, verdict_text(verdicts[count], &route->verdict)};
    }
    struct audit_event event = event_of(offer, quarantined ? AUDIT_QUARANTINED : AUDIT_ADMITTED);
    if (offer->release) {
        event.action = AUDIT_QUARANTINE_RELEASED;
        event.user = offer->release->user;
        event.reason = offer->release->why;
    }
    event.agreement = offer->party->conf->name;
    event.link = offer->service->link->name;
    event.service = offer->service->name;
    if (quarantined) {
        const struct bus_words *words = bus_verdict_words(&offer->verdict);
        event.module = words->module;
        event.rule = words->rule;
        event.reason = words->reason;
    } else {
        details[count] = (struct accord_pair){"verdict", verdict_text(verdicts[count], &offer->verdict)};
        count++;
    }
    event.details = details;
    event.detail_count = count;
    return add_audit(offer, &event);
}

/* The destination's record. */
static bool audit_route(struct bus_offer *offer, const struct offer_route *route, bool quarantined)
{
    bool denied = route->verdict.answer == ACCORD_DENY;
    struct accord_pair from = {"origin", offer->content->envelope.origin};
    struct audit_event event = event_of(offer, quarantined ? AUDIT_QUARANTINED
                                               : denied    ? AUDIT_DEAD
                                                           : AUDIT_ADMITTED);
    event.agreement = route->party->conf->name;
    event.link = route->service->link->name;
    event.service = route->service->name;
    const struct bus_words *words = bus_verdict_words(&route->verdict);
    event.module = words->module;
    event.rule = words->rule;
    event.reason = words->reason;
    event.details = &from;
    event.detail_count = 1;
    return add_audit(offer, &event);
}

/* What may leave at once is admitted as `sending`: it needs no claim, and nothing from the store. */
static enum store_state state_of(struct offer_route *route, struct bus_lane *lane, const char *off)
{
    if (route->verdict.answer == ACCORD_DENY)
        return STORE_DEAD;
    if (off)
        return STORE_HELD;
    if (route->verdict.answer == ACCORD_ALLOW && !route->offer->release)
        route->direct = bus_dispatch_reserve(lane, route->offer->content->envelope.size);
    return route->direct ? STORE_SENDING : STORE_WAITING;
}

static bool audit_answer(struct bus_offer *offer)
{
    struct accord_pair answers = {"answers", offer->answers};
    struct audit_event event = event_of(offer, AUDIT_ANSWERED);
    event.outcome = AUDIT_SUCCESS;
    event.agreement = offer->party->conf->name;
    event.link = offer->service->link->name;
    event.service = offer->service->name;
    event.details = &answers;
    event.detail_count = 1;
    return !offer->answers[0] || add_audit(offer, &event);
}

/* Only the ends of its texts are written: it is large. */
static void delivery_clear(struct store_delivery *delivery)
{
    delivery->number = delivery->generation = 0;
    delivery->attempts = delivery->attempts_before = 0;
    delivery->not_before = delivery->changed = delivery->since = 0;
    delivery->message[0] = delivery->agreement[0] = delivery->service[0] = 0;
    delivery->rule[0] = delivery->reason[0] = delivery->receipt[0] = 0;
}

static void deliver_to(struct store_delivery *delivery, struct offer_route *route)
{
    const struct bus_party *party = route->party;
    const char *off = bus_party_off(party);
    const struct bus_verdict *verdict = &route->verdict;
    struct bus_lane *lane = route->lane;
    bool denied = verdict->answer == ACCORD_DENY;
    delivery_clear(delivery);
    delivery->state = state_of(route, lane, off);
    delivery->since = route->offer->content->envelope.time;
    if (route->service->ordered && !route->direct) {
        route->behind = lane;
        lane->coming++;
    }
    if (lane)
        text_copy(lane->deferred, sizeof lane->deferred,
                  verdict->answer == ACCORD_DEFER ? bus_verdict_words(verdict)->reason : "");
    text_copy(delivery->agreement, sizeof delivery->agreement, party->conf->name);
    text_copy(delivery->service, sizeof delivery->service, route->service->name);
    if (verdict->answer == ACCORD_ALLOW)
        delivery->generation = bus_allowed_under(party, verdict);
    else if (verdict->answer == ACCORD_DEFER && verdict->wait > 0)
        delivery->not_before = pace_now(&party->bus->pace) + bus_deferred_for(verdict, route->service);
    const struct bus_words *words = bus_verdict_words(verdict);
    text_copy(delivery->rule, sizeof delivery->rule, denied ? words->rule : off ? "hub.not-enabled" : "");
    text_copy(delivery->reason, sizeof delivery->reason, denied ? words->reason : off ? off : "");
}

static bool has_key(const struct bus_offer *offer, const char *key)
{
    for (size_t i = 0; i < offer->key_count; i++)
        if (strcmp(offer->keys[i], key) == 0)
            return true;
    return false;
}

static bool add_keys(struct bus_offer *offer, const char *agreement, const struct bus_verdict *verdict,
                     struct offer_route *route)
{
    for (size_t i = 0; i < verdict->key_count; i++) {
        char key[CONF_NAME_MAX + ACCORD_KEY_MAX + 2];
        snprintf(key, sizeof key, "%s\x1f%s", agreement, verdict->keys[i].text);
        if (has_key(offer, key)) /* two services of one agreement, one control number */
            continue;
        const char **keys = realloc(offer->keys, (offer->key_count + 1) * sizeof *keys);
        if (keys)
            offer->keys = keys;
        struct offer_route **routes =
            keys ? realloc(offer->key_routes, (offer->key_count + 1) * sizeof *routes) : NULL;
        if (routes)
            offer->key_routes = routes;
        char *copy = routes ? strdup(key) : NULL;
        if (!copy)
            return false;
        offer->keys[offer->key_count] = copy;
        offer->key_routes[offer->key_count++] = route;
    }
    return true;
}

bool offer_prepare(struct bus_offer *offer)
{
    offer->deliveries = offer->route_count == 1 ? &offer->one_delivery
                                                : calloc(offer->route_count, sizeof *offer->deliveries);
    bool ok = offer->deliveries && audit_source(offer, false) && audit_answer(offer) &&
              add_keys(offer, offer->party->conf->name, &offer->verdict, NULL);
    for (size_t i = 0; ok && i < offer->route_count; i++) {
        struct offer_route *route = &offer->routes[i];
        deliver_to(&offer->deliveries[i], route);
        ok = audit_route(offer, route, false) &&
             add_keys(offer, route->party->conf->name, &route->verdict, route);
    }
    return ok;
}

/* Also the agreements whose rules refused it have it on record. */
static bool prepare_quarantined(struct bus_offer *offer)
{
    bool ok = audit_source(offer, true);
    for (size_t i = 0; ok && i < offer->route_count; i++)
        if (offer->routes[i].verdict.answer == ACCORD_DENY && offer->routes[i].party != offer->party)
            ok = audit_route(offer, &offer->routes[i], true);
    return ok;
}

/* An agreement that has taken over another's messages has its repeats and its unique keys, too. */
static bool name_formers(struct bus_offer *offer)
{
    const struct conf_agreement *origin = offer->party->conf;
    bool some = origin->formerly[0];
    for (size_t i = 0; i < offer->route_count; i++)
        some = some || offer->routes[i].party->conf->formerly[0];
    offer->has_former = origin->formerly[0];
    if (offer->has_former)
        text_join(offer->former, sizeof offer->former, origin->formerly, "/", offer->service->name);
    if (!some || !offer->key_count)
        return true;
    offer->key_formers = malloc(offer->key_count * sizeof *offer->key_formers);
    for (size_t i = 0; offer->key_formers && i < offer->key_count; i++)
        offer->key_formers[i] = (offer->key_routes[i] ? offer->key_routes[i]->party->conf : origin)->formerly;
    return offer->key_formers;
}

static void committed(void *arg, int result);

void offer_commit(struct bus_offer *offer, bool quarantined)
{
    struct bus *bus = offer->party->bus;
    if (offer->release) {
        offer_release_commit(offer, quarantined);
        return;
    }
    if (offer->route_count > DELIVERIES_MAX) {
        offer_defer(offer, "hub.too-many-routes",
                    "more services take it than one message can have deliveries");
        return;
    }
    if (quarantined ? offer_over_quarantine(offer) : offer_over_limit(offer))
        return;
    if ((quarantined ? !prepare_quarantined(offer) : !offer_prepare(offer)) || !name_formers(offer)) {
        offer_defer(offer, "hub.no-memory", "out of memory; the message stays with its source");
        return;
    }
    if (offer->key_count > KEYS_MAX) {
        offer_defer(offer, "hub.too-many-keys",
                    "the policies gave more unique keys than one message can have");
        return;
    }
    offer->admission = (struct store_admission){
        .envelope = &offer->content->envelope,
        .flags = quarantined ? STORE_QUARANTINED : 0,
        .rule = quarantined ? bus_verdict_words(&offer->verdict)->rule : NULL,
        .reason = quarantined ? bus_verdict_words(&offer->verdict)->reason : NULL,
        .payload = offer->content->payload,
        .deliveries = offer->deliveries,
        .delivery_count = quarantined ? 0 : offer->route_count,
        .cursor = advance_with(offer),
        .answers = !quarantined && offer->answers[0] ? offer->answers : NULL,
        .keys = offer->keys,
        .key_count = offer->key_count,
        .audit = offer->audit,
        .audit_count = offer->audit_count,
        .note_possible = REPEAT_NOTE("possible"),
        .note_changed = REPEAT_NOTE("changed"),
        .duplicate_horizon = bus->duplicate_horizon,
        .former_origin = offer->has_former ? offer->former : NULL,
        .key_formers = offer->key_formers,
    };
    offer_count(offer, quarantined);
    store_admit(bus->store, &offer->admission, committed, offer);
}

void offer_unprepare(struct bus_offer *offer)
{
    offer_leave_lanes(offer);
    for (size_t i = 0; i < offer->key_count; i++)
        free((char *)offer->keys[i]);
    offer->key_count = 0;
    free(offer->key_formers);
    offer->key_formers = NULL;
    bus_trail_free(offer->audit, offer->audit_count);
    offer->audit_count = 0;
    if (offer->deliveries != &offer->one_delivery)
        free(offer->deliveries);
    offer->deliveries = NULL;
}

/* A control number that was used before denies whoever gave it, and the rest is decided again. */
static void key_used(struct bus_offer *offer)
{
    size_t index = offer->admission.used_key;
    struct offer_route *route = offer->key_routes[index];
    char reason[ACCORD_REASON_MAX];
    const char *key = strchr(offer->keys[index], '\x1f');
    snprintf(reason, sizeof reason,
             "%s was used before in this agreement; send it under a new control number",
             key ? key + 1 : offer->keys[index]);
    offer_verdict_set(route ? &route->verdict : &offer->verdict, ACCORD_DENY, "hub", "hub.key-used", reason);
    offer_unprepare(offer);
    if (route)
        offer_conclude(offer);
    else
        offer_commit(offer, true);
}

void offer_feed(struct bus_offer *offer)
{
    for (size_t i = 0; offer->deliveries && i < offer->route_count; i++) {
        struct offer_route *route = &offer->routes[i];
        struct bus_lane *lane = route->lane;
        struct bus_dispatch *direct = route->direct;
        bool before_others = route->behind;
        route->direct = NULL;
        offer_route_arrived(route);
        if (direct)
            bus_dispatch_direct(direct, &offer->deliveries[i], offer->content, route->verdict.good_until);
        else if (lane && (before_others || offer->deliveries[i].state == STORE_WAITING))
            bus_lane_feed(lane);
    }
}

/* The source is told what became of the message the first time: the answer may have been lost with its
 * process. */
static void repeated(void *arg, int result)
{
    struct bus_offer *offer = arg;
    struct store_message *message = offer->get.found;
    if (!result && (message->flags & STORE_QUARANTINED))
        offer_answer(offer, ACCORD_QUARANTINED, message->id, message->rule, message->reason);
    else
        offer_answer(offer, ACCORD_ACCEPTED, offer->admission.repeated, "", "");
    store_message_free(message);
}

static void committed(void *arg, int result)
{
    struct bus_offer *offer = arg;
    ahead(&offer->admission.used_key,
          offsetof(struct bus_offer, one_delivery) - offsetof(struct bus_offer, admission.used_key));
    ahead(offer->content, sizeof *offer->content);
    struct bus *bus = offer->party->bus;
    bool quarantined = offer->admission.flags & STORE_QUARANTINED;
    offer_uncount(offer);
    if (result == ACCORD_EEXIST) {
        key_used(offer);
    } else if (result == ACCORD_ELIMIT) {
        offer_answer(offer, ACCORD_DEFERRED, "", "hub.store-full",
                     "the store has no room; the message stays with its source until there is");
    } else if (result == ACCORD_EINVAL) {
        offer_reject(offer, "hub.invalid",
                     "the store cannot hold a message with this envelope; see the agent's log");
    } else if (result) {
        offer_answer(offer, ACCORD_DEFERRED, "", "hub.store-failed",
                     "the store failed; the message stays with its source");
    } else if (offer->admission.repeat) {
        offer_record(offer, AUDIT_REPEATED, "hub.repeat", offer->admission.repeated);
        offer->get.message = offer->admission.repeated;
        store_get(bus->store, &offer->get, repeated, offer);
    } else {
        offer_feed(offer);
        offer_answered(offer);
        offer_answer(offer, quarantined ? ACCORD_QUARANTINED : ACCORD_ACCEPTED, offer->content->id.text,
                     quarantined ? bus_verdict_words(&offer->verdict)->rule : "",
                     quarantined ? bus_verdict_words(&offer->verdict)->reason : "");
    }
}
