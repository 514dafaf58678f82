/* Quarantined messages that go on because a person says so. What reads payloads is not asked again; everything else is,
 * as for a message that comes in now. */
#include <stdlib.h>
#include <string.h>

#include "bus/lane.h"
#include "bus/offer.h"
#include "util/text.h"

#define RELEASED_MAX 256 /* deliveries of one message: what the store takes */

static void released(void *arg, int result)
{
    struct bus_offer *offer = arg;
    const char *id = offer->content->id.text;
    if (!result) {
        offer_feed(offer);
        offer_answer(offer, ACCORD_ACCEPTED, id, "", "");
    } else if (result == ACCORD_ENOENT || result == ACCORD_ESTATE) {
        offer_answer(offer, ACCORD_REJECTED, id, "hub.not-quarantined", "it is not in quarantine");
    } else {
        offer_answer(offer, ACCORD_DEFERRED, id, "hub.store-failed", "the store did not take the decision");
    }
}

void offer_release_commit(struct bus_offer *offer, bool quarantined)
{
    struct offer_release *release = offer->release;
    const char *id = offer->content->id.text;
    if (quarantined) {
        const struct bus_words *words = bus_verdict_words(&offer->verdict);
        offer_answer(offer, ACCORD_REJECTED, id, words->rule, words->reason);
        return;
    }
    if (offer->route_count > RELEASED_MAX || !offer_prepare(offer)) {
        offer_answer(offer, ACCORD_DEFERRED, id, "hub.no-memory",
                     "out of memory, or too many services take it");
        return;
    }
    release->verb = (struct store_unquarantine){.message = id,
                                                .deliveries = offer->deliveries,
                                                .delivery_count = offer->route_count,
                                                .reason = release->why,
                                                .audit = offer->audit,
                                                .audit_count = offer->audit_count};
    store_unquarantine(offer->party->bus->store, &release->verb, released, offer);
}

/* ---- the beginning ---- */

static struct bus_party *origin_of(struct bus *bus, const struct store_message *message,
                                   const struct conf_service **service)
{
    char agreement[STORE_ROUTE_MAX];
    text_copy(agreement, sizeof agreement, message->origin);
    char *slash = strchr(agreement, '/');
    if (!slash)
        return NULL;
    *slash = 0;
    struct bus_party *party = bus_party_find(bus, agreement);
    *service = party && !party->retired ? conf_service_find(party->conf, slash + 1) : NULL;
    return *service && (*service)->direction == ACCORD_RECEIVE ? party : NULL;
}

static struct bus_content *content_of(struct store *store, const struct store_message *message,
                                      const struct bus_party *party, const struct conf_service *service)
{
    struct accord_envelope envelope = {.name = message->name,
                                       .source_id = message->source_id,
                                       .size = message->size,
                                       .headers = message->headers,
                                       .header_count = message->header_count};
    struct bus_content *content =
        bus_content_new(store, &envelope, message->type, party->conf->name, service->name);
    if (!content)
        return NULL;
    content->envelope.time = message->time;
    text_copy(content->id.text, sizeof content->id.text, message->id);
    hex_encode(content->sha256, message->sha256, DIGEST_SIZE);
    return content;
}

static int refuse(const struct bus_offer_events *events, void *arg, enum accord_admission admission,
                  const char *rule, const char *reason)
{
    struct accord_admitted admitted = {.admission = admission, .id = "", .rule = rule, .reason = reason};
    events->done(arg, &admitted);
    return 0;
}

static struct bus_offer *offer_of(struct bus_party *party, const struct conf_service *service,
                                  const struct store_message *message)
{
    struct bus_offer *offer = calloc(1, sizeof *offer);
    struct offer_release *release = offer ? calloc(1, sizeof *release) : NULL;
    struct bus_content *content = release ? content_of(party->bus->store, message, party, service) : NULL;
    if (!content) {
        free(release);
        free(offer);
        return NULL;
    }
    *offer = (struct bus_offer){
        .party = party, .service = service, .whole = true, .content = content, .release = release};
    offer->source =
        (struct bus_source){.store = party->bus->store, .message = content->id.text, .size = message->size};
    return offer;
}

int bus_release(struct bus *bus, const struct store_message *message, const char *user, const char *why,
                const struct bus_offer_events *events, void *arg)
{
    const struct conf_service *service = NULL;
    struct bus_party *party = origin_of(bus, message, &service);
    if (!party)
        return refuse(events, arg, ACCORD_REJECTED, "services.no-service",
                      "the receiving service that it came by is not configured any more");
    if (strcmp(service->type->name, message->type) != 0)
        return refuse(events, arg, ACCORD_REJECTED, "services.type",
                      "the service that it came by carries another type now");
    const char *off = bus_party_off(party);
    if (off)
        return refuse(events, arg, ACCORD_REJECTED, "hub.not-enabled", off);
    struct bus_offer *offer = offer_of(party, service, message);
    if (!offer)
        return ACCORD_ENOMEM;
    offer->events = *events;
    offer->arg = arg;
    text_copy(offer->release->user, sizeof offer->release->user, user);
    text_copy(offer->release->why, sizeof offer->release->why, why);
    party->offers++;
    bus->offers++;
    offer_judge(offer);
    return 0;
}

void bus_decided(struct bus *bus, const struct store_delivery *delivery)
{
    struct bus_party *party = bus_party_find(bus, delivery->agreement);
    struct bus_lane *lane = party ? bus_lane_find(party, delivery->service) : NULL;
    table_take(&bus->suspects, delivery->number);
    if (lane)
        bus_lane_feed(lane);
}
