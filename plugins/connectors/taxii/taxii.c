/* The TAXII connector's vtable. */
#include "taxii.h"

#include "common/xml/xml.h"
#include "feed.h"
#include "probe.h"
#include "submit.h"

#include <accord/plugin.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_LIMIT (64 * 1024) /* bytes of an answer's head */

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

void link_hears(struct link *link, const struct outcome *outcome)
{
    if (outcome->stale)
        catalogue_doubt(link);
    if (outcome->means == MEANS_PARK) {
        http_drop_idle(link->http); /* the next session is another one */
        link->host->park(link->instance, outcome->rule[0] ? outcome->rule : "taxii.session", outcome->reason);
    } else if (outcome->rule[0]) {
        link->host->incident(link->instance, outcome->rule, outcome->reason);
    }
}

/* ---- life ---- */

static void each_feed(struct link *link, void (*each)(struct feed *))
{
    for (size_t i = 0; link->feeds && i < link->setup->service_count; i++)
        if (link->feeds[i])
            each(link->feeds[i]);
}

static void free_link(struct link *link)
{
    http_free(link->http);
    link->http = NULL;
    submit_free(link->submit);
    link->submit = NULL;
    each_feed(link, feed_free);
    free(link->feeds);
    link->feeds = NULL;
    catalogue_fini(link);
    tls_expiry_stop(&link->expiry);
    xml_readers_drop();
}

static void on_certificate(void *arg, int64_t until)
{
    struct link *link = arg;
    tls_expiry_learnt(&link->expiry, until);
}

static void read_anew(void *arg)
{
    const struct link *link = arg;
    http_drop_idle(link->http);
}

static struct http *new_http(struct link *link)
{
    const struct link_options *options = link->options;
    const struct http_settings settings = {.instance = link->instance,
                                           .host = link->host,
                                           .name = link->setup->endpoint_host,
                                           .port = link->setup->endpoint_port,
                                           .trust = options->tls.trust ? "trust" : NULL,
                                           .certificate = options->tls.certificate ? "certificate" : NULL,
                                           .key = options->tls.key ? "key" : NULL,
                                           .passphrase =
                                               options->tls.key_passphrase ? "key-passphrase" : NULL,
                                           .pins = &options->tls.pin,
                                           .connections = options->connections,
                                           .connect = options->connect_timeout,
                                           .silence = options->timeout,
                                           .whole = options->longest,
                                           .idle_close = options->idle_close,
                                           .head_limit = HEAD_LIMIT,
                                           .answer_limit = options->answer_limit,
                                           .certificate_until = on_certificate,
                                           .arg = link};
    return http_new(&settings);
}

/* False: out of memory. */
static bool open_feeds(struct link *link)
{
    const struct accord_link_setup *setup = link->setup;
    link->feeds = calloc(setup->service_count + 1, sizeof(struct feed *));
    for (size_t i = 0; link->feeds && i < setup->service_count; i++)
        if (setup->services[i]->direction == ACCORD_RECEIVE && !(link->feeds[i] = feed_new(link, i)))
            return false;
    return link->feeds;
}

static int taxii_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                      const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct link *link = state;
    *link = (struct link){.instance = instance,
                          .host = host,
                          .setup = setup,
                          .options = setup->options,
                          .dialect = &taxii11,
                          .expiry = {.host = host,
                                     .instance = instance,
                                     .rule = "taxii.certificate-expires",
                                     .partner = setup->endpoint_host,
                                     .read_anew = read_anew,
                                     .arg = link,
                                     .told = -1}};
    xml_readers_keep();
    link->http = new_http(link);
    link->submit = link->http ? submit_new(link) : NULL;
    if (link->submit && open_feeds(link))
        return ACCORD_OK;
    snprintf(why, why_size, "out of memory, or libcurl or OpenSSL cannot be initialised");
    free_link(link);
    return ACCORD_ENOMEM;
}

static void taxii_start(void *state)
{
    struct link *link = state;
    const struct accord_host *host = link->host;
    link->started = true;
    each_feed(link, feed_start);
    if (host->size > offsetof(struct accord_host, window) && host->window)
        host->window(link->instance, submit_window(link));
}

static void taxii_stop(void *state)
{
    struct link *link = state;
    link->started = false;
    each_feed(link, feed_stop);
    submit_stop(link->submit);
}

static void taxii_close(void *state)
{
    struct link *link = state;
    link->started = false;
    probe_close(link);
    free_link(link);
}

/* ---- deliveries ---- */

static void taxii_deliver(void *state, const struct accord_outgoing *out)
{
    struct link *link = state;
    const struct accord_result stopping = {
        .outcome = ACCORD_RETRY, .reason = "the link is stopping", .receipt = ""};
    if (link->started)
        submit_deliver(link->submit, out);
    else
        link->host->finish(out->handle, &stopping);
}

static void taxii_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                          bool last)
{
    submit_payload(((struct link *)state)->submit, handle, bytes, size, last);
}

static void taxii_cancel(void *state, struct accord_delivery *handle)
{
    submit_cancel(((struct link *)state)->submit, handle);
}

/* ---- offers ---- */

static void taxii_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)state, (void)offer;
    block_pull(arg, bytes);
}

static void taxii_offer_done(void *state, struct accord_offer *offer, void *arg,
                             const struct accord_admitted *admitted)
{
    (void)state, (void)offer;
    block_verdict(arg, admitted);
}

static void taxii_offer_ready(void *state)
{
    each_feed(state, feed_ready);
}

static const struct accord_connector taxii = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .link_options = {taxii_link_table, sizeof(struct link_options)},
    .service_options = {taxii_service_table, sizeof(struct service_options)},
    .check = taxii_check,
    .state_size = sizeof(struct link),
    .open = taxii_open,
    .start = taxii_start,
    .stop = taxii_stop,
    .close = taxii_close,
    .deliver = taxii_deliver,
    .payload = taxii_payload,
    .cancel = taxii_cancel,
    .offer_pull = taxii_offer_pull,
    .offer_done = taxii_offer_done,
    .offer_ready = taxii_offer_ready,
    .probe = taxii_probe,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "taxii",
    .version = "0.1",
    .summary = "Submits to and polls a partner's TAXII 1.1 services over TLS with client certificates.",
    .connector = &taxii,
};
