/* Looking at the broker, making it do things, and the bench around a connector. */
#include "mq_partner_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <proton/codec.h>

/* ---- looking ---- */

size_t broker_got(void)
{
    return partner.got_count;
}

const char *broker_address(size_t index)
{
    assert_true(index < partner.got_count);
    return partner.got[index].address;
}

const uint8_t *broker_bytes(size_t index, size_t *size)
{
    assert_true(index < partner.got_count);
    *size = partner.got[index].size;
    return partner.got[index].bytes;
}

bool broker_has_payload(size_t index, const void *bytes, size_t size)
{
    uint8_t head[8] = {0x00, 0x53, 0x75, 0xa0, (uint8_t)size};
    size_t width = 5;
    assert_true(index < partner.got_count);
    if (size > 255) {
        width = 8;
        const uint8_t large[] = {0xb0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                 (uint8_t)size};
        memcpy(head + 3, large, 5);
    }
    const struct got *one = &partner.got[index];
    return one->size >= size + width && memcmp(one->bytes + one->size - size - width, head, width) == 0 &&
           memcmp(one->bytes + one->size - size, bytes, size) == 0;
}

bool broker_was_durable(size_t index)
{
    static const uint8_t header[] = {0x00, 0x53, 0x70, 0xc0, 2, 1, 0x41};
    assert_true(index < partner.got_count);
    return partner.got[index].size > sizeof header &&
           memcmp(partner.got[index].bytes, header, sizeof header) == 0;
}

unsigned broker_links(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < partner.channel_count; i++)
        for (pn_link_t *link =
                 pn_link_head(partner.channels[i]->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);
             link; link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
            count++;
    return count;
}

unsigned broker_witnesses(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < partner.channel_count; i++)
        for (pn_link_t *link =
                 pn_link_head(partner.channels[i]->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);
             link; link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
            count +=
                pn_link_is_sender(link) && pn_link_credit(link) == 0 && strstr(pn_link_name(link), "witness");
    return count;
}

unsigned broker_sessions(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < partner.channel_count; i++)
        for (pn_session_t *at =
                 pn_session_head(partner.channels[i]->server.connection, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);
             at; at = pn_session_next(at, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE))
            count++;
    return count;
}

unsigned broker_connections(void)
{
    return partner.opened;
}

static pn_link_t *last_link(void)
{
    pn_link_t *last = NULL;
    assert_true(partner.channel_count > 0);
    pn_connection_t *connection = partner.channels[partner.channel_count - 1]->server.connection;
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
    assert_true(partner.queued_count < PARTNER_QUEUED);
    struct queued *one = &partner.queued[partner.queued_count++];
    *one = (struct queued){.bytes = bytes, .size = size};
    snprintf(one->queue, sizeof one->queue, "%s", queue);
}

size_t broker_depth(const char *queue)
{
    size_t depth = 0;
    for (size_t i = 0; i < partner.queued_count; i++)
        depth += !partner.queued[i].settled && strcmp(partner.queued[i].queue, queue) == 0;
    return depth;
}

unsigned broker_outcome_count(uint64_t outcome)
{
    return partner.outcomes[outcome >= PN_RECEIVED && outcome <= PN_MODIFIED ? outcome - PN_RECEIVED : 5];
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
    for (size_t i = 0; i < partner.got_count; i++)
        if (partner.got[i].delivery)
            partner_answer(&partner.got[i]);
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
        partner_condition(pn_link_condition(link), condition, words);
    partner_requeue(NULL, link);
    pn_link_close(link);
    mq_run(bench);
}

void broker_end_session(struct mq_bench *bench, const char *condition)
{
    pn_session_t *session = pn_link_session(last_link());
    partner_requeue(NULL, last_link());
    partner_condition(pn_session_condition(session), condition, "their words");
    pn_session_close(session);
    mq_run(bench);
}

void broker_abort(struct mq_bench *bench)
{
    for (size_t i = 0; i < partner.queued_count; i++)
        if (partner.queued[i].delivery && partner.queued[i].given < partner.queued[i].size) {
            pn_delivery_t *delivery = partner.queued[i].delivery;
            partner.queued[i].delivery = NULL;
            partner.queued[i].given = 0;
            partner.queued[i].settled = true;
            pn_delivery_abort(delivery);
        }
    mq_run(bench);
}

void broker_cut(struct mq_bench *bench)
{
    assert_true(partner.channel_count > 0);
    partner_end(partner.channels[partner.channel_count - 1], CHANNEL_LOST, "", "the connection broke");
    mq_run(bench);
}

void broker_reads_certificate(struct mq_bench *bench, int64_t until)
{
    assert_true(partner.channel_count > 0);
    const struct channel *channel = partner.channels[partner.channel_count - 1];
    channel->settings->certificate_until(channel->owner->arg, until);
    mq_run(bench);
}

void broker_refuse(struct mq_bench *bench, const char *rule)
{
    assert_true(partner.channel_count > 0);
    partner_end(partner.channels[partner.channel_count - 1], CHANNEL_REFUSED, rule, "it does not let us in");
    mq_run(bench);
}

void broker_fail_open(void)
{
    partner.fails_open = true;
}

void broker_hold_open(bool hold)
{
    partner.holds_open = hold;
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

void partner_reset(void)
{
    for (size_t i = 0; i < partner.got_count; i++)
        free(partner.got[i].bytes);
    partner.got_count = partner.queued_count = 0;
    partner.opened = 0;
    partner.fails_open = partner.holds_open = false;
    memset(partner.outcomes, 0, sizeof partner.outcomes);
    broker = (struct mq_broker){.credit = 100, .outcome = PN_ACCEPTED};
}

void mq_open(struct mq_bench *bench, const struct accord_pair *link, const struct mq_service *services,
             size_t count)
{
    static const struct accord_pair plain[] = {MQ_LINK, {NULL, NULL}};
    const struct accord_connector *connector = accord_plugin.connector;
    memset(bench, 0, sizeof *bench);
    partner_reset();
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
    assert_int_equal(partner.channel_count, 0);
    assert_int_equal(testhost_complaints(bench->host), 0);
    testhost_free(bench->host);
    for (size_t i = 0; i < 5; i++)
        testoptions_free(bench->options[i]);
    partner_reset();
}

struct accord_delivery *mq_send(struct mq_bench *bench, size_t service,
                                const struct testhost_message *message)
{
    return testhost_deliver(bench->host, service, message);
}
