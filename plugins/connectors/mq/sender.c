#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD   (1 << 20) /* bytes asked of the host and not yet given to proton, of one sender */
#define OUTSIDE (2 << 20) /* bytes in proton and before the socket beyond which no more are asked for */
#define GRACE   3000      /* ms that a cancelled delivery waits for what the broker makes of it */

static int64_t now(const struct sender *sender)
{
    return sender->link->host->ticks(sender->link->instance);
}

/* ---- endings ---- */

/* What waits, and nothing of which has been written. */
static void end_waiting(struct sender *sender, enum accord_outcome outcome, int64_t wait, const char *reason)
{
    struct parcel *next;
    for (struct parcel *parcel = sender->waiting.first; parcel; parcel = next) {
        next = parcel->next;
        if (!parcel->delivery)
            parcel_end(parcel, outcome, wait, reason);
    }
}

static void end_all(struct sender *sender, int64_t wait, const char *reason)
{
    char uncertain[ACCORD_REASON_MAX];
    snprintf(uncertain, sizeof uncertain,
             "it was sent, and the broker has not said whether it has it: %.400s", reason);
    while (sender->sent.first) {
        struct parcel *parcel = sender->sent.first;
        if (pn_delivery_buffered(parcel->delivery))
            parcel_end(parcel, ACCORD_RETRY, wait, reason);
        else
            parcel_end(parcel, ACCORD_UNCERTAIN, 0, uncertain);
    }
    while (sender->waiting.first)
        parcel_end(sender->waiting.first, ACCORD_RETRY, wait, reason);
}

static int64_t wait_of(const struct sender *sender)
{
    int64_t wait = sender->attachment.not_before - now(sender);
    return wait > 0 ? wait : 0;
}

static void forget_progress(struct sender *sender)
{
    sender->link->host->timer_stop(sender->watch);
    sender->watch = NULL;
    sender->outgoing = 0;
    sender->head.size = 0;
}

static void on_over(struct attachment *attachment, const struct meaning *meaning)
{
    struct sender *sender = (struct sender *)attachment;
    end_all(sender, wait_of(sender), meaning->reason);
    forget_progress(sender);
}

/* ---- asking the host ---- */

static size_t outside(const struct sender *sender)
{
    return channel_backlog(sender->attachment.connection->channel);
}

/* May another delivery begin? */
static bool has_room(const struct sender *sender)
{
    size_t under_way = sender->sent.count + sender->pulled;
    int credit = pn_link_credit(sender->attachment.link);
    return under_way < (size_t)sender->options->window && credit > 0 && sender->pulled < (size_t)credit;
}

static void refuse(struct parcel *parcel, const char *why)
{
    parcel_end(parcel, ACCORD_REFUSED, 0, why);
}

static void ask(struct sender *sender, struct parcel *parcel)
{
    int64_t left = parcel->out->envelope->size - parcel->asked, room = AHEAD - sender->ahead;
    int64_t more = left < room ? left : room;
    if (!parcel->asked && !parcel->pulled)
        sender->pulled++;
    parcel->asked += more;
    sender->ahead += more;
    parcel->pulled = parcel->asked == parcel->out->envelope->size;
    if (parcel->pulled)
        sender->pulling = parcel->next;
    /* a message of 0 bytes is pulled too */
    sender->link->host->pull(parcel->out->handle, channel_session(sender->attachment.connection->channel),
                             more ? more : 1);
}

static void pull(struct sender *sender)
{
    char why[ACCORD_REASON_MAX];
    while (sender->pulling && sender->ahead < AHEAD && outside(sender) < OUTSIDE) {
        struct parcel *parcel = sender->pulling;
        if (!parcel->asked && !has_room(sender))
            return;
        if (!parcel->asked && parcel_objection(parcel, why, sizeof why))
            refuse(parcel, why);
        else
            ask(sender, parcel);
    }
}

/* ---- writing ---- */

static bool begin(struct sender *sender, struct parcel *parcel)
{
    uint64_t tag = ++sender->tag;
    parcel->delivery = pn_delivery(sender->attachment.link, pn_dtag((const char *)&tag, sizeof tag));
    parcel_head(parcel);
    if (!parcel->delivery || sender->head.failed)
        return false;
    pn_delivery_set_context(parcel->delivery, parcel);
    return pn_link_send(sender->attachment.link, (const char *)sender->head.bytes, sender->head.size) >= 0;
}

static bool write_bytes(struct sender *sender, struct parcel *parcel, const uint8_t *bytes, size_t size)
{
    if (!parcel->delivery && !begin(sender, parcel))
        return false;
    if (size && pn_link_send(sender->attachment.link, (const char *)bytes, size) < 0)
        return false;
    parcel->written += (int64_t)size;
    sender->ahead -= (int64_t)size;
    return true;
}

static void post(struct sender *sender, struct parcel *parcel)
{
    pn_link_advance(sender->attachment.link);
    parcel_sent(parcel);
}

/* What has come for the first, and for those behind it as each ends. */
static bool write_kept(struct sender *sender)
{
    struct parcel *parcel;
    while ((parcel = sender->waiting.first) && (parcel->kept || parcel->whole)) {
        if (!write_bytes(sender, parcel, parcel->kept, parcel->kept_size))
            return false;
        free(parcel->kept);
        parcel->kept = NULL;
        parcel->kept_size = parcel->kept_room = 0;
        if (!parcel->whole)
            break;
        post(sender, parcel);
    }
    return true;
}

/* ---- watching the broker ---- */

static void on_watch(void *arg);

static void watch(struct sender *sender, int64_t ms)
{
    const struct link *link = sender->link;
    if (!sender->watch)
        sender->watch = link->host->timer(link->instance, ms, on_watch, sender);
}

/* What is due: 0 nothing, else the ticks since which it is. */
static int64_t due_since(const struct sender *sender)
{
    const struct parcel *oldest = sender->sent.first;
    if (oldest && oldest->since)
        return oldest->since;
    bool stuck = oldest || (sender->waiting.first && sender->pulled == 0 &&
                            pn_link_credit(sender->attachment.link) <= 0);
    return stuck ? sender->moved : 0;
}

static void on_watch(void *arg)
{
    struct sender *sender = arg;
    struct attachment *attachment = &sender->attachment;
    int64_t most = sender->link->options->answer_timeout, since = due_since(sender);
    char why[ACCORD_REASON_MAX];
    sender->watch = NULL;
    if (attachment->state != ATTACH_READY)
        return;
    int64_t age = since ? now(sender) - since : 0;
    if (age < most) {
        if (sender->waiting.first || sender->sent.first)
            watch(sender, most - age);
        return;
    }
    if (sender->sent.first) {
        connection_break(
            attachment->connection,
            "%s: the broker has not said within answer-timeout what it makes of a message that is with it",
            attachment->what);
        return;
    }
    snprintf(why, sizeof why, "%s: the broker gives no credit: is the queue full, or out of memory or disk?",
             attachment->what);
    link_log(sender->link, ACCORD_WARNING, "mq.no-credit", "%s", why);
    end_waiting(sender, ACCORD_RETRY, 0, why);
    connection_rest(attachment->connection);
}

static void look(struct sender *sender)
{
    size_t outgoing = pn_session_outgoing_bytes(sender->attachment.session);
    if (outgoing != sender->outgoing)
        sender->moved = now(sender);
    sender->outgoing = outgoing;
    for (struct parcel *parcel = sender->unframed; parcel && !pn_delivery_buffered(parcel->delivery);
         parcel = sender->unframed) {
        parcel->since = now(sender);
        sender->unframed = parcel->next;
    }
}

/* ---- what the broker says ---- */

static void accepted(struct sender *sender, struct parcel *parcel)
{
    char receipt[300];
    snprintf(receipt, sizeof receipt, "accepted by %s", sender->attachment.what);
    const struct accord_result result = {.outcome = ACCORD_DELIVERED, .reason = "", .receipt = receipt};
    parcel_finish(parcel, &result);
}

/* RabbitMQ says `rejected` without a condition of what does not fit into a full queue. */
static void rejected(struct sender *sender, struct parcel *parcel)
{
    struct link *link = sender->link;
    struct meaning meaning;
    pn_condition_t *condition = pn_disposition_condition(pn_delivery_remote(parcel->delivery));
    meaning_of(&meaning, sender->attachment.what, condition);
    if (!meaning.rule[0] && link->profile->paths)
        meaning_say(&meaning, MEANS_LATER, "",
                    "%s: the broker does not take it (rejected): is the queue full?",
                    sender->attachment.what);
    else if (!meaning.rule[0])
        meaning_say(&meaning, MEANS_REFUSED, "", "%s: the broker rejected it, and does not say why",
                    sender->attachment.what);
    if (meaning.means == MEANS_PARK)
        link->host->park(link->instance, meaning.rule, meaning.reason);
    parcel_end(parcel, meaning.means == MEANS_REFUSED ? ACCORD_REFUSED : ACCORD_RETRY, 0, meaning.reason);
}

static void given_back(struct sender *sender, struct parcel *parcel, const char *how)
{
    char why[ACCORD_REASON_MAX];
    snprintf(why, sizeof why, "%s: the broker gave it back (%s): nothing takes it there now",
             sender->attachment.what, how);
    parcel_end(parcel, ACCORD_RETRY, 0, why);
}

static void disposed(struct sender *sender, struct parcel *parcel, uint64_t state)
{
    if (state == PN_ACCEPTED)
        accepted(sender, parcel);
    else if (state == PN_REJECTED)
        rejected(sender, parcel);
    else if (state == PN_RELEASED || state == PN_MODIFIED)
        given_back(sender, parcel, state == PN_RELEASED ? "released" : "modified");
    else
        parcel_end(parcel, ACCORD_UNCERTAIN, 0, "the broker settled it without saying what it makes of it");
}

static bool is_terminal(uint64_t state)
{
    return state == PN_ACCEPTED || state == PN_REJECTED || state == PN_RELEASED || state == PN_MODIFIED;
}

static void on_delivery(struct sender *sender, pn_delivery_t *delivery)
{
    uint64_t state = pn_delivery_remote_state(delivery);
    struct parcel *parcel = pn_delivery_get_context(delivery);
    if (!pn_delivery_updated(delivery) || (!is_terminal(state) && !pn_delivery_settled(delivery)))
        return;
    pn_delivery_clear(delivery);
    if (!parcel) { /* nobody waits for it any more */
        pn_delivery_settle(delivery);
    } else if (!parcel->posted) {
        connection_break(sender->attachment.connection,
                         "%s: the broker has ended a message before it had all of it",
                         sender->attachment.what);
    } else {
        sender->moved = now(sender);
        disposed(sender, parcel, state);
    }
}

/* ---- the attachment ---- */

static void go_on(struct sender *sender)
{
    if (sender->attachment.state != ATTACH_READY)
        return;
    look(sender);
    pull(sender);
    if (sender->waiting.first || sender->sent.first)
        watch(sender, sender->link->options->answer_timeout);
    else
        connection_rest(sender->attachment.connection);
}

static void on_attached(struct attachment *attachment)
{
    struct sender *sender = (struct sender *)attachment;
    sender->moved = now(sender);
    go_on(sender);
}

static void on_event(struct attachment *attachment, pn_event_type_t type, pn_event_t *event)
{
    struct sender *sender = (struct sender *)attachment;
    if (type == PN_DELIVERY)
        on_delivery(sender, pn_event_delivery(event));
    else if (pn_link_get_drain(attachment->link))
        pn_link_drained(attachment->link);
    go_on(sender);
}

static bool wants(const struct attachment *attachment)
{
    const struct sender *sender = (const struct sender *)attachment;
    return sender->waiting.first || sender->sent.first;
}

static struct sender *sender_new(struct connection *connection, size_t service)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    sender->link = connection->link;
    sender->options = link_service(connection->link, service);
    parcel_list_init(&sender->waiting);
    parcel_list_init(&sender->sent);
    attachment_init(&sender->attachment, connection, service);
    sender->attachment.wants = wants;
    sender->attachment.attached = on_attached;
    sender->attachment.detached = on_over;
    sender->attachment.lost = on_over;
    sender->attachment.event = on_event;
    connection->senders[service] = sender;
    return sender;
}

static void sender_free(struct sender *sender)
{
    sender->link->host->timer_stop(sender->watch);
    attachment_fini(&sender->attachment);
    head_fini(&sender->head);
    free(sender);
}

/* ---- deliveries ---- */

/* The first connection whose share of the window is not in use; when all are, the one with the least to do. */
static struct sender *choose(struct link *link, size_t service)
{
    size_t most = (size_t)link->options->connections;
    size_t share = ((size_t)link_service(link, service)->window + most - 1) / most;
    struct sender *best = NULL;
    for (size_t i = 0; i < most; i++) {
        if (!link->connections[i] && !(link->connections[i] = connection_new(link, i)))
            break;
        struct sender *sender = link->connections[i]->senders[service];
        if (!sender && !(sender = sender_new(link->connections[i], service)))
            break;
        size_t load = sender->waiting.count + sender->sent.count;
        if (load < share)
            return sender;
        if (!best || load < best->waiting.count + best->sent.count)
            best = sender;
    }
    return best;
}

void sender_deliver(struct link *link, const struct accord_outgoing *out)
{
    static const struct accord_result memory = {
        .outcome = ACCORD_RETRY, .reason = "out of memory", .receipt = ""};
    struct sender *sender = choose(link, out->service);
    bool first = sender && !sender->waiting.first;
    if (sender && now(sender) < sender->attachment.not_before) {
        const struct accord_result later = {.outcome = ACCORD_RETRY,
                                            .reason = sender->attachment.last.reason,
                                            .receipt = "",
                                            .wait = wait_of(sender)};
        link->host->finish(out->handle, &later);
        return;
    }
    if (!sender || !parcel_new(sender, out)) {
        link->host->finish(out->handle, &memory);
        return;
    }
    if (first)
        sender->moved = now(sender);
    if (sender->attachment.state == ATTACH_READY)
        go_on(sender);
    else
        connection_want(sender->attachment.connection);
}

static void take_payload(struct sender *sender, struct parcel *parcel, const uint8_t *bytes, size_t size,
                         bool last)
{
    bool fine = true;
    parcel->received += (int64_t)size;
    parcel->whole = last;
    if (sender->waiting.first == parcel && !parcel->kept) {
        fine = write_bytes(sender, parcel, bytes, size);
        if (fine && last)
            post(sender, parcel);
    } else {
        fine = parcel_keep(parcel, bytes, size);
    }
    if (!fine || !write_kept(sender))
        connection_break(sender->attachment.connection, "out of memory for a message");
}

void sender_payload(struct link *link, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct parcel *parcel = parcel_find(link, handle);
    if (!parcel || parcel->sender->attachment.state != ATTACH_READY ||
        parcel->sender->attachment.connection->breaks)
        return;
    struct sender *sender = parcel->sender;
    sender->moved = now(sender);
    take_payload(sender, parcel, bytes, size, last);
    go_on(sender);
    connection_wake(sender->attachment.connection);
}

static void on_grace(void *arg)
{
    struct parcel *parcel = arg;
    struct sender *sender = parcel->sender;
    parcel->grace = NULL;
    if (parcel->posted)
        parcel_end(parcel, ACCORD_UNCERTAIN, 0, "cancelled before the broker had said what it makes of it");
    else
        connection_break(sender->attachment.connection,
                         "a message was cancelled of which the broker has a part");
}

void sender_cancel(struct link *link, struct accord_delivery *handle)
{
    struct parcel *parcel = parcel_find(link, handle);
    if (!parcel || parcel->grace)
        return;
    struct sender *sender = parcel->sender;
    if (!parcel->delivery) {
        parcel_end(parcel, ACCORD_RETRY, 0, "cancelled before it was sent");
        if (sender->attachment.state == ATTACH_READY && !write_kept(sender))
            connection_break(sender->attachment.connection, "out of memory for a message");
        go_on(sender);
        connection_wake(sender->attachment.connection);
        return;
    }
    parcel->grace = link->host->timer(link->instance, GRACE, on_grace, parcel);
    if (!parcel->grace)
        on_grace(parcel);
}

/* ---- stopping ---- */

static void each_sender(struct link *link, void (*run)(struct sender *))
{
    for (size_t i = 0; i < MQ_CONNECTIONS; i++)
        for (size_t j = 0; link->connections[i] && j < link->setup->service_count; j++)
            if (link->connections[i]->senders[j])
                run(link->connections[i]->senders[j]);
}

static void stop_one(struct sender *sender)
{
    end_waiting(sender, ACCORD_RETRY, 0, "the link is stopping");
}

void sender_stop(struct link *link)
{
    each_sender(link, stop_one);
}

static void close_one(struct sender *sender)
{
    end_all(sender, 0, "the link is stopping");
    sender_free(sender);
}

void sender_close(struct link *link)
{
    each_sender(link, close_one);
}
