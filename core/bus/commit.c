/* One commit: message, deliveries, cursor, unique keys and audit records. */

#include "bus/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/dispatch.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/text.h"

static bool add_audit(struct bus_offer *offer, const struct audit_event *event)
{
    struct store_audit *audit = realloc(offer->audit, (offer->audit_count + 1) * sizeof *audit);
    if (!audit)
        return false;
    offer->audit = audit;
    bus_trail_render(&audit[offer->audit_count++], event);
    return !audit[offer->audit_count - 1].body.failed;
}

static struct audit_event event_of(const struct bus_offer *offer, enum audit_action action)
{
    return (struct audit_event){
        .action = action,
        .outcome = action == AUDIT_ADMITTED ? AUDIT_SUCCESS : AUDIT_FAILURE,
        .message = offer->id.text,
        .name = offer->name,
        .type = offer->service->type->name,
        .sha256 = offer->sha256,
        .size = offer->envelope.size,
    };
}

/* The source's record, with every verdict as a detail. */
static bool audit_source(struct bus_offer *offer, bool quarantined)
{
    struct accord_pair details[OFFER_ROUTES_MAX];
    char names[OFFER_ROUTES_MAX][STORE_ROUTE_MAX + 16], verdicts[OFFER_ROUTES_MAX][ACCORD_RULE_MAX + 16];
    static const char *const words[] = {"allow", "deny", "defer"};
    for (size_t i = 0; i < offer->route_count; i++) {
        const struct offer_route *route = &offer->routes[i];
        snprintf(names[i], sizeof names[i], "verdict.%s/%s", route->party->conf->name, route->service->name);
        snprintf(verdicts[i], sizeof verdicts[i], "%s %s", words[route->verdict.answer], route->verdict.rule);
        details[i] = (struct accord_pair){names[i], verdicts[i]};
    }
    struct audit_event event = event_of(offer, quarantined ? AUDIT_QUARANTINED : AUDIT_ADMITTED);
    event.agreement = offer->party->conf->name;
    event.link = offer->service->link->name;
    event.service = offer->service->name;
    event.details = details;
    event.detail_count = offer->route_count;
    if (quarantined) {
        event.module = offer->verdict.module;
        event.rule = offer->verdict.rule;
        event.reason = offer->verdict.reason;
    }
    return add_audit(offer, &event);
}

static bool audit_route(struct bus_offer *offer, const struct offer_route *route, enum audit_action action)
{
    struct accord_pair from = {"origin", offer->origin};
    struct audit_event event = event_of(offer, action);
    event.agreement = route->party->conf->name;
    event.link = route->service->link->name;
    event.service = route->service->name;
    event.module = route->verdict.module;
    event.rule = route->verdict.rule;
    event.reason = route->verdict.reason;
    event.details = &from;
    event.detail_count = 1;
    return add_audit(offer, &event);
}

static void deliver_to(struct store_delivery *delivery, const struct offer_route *route)
{
    const struct bus_party *party = route->party;
    bool off = !party->enabled || !bus_in_force(party->conf, clock_wall());
    *delivery = (struct store_delivery){.state = off ? STORE_HELD : STORE_WAITING};
    text_copy(delivery->agreement, sizeof delivery->agreement, party->conf->name);
    text_copy(delivery->service, sizeof delivery->service, route->service->name);
    if (route->verdict.answer == ACCORD_DENY)
        delivery->state = STORE_DEAD;
    if (route->verdict.answer == ACCORD_ALLOW)
        delivery->generation = party->generation;
    if (off && route->verdict.answer == ACCORD_DEFER)
        text_copy(delivery->reason, sizeof delivery->reason, party->why_off);
    if (route->verdict.answer != ACCORD_DENY)
        return;
    text_copy(delivery->rule, sizeof delivery->rule, route->verdict.rule);
    text_copy(delivery->reason, sizeof delivery->reason, route->verdict.reason);
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

/* Deliveries, audit records and keys of an accepted message. */
static bool prepare_accepted(struct bus_offer *offer)
{
    offer->deliveries = calloc(offer->route_count, sizeof *offer->deliveries);
    bool ok = offer->deliveries && audit_source(offer, false) &&
              add_keys(offer, offer->party->conf->name, &offer->verdict, NULL);
    for (size_t i = 0; ok && i < offer->route_count; i++) {
        struct offer_route *route = &offer->routes[i];
        bool denied = route->verdict.answer == ACCORD_DENY;
        deliver_to(&offer->deliveries[i], route);
        ok = audit_route(offer, route, denied ? AUDIT_DEAD : AUDIT_ADMITTED) &&
             add_keys(offer, route->party->conf->name, &route->verdict, route);
    }
    return ok;
}

/* The source's record, and one in the chain of each agreement that refused: its own evidence. */
static bool prepare_quarantined(struct bus_offer *offer)
{
    bool ok = audit_source(offer, true);
    for (size_t i = 0; ok && i < offer->route_count; i++)
        if (offer->routes[i].verdict.answer == ACCORD_DENY)
            ok = audit_route(offer, &offer->routes[i], AUDIT_QUARANTINED);
    return ok;
}

static void committed(void *arg, int result);

void offer_commit(struct bus_offer *offer, bool quarantined)
{
    struct bus *bus = offer->party->bus;
    bool ok = quarantined ? prepare_quarantined(offer) : prepare_accepted(offer);
    if (!ok) {
        offer_defer(offer, "hub.no-memory", "out of memory; the message stays with its source");
        return;
    }
    offer->admission = (struct store_admission){
        .envelope = &offer->envelope,
        .flags = quarantined ? STORE_QUARANTINED : 0,
        .rule = quarantined ? offer->verdict.rule : NULL,
        .reason = quarantined ? offer->verdict.reason : NULL,
        .payload = offer->payload,
        .deliveries = offer->deliveries,
        .delivery_count = quarantined ? 0 : offer->route_count,
        .cursor = offer->has_cursor ? offer->cursor : NULL,
        .keys = offer->keys,
        .key_count = offer->key_count,
        .audit = offer->audit,
        .audit_count = offer->audit_count,
        .duplicate_horizon = bus->duplicate_horizon,
    };
    store_admit(bus->store, &offer->admission, committed, offer);
}

/* Forgets a prepared commit, so that another can be prepared. */
static void unprepare(struct bus_offer *offer)
{
    for (size_t i = 0; i < offer->key_count; i++)
        free((char *)offer->keys[i]);
    offer->key_count = 0;
    bus_trail_free(offer->audit, offer->audit_count);
    offer->audit_count = 0;
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
    unprepare(offer);
    if (route)
        offer_conclude(offer);
    else
        offer_commit(offer, true);
}

static void feed_routes(struct bus_offer *offer)
{
    for (size_t i = 0; i < offer->admission.delivery_count; i++) {
        struct bus_lane *lane = bus_lane_find(offer->routes[i].party, offer->routes[i].service->name);
        if (lane && offer->deliveries[i].state == STORE_WAITING)
            bus_lane_feed(lane);
    }
}

/* The source is told what became of the message the first time: the answer may have been lost with its process. */
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
    struct bus *bus = offer->party->bus;
    bool quarantined = offer->admission.flags & STORE_QUARANTINED;
    if (result == ACCORD_EEXIST) {
        key_used(offer);
    } else if (result == ACCORD_ELIMIT) {
        offer_answer(offer, ACCORD_DEFERRED, "", "hub.store-full",
                     "the store has no room; the message stays with its source until there is");
    } else if (result) {
        offer_answer(offer, ACCORD_DEFERRED, "", "hub.store-failed",
                     "the store failed; the message stays with its source");
    } else if (offer->admission.repeat) {
        offer_record(offer, AUDIT_REPEATED, "hub.repeat", offer->admission.repeated);
        offer->get.message = offer->admission.repeated;
        store_get(bus->store, &offer->get, repeated, offer);
    } else {
        feed_routes(offer);
        offer_answer(offer, quarantined ? ACCORD_QUARANTINED : ACCORD_ACCEPTED, offer->id.text,
                     quarantined ? offer->verdict.rule : "", quarantined ? offer->verdict.reason : "");
    }
}
