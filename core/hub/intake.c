#include "hub/intake.h"

#include <stdlib.h>

struct intake {
    struct intake_host host;
    uint64_t id;
    struct bus_offer *offer;
};

static void intake_pull(void *arg, int64_t bytes)
{
    struct intake *intake = arg;
    wire_put_OFFER_PULL(channel_out(*intake->host.channel),
                        &(struct wire_OFFER_PULL){.offer = intake->id, .bytes = bytes});
}

static void intake_done(void *arg, const struct accord_admitted *admitted)
{
    struct intake *intake = arg;
    wire_put_OFFER_DONE(channel_out(*intake->host.channel),
                        &(struct wire_OFFER_DONE){.offer = intake->id,
                                                  .admission = (uint8_t)admitted->admission,
                                                  .id = admitted->id,
                                                  .rule = admitted->rule,
                                                  .reason = admitted->reason});
    table_take(intake->host.intakes, intake->id);
    free(intake);
}

static const struct bus_offer_events events = {.pull = intake_pull, .done = intake_done};

bool intake_offer(struct intake_host host, struct bus_party *party, const struct conf_service *service,
                  const struct wire_OFFER *m)
{
    struct accord_pair headers[WIRE_PAIRS_MAX];
    struct intake *intake = host.intakes->count < INTAKES_MAX ? calloc(1, sizeof *intake) : NULL;
    if (!intake)
        return false;
    *intake = (struct intake){.host = host, .id = m->offer};
    if (m->headers.count > ACCORD_HEADERS_MAX || m->size < -1 ||
        table_put(host.intakes, m->offer, intake) < 0) {
        free(intake);
        return false;
    }
    struct accord_envelope envelope = {.name = m->name,
                                       .source_id = m->source_id,
                                       .size = m->size,
                                       .headers = headers,
                                       .header_count = wire_pairs_copy(&m->headers, headers)};
    struct bus_offer *offer;
    uint64_t id = intake->id;
    if (bus_offer_new(party, service, &envelope, NULL, &events, intake, &offer) < 0) {
        struct accord_admitted admitted = {ACCORD_DEFERRED, "", "hub.no-memory", "out of memory"};
        intake_done(intake, &admitted);
        return true;
    }
    intake = table_get(host.intakes, id); /* gone when it was answered at once */
    if (intake)
        intake->offer = offer;
    return true;
}

bool intake_data(struct table *intakes, const struct wire_OFFER_DATA *m)
{
    struct intake *intake = table_get(intakes, m->offer);
    if (!intake)
        return true; /* it was answered while these bytes were on their way */
    return bus_offer_data(intake->offer, m->data.data, m->data.size, m->last) == 0;
}

bool intake_abort(struct table *intakes, uint64_t id)
{
    struct intake *intake = table_take(intakes, id);
    if (intake) {
        bus_offer_abort(intake->offer);
        free(intake);
    }
    return true;
}

void intake_gone(struct table *intakes)
{
    uint64_t id;
    while (table_any(intakes, &id))
        intake_abort(intakes, id);
    table_fini(intakes);
}
