/* In: takes the payload of an offer, and tells its source how it ended. */

#include "bus/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/trail.h"
#include "util/clock.h"
#include "util/text.h"

/* ---- ending ---- */

static void offer_free(struct bus_offer *offer)
{
    struct bus_party *party = offer->party;
    for (size_t i = 0; i < offer->route_count; i++)
        free(offer->routes[i].verdict.keys);
    for (size_t i = 0; i < offer->key_count; i++)
        free((char *)offer->keys[i]);
    for (size_t i = 0; i < offer->envelope.header_count; i++) {
        free((char *)offer->headers[i].name);
        free((char *)offer->headers[i].value);
    }
    bus_trail_free(offer->audit, offer->audit_count);
    free(offer->verdict.keys);
    free(offer->keys);
    free(offer->key_routes);
    free(offer->headers);
    free(offer->deliveries);
    free(offer->audit);
    if (offer->payload)
        store_payload_free(offer->payload);
    free(offer);
    party->offers--;
    party->bus->offers--;
}

void offer_answer(struct bus_offer *offer, enum accord_admission admission, const char *id, const char *rule,
                  const char *reason)
{
    struct accord_admitted admitted = {.admission = admission, .id = id, .rule = rule, .reason = reason};
    if (!offer->aborted)
        offer->events.done(offer->arg, &admitted);
    offer_free(offer);
}

static void recorded(void *arg, int result)
{
    struct store_audit *audit = arg;
    (void)result; /* a trail that cannot be written stops admissions by itself */
    buf_fini(&audit->body);
    free(audit);
}

void offer_record(struct bus_offer *offer, enum audit_action action, const char *rule, const char *reason)
{
    struct store_audit *audit = calloc(1, sizeof *audit);
    if (!audit)
        return;
    struct audit_event event = {.action = action,
                                .outcome = AUDIT_FAILURE,
                                .agreement = offer->party->conf->name,
                                .link = offer->service->link->name,
                                .service = offer->service->name,
                                .name = offer->name,
                                .type = offer->service->type->name,
                                .rule = rule,
                                .reason = reason};
    bus_trail_render(audit, &event);
    store_audit(offer->party->bus->store, audit, 1, recorded, audit);
}

void offer_defer(struct bus_offer *offer, const char *rule, const char *reason)
{
    offer_record(offer, AUDIT_DEFERRED, rule, reason);
    offer_answer(offer, ACCORD_DEFERRED, "", rule, reason);
}

static void reject(struct bus_offer *offer, const char *rule, const char *reason)
{
    offer_record(offer, AUDIT_REFUSED, rule, reason);
    offer_answer(offer, ACCORD_REJECTED, "", rule, reason);
}

/* ---- the payload ---- */

static void sealed(struct bus_offer *offer)
{
    uint8_t hash[DIGEST_SIZE];
    offer->sealed = true;
    store_payload_seal(offer->payload, hash, &offer->envelope.size);
    hex_encode(offer->sha256, hash, DIGEST_SIZE);
    offer->envelope.time = clock_wall();
    if (id_make(&offer->id, offer->envelope.time) < 0) {
        offer_defer(offer, "hub.no-random", "the system gives no random numbers");
        return;
    }
    offer->source = (struct bus_source){
        .store = offer->party->bus->store, .staged = offer->payload, .size = offer->envelope.size};
    offer_judge(offer);
}

static void grant(struct bus_offer *offer)
{
    offer->granted = ACCORD_PIECE_MAX;
    offer->events.pull(offer->arg, offer->granted);
}

static void piece_taken(void *arg, int result)
{
    struct bus_offer *offer = arg;
    if (result)
        offer_answer(offer, ACCORD_DEFERRED, "", "hub.store-full",
                     "the store has no room; the message stays with its source until there is");
    else if (offer->aborted)
        offer_free(offer);
    else
        grant(offer);
}

static void last_piece_taken(void *arg, int result)
{
    if (result)
        piece_taken(arg, result);
    else
        sealed(arg);
}

int bus_offer_data(struct bus_offer *offer, const uint8_t *bytes, size_t size, bool last)
{
    if (offer->sealed || (int64_t)size > offer->granted || (!size && !last))
        return ACCORD_EPROTO;
    offer->granted = 0;
    offer->received += (int64_t)size;
    if (offer->received > offer->service->max_size) {
        reject(offer, "services.size", "the message is larger than its service allows (max-size)");
        return 0;
    }
    if (last)
        offer->sealed = true; /* nothing may follow */
    store_payload_add(offer->payload, bytes, size, last ? last_piece_taken : piece_taken, offer);
    return 0;
}

/* ---- the beginning ---- */

static bool copy_headers(struct bus_offer *offer, const struct accord_envelope *from)
{
    offer->headers = calloc(from->header_count + 1, sizeof *offer->headers);
    if (!offer->headers)
        return false;
    offer->envelope.headers = offer->headers;
    for (size_t i = 0; i < from->header_count && i < ACCORD_HEADERS_MAX; i++) {
        offer->headers[i].name = strdup(from->headers[i].name);
        offer->headers[i].value = strdup(from->headers[i].value);
        offer->envelope.header_count++;
        if (!offer->headers[i].name || !offer->headers[i].value)
            return false;
    }
    return true;
}

static void describe(struct bus_offer *offer, const struct accord_envelope *from, const char *cursor)
{
    text_safe_name(offer->name, sizeof offer->name, from->name);
    text_copy(offer->source_id, sizeof offer->source_id, from->source_id);
    snprintf(offer->origin, sizeof offer->origin, "%s/%s", offer->party->conf->name, offer->service->name);
    if (cursor)
        text_copy(offer->cursor, sizeof offer->cursor, cursor);
    offer->has_cursor = cursor != NULL;
    offer->envelope = (struct accord_envelope){.id = offer->id.text,
                                               .type = offer->service->type->name,
                                               .name = offer->name,
                                               .origin = offer->origin,
                                               .source_id = offer->source_id,
                                               .size = from->size,
                                               .sha256 = offer->sha256};
}

/* The hub's own checks on the envelope alone; true when the offer is over. */
static bool refused_at_once(struct bus_offer *offer)
{
    const struct bus_party *party = offer->party;
    if (offer->service->direction != ACCORD_RECEIVE)
        reject(offer, "services.direction", "this service does not receive");
    else if (!bus_in_force(party->conf, clock_wall()))
        reject(offer, "hub.not-in-force", "the agreement is not in force");
    else if (offer->envelope.size > offer->service->max_size)
        reject(offer, "services.size", "the message is larger than its service allows (max-size)");
    else if (!party->enabled)
        offer_defer(offer, "hub.not-enabled", party->why_off);
    else
        return false;
    return true;
}

int bus_offer_new(struct bus_party *party, const struct conf_service *service,
                  const struct accord_envelope *envelope, const char *cursor,
                  const struct bus_offer_events *events, void *arg, struct bus_offer **out)
{
    *out = NULL;
    struct bus_offer *offer = calloc(1, sizeof *offer);
    if (!offer)
        return ACCORD_ENOMEM;
    offer->party = party;
    offer->service = service;
    offer->events = *events;
    offer->arg = arg;
    party->offers++;
    party->bus->offers++;
    describe(offer, envelope, cursor);
    offer->payload = store_payload_new(party->bus->store);
    if (!offer->payload || !copy_headers(offer, envelope)) {
        offer_free(offer);
        return ACCORD_ENOMEM;
    }
    if (refused_at_once(offer))
        return 0;
    *out = offer;
    grant(offer);
    return 0;
}

void bus_offer_abort(struct bus_offer *offer)
{
    offer->aborted = true;
    if (!offer->sealed && offer->granted)
        offer_free(offer); /* otherwise the piece that the store is taking ends it */
}
