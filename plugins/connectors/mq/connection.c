#include "connection.h"

#include <proton/codec.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "probe.h"

#define PAUSE_FIRST 1000
#define PAUSE_MOST  (5 * 60 * 1000)
#define STEADY      10000 /* ms: a connection that held so long was a good one */

static const char *or_null(const char *set, const char *option)
{
    return set ? option : NULL;
}

static const char *mechanism_of(const struct link_options *options)
{
    static const char *const names[] = {
        [SASL_PLAIN] = "PLAIN", [SASL_EXTERNAL] = "EXTERNAL", [SASL_ANONYMOUS] = "ANONYMOUS"};
    bool both = options->password && options->tls.certificate;
    if (options->sasl != SASL_AUTO)
        return names[options->sasl];
    return both && profile_at((size_t)options->profile)->external ? NULL
           : options->password                                    ? "PLAIN"
                                                                  : "EXTERNAL";
}

/* ---- what the channel tells ---- */

static bool wanted(const struct connection *connection)
{
    for (const struct attachment *at = connection->attachments; at; at = at->next)
        if (at->wants(at))
            return true;
    return false;
}

/* One at a time: each attach may end others. */
static void attach_all(struct connection *connection)
{
    int64_t now = connection->link->host->ticks(connection->link->instance);
    for (struct attachment *at = connection->attachments; at; at = at->next)
        if (at->state == ATTACH_NONE && at->wants(at) && now >= at->not_before)
            attachment_begin(at);
}

static void copy_property(pn_data_t *data, const char *name, char *to, size_t size)
{
    pn_data_rewind(data);
    to[0] = '\0';
    if (!pn_data_next(data) || pn_data_type(data) != PN_MAP || !pn_data_enter(data))
        return;
    if (pn_data_lookup(data, name) && pn_data_type(data) == PN_STRING) {
        pn_bytes_t text = pn_data_get_string(data);
        size_t put = 0;
        for (size_t i = 0; i < text.size && put + 1 < size; i++)
            if (text.start[i] >= 0x20 && text.start[i] < 0x7f)
                to[put++] = text.start[i];
        to[put] = '\0';
    }
    pn_data_rewind(data);
}

static void learn_broker(struct connection *connection)
{
    char product[40], version[40];
    pn_data_t *properties = pn_connection_remote_properties(channel_connection(connection->channel));
    copy_property(properties, "product", product, sizeof product);
    copy_property(properties, "version", version, sizeof version);
    connection->major = profile_major(version);
    snprintf(connection->broker, sizeof connection->broker, "%s%s%s", product,
             product[0] && version[0] ? " " : "", version);
}

static void on_opened(void *arg, struct channel *channel)
{
    struct connection *connection = arg;
    struct link *link = connection->link;
    (void)channel;
    connection->state = CONNECTION_OPEN;
    connection->opened = link->host->ticks(link->instance);
    connection->inside++;
    learn_broker(connection);
    if (connection->probe)
        probe_opened(connection->probe);
    else
        attach_all(connection);
    connection->inside--;
    connection_rest(connection);
}

static void on_event(void *arg, struct channel *channel, pn_event_t *event)
{
    struct connection *connection = arg;
    (void)channel;
    connection->inside++;
    attachment_event(connection, event);
    connection->inside--;
}

static void on_again(void *arg)
{
    struct connection *connection = arg;
    connection->again = NULL;
    if (wanted(connection))
        connection_want(connection);
}

static void on_certificate(void *arg, int64_t until)
{
    const struct connection *connection = arg;
    tls_expiry_learnt(&connection->link->expiry, until);
}

static void pause_after(struct connection *connection, bool failed)
{
    struct link *link = connection->link;
    bool steady = connection->opened && link->host->ticks(link->instance) - connection->opened >= STEADY;
    if (!failed || steady || connection->pause == 0)
        connection->pause = PAUSE_FIRST;
    else if (connection->pause < PAUSE_MOST / 2)
        connection->pause *= 2;
    else
        connection->pause = PAUSE_MOST;
    connection->opened = 0;
    if (failed && !connection->again)
        connection->again = link->host->timer(link->instance, connection->pause, on_again, connection);
}

static void tell_lost(struct connection *connection, const struct meaning *meaning)
{
    struct attachment *next;
    for (struct attachment *at = connection->attachments; at; at = next) {
        next = at->next;
        attachment_lost(at, meaning);
    }
}

/* The channel goes last: until then it is known which deliveries have left. */
static void over(struct connection *connection, bool failed, const struct meaning *meaning)
{
    struct channel *channel = connection->channel;
    struct link *link = connection->link;
    connection->state = CONNECTION_CLOSING;
    tell_lost(connection, meaning);
    connection->session = NULL;
    connection->channel = NULL;
    connection->state = CONNECTION_CLOSED;
    channel_free(channel);
    link->host->timer_stop(connection->idle);
    link->host->timer_stop(connection->breaks);
    connection->idle = connection->breaks = NULL;
    if (!connection->probe) {
        pause_after(connection, failed);
        if (!failed && wanted(connection))
            connection_want(connection); /* somebody came while it was being closed */
    }
}

static void on_closed(void *arg, struct channel *channel, const struct channel_closed *closed)
{
    struct connection *connection = arg;
    struct link *link = connection->link;
    struct probe *probe = connection->probe;
    struct meaning meaning;
    (void)channel;
    bool park = closed->end == CHANNEL_REFUSED && !closed->deferred;
    meaning_say(&meaning, park ? MEANS_PARK : MEANS_LATER, closed->rule ? closed->rule : "", "%s",
                closed->reason);
    if (park && !probe)
        link->host->park(link->instance, meaning.rule[0] ? meaning.rule : "mq.session", meaning.reason);
    else if (closed->end != CHANNEL_CLOSED && !probe)
        link_log(link, ACCORD_WARNING, "mq.connection-lost", "%s", meaning.reason);
    over(connection, closed->end != CHANNEL_CLOSED, &meaning);
    if (probe)
        probe_closed(probe, &meaning);
}

static void on_step(void *arg, struct channel *channel, const char *step, int result, const char *text)
{
    struct connection *connection = arg;
    (void)channel;
    if (connection->probe)
        probe_step(connection->probe, step, result, text);
}

/* ---- life ---- */

static void set_up(struct connection *connection)
{
    const struct link *link = connection->link;
    const struct link_options *options = link->options;
    const char *container = options->container;
    if (container && container[0])
        snprintf(connection->container, sizeof connection->container, "%s", container);
    else
        snprintf(connection->container, sizeof connection->container, "accord.%.100s.%.100s",
                 link->setup->agreement, link->setup->name);
    for (char *at = connection->container; link->profile->plain_container && *at; at++)
        if (*at == '-')
            *at = '_';
    connection->settings =
        (struct channel_settings){.instance = link->instance,
                                  .host = link->host,
                                  .name = link->setup->endpoint_host,
                                  .hostname = options->hostname,
                                  .container = connection->container,
                                  .mechanism = mechanism_of(options),
                                  .user = options->user,
                                  .password = or_null(options->password, "password"),
                                  .trust = or_null(options->tls.trust, "trust"),
                                  .certificate = or_null(options->tls.certificate, "certificate"),
                                  .key = or_null(options->tls.key, "key"),
                                  .passphrase = or_null(options->tls.key_passphrase, "key-passphrase"),
                                  .pins = &options->tls.pin,
                                  .connect = options->connect_timeout,
                                  .heartbeat = options->heartbeat,
                                  .max_frame = (uint32_t)options->max_frame,
                                  .certificate_until = on_certificate};
    connection->owner = (struct channel_owner){
        .opened = on_opened, .event = on_event, .closed = on_closed, .step = on_step, .arg = connection};
}

struct connection *connection_new(struct link *link, size_t index)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->link = link;
    connection->index = index;
    connection->senders = calloc(link->setup->service_count + 1, sizeof *connection->senders);
    if (!connection->senders) {
        free(connection);
        return NULL;
    }
    set_up(connection);
    return connection;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    const struct accord_host *host = connection->link->host;
    channel_free(connection->channel);
    host->timer_stop(connection->idle);
    host->timer_stop(connection->again);
    host->timer_stop(connection->breaks);
    free(connection->senders);
    free(connection);
}

void connection_want(struct connection *connection)
{
    const struct link *link = connection->link;
    struct meaning meaning;
    link->host->timer_stop(connection->idle);
    connection->idle = NULL;
    if (connection->state == CONNECTION_OPEN && !connection->probe)
        attach_all(connection);
    if (connection->state != CONNECTION_CLOSED || connection->again)
        return;
    connection->state = CONNECTION_OPENING;
    connection->channel = channel_open(&connection->settings, &connection->owner);
    if (connection->channel)
        return;
    meaning_say(&meaning, MEANS_LATER, "", "the host does not dial now");
    over(connection, true, &meaning);
    if (connection->probe)
        probe_closed(connection->probe, &meaning);
}

static void on_idle(void *arg)
{
    struct connection *connection = arg;
    const struct link *link = connection->link;
    int64_t left = connection->rested + link->options->idle_close - link->host->ticks(link->instance);
    connection->idle = NULL;
    if (connection->state != CONNECTION_OPEN || wanted(connection))
        return;
    if (left > 0) {
        connection->idle = link->host->timer(link->instance, left, on_idle, connection);
        return;
    }
    connection->state = CONNECTION_CLOSING;
    channel_close(connection->channel, "nothing is to be sent");
}

void connection_rest(struct connection *connection)
{
    const struct link *link = connection->link;
    if (connection->state != CONNECTION_OPEN || connection->probe || wanted(connection))
        return;
    connection->rested = link->host->ticks(link->instance);
    if (!connection->idle)
        connection->idle = link->host->timer(link->instance, link->options->idle_close, on_idle, connection);
}

/* Is a message on its way? */
static bool carries(const struct connection *connection)
{
    for (pn_link_t *at = pn_link_head(channel_connection(connection->channel), 0); at;
         at = pn_link_next(at, 0))
        if (pn_link_unsettled(at))
            return true;
    return false;
}

void connection_renew(struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN || connection->probe || carries(connection))
        return;
    connection->state = CONNECTION_CLOSING;
    channel_close(connection->channel, "our certificate is read anew");
}

void connection_wake(struct connection *connection)
{
    if (connection->channel && !connection->inside)
        channel_wake(connection->channel);
}

static void on_break(void *arg)
{
    struct connection *connection = arg;
    struct probe *probe = connection->probe;
    struct meaning meaning;
    connection->breaks = NULL;
    meaning_say(&meaning, MEANS_LATER, "mq.broken", "%s", connection->broken);
    if (!probe)
        link_log(connection->link, ACCORD_WARNING, "mq.connection-lost", "%s", meaning.reason);
    over(connection, true, &meaning);
    if (probe)
        probe_closed(probe, &meaning);
}

void connection_break(struct connection *connection, const char *format, ...)
{
    const struct link *link = connection->link;
    va_list args;
    if (connection->breaks || connection->state != CONNECTION_OPEN)
        return;
    va_start(args, format);
    vsnprintf(connection->broken, sizeof connection->broken, format, args);
    va_end(args);
    connection->breaks = link->host->timer(link->instance, 0, on_break, connection);
    if (connection->breaks)
        return;
    connection->state = CONNECTION_CLOSING; /* no memory for a timer: the slow way */
    channel_close(connection->channel, connection->broken);
}
