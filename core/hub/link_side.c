#include "hub/link_side.h"

#include <stdlib.h>
#include <string.h>

#include "hub/intake.h"
#include "hub/probing.h"
#include "hub/session.h"
#include "hub/stream.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/pool.h"

#define CANCEL_GRACE 10000 /* ms that a connector has to finish a delivery after CANCEL */

/* One delivery at its link; its number is the delivery's. */
struct flight {
    struct stream stream; /* first */
    struct bus_dispatch *dispatch;
    int64_t deadline; /* ticks: cancelled then */
    bool cancelled;
};

static struct pool flights = {.size = sizeof(struct flight), .head = sizeof(void *), .most = 512};

/* ---- out ---- */

static void flight_freed(struct stream *stream)
{
    pool_give(&flights, stream);
}

static void flight_finish(struct flight *flight, const struct accord_result *result)
{
    struct bus_dispatch *dispatch = flight->dispatch;
    table_take(&flight->stream.child->flights, flight->stream.id);
    bus_dispatch_finish(dispatch, result);
    stream_close(&flight->stream, flight_freed);
}

static void cancel(struct flight *flight)
{
    struct child *child = flight->stream.child;
    flight->cancelled = true;
    flight->deadline = clock_ticks() + CANCEL_GRACE;
    if (child->channel)
        wire_put_CANCEL(channel_out(child->channel), &(struct wire_CANCEL){.stream = flight->stream.id});
}

/* The link must give the delivery back; the bus knows the cause. */
static void unreadable(struct stream *stream)
{
    struct flight *flight = (struct flight *)stream;
    if (!flight->cancelled)
        cancel(flight);
}

static void pull(struct flight *flight, int64_t bytes)
{
    stream_pull(&flight->stream, bytes);
    if (flight->stream.ended)
        bus_dispatch_sent(flight->dispatch);
}

static void put_deliver(struct child *child, const struct bus_dispatch_view *view, uint32_t service)
{
    wire_put_DELIVER(channel_out(child->channel),
                     &(struct wire_DELIVER){.delivery = view->number,
                                            .service = service,
                                            .attempt = view->attempt,
                                            .patience = view->service->delivery_timeout,
                                            .envelope = wire_envelope_of(view->envelope, view->encoded)});
}

void link_side_send(struct child *child, struct bus_dispatch *dispatch)
{
    const struct bus_dispatch_view *view = bus_dispatch_view(dispatch);
    uint32_t service = child ? child_service_index(child, view->service) : WIRE_NONE;
    if (!child_ready(child) || service == WIRE_NONE) {
        bus_dispatch_return(dispatch, "the link's process is not ready");
        return;
    }
    struct flight *flight = pool_take(&flights);
    if (!flight || table_put(&child->flights, view->number, flight) < 0) {
        pool_give(&flights, flight);
        bus_dispatch_return(dispatch, "out of memory");
        return;
    }
    *flight = (struct flight){
        .stream = {.child = child, .source = view->source, .id = view->number, .unreadable = unreadable},
        .dispatch = dispatch,
        .deadline = clock_ticks() + view->service->delivery_timeout};
    put_deliver(child, view, service);
    if (!view->service->link->endpoint && view->envelope->size <= WIRE_SMALL)
        pull(flight, ACCORD_PIECE_MAX);
}

static void finished(struct child *child, const struct wire_FINISH *m)
{
    struct flight *flight = table_get(&child->flights, m->delivery);
    if (!flight || m->outcome > ACCORD_UNCERTAIN) {
        child_fail(child, "hub.protocol", "it finished a delivery that it does not have");
        return;
    }
    struct accord_result result = {.outcome = (enum accord_outcome)m->outcome,
                                   .reason = m->reason,
                                   .receipt = m->receipt,
                                   .wait = m->wait > 0 ? m->wait : 0};
    if (result.outcome == ACCORD_DELIVERED)
        unit_link_works(child->unit, bus_dispatch_view(flight->dispatch)->service->link);
    flight_finish(flight, &result);
}

static void pulled(struct child *child, const struct wire_PULL *m)
{
    struct flight *flight = table_get(&child->flights, m->stream);
    if (!flight)
        return; /* finished by deadline while this was on its way */
    const struct conf_link *link = bus_dispatch_view(flight->dispatch)->service->link;
    if (m->bytes <= 0 || (link->endpoint && !sessions_carry(child, m->session, link)))
        child_fail(child, "hub.protocol", "it asked for payload without a session that may carry it");
    else
        pull(flight, m->bytes);
}

/* ---- in ---- */

static bool may_offer(struct child *child, const struct wire_OFFER *m)
{
    if (m->service >= child->service_count || child->services[m->service]->direction != ACCORD_RECEIVE)
        return false;
    const struct conf_link *link = child->services[m->service]->link;
    return !link->endpoint || sessions_carry(child, m->session, link);
}

static void offered(struct child *child, const struct wire_OFFER *m)
{
    struct intake_host host = {&child->channel, &child->intakes, WIRE_OFFERS_MAX * child->link_count,
                               &child->intakes_held, true};
    enum intake_result result = INTAKE_BROKEN;
    if (may_offer(child, m)) {
        unit_link_works(child->unit, child->services[m->service]->link);
        result = intake_offer(host, child->unit->party, child->services[m->service], m);
    }
    if (result == INTAKE_BROKEN)
        child_fail(
            child, "hub.protocol",
            "it made an offer that its services do not allow, or over a session that may not carry it");
    else if (result == INTAKE_REJECTED)
        child_spend(child); /* each such answer is an audit record */
}

struct advance {
    struct cursor_wait wait; /* first */
    struct child *child;
    uint64_t request;
};

static void put_advanced(struct child *child, uint64_t request, int result)
{
    const char *why = result == ACCORD_ECANCELED ? "an offer before it was deferred or aborted"
                      : result                   ? "the store did not take it"
                                                 : "";
    if (child->channel)
        wire_put_ADVANCED(channel_out(child->channel),
                          &(struct wire_ADVANCED){.request = request, .result = result, .reason = why});
}

static void advance_done(struct cursor_wait *wait, int result)
{
    struct advance *advance = (struct advance *)wait;
    put_advanced(advance->child, advance->request, result);
    free(advance);
}

static void advanced(struct child *child, const struct wire_ADVANCE *m)
{
    struct bus_party *party = child->unit->party;
    const struct conf_service *service =
        m->service < child->service_count ? child->services[m->service] : NULL;
    if (!service || service->direction != ACCORD_RECEIVE || strlen(m->cursor) >= ACCORD_CURSOR_MAX ||
        bus_advances(party, service) >= WIRE_ADVANCES_MAX) {
        child_fail(child, "hub.protocol", "it set a cursor that its services do not allow");
        return;
    }
    if (m->voids != *bus_voids(party, service)) {
        put_advanced(child, m->request, ACCORD_ECANCELED);
        return;
    }
    struct advance *advance = malloc(sizeof *advance);
    if (advance)
        *advance = (struct advance){.wait = {.done = advance_done}, .child = child, .request = m->request};
    if (!advance || bus_advance(party, service, m->cursor, &advance->wait) < 0) {
        free(advance);
        put_advanced(child, m->request, ACCORD_ENOMEM);
    }
}

static void parked(struct child *child, const struct wire_PARK *m)
{
    if (m->link >= child->link_count)
        child_fail(child, "hub.protocol", "it parked a link that it does not have");
    else
        unit_park(child->unit, child->links[m->link], m->rule, m->reason);
}

static void windowed(struct child *child, const struct wire_WINDOW *m)
{
    if (m->link >= child->link_count || m->deliveries < 1)
        child_fail(child, "hub.protocol", "it set a window that cannot be");
    else
        bus_party_window(child->unit->party, child->links[m->link]->name, m->deliveries);
}

/* ---- all of it ---- */

void link_side_message(struct child *child, const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_DIAL:
        if (child_spend(child))
            sessions_dial(child, &m->DIAL);
        break;
    case WIRE_FACTS:
        sessions_facts(child, &m->FACTS);
        break;
    case WIRE_SECRET:
        if (child_spend(child))
            sessions_secret(child, &m->SECRET);
        break;
    case WIRE_SESSION_END:
        sessions_end(child, &m->SESSION_END);
        break;
    case WIRE_PARK:
        parked(child, &m->PARK);
        break;
    case WIRE_PROBED:
        probing_said(child, &m->PROBED);
        break;
    case WIRE_WINDOW:
        windowed(child, &m->WINDOW);
        break;
    case WIRE_PULL:
        pulled(child, &m->PULL);
        break;
    case WIRE_FINISH:
        finished(child, &m->FINISH);
        break;
    case WIRE_OFFER:
        offered(child, &m->OFFER);
        break;
    case WIRE_OFFER_DATA:
        if (!intake_data(&child->intakes, &m->OFFER_DATA))
            child_fail(child, "hub.protocol", "it sent more of an offer than it was asked for");
        break;
    case WIRE_ADVANCE:
        advanced(child, &m->ADVANCE);
        break;
    case WIRE_OFFER_ABORT:
        intake_abort(&child->intakes, m->OFFER_ABORT.offer);
        break;
    default:
        child_fail(child, "hub.protocol", "%s is not for now", wire_type_name(m->type));
    }
}

static void flight_cut(struct flight *flight)
{
    bool whole = flight->stream.ended;
    struct accord_result result = {.outcome = whole ? ACCORD_UNCERTAIN : ACCORD_RETRY,
                                   .reason = whole ? "the link's process ended after the last byte was sent"
                                                   : "the link's process ended in mid-delivery"};
    bus_dispatch_cut(flight->dispatch, &result);
}

static void flight_crashed(struct flight *flight, bool alone, bool busy)
{
    bool whole = flight->stream.ended;
    bus_dispatch_crashed(
        flight->dispatch,
        &(struct bus_crash){.alone = alone,
                            .busy = busy,
                            .sent_whole = whole,
                            .reason = whole ? "the link's process died after the last byte was sent"
                                            : "the link's process died in mid-delivery"});
}

void link_side_gone(struct child *child)
{
    struct flight *flight;
    bool alone = child->flights.count == 1, busy = child->intakes.count > 0;
    while ((flight = table_any(&child->flights, NULL))) {
        table_take(&child->flights, flight->stream.id);
        if (child->life.stopping)
            flight_cut(flight);
        else
            flight_crashed(flight, alone, busy);
        stream_close(&flight->stream, flight_freed);
    }
    table_fini(&child->flights);
    probing_gone(child);
    intake_gone(&child->intakes);
    for (size_t i = 0; i < child->service_count; i++)
        bus_source_gone(child->unit->party, child->services[i]);
    for (size_t i = 0; i < child->link_count; i++)
        bus_party_window(child->unit->party, child->links[i]->name, 0);
}

void link_side_tick(struct child *child, int64_t ticks)
{
    struct flight *flight;
    intake_tick(&child->intakes, ticks, NULL);
    for (size_t at = 0; (flight = table_next(&child->flights, &at));) {
        if (ticks < flight->deadline)
            continue;
        if (flight->cancelled) {
            child_fail(child, "hub.hung", "it did not finish a delivery within %d s of being asked to",
                       CANCEL_GRACE / 1000);
            return;
        }
        cancel(flight);
    }
}
