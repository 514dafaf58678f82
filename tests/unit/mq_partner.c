#include "mq_partner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <proton/codec.h>
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include "connectors/mq/channel.h"
#include "connectors/mq/mq.h"

struct mq_broker broker;

struct got {
    char address[200];
    uint8_t *bytes;
    size_t size;
    pn_delivery_t *delivery; /* that is not answered yet */
};

struct queued {
    char queue[200];
    const uint8_t *bytes;
    size_t size, given;
    pn_delivery_t *delivery; /* NULL: waits */
    bool settled;
};

/* One connection, both ends of it. */
struct channel {
    const struct channel_settings *settings;
    const struct channel_owner *owner;
    pn_connection_driver_t client, server;
    bool opened, closing, aborting;
    bool has_end;
    struct channel_closed end;
    char rule[64], reason[200];
};

static struct channel *channels[20];
static size_t channel_count;
static struct got got[4096];
static size_t got_count;
static struct queued queued[2048];
static size_t queued_count;
static unsigned opened, outcomes[6];
static bool fails_open, holds_open;

/* ---- channel.h ---- */

struct channel *channel_open(const struct channel_settings *settings, const struct channel_owner *owner)
{
    if (fails_open) {
        fails_open = false;
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
    assert_true(channel_count < 20);
    channels[channel_count++] = channel;
    opened++;
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

static void end_channel(struct channel *channel, enum channel_end end, const char *rule, const char *reason)
{
    snprintf(channel->rule, sizeof channel->rule, "%s", rule);
    snprintf(channel->reason, sizeof channel->reason, "%s", reason);
    channel->end = (struct channel_closed){.end = end, .rule = channel->rule, .reason = channel->reason};
    channel->has_end = true;
}

void channel_close(struct channel *channel, const char *reason)
{
    if (!channel->has_end)
        end_channel(channel, CHANNEL_CLOSED, "", reason);
}

/* Whatever was given over it and not settled is in its queue again. */
static void requeue(pn_connection_t *connection, pn_link_t *link)
{
    for (size_t i = 0; i < queued_count; i++) {
        pn_delivery_t *delivery = queued[i].delivery;
        if (!delivery || queued[i].settled)
            continue;
        pn_link_t *of = pn_delivery_link(delivery);
        if (of == link || (!link && pn_session_connection(pn_link_session(of)) == connection)) {
            queued[i].delivery = NULL;
            queued[i].given = 0;
        }
    }
    for (size_t i = 0; i < got_count; i++)
        if (got[i].delivery && (pn_delivery_link(got[i].delivery) == link ||
                                (!link && pn_session_connection(pn_link_session(
                                              pn_delivery_link(got[i].delivery))) == connection)))
            got[i].delivery = NULL;
}

void channel_free(struct channel *channel)
{
    size_t at = 0;
    if (!channel)
        return;
    requeue(channel->server.connection, NULL);
    while (channels[at] != channel)
        at++;
    channels[at] = channels[--channel_count];
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

static void set_condition(pn_condition_t *condition, const char *name, const char *words)
{
    pn_condition_set_name(condition, name);
    pn_condition_set_description(condition, words);
}

static void refuse_attach(pn_link_t *link)
{
    const char *condition = broker.condition ? broker.condition : "amqp:not-found";
    if (broker.ends_session) {
        set_condition(pn_session_condition(pn_link_session(link)), condition, "no queue 'x'\nin vhost '/'");
        pn_session_close(pn_link_session(link));
        return;
    }
    pn_link_open(link);
    set_condition(pn_link_condition(link), condition, "no queue 'x'\nin vhost '/'");
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

static void answer(struct got *one)
{
    pn_delivery_t *delivery = one->delivery;
    one->delivery = NULL;
    if (broker.outcome == PN_REJECTED && broker.error)
        set_condition(pn_disposition_condition(pn_delivery_local(delivery)), broker.error, "their words");
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
    assert_true(got_count < 4096);
    struct got *one = &got[got_count++];
    one->size = pn_delivery_pending(delivery);
    one->bytes = malloc(one->size + 1);
    snprintf(one->address, sizeof one->address, "%s", pn_terminus_get_address(pn_link_remote_target(link)));
    assert_int_equal(pn_link_recv(link, (char *)one->bytes, one->size), one->size);
    pn_link_advance(link);
    one->delivery = delivery;
    if (!broker.silent)
        answer(one);
}

static void on_settled_by_them(pn_delivery_t *delivery)
{
    for (size_t i = 0; i < queued_count; i++)
        if (queued[i].delivery == delivery && !queued[i].settled && pn_delivery_settled(delivery)) {
            uint64_t outcome = pn_delivery_remote_state(delivery);
            outcomes[outcome >= PN_RECEIVED && outcome <= PN_MODIFIED ? outcome - PN_RECEIVED : 5]++;
            queued[i].settled = true;
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
    for (size_t i = 0; i < queued_count && !stopped; i++) {
        struct queued *one = &queued[i];
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
        requeue(NULL, pn_event_link(event));
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
        if (pn_event_type(event) == PN_CONNECTION_REMOTE_OPEN && !holds_open) {
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
    for (size_t i = 0; i < channel_count; i++)
        moved = run_channel(channels[i]) || moved;
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

/* ---- looking ---- */

size_t broker_got(void)
{
    return got_count;
}

const char *broker_address(size_t index)
{
    assert_true(index < got_count);
    return got[index].address;
}

const uint8_t *broker_bytes(size_t index, size_t *size)
{
    assert_true(index < got_count);
    *size = got[index].size;
    return got[index].bytes;
}

bool broker_has_payload(size_t index, const void *bytes, size_t size)
{
    uint8_t head[8] = {0x00, 0x53, 0x75, 0xa0, (uint8_t)size};
    size_t width = 5;
    assert_true(index < got_count);
    if (size > 255) {
        width = 8;
        const uint8_t large[] = {0xb0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                 (uint8_t)size};
        memcpy(head + 3, large, 5);
    }
    const struct got *one = &got[index];
    return one->size >= size + width && memcmp(one->bytes + one->size - size - width, head, width) == 0 &&
           memcmp(one->bytes + one->size - size, bytes, size) == 0;
}

bool broker_was_durable(size_t index)
{
    static const uint8_t header[] = {0x00, 0x53, 0x70, 0xc0, 2, 1, 0x41};
    assert_true(index < got_count);
    return got[index].size > sizeof header && memcmp(got[index].bytes, header, sizeof header) == 0;
}

unsigned broker_links(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < channel_count; i++)
        for (pn_link_t *link =
                 pn_link_head(channels[i]->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);
             link; link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
            count++;
    return count;
}

unsigned broker_witnesses(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < channel_count; i++)
        for (pn_link_t *link =
                 pn_link_head(channels[i]->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);
             link; link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
            count +=
                pn_link_is_sender(link) && pn_link_credit(link) == 0 && strstr(pn_link_name(link), "witness");
    return count;
}

unsigned broker_sessions(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < channel_count; i++)
        for (pn_session_t *at =
                 pn_session_head(channels[i]->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);
             at; at = pn_session_next(at, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
            count++;
    return count;
}

unsigned broker_connections(void)
{
    return opened;
}

static pn_link_t *last_link(void)
{
    pn_link_t *last = NULL;
    assert_true(channel_count > 0);
    pn_connection_t *connection = channels[channel_count - 1]->server.connection;
    for (pn_link_t *link = pn_link_head(connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE); link;
         link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
        last = link;
    assert_non_null(last);
    return last;
}

static pn_terminus_t *last_node(void)
{
    pn_link_t *link = last_link();
    return pn_link_is_receiver(link) ? pn_link_remote_target(link) : pn_link_remote_source(link);
}

bool broker_node_has_capability(const char *name)
{
    pn_data_t *capabilities = pn_terminus_capabilities(last_node());
    pn_data_rewind(capabilities);
    if (!pn_data_next(capabilities))
        return false;
    if (pn_data_type(capabilities) == PN_ARRAY && pn_data_enter(capabilities) && !pn_data_next(capabilities))
        return false;
    pn_bytes_t text = pn_data_get_symbol(capabilities);
    return text.size == strlen(name) && memcmp(text.start, name, text.size) == 0;
}

bool broker_node_is_durable(void)
{
    return pn_terminus_get_durability(last_node()) == PN_DELIVERIES;
}

int broker_credit(void)
{
    return pn_link_credit(last_link());
}

/* ---- giving ---- */

void broker_put(const char *queue, const void *bytes, size_t size)
{
    assert_true(queued_count < 2048);
    struct queued *one = &queued[queued_count++];
    *one = (struct queued){.bytes = bytes, .size = size};
    snprintf(one->queue, sizeof one->queue, "%s", queue);
}

size_t broker_depth(const char *queue)
{
    size_t depth = 0;
    for (size_t i = 0; i < queued_count; i++)
        depth += !queued[i].settled && strcmp(queued[i].queue, queue) == 0;
    return depth;
}

unsigned broker_outcome_count(uint64_t outcome)
{
    return outcomes[outcome >= PN_RECEIVED && outcome <= PN_MODIFIED ? outcome - PN_RECEIVED : 5];
}

uint8_t *broker_message(const char *id, const char *subject, const void *payload, size_t size, size_t *whole)
{
    size_t id_size = id ? strlen(id) : 0, subject_size = subject ? strlen(subject) : 0;
    uint8_t *bytes = malloc(size + id_size + subject_size + 64), *at = bytes;
    const uint8_t begin[] = {0x00, 0x53, 0x73, 0xc0, 0, 4};
    memcpy(at, begin, sizeof begin);
    at += sizeof begin;
    *at++ = id ? 0xa1 : 0x40;
    if (id)
        *at++ = (uint8_t)id_size;
    memcpy(at, id ? id : "", id_size);
    at += id_size;
    *at++ = 0x40;
    *at++ = 0x40;
    *at++ = subject ? 0xa1 : 0x40;
    if (subject)
        *at++ = (uint8_t)subject_size;
    memcpy(at, subject ? subject : "", subject_size);
    at += subject_size;
    bytes[4] = (uint8_t)(at - bytes - 5);
    const uint8_t data[] = {
        0x00,         0x53, 0x75, 0xb0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
        (uint8_t)size};
    memcpy(at, data, sizeof data);
    at += sizeof data;
    if (size)
        memcpy(at, payload, size);
    *whole = (size_t)(at - bytes) + size;
    return bytes;
}

/* ---- doing ---- */

void broker_answer(struct mq_bench *bench)
{
    for (size_t i = 0; i < got_count; i++)
        if (got[i].delivery)
            answer(&got[i]);
    mq_run(bench);
}

void broker_grant(struct mq_bench *bench, int credit)
{
    pn_link_flow(last_link(), credit);
    mq_run(bench);
}

void broker_detach(struct mq_bench *bench, const char *condition, const char *words)
{
    pn_link_t *link = last_link();
    if (condition)
        set_condition(pn_link_condition(link), condition, words);
    requeue(NULL, link);
    pn_link_close(link);
    mq_run(bench);
}

void broker_end_session(struct mq_bench *bench, const char *condition)
{
    pn_session_t *session = pn_link_session(last_link());
    requeue(NULL, last_link());
    set_condition(pn_session_condition(session), condition, "their words");
    pn_session_close(session);
    mq_run(bench);
}

void broker_abort(struct mq_bench *bench)
{
    for (size_t i = 0; i < queued_count; i++)
        if (queued[i].delivery && queued[i].given < queued[i].size) {
            pn_delivery_t *delivery = queued[i].delivery;
            queued[i].delivery = NULL;
            queued[i].given = 0;
            queued[i].settled = true;
            pn_delivery_abort(delivery);
        }
    mq_run(bench);
}

void broker_cut(struct mq_bench *bench)
{
    assert_true(channel_count > 0);
    end_channel(channels[channel_count - 1], CHANNEL_LOST, "", "the connection broke");
    mq_run(bench);
}

void broker_refuse(struct mq_bench *bench, const char *rule)
{
    assert_true(channel_count > 0);
    end_channel(channels[channel_count - 1], CHANNEL_REFUSED, rule, "it does not let us in");
    mq_run(bench);
}

void broker_fail_open(void)
{
    fails_open = true;
}

void broker_hold_open(bool hold)
{
    holds_open = hold;
}

/* ---- the bench ---- */

extern const struct accord_plugin accord_plugin;

static const void *fill(struct mq_bench *bench, size_t slot, const struct accord_options *table,
                        const struct accord_pair *written)
{
    char why[300];
    bench->options[slot] = testoptions_new(table, written, why, sizeof why);
    if (!bench->options[slot])
        fail_msg("%s", why);
    return testoptions_struct(bench->options[slot]);
}

static void reset(void)
{
    for (size_t i = 0; i < got_count; i++)
        free(got[i].bytes);
    got_count = queued_count = 0;
    opened = 0;
    fails_open = holds_open = false;
    memset(outcomes, 0, sizeof outcomes);
    broker = (struct mq_broker){.credit = 100, .outcome = PN_ACCEPTED};
}

void mq_open(struct mq_bench *bench, const struct accord_pair *link, const struct mq_service *services,
             size_t count)
{
    static const struct accord_pair plain[] = {MQ_LINK, {NULL, NULL}};
    const struct accord_connector *connector = accord_plugin.connector;
    memset(bench, 0, sizeof *bench);
    reset();
    for (size_t i = 0; i < count; i++) {
        bench->services[i] = (struct accord_service){
            .name = services[i].name,
            .type = "opaque",
            .direction = services[i].direction,
            .options = fill(bench, i + 1, &connector->service_options, services[i].options),
            .max_size = 200 << 20,
            .cursor = ""};
        bench->pointers[i] = &bench->services[i];
    }
    bench->setup =
        (struct accord_link_setup){.agreement = "cbp",
                                   .name = "mq",
                                   .options = fill(bench, 0, &connector->link_options, link ? link : plain),
                                   .services = bench->pointers,
                                   .service_count = count,
                                   .endpoint_host = "broker.example",
                                   .endpoint_port = 5671};
    bench->host = testhost_new(connector, TESTHOST_VIRTUAL_CLOCK);
    if (testhost_open(bench->host, &bench->setup) < 0)
        fail_msg("%s", testhost_why(bench->host));
    testhost_start(bench->host);
}

void mq_close(struct mq_bench *bench)
{
    testhost_close(bench->host);
    assert_int_equal(channel_count, 0);
    assert_int_equal(testhost_complaints(bench->host), 0);
    testhost_free(bench->host);
    for (size_t i = 0; i < 5; i++)
        testoptions_free(bench->options[i]);
    reset();
}

struct accord_delivery *mq_send(struct mq_bench *bench, size_t service,
                                const struct testhost_message *message)
{
    return testhost_deliver(bench->host, service, message);
}
