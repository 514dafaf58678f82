/* In: takes the payload of an offer, and tells its source how it ended. */

#include "bus/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/advance.h"
#include "bus/answers.h"
#include "bus/limits.h"
#include "bus/count.h"
#include "bus/lane.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/pool.h"
#include "util/text.h"

/* ---- ending ---- */

static struct pool offers = {
    .size = sizeof(struct bus_offer), .head = offsetof(struct bus_offer, source), .most = 512};

static void offer_free(struct bus_offer *offer)
{
    struct bus_party *party = offer->party;
    offer_unprepare(offer);
    offer_routes_free(offer);
    buf_fini(&offer->waiting);
    bus_verdict_fini(&offer->verdict);
    free(offer->keys);
    free(offer->key_formers);
    free(offer->key_routes);
    if (offer->audit != offer->few_audit)
        free(offer->audit);
    bus_content_unref(offer->content);
    free(offer->release);
    struct gate *inlet = offer->entered ? &party->inlets[offer->service->link - party->conf->links] : NULL;
    pool_give(&offers, offer);
    party->offers--;
    party->bus->offers--;
    if (inlet)
        gate_leave(inlet);
}

static void leave(struct bus_offer *offer)
{
    offer->aborted = offer->over = true;
    if (!offer->taking)
        offer_free(offer);
}

void offer_answer(struct bus_offer *offer, enum accord_admission admission, const char *id, const char *rule,
                  const char *reason)
{
    struct accord_admitted admitted = {.admission = admission, .id = id, .rule = rule, .reason = reason};
    bool held = admission != ACCORD_DEFERRED;
    advance_leave(offer, held, held && offer->serial && !offer->admission.repeat && *id);
    bus_count_offer(offer->party, offer->service->name, admission, offer->content->envelope.size);
    if (!offer->aborted)
        offer->events.done(offer->arg, &admitted);
    leave(offer);
}

void offer_record(struct bus_offer *offer, enum audit_action action, const char *rule, const char *reason)
{
    struct bus *bus = offer->party->bus;
    struct audit_event event = {.action = action,
                                .outcome = action == AUDIT_REPEATED ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .agreement = offer->party->conf->name,
                                .link = offer->service->link->name,
                                .service = offer->service->name,
                                .name = offer->content->envelope.name,
                                .type = offer->service->type->name,
                                .rule = rule,
                                .reason = reason};
    bus_denial(bus, &event, offer->content->envelope.source_id);
}

void offer_defer(struct bus_offer *offer, const char *rule, const char *reason)
{
    offer_record(offer, AUDIT_DEFERRED, rule, reason);
    offer_answer(offer, ACCORD_DEFERRED, "", rule, reason);
}

void offer_reject(struct bus_offer *offer, const char *rule, const char *reason)
{
    offer_record(offer, AUDIT_REFUSED, rule, reason);
    offer_answer(offer, ACCORD_REJECTED, "", rule, reason);
}

void bus_offer_abort(struct bus_offer *offer)
{
    offer->aborted = true;
    advance_leave(offer, false, false);
    if (!offer->whole)
        leave(offer); /* otherwise its admission ends it */
}

/* ---- the payload ---- */

static void seal(struct bus_offer *offer)
{
    uint8_t hash[DIGEST_SIZE];
    store_payload_seal(offer->content->payload, hash, &offer->content->envelope.size);
    hex_encode(offer->content->sha256, hash, DIGEST_SIZE);
    offer->content->envelope.time = clock_wall();
    if (id_make(&offer->content->id, offer->content->envelope.time) < 0) {
        offer_defer(offer, "hub.no-random", "the system gives no random numbers");
        return;
    }
    if (!bus_in_force(offer->party->conf, offer->content->envelope.time)) {
        offer_reject(offer, "hub.not-in-force", "the agreement is not in force");
        return;
    }
    offer->source = (struct bus_source){.store = offer->party->bus->store,
                                        .staged = offer->content->payload,
                                        .size = offer->content->envelope.size};
    struct bus_party *party = offer->party;
    gate_enter(&party->inlets[offer->service->link - party->conf->links], &offer->at_inlet);
}

static void set_share(const struct bus_offer *offer)
{
    const struct takers *takers = offer_takers(offer);
    bool little = false;
    for (size_t i = 0; takers && i < takers->count && !little; i++)
        little = bus_lane_presses(takers->lanes[i]);
    offer->party->inlets[offer->service->link - offer->party->conf->links].most =
        little ? INLET_LITTLE : INLET_SHARE;
}

void offer_enter(struct gate_item *item)
{
    struct bus_offer *offer = (struct bus_offer *)item;
    offer->entered = true;
    set_share(offer);
    if (!offer_over_limit(offer))
        offer_correlate(offer);
}

static void grant(struct bus_offer *offer)
{
    offer->granted = ACCORD_PIECE_MAX;
    offer->events.pull(offer->arg, offer->granted);
}

static void taken(void *arg, int result);

/* The store wants one piece at a time, and takes at once what it keeps in memory. */
static void take(struct bus_offer *offer, const uint8_t *bytes, size_t size)
{
    offer->taking = true;
    if (store_payload_take(offer->content->payload, bytes, size))
        taken(offer, 0);
    else
        store_payload_add(offer->content->payload, bytes, size, taken, offer);
}

static void take_waiting(struct bus_offer *offer)
{
    struct buf waiting = offer->waiting;
    offer->waiting = (struct buf){0};
    take(offer, waiting.data, waiting.size);
    buf_fini(&waiting);
}

static void taken(void *arg, int result)
{
    struct bus_offer *offer = arg;
    offer->taking = false;
    if (offer->over)
        offer_free(offer);
    else if (result || offer->waiting.failed)
        offer_answer(offer, ACCORD_DEFERRED, "", "hub.store-full",
                     "the store has no room; the message stays with its source until there is");
    else if (offer->waiting.size)
        take_waiting(offer);
    else if (offer->whole)
        seal(offer);
    else if (!offer->granted)
        grant(offer);
}

/* What the source says of the size must be true: a file that grew or shrank while it was read is another
 * one. */
static bool size_is_wrong(struct bus_offer *offer)
{
    char reason[ACCORD_REASON_MAX];
    if (offer->received > offer->service->max_size) {
        offer_reject(offer, "services.size", "the message is larger than its service allows (max-size)");
        return true;
    }
    if (offer->announced < 0 ||
        (offer->whole ? offer->received == offer->announced : offer->received <= offer->announced))
        return false;
    snprintf(reason, sizeof reason,
             "%lld bytes were announced and %lld have come: it changed while it was read, and stays with its "
             "source",
             (long long)offer->announced, (long long)offer->received);
    offer_defer(offer, "hub.size-changed", reason);
    return true;
}

int bus_offer_data(struct bus_offer *offer, const uint8_t *bytes, size_t size, bool last)
{
    if (offer->whole || (int64_t)size > offer->granted)
        return ACCORD_EPROTO;
    if (!size && !last)
        return 0;
    offer->granted -= (int64_t)size;
    offer->received += (int64_t)size;
    offer->whole = last;
    if (size_is_wrong(offer))
        return 0;
    if (offer->taking)
        buf_put(&offer->waiting, bytes, size);
    else
        take(offer, bytes, size);
    return 0;
}

/* ---- the beginning ---- */

/* The hub's own checks on the envelope alone; true when the offer is over. */
static bool refused_at_once(struct bus_offer *offer)
{
    const struct bus_party *party = offer->party;
    if (offer->service->direction != ACCORD_RECEIVE)
        offer_reject(offer, "services.direction", "this service does not receive");
    else if (!bus_in_force(party->conf, clock_wall()))
        offer_reject(offer, "hub.not-in-force", "the agreement is not in force");
    else if (offer->content->envelope.size > offer->service->max_size)
        offer_reject(offer, "services.size", "the message is larger than its service allows (max-size)");
    else if (!party->enabled)
        offer_defer(offer, "hub.not-enabled", party->why_off);
    else
        return offer_over_limit(offer);
    return true;
}

int bus_offer_new(struct bus_party *party, const struct conf_service *service,
                  const struct accord_envelope *envelope, const struct bus_place *place,
                  const struct bus_offer_events *events, void *arg, struct bus_offer **out)
{
    *out = NULL;
    struct bus_offer *offer = pool_take(&offers);
    if (!offer)
        return ACCORD_ENOMEM;
    offer->party = party;
    offer->service = service;
    offer->events = *events;
    offer->arg = arg;
    party->offers++;
    party->bus->offers++;
    offer->announced = envelope->size;
    offer->content =
        bus_content_new(party->bus->store, envelope, service->type->name, party->conf->name, service->name);
    if (!offer->content || (place && advance_enter(offer, place->cursor) < 0)) {
        offer_free(offer);
        return ACCORD_ENOMEM;
    }
    if (refused_at_once(offer))
        return 0;
    *out = offer;
    grant(offer);
    return 0;
}
