/* Messages on their way in: offer, offer_pull, offer_write, offer_done, offer_abort. */
#include <stdlib.h>
#include <string.h>

#include "link/role.h"
#include "util/pool.h"

#define HEADERS_SIZE (32 << 10) /* of all headers of one offer */
#define ALONE_FROM   (16 << 10) /* bytes: a datagram of its own costs less than the copy into one with others */

struct offer {
    uint64_t id;
    struct link *link;
    void *arg;
    int64_t credit;
    unsigned weight;
    bool ended; /* the last bytes were written */
};

static struct pool offers = {.size = sizeof(struct offer), .head = sizeof(void *), .most = 512};

/* ---- room for more ---- */

static bool has_room(const struct link *link, unsigned weight)
{
    return link->started && link_role->process.phase == PROCESS_RUNNING &&
           link->offers + weight <= WIRE_OFFERS_MAX && !channel_full(link_role->process.channel);
}

static void ask(struct offer *offer, int64_t bytes)
{
    offer->credit += bytes > INT64_MAX - offer->credit ? INT64_MAX - offer->credit : bytes;
    struct link *link = offer->link;
    instance_enter(&link->base);
    link->connector.offer_pull(link->state, HANDLE(accord_offer, offer->id), offer->arg, bytes);
}

void offer_turn(void)
{
    uint64_t id;
    for (size_t at = 0; role_next(&link_role->asked, &at, &id);) {
        struct offer *offer = table_get(&link_role->offers, id);
        if (offer && !offer->ended)
            ask(offer, ACCORD_PIECE_MAX);
    }
    for (size_t i = 0; i < link_role->link_count; i++) {
        struct link *link = link_role->links[i];
        if (!link->wants_offer || !has_room(link, link->wants_offer))
            continue;
        link->wants_offer = 0;
        instance_enter(&link->base);
        if (link->connector.offer_ready)
            link->connector.offer_ready(link->state);
    }
}

void offer_room(void)
{
    for (size_t i = 0; i < link_role->link_count; i++)
        if (link_role->links[i]->wants_offer &&
            has_room(link_role->links[i], link_role->links[i]->wants_offer)) {
            role_wake();
            return;
        }
}

static void offer_free(struct offer *offer)
{
    table_take(&link_role->offers, offer->id);
    offer->link->offers -= offer->weight;
    pool_give(&offers, offer);
    if (link_role->process.phase == PROCESS_RUNNING)
        offer_room();
}

/* ---- the plugin's calls ---- */

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* How many headers fit: a source's header flood must not become a frame that cannot be sent. */
static size_t headers_that_fit(struct link *link, const struct accord_incoming *message)
{
    size_t count = 0;
    for (size_t size = 0; count < message->header_count && count < ACCORD_HEADERS_MAX; count++) {
        const struct accord_pair *header = &message->headers[count];
        if (!header->name || !header->value)
            process_blame(&link_role->process, "plugin.offer",
                          "it offered a message with a header that is NULL");
        size += strlen(header->name) + strlen(header->value) + 10;
        if (size > HEADERS_SIZE)
            break;
    }
    if (count < message->header_count)
        instance_say(&link->base, ACCORD_WARNING, "link.headers",
                     "%s: %zu of %zu headers were left out, they are too many", text_or_empty(message->name),
                     message->header_count - count, message->header_count);
    return count;
}

static uint32_t service_number(const struct link *link, size_t index)
{
    for (size_t i = 0; i < link_role->service_count; i++)
        if (link_role->services[i].link == link && link_role->services[i].index == index) {
            if (link->services[index]->direction != ACCORD_RECEIVE)
                process_blame(&link_role->process, "plugin.offer",
                              "it offered a message to service %s, which sends", link->services[index]->name);
            return (uint32_t)i;
        }
    process_blame(&link_role->process, "plugin.offer", "it offered a message to service %zu, which is not",
                  index);
}

static void expect_cursor(const char *cursor)
{
    if (cursor && strlen(cursor) >= ACCORD_CURSOR_MAX)
        process_blame(&link_role->process, "plugin.cursor", "it gave a cursor of more than %d bytes",
                      ACCORD_CURSOR_MAX - 1);
}

struct accord_offer *offer_begin(struct accord_instance *instance, size_t service,
                                 const struct accord_incoming *message, void *arg)
{
    struct link *link = link_of(instance);
    uint32_t number = service_number(link, service);
    expect_cursor(message->cursor);
    uint64_t carrier = message->session ? session_id(link, message->session) : 0; /* which the hub looks at */
    unsigned weight = wire_offer_weight(message->size);
    struct offer *offer = has_room(link, weight) ? pool_take(&offers) : NULL;
    if (offer) {
        *offer = (struct offer){.id = ++link_role->last_id, .link = link, .arg = arg, .weight = weight};
        if (table_put(&link_role->offers, offer->id, offer) == 0) {
            link->offers += weight;
            wire_put_OFFER(link_out(),
                           &(struct wire_OFFER){
                               .offer = offer->id,
                               .service = number,
                               .session = carrier,
                               .route = "",
                               .name = text_or_empty(message->name),
                               .source_id = text_or_empty(message->source_id),
                               .size = message->size < 0 ? -1 : message->size,
                               .voids = link_role->services[number].voids,
                               .has_cursor = message->cursor != NULL,
                               .cursor = text_or_empty(message->cursor),
                               .headers = WIRE_PAIRS(message->headers, headers_that_fit(link, message))});
            if (weight == 1 && !role_later(&link_role->asked, offer->id))
                process_die(&link_role->process, "hub.memory", "out of memory for one more offer");
            return HANDLE(accord_offer, offer->id);
        }
        pool_give(&offers, offer);
    }
    link->wants_offer = weight;
    return NULL;
}

/* A dead handle is the plugin's error, also after a verdict that came before the last byte. */
static struct offer *offer_of(struct accord_offer *handle, const char *call)
{
    struct offer *offer = table_get(&link_role->offers, HANDLE_ID(handle));
    if (!offer)
        process_blame(&link_role->process, "plugin.dead-offer", "it called %s for an offer that has ended",
                      call);
    return offer;
}

/* Large ones leave from where they are. */
static void put_data(const struct offer *offer, const uint8_t *bytes, size_t size)
{
    static struct buf head;
    if (size < ALONE_FROM) {
        wire_put_OFFER_DATA(link_out(), &(struct wire_OFFER_DATA){offer->id, offer->ended, {bytes, size}});
        return;
    }
    buf_clear(&head);
    wire_put_OFFER_DATA(&head, &(struct wire_OFFER_DATA){.offer = offer->id, .last = offer->ended});
    wire_put_rest(&head, size);
    channel_put_bytes(link_role->process.channel, &head, bytes, size);
}

int offer_write(struct accord_offer *handle, const uint8_t *bytes, size_t size, bool last)
{
    struct offer *offer = offer_of(handle, "offer_write");
    if (offer->ended)
        return ACCORD_ESTATE;
    if (size > ACCORD_PIECE_MAX || (int64_t)size > offer->credit)
        return ACCORD_ELIMIT;
    offer->credit -= (int64_t)size;
    offer->ended = last;
    put_data(offer, bytes, size);
    return 0;
}

void offer_abort(struct accord_offer *handle)
{
    struct offer *offer = offer_of(handle, "offer_abort");
    wire_put_OFFER_ABORT(link_out(), &(struct wire_OFFER_ABORT){offer->id});
    offer_free(offer);
}

/* ---- the hub's messages: an offer that is gone was aborted while they were on their way ---- */

void offer_pulled(const struct wire_message *m)
{
    struct offer *offer = table_get(&link_role->offers, m->OFFER_PULL.offer);
    int64_t bytes = m->OFFER_PULL.bytes;
    if (bytes <= 0)
        process_refuse(&link_role->process, m, "%lld bytes cannot be asked for", (long long)bytes);
    if (!offer || offer->ended)
        return;
    ask(offer, bytes);
}

void offer_done(const struct wire_message *m)
{
    const struct wire_OFFER_DONE *done = &m->OFFER_DONE;
    struct offer *offer = table_get(&link_role->offers, done->offer);
    if (done->admission == ACCORD_DEFERRED && done->service < link_role->service_count)
        link_role->services[done->service].voids++; /* also of one that was aborted meanwhile */
    if (!offer)
        return;
    if (done->admission > ACCORD_REJECTED || (done->admission == ACCORD_ACCEPTED && !offer->ended))
        process_refuse(&link_role->process, m, "offer %llu cannot have ended so",
                       (unsigned long long)done->offer);
    struct link *link = offer->link;
    void *arg = offer->arg;
    uint64_t id = offer->id;
    offer_free(offer);
    instance_enter(&link->base);
    link->connector.offer_done(
        link->state, HANDLE(accord_offer, id), arg,
        &(struct accord_admitted){done->admission, done->id, done->rule, done->reason});
}

/* ---- cursors without an offer ---- */

struct advance {
    uint64_t id;
    struct link_service *service;
    accord_committed_fn done;
    void *arg;
};

static void advance_free(struct advance *advance)
{
    table_take(&link_role->advances, advance->id);
    advance->service->advances--;
    free(advance);
}

int offer_advance(struct accord_instance *instance, size_t index, const char *cursor,
                  accord_committed_fn done, void *arg)
{
    struct link *link = link_of(instance);
    uint32_t number = service_number(link, index);
    struct link_service *service = &link_role->services[number];
    expect_cursor(cursor);
    if (!cursor || !done)
        return ACCORD_EINVAL;
    if (instance->closing || link_role->process.phase != PROCESS_RUNNING)
        return ACCORD_ESTATE;
    if (service->advances >= WIRE_ADVANCES_MAX || channel_full(link_role->process.channel))
        return ACCORD_EBUSY;
    struct advance *advance = malloc(sizeof *advance);
    if (!advance)
        return ACCORD_ENOMEM;
    *advance = (struct advance){++link_role->last_id, service, done, arg};
    if (table_put(&link_role->advances, advance->id, advance) < 0) {
        free(advance);
        return ACCORD_ENOMEM;
    }
    service->advances++;
    wire_put_ADVANCE(link_out(), &(struct wire_ADVANCE){advance->id, number, service->voids, cursor});
    return 0;
}

void offer_advanced(const struct wire_message *m)
{
    struct advance *advance = table_get(&link_role->advances, m->ADVANCED.request);
    if (!advance || m->ADVANCED.result > 0 || m->ADVANCED.result < INT32_MIN)
        process_refuse(&link_role->process, m, "no such cursor was set");
    struct advance done = *advance;
    advance_free(advance);
    instance_enter(&done.service->link->base);
    done.done(done.arg, (int)m->ADVANCED.result, m->ADVANCED.reason);
}

void offer_sweep(void)
{
    struct offer *offer;
    struct advance *advance;
    for (size_t at = 0; (advance = table_next(&link_role->advances, &at)); at = 0)
        advance_free(advance);
    for (size_t at = 0; (offer = table_next(&link_role->offers, &at)); at = 0)
        offer_free(offer);
}
