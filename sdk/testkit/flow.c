/* The fake host's messages: deliveries from memory, offers into memory. */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- out ---- */

static void fill_envelope(struct testhost *host, struct accord_outgoing *out,
                          const struct testhost_message *message)
{
    static char made_up[ACCORD_ID_MAX];
    struct accord_envelope *envelope = &out->envelope;
    if (!message->id)
        snprintf(made_up, sizeof made_up, "testmessage%013u", ++host->ids);
    envelope->id = strdup(message->id ? message->id : made_up);
    envelope->type = strdup(message->type ? message->type : "opaque");
    envelope->name = strdup(message->name ? message->name : "");
    envelope->origin = strdup(message->origin ? message->origin : "site/test");
    envelope->source_id = strdup("");
    envelope->sha256 = strdup(message->sha256 ? message->sha256 : "");
    envelope->size = (int64_t)message->size;
    envelope->time = testhost_table.wall(&host->instance);
    envelope->headers = message->headers;
    envelope->header_count = message->header_count;
}

static void free_outgoing(struct accord_outgoing *out)
{
    const char *owned[] = {out->envelope.id,     out->envelope.type,   out->envelope.name,
                           out->envelope.origin, out->envelope.sha256, out->envelope.source_id};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free((char *)owned[i]);
    free(out);
}

struct accord_delivery *testhost_deliver(struct testhost *host, size_t service,
                                         const struct testhost_message *message)
{
    struct accord_delivery *delivery = calloc(1, sizeof *delivery);
    delivery->host = host;
    delivery->bytes = message->bytes;
    delivery->size = (int64_t)message->size;
    delivery->stall_at = -1;
    delivery->next = host->deliveries;
    host->deliveries = delivery;
    struct accord_outgoing *out = delivery->out = calloc(1, sizeof *out);
    out->handle = delivery;
    out->service = service;
    out->attempt = message->attempt ? message->attempt : 1;
    fill_envelope(host, out, message);
    host->connector->deliver(host->state, out);
    return delivery;
}

void testhost_cancel(struct testhost *host, struct accord_delivery *delivery)
{
    delivery->cancelled = true;
    if (!delivery->finished)
        host->connector->cancel(host->state, delivery);
}

static bool is_finished(void *arg)
{
    const struct accord_delivery *delivery = arg;
    return delivery->finished;
}

bool testhost_settle(struct testhost *host, struct accord_delivery *delivery, int64_t ms)
{
    return testhost_run_until(host, is_finished, delivery, ms);
}

void testhost_piece(struct testhost *host, size_t size)
{
    host->piece = size;
}

void testhost_at_byte(struct testhost *host, struct accord_delivery *delivery, int64_t bytes,
                      void (*run)(void *), void *arg)
{
    host->at_byte.delivery = delivery;
    host->at_byte.bytes = bytes;
    host->at_byte.run = run;
    host->at_byte.arg = arg;
}

static void reached_byte(struct testhost *host, const struct accord_delivery *delivery)
{
    void (*run)(void *) = host->at_byte.run;
    if (!run || host->at_byte.delivery != delivery || delivery->sent < host->at_byte.bytes)
        return;
    host->at_byte.run = NULL;
    run(host->at_byte.arg);
}

static void give_piece(struct testhost *host, struct testhost_event *event);

static void post_piece(struct testhost *host, struct accord_delivery *delivery)
{
    if (delivery->queued || delivery->last_given)
        return;
    delivery->queued = true;
    testhost_post(host, give_piece)->delivery = delivery;
}

static void give_piece(struct testhost *host, struct testhost_event *event)
{
    struct accord_delivery *delivery = event->delivery;
    delivery->queued = false;
    if (delivery->finished || delivery->last_given)
        return;
    int64_t end =
        delivery->stall_at >= 0 && delivery->stall_at < delivery->size ? delivery->stall_at : delivery->size;
    int64_t size = end - delivery->sent;
    if (size > delivery->credit)
        size = delivery->credit;
    if (size > (int64_t)host->piece)
        size = (int64_t)host->piece;
    bool last = delivery->sent + size == delivery->size && delivery->stall_at < 0;
    if (size == 0 && !last)
        return;
    uint8_t *bytes = malloc(size ? (size_t)size : 1);
    if (size)
        memcpy(bytes, delivery->bytes + delivery->sent, (size_t)size);
    delivery->sent += size;
    delivery->credit -= size;
    delivery->last_given = last;
    host->connector->payload(host->state, delivery, bytes, (size_t)size, last);
    free(bytes);
    if (!delivery->finished && delivery->credit > 0)
        post_piece(host, delivery);
    reached_byte(host, delivery);
}

void testhost_unstall(struct testhost *host, struct accord_delivery *delivery)
{
    delivery->stall_at = -1;
    if (!delivery->finished && host->phase < TESTHOST_CLOSING)
        post_piece(host, delivery);
}

void testhost_do_pull(struct accord_delivery *delivery, struct accord_session *session, int64_t bytes)
{
    struct testhost *host = delivery->host;
    if (!testhost_callable(host, "pull", false))
        return;
    if (delivery->finished || bytes <= 0) {
        testhost_complain(host, delivery->finished ? "pull after finish" : "pull of %lld bytes",
                          (long long)bytes);
        return;
    }
    if (!session != !host->has_endpoint) {
        testhost_complain(host, session ? "pull with a session on a link without endpoint"
                                        : "pull without a session");
        return;
    }
    if (session && (session->ended || !(session->allowed & 1u << ACCORD_AUTHENTICATED))) {
        testhost_complain(host, "pull on a session that is %s",
                          session->ended ? "ended" : "not authenticated");
        return;
    }
    if (session && testhost_blocks(session))
        testhost_complain(host,
                          "the session's descriptor was made blocking: a slow partner would hold the loop");
    delivery->credit += bytes;
    post_piece(host, delivery);
}

void testhost_do_finish(struct accord_delivery *delivery, const struct accord_result *result)
{
    struct testhost *host = delivery->host;
    testhost_callable(host, "finish", true);
    if (delivery->finished) {
        testhost_complain(host, "a delivery was finished twice");
        return;
    }
    if (!result->reason || !result->receipt) {
        testhost_complain(host, "finish with a NULL reason or receipt");
        return;
    }
    if (result->outcome == ACCORD_DELIVERED ? !*result->receipt : !*result->reason)
        testhost_complain(host, "outcome %d says neither why nor what", (int)result->outcome);
    delivery->finished = true;
    delivery->outcome = result->outcome;
    delivery->wait = result->wait;
    snprintf(delivery->reason, sizeof delivery->reason, "%s", result->reason);
    snprintf(delivery->receipt, sizeof delivery->receipt, "%s", result->receipt);
    free_outgoing(delivery->out);
    delivery->out = NULL;
}

/* ---- in ---- */

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

static void give_room(struct testhost *host, struct testhost_event *event)
{
    (void)event;
    if (!host->offer_refused || open_offers(host) >= host->offer_room || host->phase != TESTHOST_STARTED)
        return;
    host->offer_refused = false;
    if (host->connector->offer_ready)
        host->connector->offer_ready(host->state);
}

void testhost_offer_room(struct testhost *host, size_t count)
{
    host->offer_room = count;
    testhost_post(host, give_room);
}

/* Asks for 256 KiB at a time, as a host with a window does. */
static void ask_more(struct testhost *host, struct testhost_event *event)
{
    const int64_t window = 256 * 1024;
    struct accord_offer *offer = event->offer;
    offer->queued = false;
    if (offer->complete || offer->aborted || offer->asked - offer->size >= window)
        return;
    int64_t more = window - (offer->asked - offer->size);
    offer->asked += more;
    host->connector->offer_pull(host->state, offer, offer->arg, more);
}

static void post_ask(struct testhost *host, struct accord_offer *offer)
{
    if (offer->queued)
        return;
    offer->queued = true;
    testhost_post(host, ask_more)->offer = offer;
}

struct accord_offer *testhost_do_offer(struct accord_instance *instance, size_t service,
                                       const struct accord_incoming *message, void *arg)
{
    struct testhost *host = instance->host;
    if (!testhost_callable(host, "offer", false))
        return NULL;
    if (service >= host->setup->service_count || host->setup->services[service]->direction != ACCORD_RECEIVE)
        testhost_complain(host, "offer for service %zu, which does not receive", service);
    if (host->phase == TESTHOST_STOPPED)
        testhost_complain(host, "offer after stop");
    if (open_offers(host) >= host->offer_room || host->phase != TESTHOST_STARTED) {
        host->offer_refused = true;
        return NULL;
    }
    struct accord_offer *offer = calloc(1, sizeof *offer);
    offer->host = host;
    offer->arg = arg;
    offer->service = service;
    offer->declared = message->size;
    snprintf(offer->name, sizeof offer->name, "%s", message->name);
    snprintf(offer->source_id, sizeof offer->source_id, "%s", message->source_id);
    struct accord_offer **at = &host->offers;
    while (*at)
        at = &(*at)->next;
    *at = offer;
    post_ask(host, offer);
    return offer;
}

static void tell_admission(struct testhost *host, struct testhost_event *event)
{
    struct accord_offer *offer = event->offer;
    if (offer->aborted)
        return;
    char id[ACCORD_ID_MAX];
    snprintf(id, sizeof id, "testmessage%013u", ++host->ids);
    offer->done = true;
    offer->admission = host->admission.admission;
    struct accord_admitted admitted = {.admission = offer->admission,
                                       .id = offer->admission <= ACCORD_QUARANTINED ? id : "",
                                       .rule = host->admission.rule,
                                       .reason = host->admission.reason};
    host->connector->offer_done(host->state, offer, offer->arg, &admitted);
    testhost_post(host, give_room);
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
        testhost_complain(host, "offer_write of more than was asked for");
        return ACCORD_ELIMIT;
    }
    offer->bytes = realloc(offer->bytes, (size_t)offer->size + size + 1);
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
    testhost_callable(offer->host, "offer_abort", true);
    if (offer->done || offer->aborted)
        testhost_complain(offer->host, "offer_abort of an offer that is over");
    offer->aborted = true;
    testhost_post(offer->host, give_room);
}

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

/* ---- end ---- */

void testhost_check_flow(struct testhost *host)
{
    for (struct accord_delivery *delivery = host->deliveries; delivery; delivery = delivery->next)
        if (!delivery->finished)
            testhost_complain(host, "close left the delivery of %s unfinished", delivery->out->envelope.name);
}

void testhost_free_flow(struct testhost *host)
{
    while (host->deliveries) {
        struct accord_delivery *next = host->deliveries->next;
        if (host->deliveries->out)
            free_outgoing(host->deliveries->out);
        free(host->deliveries);
        host->deliveries = next;
    }
    while (host->offers) {
        struct accord_offer *next = host->offers->next;
        free(host->offers->bytes);
        free(host->offers);
        host->offers = next;
    }
}
