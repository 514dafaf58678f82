/* The SFTP connector's vtable. */
#include "sftp.h"

#include "poll.h"
#include "probe.h"

#include <accord/plugin.h>
#include <libssh/libssh.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void free_link(struct link *link)
{
    for (size_t i = 0; link->polls && i < link->setup->service_count; i++)
        poll_free(link->polls[i]);
    free(link->polls);
    link->polls = NULL;
    free(link->swept);
    EVP_MD_free(link->sha256);
    link->swept = NULL;
    link->sha256 = NULL;
}

/* False: out of memory. */
static bool open_polls(struct link *link)
{
    const struct accord_link_setup *setup = link->setup;
    link->polls = calloc(setup->service_count + 1, sizeof(struct poll *));
    for (size_t i = 0; link->polls && i < setup->service_count; i++)
        if (setup->services[i]->direction == ACCORD_RECEIVE && !(link->polls[i] = poll_new(link, i)))
            return false;
    return link->polls;
}

static void each_poll(struct link *link, void (*each)(struct poll *))
{
    for (size_t i = 0; i < link->setup->service_count; i++)
        if (link->polls[i])
            each(link->polls[i]);
}

static int sftp_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct link *link = state;
    link->instance = instance;
    link->host = host;
    link->setup = setup;
    link->options = setup->options;
    pool_init(link);
    link->swept = calloc(setup->service_count + 1, sizeof *link->swept);
    link->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (link->swept && link->sha256 && open_polls(link) && ssh_init() == SSH_OK)
        return ACCORD_OK;
    snprintf(why, why_size, "%s", link->swept ? "libssh or OpenSSL cannot be initialised" : "out of memory");
    free_link(link);
    return ACCORD_ENOMEM;
}

static void sftp_start(void *state)
{
    struct link *link = state;
    const struct accord_host *host = link->host;
    link->started = true;
    each_poll(link, poll_start);
    /* A few more than are on their way, so that the next is there when one ends. */
    if (host->size > offsetof(struct accord_host, window) && host->window)
        host->window(link->instance, link->options->connections * link->options->files * 3 / 2 + 1);
}

static void sftp_stop(void *state)
{
    struct link *link = state;
    link->started = false;
    each_poll(link, poll_stop);
    pool_stop(link, "the link is stopping");
}

static void sftp_close(void *state)
{
    struct link *link = state;
    link->started = false;
    pool_close(link, "the link was closed");
    free_link(link);
}

/* ---- deliveries ---- */

/* The hub has made the name safe; what it has to keep out of the partner's folder is checked here once more. */
static const char *bad_name(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "is not a file name";
    for (const char *at = name; *at; at++)
        if (*at == '/' || *at == '\\' || (unsigned char)*at < 0x20 || *at == 0x7f)
            return "has a slash or a control character";
    return NULL;
}

static void sftp_deliver(void *state, const struct accord_outgoing *out)
{
    struct link *link = state;
    struct accord_result result = {.outcome = ACCORD_RETRY, .reason = "the link is stopping", .receipt = ""};
    char reason[ACCORD_REASON_MAX];
    const char *wrong = bad_name(out->envelope->name);
    if (wrong) {
        snprintf(reason, sizeof reason, "the name of message %s %s; it cannot be a file at the partner",
                 out->envelope->id, wrong);
        result.outcome = ACCORD_REFUSED;
        result.reason = reason;
    } else if (link->started && upload_new(link, out)) {
        return;
    } else if (link->started) {
        result.reason = "out of memory";
    }
    link->host->finish(out->handle, &result);
}

static void sftp_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                         bool last)
{
    struct link *link = state;
    struct upload *upload = upload_find(link, handle);
    if (upload)
        flow_take(upload, bytes, size, last);
    pool_soon(link);
}

static void sftp_cancel(void *state, struct accord_delivery *handle)
{
    struct link *link = state;
    struct upload *upload = upload_find(link, handle);
    if (upload)
        upload_cancel(upload);
    pool_soon(link);
}

/* ---- offers ---- */

static void sftp_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)state, (void)offer;
    fetch_pull(arg, bytes);
}

static void sftp_offer_done(void *state, struct accord_offer *offer, void *arg,
                            const struct accord_admitted *admitted)
{
    (void)state, (void)offer;
    fetch_verdict(arg, admitted);
}

static void sftp_offer_ready(void *state)
{
    each_poll(state, poll_ready);
}

static const struct accord_connector sftp = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .link_options = {sftp_link_table, sizeof(struct link_options)},
    .service_options = {sftp_service_table, sizeof(struct service_options)},
    .check = sftp_check,
    .state_size = sizeof(struct link),
    .open = sftp_open,
    .start = sftp_start,
    .stop = sftp_stop,
    .close = sftp_close,
    .deliver = sftp_deliver,
    .payload = sftp_payload,
    .cancel = sftp_cancel,
    .offer_pull = sftp_offer_pull,
    .offer_done = sftp_offer_done,
    .offer_ready = sftp_offer_ready,
    .probe = sftp_probe,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "sftp",
    .version = "0.1",
    .summary = "Sends files to a partner's SFTP server and fetches files from it, with pinned host keys.",
    .connector = &sftp,
};
