#include "bus/answers.h"

#include <stdio.h>
#include <string.h>

#include "bus/offer.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define RULE   "hub.response-overdue"
#define REASON "no answer to it came within expect-response"

/* ---- what a message answers ---- */

static const char *correlation_of(const struct accord_envelope *envelope)
{
    for (size_t i = 0; i < envelope->header_count; i++)
        if (strcmp(envelope->headers[i].name, ACCORD_HEADER_CORRELATION) == 0)
            return envelope->headers[i].value;
    return NULL;
}

/* It went, or is just going, to the partner that this one comes from, by the service that expects answers. */
static bool went_to(const struct store_message *message, const struct bus_offer *offer)
{
    for (size_t i = 0; i < message->delivery_count; i++) {
        const struct store_delivery *delivery = &message->deliveries[i];
        if (strcmp(delivery->agreement, offer->party->conf->name) == 0 &&
            strcmp(delivery->service, offer->service->correlates->name) == 0 &&
            (delivery->state == STORE_DELIVERED || delivery->state == STORE_SENDING))
            return true;
    }
    return false;
}

static void looked(void *arg, int result)
{
    struct bus_offer *offer = arg;
    struct store_message *message = offer->get.found;
    if (!result && went_to(message, offer))
        text_copy(offer->answers, sizeof offer->answers, message->id);
    store_message_free(message);
    offer->get = (struct store_get){0};
    offer_judge(offer);
}

void offer_correlate(struct bus_offer *offer)
{
    const char *id = offer->service->correlates ? correlation_of(&offer->content->envelope) : NULL;
    if (!id || !id_valid(id)) {
        offer_judge(offer);
        return;
    }
    offer->get = (struct store_get){.message = id};
    store_get(offer->party->bus->store, &offer->get, looked, offer);
}

void offer_answered(const struct bus_offer *offer)
{
    struct answers *answers = &offer->party->bus->answers;
    if (!offer->answers[0] || offer->admission.answered)
        return;
    /* It comes before the delivery is settled, or after it was missed. */
    struct bus_lane *lane = bus_lane_find(offer->party, offer->service->correlates->name);
    if (lane && lane->overdue)
        lane->overdue--;
    text_copy(answers->early[answers->early_next++ % ANSWERS_EARLY], ACCORD_ID_MAX, offer->answers);
}

int64_t bus_answer_by(const struct bus_dispatch *dispatch)
{
    const struct bus *bus = dispatch->lane->party->bus;
    const char *id = dispatch->view.envelope->id;
    if (!dispatch->view.service->expect_response)
        return 0;
    for (size_t i = 0; i < ANSWERS_EARLY; i++)
        if (strcmp(bus->answers.early[i], id) == 0)
            return 0;
    return clock_wall() + dispatch->view.service->expect_response * 1000;
}

/* ---- what did not come ---- */

bool bus_expects_answers(const struct bus *bus)
{
    for (const struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++)
            if (party->lanes[i].service->expect_response)
                return true;
    return false;
}

static struct bus_lane *lane_of(struct bus *bus, const struct store_delivery *delivery)
{
    struct bus_party *party = bus_party_find(bus, delivery->agreement);
    return party ? bus_lane_find(party, delivery->service) : NULL;
}

static void describe(char reason[ACCORD_REASON_MAX], const struct store_delivery *delivery)
{
    snprintf(reason, ACCORD_REASON_MAX, "message %s was delivered to %s/%s, and " REASON ": ask the partner",
             delivery->message[0] ? delivery->message : "(its record is damaged)", delivery->agreement,
             delivery->service);
}

static void render(struct bus *bus, size_t i)
{
    char reason[ACCORD_REASON_MAX];
    const struct store_delivery *delivery = &bus->answers.found[i];
    const struct bus_lane *lane = lane_of(bus, delivery);
    struct audit_event event = {.action = AUDIT_OVERDUE,
                                .outcome = AUDIT_FAILURE,
                                .agreement = delivery->agreement,
                                .link = lane ? lane->service->link->name : NULL,
                                .service = delivery->service,
                                .message = delivery->message,
                                .rule = RULE,
                                .reason = REASON};
    bus_trail_render(&bus->answers.audit[2 * i], &event);
    describe(reason, delivery);
    event.action = AUDIT_INCIDENT;
    event.outcome = AUDIT_UNKNOWN;
    event.reason = reason;
    bus_trail_render(&bus->answers.audit[2 * i + 1], &event);
}

static void tell(struct bus *bus, const struct store_delivery *delivery)
{
    struct bus_lane *lane = lane_of(bus, delivery);
    char reason[ACCORD_REASON_MAX];
    if (lane)
        lane->overdue++;
    describe(reason, delivery);
    bus->ports.incident(bus->arg, delivery->agreement, lane ? lane->service->link->name : NULL, RULE, reason,
                        true);
}

static void unknown(int result)
{
    log_event(ACCORD_WARNING, "bus.overdue-unknown", NULL,
              "the store could not say which answers are overdue (%s); asking again", error_name(result));
}

/* Until this has been committed, the next question finds them again. */
static void missed(void *arg, int result)
{
    struct bus *bus = arg;
    struct answers *answers = &bus->answers;
    bool more = false;
    answers->asking = false;
    if (result)
        unknown(result);
    for (size_t i = 0; i < answers->missed.count; i++) {
        if (!result && answers->told[i])
            tell(bus, &answers->found[i]);
        more = more || (!result && answers->told[i]);
    }
    bus_trail_free(answers->audit, 2 * answers->missed.count);
    if (more && answers->missed.count == OVERDUE_PAGE)
        bus_answers_tick(bus);
}

static void overdue_found(void *arg, int result)
{
    struct bus *bus = arg;
    struct answers *answers = &bus->answers;
    if (result || !answers->overdue.count) {
        answers->asking = false;
        if (result)
            unknown(result);
        return;
    }
    for (size_t i = 0; i < answers->overdue.count; i++)
        render(bus, i);
    answers->missed = (struct store_missed){.deliveries = answers->found,
                                            .audit = answers->audit,
                                            .audit_each = 2,
                                            .told = answers->told,
                                            .count = answers->overdue.count};
    store_missed(bus->store, &answers->missed, missed, bus);
}

void bus_answers_tick(struct bus *bus)
{
    struct answers *answers = &bus->answers;
    if (answers->asking || bus->giving_up || !bus_expects_answers(bus))
        return;
    answers->asking = true;
    answers->overdue =
        (struct store_overdue){.now = clock_wall(), .limit = OVERDUE_PAGE, .found = answers->found};
    store_overdue(bus->store, &answers->overdue, overdue_found, bus);
}
