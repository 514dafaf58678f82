#include "receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_MOST   (64 << 10) /* bytes of a message that is read at once when all of it is here */
#define HELD_MOST    (16 << 20) /* bytes of such messages that wait for the host */
#define PAUSE_FIRST  1000       /* ms before it is attached again */
#define PAUSE_MOST   60000
#define PAUSE_POISON (5 * 60 * 1000)

static void attach_later(struct receiver *, int64_t ms);

static const struct accord_host *host_of(const struct receiver *receiver)
{
    return receiver->link->host;
}

/* ---- settling ---- */

static void grant(struct receiver *receiver, int credit)
{
    pn_link_flow(receiver->attachment.link, credit);
    receiver->granted = credit;
}

/* In large pieces, each of which costs the broker more than a message does, and only when it has little left. RabbitMQ
 * before 4.0 reads what overtakes messages on their way through it as leave for those once more; what it has sent so beyond
 * its leave it must work off first. Proton would write less than none as four thousand million. */
static void give_credit(struct receiver *receiver)
{
    int least = (int)receiver->options->credit / 2, left = pn_link_remote_credit(receiver->attachment.link);
    bool worth = receiver->owed > 0 && receiver->owed >= least && receiver->owed + left >= least;
    if (!worth || left > (receiver->granted + 7) / 8 || receiver->halted)
        return;
    grant(receiver, receiver->owed);
    receiver->owed = 0;
}

static void settle(struct receiver *receiver, pn_delivery_t *delivery, uint64_t outcome)
{
    if (outcome)
        pn_delivery_update(delivery, outcome);
    pn_delivery_settle(delivery);
    receiver->owed++;
}

/* ---- the end of it for now ---- */

static void abort_offer(struct arrival *arrival)
{
    if (arrival->offer)
        host_of(arrival->receiver)->offer_abort(arrival->offer);
    arrival_free(arrival);
}

/* What the bus has not whole is not given to it now: it comes again, after what comes again before it. */
static void abort_unfinished(struct receiver *receiver)
{
    struct arrival *next;
    for (struct arrival *arrival = receiver->arrivals; arrival; arrival = next) {
        next = arrival->next;
        if (!arrival->given)
            abort_offer(arrival);
    }
}

static void end_when_empty(struct receiver *receiver)
{
    if (!receiver->halted || receiver->count > 0)
        return;
    attachment_end(&receiver->attachment);
    receiver->halted = false;
    if (receiver->link->started)
        attach_later(receiver, receiver->poisoned ? PAUSE_POISON : receiver->pause);
    else
        connection_rest(receiver->attachment.connection);
}

static void halt(struct receiver *receiver)
{
    if (receiver->halted)
        return;
    receiver->halted = true;
    abort_unfinished(receiver);
    receiver->pause = receiver->pause ? receiver->pause * 2 : PAUSE_FIRST;
    if (receiver->pause > PAUSE_MOST)
        receiver->pause = PAUSE_MOST;
}

/* ---- what is never taken ---- */

static void tell_poison(struct receiver *receiver, const char *rule, const char *id, const char *why)
{
    char text[ACCORD_REASON_MAX];
    struct link *link = receiver->link;
    bool hold = receiver->options->rejected == REJECTED_HOLD;
    snprintf(
        text, sizeof text, "%.190s: a message%s%.60s is not taken: %.100s. %.100s", receiver->attachment.what,
        id[0] ? " " : "", id, why,
        hold ? "It stays in the queue, before all others: take it out there, or set rejected = dead-letter"
             : "It is dead-lettered");
    link->host->incident(link->instance, rule, text);
}

/* All of it has been read, and the bus has decided before. */
static void end_decided(struct arrival *arrival)
{
    struct receiver *receiver = arrival->receiver;
    settle(receiver, arrival->delivery, arrival->outcome);
    arrival_free(arrival);
    give_credit(receiver);
}

/* `whole`: nothing of it is to be read any more. */
static void poison(struct arrival *arrival, bool whole)
{
    struct receiver *receiver = arrival->receiver;
    arrival->outcome = PN_REJECTED;
    if (receiver->options->rejected == REJECTED_HOLD) {
        arrival_free(arrival);
        receiver->poisoned = true;
        halt(receiver);
    } else if (whole) {
        end_decided(arrival);
    }
}

/* ---- reading ---- */

static void broken(struct receiver *receiver)
{
    connection_break(receiver->attachment.connection, "out of memory for a message that came");
}

static void unreadable(struct arrival *arrival, int error, bool whole)
{
    struct receiver *receiver = arrival->receiver;
    if (error == ACCORD_ENOMEM) {
        broken(receiver);
        return;
    }
    if (arrival->offer)
        host_of(receiver)->offer_abort(arrival->offer);
    arrival->offer = NULL;
    tell_poison(receiver, "mq.undecodable", receiver->sections.message_id,
                receiver->sections.wrong[0] ? receiver->sections.wrong : "its bytes cannot be read");
    poison(arrival, whole);
}

/* False: nothing more can be taken now. */
static bool take_whole(struct receiver *receiver, pn_delivery_t *delivery, size_t pending)
{
    struct arrival *arrival = arrival_new(receiver, delivery);
    int result = arrival ? arrival_read_whole(arrival, pending) : ACCORD_ENOMEM;
    pn_link_advance(receiver->attachment.link);
    if (!arrival) {
        broken(receiver);
        return false;
    }
    if (result < 0) {
        unreadable(arrival, result, true);
        return !receiver->halted && result != ACCORD_ENOMEM;
    }
    receiver->blocked = !arrival_offer(arrival, (int64_t)arrival->size);
    if (receiver->blocked)
        receiver->stuck = arrival;
    return !receiver->blocked;
}

/* The last of the current one was read. */
static void finish_current(struct arrival *arrival)
{
    struct receiver *receiver = arrival->receiver;
    receiver->current = NULL;
    pn_link_advance(receiver->attachment.link);
    if (arrival->outcome) {
        end_decided(arrival);
        return;
    }
    arrival->given = true;
    host_of(receiver)->offer_write(arrival->offer, NULL, 0, true);
}

/* False: it waits for the broker or for the host. */
static bool read_current(struct receiver *receiver)
{
    struct arrival *arrival = receiver->current;
    bool offered = arrival->offer || arrival->outcome;
    int result = offered || !receiver->sections.has_body ? arrival_read_some(arrival) : 0;
    if (result < 0) {
        unreadable(arrival, result, false);
        return !receiver->halted && result != ACCORD_ENOMEM;
    }
    if (offered) {
        if (result == 1)
            finish_current(arrival);
        return result == 1;
    }
    if (!receiver->sections.has_body)
        return false;
    receiver->blocked = !arrival_offer(arrival, -1);
    return false; /* until the host asks */
}

static void drop_aborted(struct receiver *receiver, pn_delivery_t *delivery)
{
    struct arrival *arrival = receiver->current;
    pn_link_advance(receiver->attachment.link);
    settle(receiver, delivery, 0);
    if (arrival)
        abort_offer(arrival);
    give_credit(receiver);
}

/* False: nothing more can be taken now. */
static bool take_next(struct receiver *receiver)
{
    pn_delivery_t *delivery = pn_link_current(receiver->attachment.link);
    if (!delivery || !pn_delivery_readable(delivery))
        return false;
    if (pn_delivery_aborted(delivery)) {
        drop_aborted(receiver, delivery);
        return true;
    }
    if (receiver->current)
        return read_current(receiver);
    size_t pending = pn_delivery_pending(delivery);
    bool partial = pn_delivery_partial(delivery);
    sections_begin(&receiver->sections, receiver->names, receiver->name_count);
    if (!partial && pending <= WHOLE_MOST)
        return take_whole(receiver, delivery, pending);
    receiver->current = arrival_new(receiver, delivery);
    if (receiver->current)
        return true;
    broken(receiver);
    return false;
}

static bool may_take(const struct receiver *receiver)
{
    return receiver->attachment.state == ATTACH_READY && !receiver->attachment.connection->breaks &&
           !receiver->blocked && !receiver->halted && receiver->link->started && receiver->held < HELD_MOST;
}

static void take(struct receiver *receiver)
{
    while (may_take(receiver) && take_next(receiver))
        ;
    if (receiver->attachment.state == ATTACH_READY)
        give_credit(receiver);
    end_when_empty(receiver);
    connection_wake(receiver->attachment.connection);
}

/* ---- the host ---- */

void receiver_pull(struct arrival *arrival, int64_t bytes)
{
    struct receiver *receiver = arrival->receiver;
    arrival->asked += bytes;
    if (arrival->bytes)
        arrival_write_kept(arrival);
    else if (receiver->current == arrival)
        take(receiver);
}

static void tell(struct receiver *receiver, const char *event, const char *what,
                 const struct accord_admitted *admitted)
{
    link_log(receiver->link, ACCORD_WARNING, event, "%s: a message %s: %.80s: %.200s",
             receiver->attachment.what, what, admitted->rule ? admitted->rule : "",
             admitted->reason ? admitted->reason : "");
}

static void taken(struct arrival *arrival)
{
    struct receiver *receiver = arrival->receiver;
    receiver->pause = 0;
    receiver->poisoned = false;
    arrival->outcome = PN_ACCEPTED;
    if (arrival != receiver->current)
        end_decided(arrival);
}

void receiver_verdict(struct arrival *arrival, const struct accord_admitted *admitted)
{
    struct receiver *receiver = arrival->receiver;
    arrival->offer = NULL;
    if (admitted->admission == ACCORD_ACCEPTED) {
        taken(arrival);
    } else if (admitted->admission == ACCORD_QUARANTINED) {
        tell(receiver, "mq.quarantined", "was set aside in quarantine", admitted);
        taken(arrival);
    } else if (admitted->admission == ACCORD_DEFERRED) {
        tell(receiver, "mq.deferred", "is not taken now and stays in the queue", admitted);
        arrival_free(arrival);
        halt(receiver);
    } else {
        tell_poison(receiver, "mq.poison", "", admitted->reason ? admitted->reason : "");
        poison(arrival, arrival != receiver->current);
    }
    take(receiver);
}

void receiver_ready(struct receiver *receiver)
{
    struct arrival *stuck = receiver->stuck;
    receiver->blocked = stuck && !arrival_offer(stuck, (int64_t)stuck->size);
    if (!receiver->blocked)
        receiver->stuck = NULL;
    take(receiver);
}

/* ---- the attachment ---- */

static void drop_all(struct receiver *receiver)
{
    while (receiver->arrivals)
        abort_offer(receiver->arrivals);
    receiver->halted = receiver->blocked = false;
    receiver->owed = 0;
}

static void on_attached(struct attachment *attachment)
{
    struct receiver *receiver = (struct receiver *)attachment;
    receiver->owed = 0;
    grant(receiver, (int)receiver->options->credit);
}

static void on_detached(struct attachment *attachment, const struct meaning *meaning)
{
    struct receiver *receiver = (struct receiver *)attachment;
    int64_t wait = attachment->not_before - host_of(receiver)->ticks(receiver->link->instance);
    (void)meaning;
    drop_all(receiver);
    if (!receiver->link->started)
        return;
    receiver->pause = receiver->pause ? receiver->pause * 2 : PAUSE_FIRST;
    if (receiver->pause > PAUSE_MOST)
        receiver->pause = PAUSE_MOST;
    attach_later(receiver, wait > 0 ? wait : receiver->pause);
}

static void on_lost(struct attachment *attachment, const struct meaning *meaning)
{
    (void)meaning;
    drop_all((struct receiver *)attachment);
}

static void on_event(struct attachment *attachment, pn_event_type_t type, pn_event_t *event)
{
    (void)event;
    if (type == PN_DELIVERY)
        take((struct receiver *)attachment);
}

static bool wants(const struct attachment *attachment)
{
    const struct receiver *receiver = (const struct receiver *)attachment;
    return receiver->count > 0 || (receiver->link->started && !receiver->again);
}

static void on_again(void *arg)
{
    struct receiver *receiver = arg;
    receiver->again = NULL;
    if (receiver->link->started)
        connection_want(receiver->attachment.connection);
}

static void attach_later(struct receiver *receiver, int64_t ms)
{
    if (!receiver->again)
        receiver->again = host_of(receiver)->timer(receiver->link->instance, ms, on_again, receiver);
    if (!receiver->again)
        broken(receiver);
}

/* ---- life ---- */

/* Receiving services share the connections, each has one for good: so its messages stay in order. */
static struct connection *connection_for(struct link *link, size_t service)
{
    size_t before = 0;
    for (size_t i = 0; i < service; i++)
        before += link->setup->services[i]->direction == ACCORD_RECEIVE;
    size_t index = before % (size_t)link->options->connections;
    if (!link->connections[index])
        link->connections[index] = connection_new(link, index);
    return link->connections[index];
}

struct receiver *receiver_new(struct link *link, size_t service)
{
    struct connection *connection = connection_for(link, service);
    struct receiver *receiver = connection ? calloc(1, sizeof *receiver) : NULL;
    if (!receiver)
        return NULL;
    receiver->link = link;
    receiver->options = link_service(link, service);
    receiver->end = &receiver->arrivals;
    if (receiver->options->name_property)
        receiver->names[receiver->name_count++] = receiver->options->name_property;
    for (size_t i = 0; i < receiver->options->properties.count && receiver->name_count < SECTIONS_PROPERTIES;
         i++)
        receiver->names[receiver->name_count++] = receiver->options->properties.items[i];
    attachment_init(&receiver->attachment, connection, service);
    receiver->attachment.wants = wants;
    receiver->attachment.attached = on_attached;
    receiver->attachment.detached = on_detached;
    receiver->attachment.lost = on_lost;
    receiver->attachment.event = on_event;
    return receiver;
}

void receiver_free(struct receiver *receiver)
{
    if (!receiver)
        return;
    drop_all(receiver);
    host_of(receiver)->timer_stop(receiver->again);
    attachment_fini(&receiver->attachment);
    sections_fini(&receiver->sections);
    free(receiver->scratch);
    free(receiver);
}

void receiver_start(struct receiver *receiver)
{
    connection_want(receiver->attachment.connection);
}

void receiver_stop(struct receiver *receiver)
{
    host_of(receiver)->timer_stop(receiver->again);
    receiver->again = NULL;
    if (receiver->attachment.state == ATTACH_READY)
        halt(receiver);
    else
        attachment_end(&receiver->attachment);
    receiver->pause = 0;
    end_when_empty(receiver);
}
