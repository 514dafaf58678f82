/* Who takes a message, and what their policies say of it. */

#include "bus/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

void offer_verdict_set(struct bus_verdict *verdict, enum accord_answer answer, const char *module,
                       const char *rule, const char *reason)
{
    bus_verdict_fini(verdict);
    verdict->answer = answer;
    bus_verdict_say(verdict, module, rule, reason);
}

void offer_conclude(struct bus_offer *offer)
{
    const struct offer_route *denied = NULL;
    bool wanted = false;
    for (size_t i = 0; i < offer->route_count; i++) {
        if (offer->routes[i].verdict.answer != ACCORD_DENY)
            wanted = true;
        else if (!denied)
            denied = &offer->routes[i];
    }
    if (!wanted && denied) {
        const struct bus_words *words = bus_verdict_words(&denied->verdict);
        offer_verdict_set(&offer->verdict, ACCORD_DENY, words->module, words->rule, words->reason);
    } else if (!wanted) {
        char reason[ACCORD_REASON_MAX];
        snprintf(reason, sizeof reason,
                 "no service of any agreement takes %s from %s; no service section, no flow",
                 offer->service->type->name, offer->content->envelope.origin);
        offer_verdict_set(&offer->verdict, ACCORD_DENY, "hub", "services.no-service", reason);
    }
    offer_commit(offer, !wanted);
}

/* ---- who takes it: what the running configurations of both ends say ---- */

static bool lists(const struct conf_route *routes, size_t count, const char *agreement, const char *service)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(routes[i].agreement, agreement) == 0 && strcmp(routes[i].service, service) == 0)
            return true;
    return false;
}

/* From one agreement to another nothing flows unless the source's file releases the type. */
static bool released(const struct bus_offer *offer, const struct conf_agreement *to)
{
    const struct conf_agreement *from = offer->party->conf;
    if (from->is_site || to->is_site || strcmp(from->name, to->name) == 0)
        return true;
    for (size_t i = 0; i < from->release_count; i++)
        if (strcmp(from->releases[i].service, offer->service->type->name) == 0 &&
            strcmp(from->releases[i].agreement, to->name) == 0)
            return true;
    return false;
}

static bool takes(const struct bus_offer *offer, const struct bus_lane *lane)
{
    const struct conf_agreement *from = offer->party->conf, *to = lane->party->conf;
    return !lane->party->retired && released(offer, to) &&
           (lists(offer->service->to, offer->service->to_count, to->name, lane->service->name) ||
            lists(lane->service->from, lane->service->from_count, from->name, offer->service->name));
}

/* False: no memory. */
static bool add_taker(struct takers *takers, struct bus_lane *lane)
{
    struct bus_lane **lanes = realloc(takers->lanes, (takers->count + 1) * sizeof(struct bus_lane *));
    if (!lanes)
        return false;
    takers->lanes = lanes;
    lanes[takers->count++] = lane;
    return true;
}

static bool find_takers(struct takers *takers, const struct bus_offer *offer)
{
    const struct bus *bus = offer->party->bus;
    takers->routing = 0;
    takers->count = 0;
    for (struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++)
            if (takes(offer, &party->lanes[i]) && !add_taker(takers, &party->lanes[i]))
                return false;
    takers->routing = bus->routing;
    return true;
}

const struct takers *offer_takers(const struct bus_offer *offer)
{
    const struct bus_party *party = offer->party;
    size_t at = 0;
    while (at < party->taker_count && offer->service != &party->conf->services[at])
        at++;
    struct takers *takers = &party->takers[at];
    bool known =
        (at < party->taker_count && takers->routing == party->bus->routing) || find_takers(takers, offer);
    return known ? takers : NULL;
}

static void add_route(struct bus_offer *offer, struct bus_lane *lane)
{
    struct bus_party *party = lane->party;
    party->guests++;
    offer->routes[offer->route_count++] = (struct offer_route){
        .offer = offer, .party = party, .lane = lane, .service = lane->service, .source = offer->source};
}

void offer_route_arrived(struct offer_route *route)
{
    if (route->behind)
        route->behind->coming--;
    route->behind = NULL;
}

void offer_leave_lanes(struct bus_offer *offer)
{
    for (size_t i = 0; i < offer->route_count; i++) {
        struct bus_dispatch *direct = offer->routes[i].direct;
        offer->routes[i].direct = NULL;
        offer_route_arrived(&offer->routes[i]);
        if (direct)
            bus_dispatch_unreserve(direct);
    }
}

void offer_routes_free(struct bus_offer *offer)
{
    offer_leave_lanes(offer);
    for (size_t i = 0; i < offer->route_count; i++) {
        offer->routes[i].party->guests--;
        bus_verdict_fini(&offer->routes[i].verdict);
    }
    if (offer->routes != &offer->one_route)
        free(offer->routes);
    offer->routes = NULL;
    offer->route_count = 0;
}

/* ---- what their policies say ---- */

static void route_judged(void *arg, struct bus_verdict *verdict)
{
    struct offer_route *route = arg;
    route->verdict = *verdict;
    if (--route->offer->judging == 0)
        offer_conclude(route->offer);
}

/* The hub's own word on a destination; true: `verdict` has it, and nobody is asked. */
static bool route_decided(const struct offer_route *route, struct bus_verdict *verdict)
{
    const struct bus_offer *offer = route->offer;
    const char *off = bus_party_off(route->party);
    if (strcmp(route->service->type->name, offer->content->envelope.type) != 0)
        offer_verdict_set(verdict, ACCORD_DENY, "hub", "services.type",
                          "the service does not carry messages of this type");
    else if (offer->content->envelope.size > route->service->max_size)
        offer_verdict_set(verdict, ACCORD_DENY, "hub", "services.size",
                          "the message is larger than the service allows (max-size)");
    else if (off)
        offer_verdict_set(verdict, ACCORD_DEFER, "hub", "hub.not-enabled", off);
    else
        return false;
    return true;
}

static void judge_route(struct offer_route *route)
{
    struct bus_verdict verdict = {0};
    struct bus_case_view view = {.party = route->party,
                                 .question = ACCORD_ASK_OUT,
                                 .service = route->service,
                                 .envelope = &route->offer->content->envelope,
                                 .encoded = &route->offer->content->encoded,
                                 .without_payload = route->offer->release != NULL};
    if (route_decided(route, &verdict))
        route_judged(route, &verdict);
    else
        bus_judge(route->offer->party->bus, &view, &route->source, route_judged, route);
}

static void judge_routes(struct bus_offer *offer)
{
    const struct takers *takers = offer_takers(offer);
    size_t count = takers ? takers->count : 0;
    offer->routes = !takers      ? NULL
                    : count == 1 ? &offer->one_route
                                 : calloc(count + 1, sizeof *offer->routes);
    if (!offer->routes) {
        offer_defer(offer, "hub.no-memory", "out of memory; the message stays with its source");
        return;
    }
    for (size_t i = 0; i < count; i++)
        add_route(offer, takers->lanes[i]);
    offer->judging = count + 1;
    for (size_t i = 0; i < count; i++)
        judge_route(&offer->routes[i]);
    if (--offer->judging == 0)
        offer_conclude(offer);
}

static void source_judged(void *arg, struct bus_verdict *verdict)
{
    struct bus_offer *offer = arg;
    offer->verdict = *verdict;
    if (verdict->answer == ACCORD_ALLOW)
        judge_routes(offer);
    else if (verdict->answer == ACCORD_DENY)
        offer_commit(offer, true);
    else
        offer_defer(offer, bus_verdict_words(verdict)->rule, bus_verdict_words(verdict)->reason);
}

void offer_judge(struct bus_offer *offer)
{
    struct bus_case_view view = {.party = offer->party,
                                 .question = ACCORD_ASK_IN,
                                 .service = offer->service,
                                 .envelope = &offer->content->envelope,
                                 .encoded = &offer->content->encoded,
                                 .without_payload = offer->release != NULL};
    bus_judge(offer->party->bus, &view, &offer->source, source_judged, offer);
}
