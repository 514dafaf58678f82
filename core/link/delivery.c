/* Messages on their way out: deliver, pull, payload, cancel, finish. One allocation for each. */
#include <stdlib.h>
#include <string.h>

#include "link/role.h"
#include "util/clock.h"
#include "util/pool.h"

#define PATIENCE_MOST (366LL * 86400000)
#define USUAL         1024 /* bytes of one with its envelope: what is larger is not kept for the next */
/* Deliveries of one service from which on the hub does not wait for the result of one of them: it has given more than are
 * worked at, and most connectors have less under way. */
#define MANY 24

struct delivery {
    uint64_t id;
    struct link *link;
    struct link_service *service;
    struct grace grace; /* once cancelled */
    int64_t asked, received;
    bool whole;       /* the last piece has come */
    bool ended;       /* and was handed over */
    bool pushed;      /* its payload comes without being asked for (messages.h): */
    bool waits;       /* it is in link_role->early */
    bool usual;       /* size */
    struct buf early; /* so much of it came before the connector asked */
    struct accord_outgoing out;
    struct accord_envelope envelope;
    /* texts and headers of the envelope follow */
};

static struct pool deliveries = {.size = USUAL, .head = sizeof(void *), .most = 512};

static size_t envelope_at(void)
{
    return (sizeof(struct delivery) + 15) & ~(size_t)15;
}

static struct delivery *delivery_new(const struct wire_DELIVER *from, struct link_service *service)
{
    size_t size = envelope_at() + envelope_room(&from->envelope);
    struct delivery *delivery = size <= USUAL ? pool_take(&deliveries) : malloc(size);
    if (!delivery)
        return NULL;
    *delivery =
        (struct delivery){.id = from->delivery,
                          .link = service->link,
                          .service = service,
                          .usual = size <= USUAL,
                          .pushed = !service->link->setup.endpoint_host && from->envelope.size <= WIRE_SMALL};
    delivery->out =
        (struct accord_outgoing){.handle = HANDLE(accord_delivery, from->delivery),
                                 .service = service->index,
                                 .envelope = &delivery->envelope,
                                 .attempt = from->attempt,
                                 .not_after = from->patience ? clock_ticks() + from->patience : 0};
    envelope_copy(&delivery->envelope, &from->envelope, (char *)delivery + envelope_at());
    return delivery;
}

static void delivery_free(struct delivery *delivery)
{
    buf_fini(&delivery->early);
    if (delivery->usual)
        pool_give(&deliveries, delivery);
    else
        free(delivery);
}

static void put_retry(uint64_t id, const char *reason)
{
    wire_put_FINISH(link_out(), &(struct wire_FINISH){id, ACCORD_RETRY, reason, "", 0});
}

void delivery_begin(const struct wire_message *m)
{
    const struct wire_DELIVER *from = &m->DELIVER;
    struct process *p = &link_role->process;
    if (from->service >= link_role->service_count || !from->delivery || from->envelope.size < 0 ||
        from->patience < 0 || from->patience > PATIENCE_MOST ||
        from->envelope.headers.count > ACCORD_HEADERS_MAX)
        process_refuse(p, m, "delivery %llu to service %u cannot be", (unsigned long long)from->delivery,
                       from->service);
    struct link_service *service = &link_role->services[from->service];
    struct link *link = service->link;
    if (!link->connector.deliver || link->services[service->index]->direction != ACCORD_SEND)
        process_refuse(p, m, "service %s does not send", link->services[service->index]->name);
    if (p->phase == PROCESS_DRAINING) {
        put_retry(from->delivery, "the link is draining");
        return;
    }
    struct delivery *delivery = delivery_new(from, service);
    int result = delivery ? table_put(&link_role->deliveries, delivery->id, delivery) : ACCORD_ENOMEM;
    if (result == ACCORD_EEXIST)
        process_refuse(p, m, "delivery %llu is under way already", (unsigned long long)from->delivery);
    if (result < 0) {
        if (delivery)
            delivery_free(delivery);
        put_retry(from->delivery, "the link is out of memory");
        return;
    }
    service->under_way++;
    instance_enter(&link->base);
    link->connector.deliver(link->state, &delivery->out);
}

/* Hands over what the connector has asked for of what is here; the rest stays. */
static void hand_over(struct delivery *delivery, const uint8_t *bytes, size_t size)
{
    struct link *link = delivery->link;
    delivery->received += (int64_t)size;
    delivery->ended = delivery->whole && delivery->received == delivery->envelope.size;
    instance_enter(&link->base);
    link->connector.payload(link->state, delivery->out.handle, bytes, size, delivery->ended);
}

static void hand_over_early(uint64_t id)
{
    struct delivery *delivery = table_get(&link_role->deliveries, id);
    if (!delivery)
        return;
    struct buf early = delivery->early;
    int64_t size = delivery->asked - delivery->received;
    delivery->waits = false;
    if (size <= 0 && delivery->envelope.size)
        return;
    size = size < (int64_t)early.size ? size : (int64_t)early.size;
    delivery->early = (struct buf){0};
    buf_put(&delivery->early, early.data + size, early.size - (size_t)size);
    if (delivery->early.failed)
        process_die(&link_role->process, "hub.memory", "out of memory for a payload");
    hand_over(delivery, early.data, (size_t)size); /* which may finish it */
    buf_fini(&early);
}

void delivery_turn(void)
{
    uint64_t id;
    for (size_t at = 0; role_next(&link_role->early, &at, &id);)
        hand_over_early(id);
}

/* Has it come before it was asked for? */
static bool is_early(const struct delivery *delivery, int64_t size)
{
    return delivery->pushed && (delivery->early.size || delivery->asked - delivery->received < size ||
                                (!size && !delivery->asked));
}

static void ask_later(struct delivery *delivery)
{
    if (!delivery->waits && !role_later(&link_role->early, delivery->id))
        process_die(&link_role->process, "hub.memory", "out of memory for a payload");
    delivery->waits = true;
}

void delivery_pull(struct accord_delivery *handle, struct accord_session *session, int64_t bytes)
{
    struct delivery *delivery = table_get(&link_role->deliveries, HANDLE_ID(handle));
    if (!delivery)
        process_blame(&link_role->process, "plugin.dead-delivery",
                      "it pulled a delivery that it had finished");
    if (delivery->ended || bytes <= 0)
        return;
    if (bytes > INT64_MAX - delivery->asked)
        bytes = INT64_MAX - delivery->asked;
    delivery->asked += bytes;
    uint64_t carrier = session ? session_id(delivery->link, session) : 0;
    if (!delivery->pushed)
        wire_put_PULL(link_out(), &(struct wire_PULL){delivery->id, carrier, bytes});
    else if (delivery->early.size || delivery->whole)
        ask_later(delivery);
}

/* Pieces may still come for a while after a delivery was finished. */
void delivery_piece(const struct wire_message *m)
{
    const struct wire_PIECE *piece = &m->PIECE;
    struct delivery *delivery = table_get(&link_role->deliveries, piece->stream);
    if (!delivery)
        return;
    int64_t size = (int64_t)piece->data.size, whole = delivery->envelope.size;
    int64_t here = delivery->received + (int64_t)delivery->early.size;
    bool unasked = !delivery->pushed && size > delivery->asked - delivery->received;
    if (delivery->whole || unasked || size > whole - here || piece->last > 1 ||
        (piece->last && here + size != whole))
        process_refuse(&link_role->process, m,
                       "delivery %llu: more than was asked for, or not the size announced",
                       (unsigned long long)piece->stream);
    delivery->whole = piece->last;
    if (!is_early(delivery, size)) {
        hand_over(delivery, piece->data.data, piece->data.size);
        return;
    }
    buf_put(&delivery->early, piece->data.data, piece->data.size);
    if (delivery->asked > delivery->received)
        ask_later(delivery);
}

void delivery_cancel(const struct wire_message *m)
{
    struct delivery *delivery = table_get(&link_role->deliveries, m->CANCEL.stream);
    if (!delivery || delivery->grace.next)
        return;
    struct link *link = delivery->link;
    grace_begin(&link_role->process.grace, &delivery->grace, &link->base);
    instance_enter(&link->base);
    if (link->connector.cancel)
        link->connector.cancel(link->state, delivery->out.handle);
}

/* Where the result goes: with those of others, when there are many. */
static struct buf *out_for(const struct delivery *delivery, const struct accord_result *result)
{
    bool later = result->outcome == ACCORD_DELIVERED && delivery->service->under_way >= MANY;
    return later ? channel_out_later(link_role->process.channel) : link_out();
}

void delivery_finish(struct accord_delivery *handle, const struct accord_result *result)
{
    struct delivery *delivery = table_take(&link_role->deliveries, HANDLE_ID(handle));
    if (!delivery)
        process_blame(&link_role->process, "plugin.double-finish", "it finished a delivery a second time");
    if ((unsigned)result->outcome > ACCORD_UNCERTAIN)
        process_blame(&link_role->process, "plugin.outcome", "it finished a delivery with outcome %d",
                      (int)result->outcome);
    delivery->service->under_way--;
    wire_put_FINISH(out_for(delivery, result),
                    &(struct wire_FINISH){delivery->id, (uint8_t)result->outcome, result->reason,
                                          result->receipt, result->wait > 0 ? result->wait : 0});
    grace_end(&link_role->process.grace, &delivery->grace);
    delivery_free(delivery);
}

void delivery_sweep(void)
{
    struct delivery *delivery;
    for (size_t at = 0; (delivery = table_next(&link_role->deliveries, &at)); at = 0) {
        instance_say(&delivery->link->base, ACCORD_ERROR, "plugin.leaks",
                     "the plugin's close left delivery of %s unfinished", delivery->envelope.id);
        delivery_free(table_take(&link_role->deliveries, delivery->id));
    }
}
