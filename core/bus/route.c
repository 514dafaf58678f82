/* Who takes a message, and what their policies say of it. */

#include "bus/offer.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/text.h"

void offer_verdict_set(struct bus_verdict *verdict, enum accord_answer answer, const char *module,
                       const char *rule, const char *reason)
{
    free(verdict->keys);
    *verdict = (struct bus_verdict){.answer = answer};
    text_copy(verdict->module, sizeof verdict->module, module);
    text_copy(verdict->rule, sizeof verdict->rule, rule);
    text_copy(verdict->reason, sizeof verdict->reason, reason);
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
        const struct bus_verdict *v = &denied->verdict;
        offer_verdict_set(&offer->verdict, ACCORD_DENY, v->module, v->rule, v->reason);
    } else if (!wanted) {
        char reason[ACCORD_REASON_MAX];
        snprintf(reason, sizeof reason,
                 "no service of any agreement takes %s from %s; no service section, no flow",
                 offer->service->type->name, offer->origin);
        offer_verdict_set(&offer->verdict, ACCORD_DENY, "hub", "services.no-service", reason);
    }
    offer_commit(offer, !wanted);
}

static void route_judged(void *arg, struct bus_verdict *verdict)
{
    struct offer_route *route = arg;
    route->verdict = *verdict;
    if (--route->offer->judging == 0)
        offer_conclude(route->offer);
}

static void add_route(void *arg, const struct conf_agreement *agreement, const struct conf_service *service)
{
    struct bus_offer *offer = arg;
    struct bus_party *party = bus_party_find(offer->party->bus, agreement->name);
    struct bus_lane *lane = party ? bus_lane_find(party, service->name) : NULL;
    if (!lane || offer->route_count == OFFER_ROUTES_MAX)
        return;
    offer->routes[offer->route_count++] =
        (struct offer_route){.offer = offer, .party = party, .service = lane->service};
}

static void judge_routes(struct bus_offer *offer)
{
    struct bus *bus = offer->party->bus;
    conf_routes(bus->conf, offer->party->conf, offer->service, add_route, offer);
    offer->judging = offer->route_count + 1;
    for (size_t i = 0; i < offer->route_count; i++) {
        struct offer_route *route = &offer->routes[i];
        struct bus_case_view view = {.party = route->party,
                                     .question = ACCORD_ASK_OUT,
                                     .service = route->service,
                                     .envelope = &offer->envelope};
        if (offer->envelope.size > route->service->max_size) {
            struct bus_verdict verdict = {0};
            offer_verdict_set(&verdict, ACCORD_DENY, "hub", "services.size",
                              "the message is larger than the service allows (max-size)");
            route_judged(route, &verdict);
        } else {
            bus_judge(bus, &view, &offer->source, route_judged, route);
        }
    }
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
        offer_defer(offer, offer->verdict.rule, offer->verdict.reason);
}

void offer_judge(struct bus_offer *offer)
{
    struct bus_case_view view = {.party = offer->party,
                                 .question = ACCORD_ASK_IN,
                                 .service = offer->service,
                                 .envelope = &offer->envelope};
    bus_judge(offer->party->bus, &view, &offer->source, source_judged, offer);
}
