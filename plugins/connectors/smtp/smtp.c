/* The SMTP connector's vtable. */
#include "smtp.h"

#include <accord/plugin.h>
#include <stdio.h>
#include <stdlib.h>

#include "session.h"

void link_park(struct link *link, const char *rule, const char *reason)
{
    client_drop_idle(link->client); /* the next session is another one */
    link->host->park(link->instance, *rule ? rule : "smtp.session", reason);
}

static void on_certificate(void *arg, int64_t until)
{
    struct link *link = arg;
    tls_expiry_learnt(&link->expiry, until);
}

static void read_anew(void *arg)
{
    const struct link *link = arg;
    client_drop_idle(link->client);
}

static bool new_client(struct link *link)
{
    const struct link_options *options = link->options;
    const struct client_settings settings = {
        .protocol = &smtp_protocol,
        .instance = link->instance,
        .host = link->host,
        .name = link->setup->endpoint_host,
        .port = link->setup->endpoint_port,
        .trust = "trust",
        .certificate = options->tls.certificate ? "certificate" : NULL,
        .key = options->tls.key ? "key" : NULL,
        .passphrase = options->tls.key_passphrase ? "key-passphrase" : NULL,
        .pins = &options->tls.pin,
        .connections = options->connections,
        .connect = options->connect_timeout,
        .silence = options->timeout,
        .idle_close = options->idle_close,
        .certificate_until = on_certificate,
        .arg = link,
    };
    link->client = calloc(1, sizeof *link->client);
    if (link->client && client_init(link->client, &settings))
        return true;
    free(link->client);
    link->client = NULL;
    return false;
}

static int smtp_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct link *link = state;
    *link = (struct link){.instance = instance,
                          .host = host,
                          .setup = setup,
                          .options = setup->options,
                          .expiry = {.host = host,
                                     .instance = instance,
                                     .rule = "smtp.certificate-expires",
                                     .partner = setup->endpoint_host,
                                     .read_anew = read_anew,
                                     .arg = link,
                                     .told = -1}};
    if (new_client(link))
        return ACCORD_OK;
    snprintf(why, why_size, "out of memory, or libcurl or OpenSSL cannot be initialised");
    return ACCORD_ENOMEM;
}

static void smtp_start(void *state)
{
    struct link *link = state;
    const struct accord_host *host = link->host;
    link->started = true;
    if (host->size > offsetof(struct accord_host, window) && host->window)
        host->window(link->instance,
                     link->options->connections * 2); /* so that the next is there when one ends */
}

static void smtp_stop(void *state)
{
    ((struct link *)state)->started = false;
}

static void smtp_close(void *state)
{
    struct link *link = state;
    link->started = false;
    tls_expiry_stop(&link->expiry);
    if (link->client)
        client_free(link->client);
    link->client = NULL;
    mail_close(link);
}

static void smtp_deliver(void *state, const struct accord_outgoing *out)
{
    struct link *link = state;
    const struct accord_result stopping = {
        .outcome = ACCORD_RETRY, .reason = "the link is stopping", .receipt = ""};
    if (link->started)
        mail_deliver(link, out);
    else
        link->host->finish(out->handle, &stopping);
}

static void smtp_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                         bool last)
{
    mail_payload(state, handle, bytes, size, last);
}

static void smtp_cancel(void *state, struct accord_delivery *handle)
{
    mail_cancel(state, handle);
}

static const struct accord_connector smtp = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
    .link_options = {smtp_link_table, sizeof(struct link_options)},
    .service_options = {smtp_service_table, sizeof(struct service_options)},
    .check = smtp_check,
    .state_size = sizeof(struct link),
    .open = smtp_open,
    .start = smtp_start,
    .stop = smtp_stop,
    .close = smtp_close,
    .deliver = smtp_deliver,
    .payload = smtp_payload,
    .cancel = smtp_cancel,
    .probe = smtp_probe,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "smtp",
    .version = "0.1",
    .summary = "Sends each message as a mail with one attachment, through a mail server over TLS.",
    .connector = &smtp,
};
