/* The fake host's messages on their way out: deliveries from memory. */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static struct accord_envelope *new_envelope(struct testhost *host, const struct testhost_message *message)
{
    char made_up[ACCORD_ID_MAX];
    struct accord_envelope *envelope = testkit_alloc(sizeof *envelope);
    snprintf(made_up, sizeof made_up, "testmessage%013u", ++host->ids);
    envelope->id = testkit_copy(message->id ? message->id : made_up);
    envelope->type = testkit_copy(message->type ? message->type : "opaque");
    envelope->name = testkit_copy(or_empty(message->name));
    envelope->origin = testkit_copy(message->origin ? message->origin : "site/test");
    envelope->source_id = testkit_copy(or_empty(message->source_id));
    envelope->sha256 = testkit_copy(or_empty(message->sha256));
    envelope->size = (int64_t)message->size;
    envelope->time = testhost_do_wall(&host->instance);
    envelope->headers = message->headers;
    envelope->header_count = message->header_count;
    return envelope;
}

static void free_outgoing(struct accord_outgoing *out)
{
    const char *owned[] = {out->envelope->id,     out->envelope->type,   out->envelope->name,
                           out->envelope->origin, out->envelope->sha256, out->envelope->source_id};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free((char *)owned[i]);
    free((void *)out->envelope);
    memset(out, 0xa5, sizeof *out);
    free(out);
}

/* ---- the window ---- */

static int64_t in_flight(const struct testhost *host, size_t service)
{
    int64_t count = 0;
    for (const struct accord_delivery *delivery = host->deliveries; delivery; delivery = delivery->next)
        count += !delivery->finished && !delivery->waiting && delivery->out->service == service;
    return count;
}

static void give(struct testhost *host, struct accord_delivery *delivery)
{
    delivery->waiting = false;
    INTO_PLUGIN(host, "deliver", host->connector->deliver(host->state, delivery->out));
}

/* The oldest that waits and has room: the list has the newest first. */
static void give_waiting(struct testhost *host, struct testhost_event *event)
{
    (void)event;
    for (;;) {
        struct accord_delivery *oldest = NULL;
        for (struct accord_delivery *at = host->deliveries; at; at = at->next)
            if (at->waiting && in_flight(host, at->out->service) < host->window)
                oldest = at;
        if (!oldest)
            return;
        give(host, oldest);
    }
}

void testhost_do_window(struct accord_instance *instance, int64_t deliveries)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "window", false);
    if (deliveries < 1)
        testhost_complain(host, "window of %lld deliveries", (long long)deliveries);
    else
        host->window = deliveries;
    testhost_post(host, give_waiting);
}

int64_t testhost_window(const struct testhost *host)
{
    return host->window;
}

/* ---- deliveries ---- */

struct accord_delivery *testhost_deliver(struct testhost *host, size_t service,
                                         const struct testhost_message *message)
{
    struct accord_delivery *delivery = testkit_alloc(sizeof *delivery);
    delivery->host = host;
    delivery->bytes = message->bytes;
    delivery->size = (int64_t)message->size;
    delivery->stall_at = -1;
    struct accord_outgoing *out = delivery->out = testkit_alloc(sizeof *out);
    out->handle = delivery;
    out->service = service;
    out->attempt = message->attempt ? message->attempt : 1;
    out->not_after = message->patience ? testhost_ticks(host) + message->patience : 0;
    out->envelope = new_envelope(host, message);
    delivery->waiting = host->window && in_flight(host, service) >= host->window;
    delivery->next = host->deliveries;
    host->deliveries = delivery;
    if (!delivery->waiting)
        give(host, delivery);
    return delivery;
}

static void end(struct accord_delivery *delivery, const struct accord_result *result)
{
    delivery->finished = true;
    delivery->outcome = result->outcome;
    delivery->wait = result->wait;
    snprintf(delivery->reason, sizeof delivery->reason, "%s", result->reason);
    snprintf(delivery->receipt, sizeof delivery->receipt, "%s", result->receipt);
    free_outgoing(delivery->out);
    delivery->out = NULL;
}

/* What the connector has not got yet ends here. */
static void take_back(struct accord_delivery *delivery)
{
    delivery->waiting = false;
    end(delivery, &(struct accord_result){ACCORD_RETRY, "the host took it back", "", 0});
}

void testhost_cancel(struct testhost *host, struct accord_delivery *delivery)
{
    delivery->cancelled = true;
    if (delivery->waiting)
        take_back(delivery);
    else if (!delivery->finished)
        INTO_PLUGIN(host, "cancel", host->connector->cancel(host->state, delivery));
}

static bool is_finished(void *arg)
{
    const struct accord_delivery *delivery = arg;
    return delivery->finished;
}

bool testhost_settle(struct testhost *host, struct accord_delivery *delivery, int64_t ms)
{
    return testhost_within(host, is_finished, delivery, ms);
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
    if ((unsigned)result->outcome > ACCORD_UNCERTAIN)
        testhost_complain(host, "finish with outcome %d", (int)result->outcome);
    if (result->outcome == ACCORD_DELIVERED ? !*result->receipt : !*result->reason)
        testhost_complain(host, "outcome %d says neither why nor what", (int)result->outcome);
    if (delivery->waiting)
        testhost_complain(host, "finish of a delivery that the connector has not got");
    end(delivery, result);
    if (host->window && host->phase < TESTHOST_CLOSING)
        testhost_post(host, give_waiting);
}

/* ---- payload ---- */

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

static int64_t piece_size(const struct testhost *host, const struct accord_delivery *delivery)
{
    bool stalls = delivery->stall_at >= 0 && delivery->stall_at < delivery->size;
    int64_t size = (stalls ? delivery->stall_at : delivery->size) - delivery->sent;
    if (size > delivery->credit)
        size = delivery->credit;
    return size > (int64_t)host->piece ? (int64_t)host->piece : size;
}

static void give_piece(struct testhost *host, struct testhost_event *event)
{
    struct accord_delivery *delivery = event->delivery;
    delivery->queued = false;
    if (delivery->finished || delivery->last_given)
        return;
    int64_t size = piece_size(host, delivery);
    bool last = delivery->sent + size == delivery->size && delivery->stall_at < 0;
    if (size == 0 && !last)
        return;
    uint8_t *bytes = testkit_alloc((size_t)size);
    if (size)
        memcpy(bytes, delivery->bytes + delivery->sent, (size_t)size);
    delivery->sent += size;
    delivery->credit -= size;
    delivery->last_given = last;
    INTO_PLUGIN(host, "payload", host->connector->payload(host->state, delivery, bytes, (size_t)size, last));
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
    if (!testhost_carries(host, session, "pull"))
        return;
    delivery->credit += bytes;
    post_piece(host, delivery);
}

/* ---- end ---- */

void testhost_check_deliveries(struct testhost *host)
{
    for (struct accord_delivery *delivery = host->deliveries; delivery; delivery = delivery->next) {
        if (delivery->waiting)
            take_back(delivery);
        else if (!delivery->finished)
            testhost_complain(host, "close left the delivery of \"%s\" unfinished",
                              delivery->out->envelope->name);
    }
}

void testhost_free_deliveries(struct testhost *host)
{
    while (host->deliveries) {
        struct accord_delivery *next = host->deliveries->next;
        if (host->deliveries->out)
            free_outgoing(host->deliveries->out);
        free(host->deliveries);
        host->deliveries = next;
    }
}
