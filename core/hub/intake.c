#include "hub/intake.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/pool.h"
#include "util/text.h"

#define HEADERS_SIZE 32768 /* bytes of all headers of one offer on the wire */
#define IDLE_TIME    60000 /* ms without a byte of what was asked for */

struct intake {
    struct intake_host host;
    uint64_t id;
    uint32_t number; /* the sender's, of the service */
    struct bus_party *party;
    const struct conf_service *service;
    struct bus_offer *offer;
    unsigned weight;
    int64_t credit;   /* bytes asked for that have not come */
    int64_t deadline; /* ticks: the next of them must be there; 0: none is due */
    bool pushed;      /* the first bytes come without being asked for */
    bool *rejected;   /* while it is made: what it was told at once */
};

static struct pool kept = {.size = sizeof(struct intake), .head = sizeof(void *), .most = 1024};

/* A reason may quote the message, and ends in a file or on a terminal. */
static void put_done(const struct intake *intake, const struct accord_admitted *admitted)
{
    char reason[ACCORD_REASON_MAX];
    text_copy(reason, sizeof reason, admitted->reason);
    text_make_visible(reason);
    if (intake->host.is_link && admitted->admission == ACCORD_DEFERRED)
        ++*bus_voids(intake->party, intake->service);
    if (*intake->host.channel)
        wire_put_OFFER_DONE(channel_out(*intake->host.channel),
                            &(struct wire_OFFER_DONE){.offer = intake->id,
                                                      .admission = (uint8_t)admitted->admission,
                                                      .id = admitted->id,
                                                      .rule = admitted->rule,
                                                      .reason = reason,
                                                      .service = intake->number});
}

/* ---- what the bus says ---- */

static void intake_pull(void *arg, int64_t bytes)
{
    struct intake *intake = arg;
    intake->credit += bytes;
    intake->deadline = clock_ticks() + IDLE_TIME;
    if (!intake->pushed)
        wire_put_OFFER_PULL(channel_out(*intake->host.channel),
                            &(struct wire_OFFER_PULL){.offer = intake->id, .bytes = bytes});
    intake->pushed = false;
}

static void intake_free(struct intake *intake)
{
    *intake->host.held -= intake->weight;
    table_take(intake->host.intakes, intake->id);
    pool_give(&kept, intake);
}

static void intake_done(void *arg, const struct accord_admitted *admitted)
{
    struct intake *intake = arg;
    put_done(intake, admitted);
    if (intake->rejected)
        *intake->rejected = admitted->admission == ACCORD_REJECTED;
    intake_free(intake);
}

static const struct bus_offer_events events = {.pull = intake_pull, .done = intake_done};

/* ---- what the sender says ---- */

static bool well_formed(const struct intake_host *host, const struct wire_OFFER *m)
{
    return *host->held + wire_offer_weight(m->size) <= host->most && m->headers.count <= ACCORD_HEADERS_MAX &&
           m->headers.raw.size <= HEADERS_SIZE && m->size >= -1 && m->has_cursor <= 1 &&
           (!m->has_cursor || strlen(m->cursor) < ACCORD_CURSOR_MAX);
}

enum intake_result intake_offer(struct intake_host host, struct bus_party *party,
                                const struct conf_service *service, const struct wire_OFFER *m)
{
    struct accord_pair headers[WIRE_PAIRS_MAX];
    struct intake *intake = well_formed(&host, m) ? pool_take(&kept) : NULL;
    if (!intake)
        return INTAKE_BROKEN;
    bool rejected = false;
    *intake = (struct intake){.host = host,
                              .id = m->offer,
                              .number = m->service,
                              .party = party,
                              .service = service,
                              .weight = wire_offer_weight(m->size),
                              .pushed = host.is_link && wire_offer_weight(m->size) == 1,
                              .rejected = &rejected};
    if (table_put(host.intakes, m->offer, intake) < 0) {
        pool_give(&kept, intake);
        return INTAKE_BROKEN;
    }
    *host.held += intake->weight;
    struct accord_envelope envelope = {.name = m->name,
                                       .source_id = m->source_id,
                                       .size = m->size,
                                       .headers = headers,
                                       .header_count = wire_pairs_copy(&m->headers, headers)};
    bool heard = host.is_link && m->voids == *bus_voids(party, service); /* of the last deferral */
    struct bus_place place = {.cursor = heard && m->has_cursor ? m->cursor : NULL};
    struct bus_offer *offer;
    if (bus_offer_new(party, service, &envelope, host.is_link ? &place : NULL, &events, intake, &offer) < 0) {
        struct accord_admitted admitted = {ACCORD_DEFERRED, "", "hub.no-memory", "out of memory"};
        intake_done(intake, &admitted);
        return INTAKE_DEFERRED;
    }
    if (!offer)
        return rejected ? INTAKE_REJECTED : INTAKE_DEFERRED;
    intake->rejected = NULL;
    intake->offer = offer;
    return INTAKE_OPEN;
}

bool intake_data(struct table *intakes, const struct wire_OFFER_DATA *m)
{
    struct intake *intake = table_get(intakes, m->offer);
    if (!intake)
        return true; /* it was answered while these bytes were on their way */
    intake->credit -= (int64_t)m->data.size;
    intake->deadline = intake->credit > 0 && !m->last ? clock_ticks() + IDLE_TIME : 0;
    return bus_offer_data(intake->offer, m->data.data, m->data.size, m->last) == 0;
}

void intake_abort(struct table *intakes, uint64_t id)
{
    struct intake *intake = table_get(intakes, id);
    if (!intake)
        return;
    bus_offer_abort(intake->offer);
    intake_free(intake);
}

void intake_gone(struct table *intakes)
{
    uint64_t id;
    while (table_any(intakes, &id))
        intake_abort(intakes, id);
    table_fini(intakes);
}

/* ---- time ---- */

static struct intake *find_late(const struct table *intakes, int64_t ticks, const struct bus_party *party)
{
    struct intake *intake;
    for (size_t at = 0; (intake = table_next(intakes, &at));)
        if (intake->deadline && (ticks >= intake->deadline || intake->party == party))
            return intake;
    return NULL;
}

void intake_tick(struct table *intakes, int64_t ticks, const struct bus_party *party)
{
    struct intake *intake;
    while ((intake = find_late(intakes, ticks, party))) {
        struct accord_admitted admitted = {ACCORD_DEFERRED, "", "hub.offer-idle",
                                           "the rest of it did not come in time; nothing was taken"};
        put_done(intake, &admitted);
        intake_abort(intakes, intake->id);
    }
}
