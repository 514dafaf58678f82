#include "mq_partner_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <proton/codec.h>

struct mq_broker broker;

struct partner partner;

/* ---- channel.h ---- */

struct channel *channel_open(const struct channel_settings *settings, const struct channel_owner *owner)
{
    if (partner.fails_open) {
        partner.fails_open = false;
        return NULL;
    }
    struct channel *channel = calloc(1, sizeof *channel);
    channel->settings = settings;
    channel->owner = owner;
    assert_int_equal(pn_connection_driver_init(&channel->client, NULL, NULL), 0);
    assert_int_equal(pn_connection_driver_init(&channel->server, NULL, NULL), 0);
    pn_transport_set_max_frame(channel->client.transport, settings->max_frame);
    pn_transport_set_server(channel->server.transport);
    pn_connection_set_container(channel->client.connection, settings->container);
    pn_connection_open(channel->client.connection);
    assert_true(partner.channel_count < PARTNER_CHANNELS);
    partner.channels[partner.channel_count++] = channel;
    partner.opened++;
    return channel;
}

pn_connection_t *channel_connection(struct channel *channel)
{
    return channel->client.connection;
}

struct accord_session *channel_session(struct channel *channel)
{
    (void)channel;
    return NULL;
}

void channel_wake(struct channel *channel)
{
    (void)channel;
}

size_t channel_backlog(const struct channel *channel)
{
    size_t size = 0;
    for (pn_session_t *at = pn_session_head(channel->client.connection, 0); at; at = pn_session_next(at, 0))
        size += pn_session_outgoing_bytes(at);
    return size;
}

void partner_end(struct channel *channel, enum channel_end end, const char *rule, const char *reason)
{
    snprintf(channel->rule, sizeof channel->rule, "%s", rule);
    snprintf(channel->reason, sizeof channel->reason, "%s", reason);
    channel->end = (struct channel_closed){.end = end, .rule = channel->rule, .reason = channel->reason};
    channel->has_end = true;
}

void channel_close(struct channel *channel, const char *reason)
{
    if (!channel->has_end)
        partner_end(channel, CHANNEL_CLOSED, "", reason);
}

void partner_requeue(pn_connection_t *connection, pn_link_t *link)
{
    for (size_t i = 0; i < partner.queued_count; i++) {
        pn_delivery_t *delivery = partner.queued[i].delivery;
        if (!delivery || partner.queued[i].settled)
            continue;
        pn_link_t *of = pn_delivery_link(delivery);
        if (of == link || (!link && pn_session_connection(pn_link_session(of)) == connection)) {
            partner.queued[i].delivery = NULL;
            partner.queued[i].given = 0;
        }
    }
    for (size_t i = 0; i < partner.got_count; i++)
        if (partner.got[i].delivery &&
            (pn_delivery_link(partner.got[i].delivery) == link ||
             (!link && pn_session_connection(pn_link_session(pn_delivery_link(partner.got[i].delivery))) ==
                           connection)))
            partner.got[i].delivery = NULL;
}

void channel_free(struct channel *channel)
{
    size_t at = 0;
    if (!channel)
        return;
    partner_requeue(channel->server.connection, NULL);
    while (partner.channels[at] != channel)
        at++;
    partner.channels[at] = partner.channels[--partner.channel_count];
    pn_connection_driver_destroy(&channel->client);
    pn_connection_driver_destroy(&channel->server);
    free(channel);
}

/* ---- the broker ---- */

static const char *tail(const char *address)
{
    const char *slash = strrchr(address, '/');
    return slash ? slash + 1 : address;
}

void partner_condition(pn_condition_t *condition, const char *name, const char *words)
{
    pn_condition_set_name(condition, name);
    pn_condition_set_description(condition, words);
}

static void refuse_attach(pn_link_t *link)
{
    const char *condition = broker.condition ? broker.condition : "amqp:not-found";
    if (broker.ends_session) {
        partner_condition(pn_session_condition(pn_link_session(link)), condition,
                          "no queue 'x'\nin vhost '/'");
        pn_session_close(pn_link_session(link));
        return;
    }
    pn_link_open(link);
    partner_condition(pn_link_condition(link), condition, "no queue 'x'\nin vhost '/'");
    pn_link_close(link);
}

static void on_attach(pn_link_t *link)
{
    bool to_us = pn_link_is_receiver(link);
    pn_terminus_t *asked = to_us ? pn_link_remote_target(link) : pn_link_remote_source(link);
    const char *address = pn_terminus_get_address(asked);
    if (broker.silent_attach)
        return;
    if (broker.missing && strcmp(tail(address), broker.missing) == 0 && !(to_us && broker.loses)) {
        refuse_attach(link);
        return;
    }
    pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
    pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
    if (broker.other_node)
        pn_terminus_set_address(to_us ? pn_link_target(link) : pn_link_source(link), "elsewhere");
    if (broker.most)
        pn_link_set_max_message_size(link, broker.most);
    pn_link_open(link);
    if (to_us && !broker.no_credit)
        pn_link_flow(link, broker.credit);
}

void partner_answer(struct got *one)
{
    pn_delivery_t *delivery = one->delivery;
    one->delivery = NULL;
    if (broker.outcome == PN_REJECTED && broker.error)
        partner_condition(pn_disposition_condition(pn_delivery_local(delivery)), broker.error, "their words");
    if (broker.outcome)
        pn_delivery_update(delivery, broker.outcome);
    pn_link_t *link = pn_delivery_link(delivery);
    pn_delivery_settle(delivery);
    if (!broker.no_credit)
        pn_link_flow(link, 1);
}

static void on_sent_to_us(pn_delivery_t *delivery)
{
    pn_link_t *link = pn_delivery_link(delivery);
    if (!pn_delivery_readable(delivery) || pn_delivery_partial(delivery))
        return;
    assert_true(partner.got_count < PARTNER_GOT);
    struct got *one = &partner.got[partner.got_count++];
    one->size = pn_delivery_pending(delivery);
    one->bytes = malloc(one->size + 1);
    snprintf(one->address, sizeof one->address, "%s", pn_terminus_get_address(pn_link_remote_target(link)));
    assert_int_equal(pn_link_recv(link, (char *)one->bytes, one->size), one->size);
    pn_link_advance(link);
    one->delivery = delivery;
    if (!broker.silent)
        partner_answer(one);
}

static void on_settled_by_them(pn_delivery_t *delivery)
{
    for (size_t i = 0; i < partner.queued_count; i++)
        if (partner.queued[i].delivery == delivery && !partner.queued[i].settled &&
            pn_delivery_settled(delivery)) {
            uint64_t outcome = pn_delivery_remote_state(delivery);
            partner.outcomes[outcome >= PN_RECEIVED && outcome <= PN_MODIFIED ? outcome - PN_RECEIVED : 5]++;
            partner.queued[i].settled = true;
            pn_delivery_settle(delivery);
        }
}

static bool give_piece(struct queued *one, pn_link_t *link)
{
    static uint64_t tags;
    if (!one->delivery) {
        tags++;
        one->delivery = pn_delivery(link, pn_dtag((const char *)&tags, sizeof tags));
    }
    if (pn_link_current(link) != one->delivery || (broker.halt_at && one->given >= broker.halt_at))
        return false;
    size_t part = one->size - one->given;
    if (broker.piece && part > broker.piece)
        part = broker.piece;
    pn_link_send(link, (const char *)one->bytes + one->given, part);
    one->given += part;
    if (one->given == one->size)
        pn_link_advance(link);
    return true;
}

/* The next that waits in its queue; what was begun goes first. */
static bool give_one(pn_link_t *link)
{
    const char *queue = tail(pn_terminus_get_address(pn_link_source(link)));
    bool stopped = broker.piece && pn_session_outgoing_bytes(pn_link_session(link)) > 0;
    for (size_t i = 0; i < partner.queued_count && !stopped; i++) {
        struct queued *one = &partner.queued[i];
        if (one->settled || strcmp(one->queue, queue) != 0 || (one->delivery && one->given == one->size))
            continue;
        if (one->delivery ? pn_delivery_link(one->delivery) == link : pn_link_credit(link) > 0)
            return give_piece(one, link);
        return false;
    }
    return false;
}

static bool give(struct channel *channel)
{
    bool moved = false;
    for (pn_link_t *link = pn_link_head(channel->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE); link;
         link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE)) {
        while (pn_link_is_sender(link) && give_one(link)) {
            moved = true;
            if (broker.piece)
                break;
        }
    }
    return moved;
}

static void open_connection(pn_connection_t *connection)
{
    pn_data_t *properties = pn_connection_properties(connection);
    pn_connection_set_container(connection, "broker");
    if (broker.product) {
        pn_data_put_map(properties);
        pn_data_enter(properties);
        pn_data_put_symbol(properties, pn_bytes(7, "product"));
        pn_data_put_string(properties, pn_bytes(strlen(broker.product), broker.product));
        pn_data_put_symbol(properties, pn_bytes(7, "version"));
        pn_data_put_string(properties, pn_bytes(strlen(broker.version), broker.version));
        pn_data_exit(properties);
    }
    pn_connection_open(connection);
}

static void on_server_event(pn_event_t *event)
{
    switch (pn_event_type(event)) {
    case PN_CONNECTION_REMOTE_OPEN:
        open_connection(pn_event_connection(event));
        break;
    case PN_SESSION_REMOTE_OPEN:
        pn_session_open(pn_event_session(event));
        break;
    case PN_SESSION_REMOTE_CLOSE:
        pn_session_close(pn_event_session(event));
        break;
    case PN_LINK_REMOTE_OPEN:
        on_attach(pn_event_link(event));
        break;
    case PN_LINK_REMOTE_CLOSE:
    case PN_LINK_REMOTE_DETACH:
        partner_requeue(NULL, pn_event_link(event));
        pn_link_close(pn_event_link(event));
        break;
    case PN_DELIVERY:
        if (pn_link_is_receiver(pn_event_link(event)))
            on_sent_to_us(pn_event_delivery(event));
        else
            on_settled_by_them(pn_event_delivery(event));
        break;
    default:
        break;
    }
}

/* ---- running ---- */

static bool carry(pn_connection_driver_t *from, pn_connection_driver_t *to)
{
    pn_bytes_t out = pn_connection_driver_write_buffer(from);
    pn_rwbytes_t in = pn_connection_driver_read_buffer(to);
    size_t part = out.size < in.size ? out.size : in.size;
    if (!part)
        return false;
    memcpy(in.start, out.start, part);
    pn_connection_driver_read_done(to, part);
    pn_connection_driver_write_done(from, part);
    return true;
}

static bool is_ours(pn_event_type_t type)
{
    return (type >= PN_SESSION_INIT && type <= PN_DELIVERY) || type == PN_LINK_LOCAL_DETACH ||
           type == PN_LINK_REMOTE_DETACH;
}

/* False: the channel is gone. */
static bool tell_client(struct channel *channel, bool *moved)
{
    pn_event_t *event;
    while ((event = pn_connection_driver_next_event(&channel->client))) {
        *moved = true;
        if (pn_event_type(event) == PN_CONNECTION_REMOTE_OPEN && !partner.holds_open) {
            channel->opened = true;
            channel->owner->opened(channel->owner->arg, channel);
        } else if (channel->opened && is_ours(pn_event_type(event))) {
            channel->owner->event(channel->owner->arg, channel, event);
        }
    }
    if (!channel->has_end)
        return true;
    *moved = true;
    if (channel->owner->step && !channel->opened)
        channel->owner->step(channel->owner->arg, channel, "tls", ACCORD_ENET, channel->reason);
    channel->owner->closed(channel->owner->arg, channel, &channel->end);
    return false;
}

static bool run_channel(struct channel *channel)
{
    pn_event_t *event;
    bool moved = false;
    if (!tell_client(channel, &moved))
        return true;
    while ((event = pn_connection_driver_next_event(&channel->server))) {
        on_server_event(event);
        moved = true;
    }
    moved = give(channel) || moved;
    if (!broker.stalled)
        moved = carry(&channel->client, &channel->server) || moved;
    return carry(&channel->server, &channel->client) || moved;
}

static bool run_broker(void)
{
    bool moved = false;
    for (size_t i = 0; i < partner.channel_count; i++)
        moved = run_channel(partner.channels[i]) || moved;
    return moved;
}

void mq_run(struct mq_bench *bench)
{
    for (int idle = 0, turns = 0; idle < 3; idle++) {
        if (turns++ > 200000)
            fail_msg("it never comes to rest");
        testhost_advance(bench->host, 0);
        testhost_turn(bench->host);
        while (run_broker())
            idle = -1;
    }
}

void mq_pass(struct mq_bench *bench, int64_t ms)
{
    testhost_advance(bench->host, ms);
    mq_run(bench);
}
