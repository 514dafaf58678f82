/* The fake host's messages on their way in: offers into memory. */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void testhost_admission(struct testhost *host, enum accord_admission admission, const char *rule,
                        const char *reason)
{
    host->admission.admission = admission;
    snprintf(host->admission.rule, sizeof host->admission.rule, "%s", rule ? rule : "");
    snprintf(host->admission.reason, sizeof host->admission.reason, "%s", reason ? reason : "");
}

static size_t open_offers(const struct testhost *host)
{
    size_t count = 0;
    for (const struct accord_offer *offer = host->offers; offer; offer = offer->next)
        count += !offer->done && !offer->aborted;
    return count;
}

/* ---- room ---- */

static void give_room(struct testhost *host, struct testhost_event *event)
{
    (void)event;
    if (!host->offer_refused || open_offers(host) >= host->offer_room || host->phase != TESTHOST_STARTED)
        return;
    host->offer_refused = false;
    if (host->connector->offer_ready)
        INTO_PLUGIN(host, "offer_ready", host->connector->offer_ready(host->state));
}

void testhost_offer_room(struct testhost *host, size_t count)
{
    host->offer_room = count;
    testhost_post(host, give_room);
}

void testhost_offer_started(struct testhost *host)
{
    if (host->offer_refused)
        testhost_post(host, give_room);
}

/* ---- payload ---- */

void testhost_ask(struct testhost *host, int64_t bytes)
{
    host->ask = bytes;
}

static void ask_more(struct testhost *host, struct testhost_event *event)
{
    struct accord_offer *offer = event->offer;
    offer->queued = false;
    if (offer->complete || offer->aborted || offer->done || offer->asked - offer->size >= host->ask)
        return;
    int64_t more = host->ask - (offer->asked - offer->size);
    offer->asked += more;
    INTO_PLUGIN(host, "offer_pull", host->connector->offer_pull(host->state, offer, offer->arg, more));
}

static void post_ask(struct testhost *host, struct accord_offer *offer)
{
    if (offer->queued)
        return;
    offer->queued = true;
    testhost_post(host, ask_more)->offer = offer;
}

/* ---- the verdict ---- */

void testhost_tell(struct testhost *host, struct accord_offer *offer, enum accord_admission admission,
                   const char *rule, const char *reason)
{
    if (offer->aborted || offer->done)
        return;
    char id[ACCORD_ID_MAX];
    snprintf(id, sizeof id, "testmessage%013u", ++host->ids);
    offer->done = true;
    offer->admission = admission;
    struct accord_admitted admitted = {.admission = admission,
                                       .id = admission <= ACCORD_QUARANTINED ? id : "",
                                       .rule = rule ? rule : "",
                                       .reason = reason ? reason : ""};
    /* The cursor is committed with the message, before the connector hears of it. */
    testhost_mark_over(host, offer, admission != ACCORD_DEFERRED, admission == ACCORD_DEFERRED);
    INTO_PLUGIN(host, "offer_done", host->connector->offer_done(host->state, offer, offer->arg, &admitted));
    testhost_post(host, give_room);
}

static void tell_admission(struct testhost *host, struct testhost_event *event)
{
    const struct testhost_answer *told = &host->admission;
    if (!host->hold_admissions)
        testhost_tell(host, event->offer, told->admission, told->rule, told->reason);
}

void testhost_hold_admissions(struct testhost *host, bool hold)
{
    host->hold_admissions = hold;
    for (struct accord_offer *offer = host->offers; offer && !hold; offer = offer->next)
        if (offer->complete && !offer->done && !offer->aborted)
            testhost_post(host, tell_admission)->offer = offer;
}

/* ---- the connector's calls ---- */

static bool fits(const char *text, size_t room)
{
    return text && strlen(text) < room;
}

static bool check_incoming(struct testhost *host, size_t service, const struct accord_incoming *message)
{
    if (service >= host->setup->service_count ||
        host->setup->services[service]->direction != ACCORD_RECEIVE) {
        testhost_complain(host, "offer for service %zu, which does not receive", service);
        return false;
    }
    if (!message->name || !fits(message->source_id, ACCORD_SOURCE_ID_MAX) || message->size < -1 ||
        (message->cursor && !fits(message->cursor, ACCORD_CURSOR_MAX))) {
        testhost_complain(
            host, "offer without a name or source id, or with one, a size or a cursor that cannot be");
        return false;
    }
    for (size_t i = 0; i < message->header_count; i++)
        if (!message->headers[i].name || !message->headers[i].value) {
            testhost_complain(host, "offer with a header that is NULL");
            return false;
        }
    if (message->header_count > ACCORD_HEADERS_MAX)
        testhost_complain(host, "offer with %zu headers: %d are kept", message->header_count,
                          ACCORD_HEADERS_MAX);
    return testhost_carries(host, message->session, "offer");
}

static void copy_headers(struct accord_offer *offer, const struct accord_incoming *message)
{
    offer->header_count = message->header_count;
    offer->headers = testkit_alloc(message->header_count * sizeof *offer->headers);
    for (size_t i = 0; i < message->header_count; i++)
        offer->headers[i] = (struct accord_pair){testkit_copy(message->headers[i].name),
                                                 testkit_copy(message->headers[i].value)};
}

struct accord_offer *testhost_do_offer(struct accord_instance *instance, size_t service,
                                       const struct accord_incoming *message, void *arg)
{
    struct testhost *host = instance->host;
    if (!testhost_callable(host, "offer", false) || !check_incoming(host, service, message))
        return NULL;
    if (host->phase == TESTHOST_STOPPED)
        testhost_complain(host, "offer after stop");
    if (testhost_fails(host, TESTHOST_OFFER) || open_offers(host) >= host->offer_room ||
        host->phase != TESTHOST_STARTED) {
        host->offer_refused = true;
        testhost_post(host, give_room);
        return NULL;
    }
    struct accord_offer *offer = testkit_alloc(sizeof *offer);
    offer->host = host;
    offer->arg = arg;
    offer->service = service;
    offer->declared = message->size;
    snprintf(offer->name, sizeof offer->name, "%s", message->name);
    snprintf(offer->source_id, sizeof offer->source_id, "%s", message->source_id);
    offer->has_cursor = message->cursor != NULL;
    snprintf(offer->cursor, sizeof offer->cursor, "%s", message->cursor ? message->cursor : "");
    copy_headers(offer, message);
    struct accord_offer **at = &host->offers;
    while (*at)
        at = &(*at)->next;
    *at = offer;
    testhost_mark_offer(host, offer);
    post_ask(host, offer);
    return offer;
}

int testhost_do_offer_write(struct accord_offer *offer, const uint8_t *bytes, size_t size, bool last)
{
    struct testhost *host = offer->host;
    if (!testhost_callable(host, "offer_write", false))
        return ACCORD_ESTATE;
    if (offer->done || offer->aborted || offer->complete) {
        testhost_complain(host, "offer_write to an offer that is over");
        return ACCORD_ESTATE;
    }
    if (size > ACCORD_PIECE_MAX || offer->size + (int64_t)size > offer->asked) {
        testhost_complain(host, "offer_write of more than was asked for: %zu bytes, asked for were %lld",
                          size, (long long)(offer->asked - offer->size));
        return ACCORD_ELIMIT;
    }
    if (testhost_fails(host, TESTHOST_WRITE))
        return ACCORD_ENOMEM;
    offer->bytes = testkit_grow(offer->bytes, (size_t)offer->size + size + 1);
    if (size)
        memcpy(offer->bytes + offer->size, bytes, size);
    offer->size += (int64_t)size;
    offer->complete = last;
    if (last && offer->declared >= 0 && offer->declared != offer->size)
        testhost_complain(host, "offer of %lld bytes has %lld", (long long)offer->declared,
                          (long long)offer->size);
    if (last)
        testhost_post(host, tell_admission)->offer = offer;
    else
        post_ask(host, offer);
    return ACCORD_OK;
}

void testhost_do_offer_abort(struct accord_offer *offer)
{
    struct testhost *host = offer->host;
    testhost_callable(host, "offer_abort", true);
    if (offer->done || offer->aborted) {
        testhost_complain(host, "offer_abort of an offer that is over");
        return;
    }
    offer->aborted = true;
    testhost_mark_over(host, offer, false, false);
    testhost_post(host, give_room);
}

/* ---- for tests ---- */

size_t testhost_offers(const struct testhost *host)
{
    size_t count = 0;
    for (const struct accord_offer *offer = host->offers; offer; offer = offer->next)
        count++;
    return count;
}

struct accord_offer *testhost_offer(struct testhost *host, size_t index)
{
    struct accord_offer *offer = host->offers;
    while (offer && index--)
        offer = offer->next;
    return offer;
}

void testhost_free_offers(struct testhost *host)
{
    while (host->offers) {
        struct accord_offer *offer = host->offers;
        host->offers = offer->next;
        for (size_t i = 0; i < offer->header_count; i++) {
            free((char *)offer->headers[i].name);
            free((char *)offer->headers[i].value);
        }
        free(offer->headers);
        free(offer->bytes);
        free(offer);
    }
}
