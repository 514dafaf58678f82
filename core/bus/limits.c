#include "bus/limits.h"

#include <stdio.h>

#include "bus/lane.h"
#include "bus/trail.h"
#include "util/text.h"

/* The store's answer takes a lock, and is good for many messages. */
static uint64_t kept(struct bus_party *party, bool quarantine)
{
    unsigned usages = store_usages(party->bus->store); /* before the answer */
    if (party->usage_seen != usages)
        party->usage = store_usage(party->bus->store, party->conf->name);
    party->usage_seen = usages;
    return (quarantine ? party->usage.quarantine_bytes : party->usage.open_bytes) + party->coming[quarantine];
}

static uint64_t limit_of(const struct bus_party *party, bool quarantine)
{
    return (uint64_t)(quarantine ? party->conf->quarantine_limit : party->conf->store_limit);
}

static const char *rule_of(bool quarantine)
{
    return quarantine ? "hub.quarantine-limit" : "hub.store-limit";
}

static void explain(char *reason, size_t room, const struct bus_party *party, bool quarantine)
{
    char size[32];
    text_size(size, sizeof size, (int64_t)limit_of(party, quarantine));
    snprintf(reason, room,
             quarantine
                 ? "the quarantine of agreement %s holds its limit of %s (quarantine-limit): release or "
                   "discard some of it"
                 : "what waits to be delivered under agreement %s is at its limit of %s (store-limit)",
             party->conf->name, size);
}

static void record(const struct bus_party *party, bool quarantine, bool stopped)
{
    struct bus *bus = party->bus;
    char reason[ACCORD_REASON_MAX];
    explain(reason, sizeof reason, party, quarantine);
    struct audit_event event = {.action = stopped ? AUDIT_SOURCES_STOPPED : AUDIT_SOURCES_RESUMED,
                                .outcome = stopped ? AUDIT_FAILURE : AUDIT_SUCCESS,
                                .agreement = party->conf->name,
                                .rule = rule_of(quarantine),
                                .reason = stopped ? reason : "there is room again"};
    bus->ports.record(bus->arg, &event);
    if (stopped)
        bus_incident(bus, party->conf->name, NULL, rule_of(quarantine), "%s", reason);
}

static bool full(struct bus_party *party, bool quarantine, int64_t more)
{
    uint64_t limit = limit_of(party, quarantine);
    if (!limit)
        return false;
    if (party->stopped[quarantine])
        return true;
    if (kept(party, quarantine) + (uint64_t)(more > 0 ? more : 0) <= limit)
        return false;
    party->stopped[quarantine] = true;
    record(party, quarantine, true);
    bus_chores_begin(party->bus);
    return true;
}

static bool deferred(struct bus_offer *offer, struct bus_party *party, bool quarantine)
{
    char reason[ACCORD_REASON_MAX];
    if (!full(party, quarantine, offer->content->envelope.size))
        return false;
    explain(reason, sizeof reason, party, quarantine);
    offer_defer(offer, rule_of(quarantine), reason);
    return true;
}

bool offer_over_limit(struct bus_offer *offer)
{
    if (offer->party->stopped[true] && deferred(offer, offer->party, true))
        return true;
    const struct takers *takers = offer_takers(offer);
    for (size_t i = 0; takers && i < takers->count; i++)
        if (full(takers->lanes[i]->party, false, offer->content->envelope.size))
            return deferred(offer, takers->lanes[i]->party, false);
    return false;
}

bool offer_over_quarantine(struct bus_offer *offer)
{
    return deferred(offer, offer->party, true);
}

void offer_count(struct bus_offer *offer, bool quarantined)
{
    uint64_t size = (uint64_t)offer->content->envelope.size;
    offer_uncount(offer);
    if (quarantined) {
        offer->counted = offer->party;
        offer->party->coming[true] += size;
    }
    for (size_t i = 0; !quarantined && i < offer->route_count; i++) {
        struct offer_route *route = &offer->routes[i];
        route->counted = route->verdict.answer != ACCORD_DENY;
        route->party->coming[false] += route->counted ? size : 0;
    }
}

void offer_uncount(struct bus_offer *offer)
{
    uint64_t size = (uint64_t)offer->content->envelope.size;
    if (offer->counted)
        offer->counted->coming[true] -= size;
    offer->counted = NULL;
    for (size_t i = 0; i < offer->route_count; i++) {
        offer->routes[i].party->coming[false] -= offer->routes[i].counted ? size : 0;
        offer->routes[i].counted = false;
    }
}

/* Also when the limit was lifted. */
static void go_on(struct bus_party *party, bool quarantine)
{
    uint64_t limit = limit_of(party, quarantine);
    if (!party->stopped[quarantine] || (limit && kept(party, quarantine) > limit - limit / 10))
        return;
    party->stopped[quarantine] = false;
    record(party, quarantine, false);
}

bool bus_limits_tick(struct bus *bus)
{
    bool stopped = false;
    for (struct bus_party *party = bus->parties; party; party = party->next) {
        go_on(party, false);
        go_on(party, true);
        stopped = stopped || party->stopped[false] || party->stopped[true];
    }
    return stopped;
}
