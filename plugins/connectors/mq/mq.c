/* The mq connector's vtable. */
#include "mq.h"

#include <accord/plugin.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "connection.h"
#include "probe.h"
#include "receiver.h"
#include "sender.h"

const struct service_options *link_service(const struct link *link, size_t service)
{
    return link->setup->services[service]->options;
}

void link_log(struct link *link, enum accord_level level, const char *event, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    link->host->log(link->instance, level, event, text);
}

/* ---- life ---- */

static void each_receiver(struct link *link, void (*each)(struct receiver *))
{
    for (size_t i = 0; link->receivers && i < link->setup->service_count; i++)
        if (link->receivers[i])
            each(link->receivers[i]);
}

static void free_link(struct link *link)
{
    tls_expiry_stop(&link->expiry);
    sender_close(link);
    each_receiver(link, receiver_free);
    free(link->receivers);
    link->receivers = NULL;
    for (size_t i = 0; i < MQ_CONNECTIONS; i++) {
        connection_free(link->connections[i]);
        link->connections[i] = NULL;
    }
}

/* False: out of memory. */
static bool make_receivers(struct link *link)
{
    const struct accord_link_setup *setup = link->setup;
    link->receivers = calloc(setup->service_count + 1, sizeof(struct receiver *));
    for (size_t i = 0; link->receivers && i < setup->service_count; i++)
        if (setup->services[i]->direction == ACCORD_RECEIVE && !(link->receivers[i] = receiver_new(link, i)))
            return false;
    return link->receivers;
}

/* Once people have been told that ours ends: a receiver would keep its connection, and so the old one, for ever. */
static void read_anew(void *arg)
{
    const struct link *link = arg;
    for (size_t i = 0; link->expiry.told >= 0 && i < MQ_CONNECTIONS; i++)
        if (link->connections[i])
            connection_renew(link->connections[i]);
}

static int mq_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                   const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct link *link = state;
    const struct link_options *options = setup->options;
    *link = (struct link){.instance = instance,
                          .host = host,
                          .setup = setup,
                          .options = options,
                          .profile = profile_at((size_t)options->profile),
                          .expiry = {.host = host,
                                     .instance = instance,
                                     .rule = "mq.certificate-expires",
                                     .partner = setup->endpoint_host,
                                     .read_anew = read_anew,
                                     .arg = link,
                                     .told = -1}};
    if (make_receivers(link))
        return ACCORD_OK;
    snprintf(why, why_size, "out of memory");
    free_link(link);
    return ACCORD_ENOMEM;
}

static int64_t widest(const struct link *link)
{
    int64_t most = 0;
    for (size_t i = 0; i < link->setup->service_count; i++)
        if (link->setup->services[i]->direction == ACCORD_SEND && link_service(link, i)->window > most)
            most = link_service(link, i)->window;
    return most;
}

static void mq_start(void *state)
{
    struct link *link = state;
    const struct accord_host *host = link->host;
    int64_t window = widest(link);
    link->started = true;
    if (window && host->size > offsetof(struct accord_host, window) && host->window)
        host->window(link->instance, window);
    each_receiver(link, receiver_start);
}

static void mq_stop(void *state)
{
    struct link *link = state;
    link->started = false;
    each_receiver(link, receiver_stop);
    sender_stop(link);
}

static void mq_close(void *state)
{
    struct link *link = state;
    link->started = false;
    probe_close(link);
    free_link(link);
}

/* ---- deliveries ---- */

static void mq_deliver(void *state, const struct accord_outgoing *out)
{
    struct link *link = state;
    const struct accord_result stopping = {
        .outcome = ACCORD_RETRY, .reason = "the link is stopping", .receipt = ""};
    if (link->started)
        sender_deliver(link, out);
    else
        link->host->finish(out->handle, &stopping);
}

static void mq_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                       bool last)
{
    sender_payload(state, handle, bytes, size, last);
}

static void mq_cancel(void *state, struct accord_delivery *handle)
{
    sender_cancel(state, handle);
}

/* ---- offers ---- */

static void mq_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)state, (void)offer;
    receiver_pull(arg, bytes);
}

static void mq_offer_done(void *state, struct accord_offer *offer, void *arg,
                          const struct accord_admitted *admitted)
{
    (void)state, (void)offer;
    receiver_verdict(arg, admitted);
}

static void mq_offer_ready(void *state)
{
    each_receiver(state, receiver_ready);
}

static const struct accord_connector mq = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .link_options = {mq_link_table, sizeof(struct link_options)},
    .service_options = {mq_service_table, sizeof(struct service_options)},
    .check = mq_check,
    .state_size = sizeof(struct link),
    .open = mq_open,
    .start = mq_start,
    .stop = mq_stop,
    .close = mq_close,
    .deliver = mq_deliver,
    .payload = mq_payload,
    .cancel = mq_cancel,
    .offer_pull = mq_offer_pull,
    .offer_done = mq_offer_done,
    .offer_ready = mq_offer_ready,
    .probe = mq_probe,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "mq",
    .version = "0.1",
    .summary = "Sends to and receives from the queues of an AMQP 1.0 broker, over TLS.",
    .connector = &mq,
};
