#include "attachment.h"

#include <stdio.h>
#include <string.h>

#define LONG_WAIT 60000 /* ms before a queue is looked for again that was not there */

/* What a receiving session may have under way in frames that nobody has read yet. */
#define INCOMING_MOST (16 << 20)

static const struct accord_host *host_of(const struct attachment *attachment)
{
    return attachment->connection->link->host;
}

static const struct accord_service *service_of(const struct attachment *attachment)
{
    return attachment->connection->link->setup->services[attachment->service];
}

static bool sends(const struct attachment *attachment)
{
    return service_of(attachment)->direction == ACCORD_SEND;
}

void attachment_init(struct attachment *attachment, struct connection *connection, size_t service)
{
    const struct link *link = connection->link;
    attachment->connection = connection;
    attachment->service = service;
    attachment->next = connection->attachments;
    connection->attachments = attachment;
    snprintf(attachment->what, sizeof attachment->what, "queue %.90s at %.90s",
             link_service(link, service)->address, link->setup->endpoint_host);
}

/* ---- the end ---- */

static void stop_timer(struct attachment *attachment)
{
    host_of(attachment)->timer_stop(attachment->timer);
    attachment->timer = NULL;
}

/* Proton 0.37 does not survive that a link or session is freed before the broker has closed it too: until then it is
 * nobody's, and on_abandoned() frees it. A session's links go with it. */
static bool is_closed(pn_state_t state)
{
    return state & PN_REMOTE_CLOSED;
}

static void close_link(const struct attachment *attachment, pn_link_t **at)
{
    pn_link_t *link = *at;
    *at = NULL;
    if (!link)
        return;
    pn_link_set_context(link, NULL);
    pn_link_close(link);
    if (attachment->session == attachment->connection->session && is_closed(pn_link_state(link)))
        pn_link_free(link);
}

static void close_session(pn_session_t *session)
{
    pn_session_close(session);
    if (is_closed(pn_session_state(session)))
        pn_session_free(session);
}

static void on_abandoned(const struct connection *connection, pn_link_t *link)
{
    if (connection->session && pn_link_session(link) == connection->session)
        pn_link_free(link);
}

/* Nothing is asked of proton's objects from now on; they go with the connection. */
static void forget(struct attachment *attachment)
{
    stop_timer(attachment);
    attachment->link = attachment->witness = NULL;
    attachment->session = NULL;
    attachment->state = ATTACH_NONE;
}

static void close_all(struct attachment *attachment)
{
    struct connection *connection = attachment->connection;
    close_link(attachment, &attachment->witness);
    close_link(attachment, &attachment->link);
    if (attachment->session && attachment->session != connection->session)
        close_session(attachment->session);
    forget(attachment);
    connection_wake(connection);
}

void attachment_end(struct attachment *attachment)
{
    if (attachment->state != ATTACH_NONE)
        close_all(attachment);
}

void attachment_fini(struct attachment *attachment)
{
    struct attachment **at = &attachment->connection->attachments;
    while (*at && *at != attachment)
        at = &(*at)->next;
    if (*at)
        *at = attachment->next;
    forget(attachment);
}

static bool is_ours(const struct attachment *attachment)
{
    return !attachment->connection->probe;
}

/* What the broker says of a queue may be nobody's message's fault, and a person has to know. */
static void tell_people(struct attachment *attachment, const struct meaning *meaning)
{
    struct link *link = attachment->connection->link;
    if (!is_ours(attachment))
        return;
    if (meaning->means == MEANS_PARK)
        link->host->park(link->instance, meaning->rule[0] ? meaning->rule : "mq.refused", meaning->reason);
    else if (meaning->means != MEANS_LATER)
        link->host->incident(link->instance, meaning->rule[0] ? meaning->rule : "mq.detached",
                             meaning->reason);
    else
        link_log(link, ACCORD_WARNING, "mq.detached", "%s", meaning->reason);
}

static void over(struct attachment *attachment, const struct meaning *meaning)
{
    struct link *link = attachment->connection->link;
    attachment->last = *meaning;
    if (meaning->means != MEANS_LATER)
        attachment->not_before = link->host->ticks(link->instance) + LONG_WAIT;
    tell_people(attachment, meaning);
    attachment->detached(attachment, &attachment->last);
    attachment_end(attachment);
    connection_rest(attachment->connection);
}

static void on_unanswered(void *arg)
{
    struct attachment *attachment = arg;
    struct meaning meaning;
    attachment->timer = NULL;
    meaning_say(&meaning, MEANS_LONG, "mq.attach-timeout",
                "%s: the broker has not answered the attach within answer-timeout: is the address right, and "
                "profile?",
                attachment->what);
    over(attachment, &meaning);
}

void attachment_lost(struct attachment *attachment, const struct meaning *meaning)
{
    attachment->last = *meaning;
    attachment->lost(attachment, &attachment->last);
    forget(attachment);
}

/* ---- the beginning ---- */

static void set_node(const struct attachment *attachment, pn_terminus_t *terminus)
{
    const struct profile *profile = attachment->connection->link->profile;
    pn_terminus_set_type(terminus, sends(attachment) ? PN_TARGET : PN_SOURCE);
    pn_terminus_set_address(terminus, attachment->address);
    if (profile->durable_terminus)
        pn_terminus_set_durability(terminus, PN_DELIVERIES);
    if (profile->queue_capability)
        pn_data_put_symbol(pn_terminus_capabilities(terminus), pn_bytes(5, "queue"));
}

static pn_link_t *new_link(struct attachment *attachment, bool sender, const char *suffix)
{
    const struct connection *connection = attachment->connection;
    const struct link *link = connection->link;
    char name[300];
    snprintf(name, sizeof name, "%.80s.%.80s.%zu%s%s", link->setup->agreement, service_of(attachment)->name,
             connection->index, suffix, connection->probe ? ".probe" : "");
    pn_link_t *made = sender ? pn_sender(attachment->session, name) : pn_receiver(attachment->session, name);
    if (!made)
        return NULL;
    pn_link_set_context(made, attachment);
    pn_link_set_snd_settle_mode(made, PN_SND_UNSETTLED);
    pn_link_set_rcv_settle_mode(made, PN_RCV_FIRST);
    return made;
}

static void ask(struct attachment *attachment)
{
    attachment->state = ATTACH_ASKED;
    attachment->link = new_link(attachment, sends(attachment), "");
    if (!attachment->link)
        return; /* the timer ends it */
    set_node(attachment,
             sends(attachment) ? pn_link_target(attachment->link) : pn_link_source(attachment->link));
    pn_link_open(attachment->link);
}

static void ask_witness(struct attachment *attachment)
{
    attachment->state = ATTACH_WITNESS;
    attachment->witness = new_link(attachment, false, ".witness");
    if (!attachment->witness)
        return;
    pn_terminus_set_type(pn_link_source(attachment->witness), PN_SOURCE);
    pn_terminus_set_address(pn_link_source(attachment->witness), attachment->address);
    pn_link_open(attachment->witness);
}

static pn_session_t *session_for(struct attachment *attachment)
{
    struct connection *connection = attachment->connection;
    bool one = connection->link->profile->one_session;
    if (one && connection->session)
        return connection->session;
    pn_session_t *session = pn_session(channel_connection(connection->channel));
    if (!session)
        return NULL;
    pn_session_set_incoming_capacity(session, INCOMING_MOST);
    pn_session_open(session);
    if (one)
        connection->session = session;
    return session;
}

void attachment_begin(struct attachment *attachment)
{
    struct connection *connection = attachment->connection;
    struct link *link = connection->link;
    const struct service_options *options = link_service(link, attachment->service);
    bool witness = sends(attachment) && options->check != CHECK_NO &&
                   profile_needs_witness(link->profile, connection->major);
    if (attachment->state != ATTACH_NONE || connection->state != CONNECTION_OPEN)
        return;
    if (!attachment->timer)
        attachment->timer =
            link->host->timer(link->instance, link->options->answer_timeout, on_unanswered, attachment);
    attachment->state = ATTACH_ASKED;
    if (!attachment->timer || !(attachment->session = session_for(attachment)) ||
        !profile_address(link->profile, connection->major, options->address, attachment->address,
                         sizeof attachment->address)) {
        connection_break(connection, "out of memory");
        return;
    }
    if (witness)
        ask_witness(attachment);
    else
        ask(attachment);
    connection_wake(connection);
}

/* ---- answers ---- */

/* A broker that refuses an attach answers it with no node, and detaches with the reason (AMQP 1.0, 2.6.3). */
static bool is_refusal(pn_terminus_t *terminus)
{
    return pn_terminus_get_type(terminus) == PN_UNSPECIFIED || !pn_terminus_get_address(terminus);
}

static void attached(struct attachment *attachment)
{
    pn_terminus_t *terminus =
        sends(attachment) ? pn_link_remote_target(attachment->link) : pn_link_remote_source(attachment->link);
    struct meaning meaning;
    if (is_refusal(terminus))
        return; /* the detach comes, or the timer */
    if (strcmp(pn_terminus_get_address(terminus), attachment->address) != 0) {
        meaning_say(&meaning, MEANS_LONG, "mq.other-node",
                    "%s: the broker attached %.100s in its place: correct address", attachment->what,
                    pn_terminus_get_address(terminus));
        over(attachment, &meaning);
        return;
    }
    stop_timer(attachment);
    attachment->state = ATTACH_READY;
    attachment->not_before = 0;
    if (attachment->witness &&
        link_service(attachment->connection->link, attachment->service)->check == CHECK_ONCE)
        close_link(attachment, &attachment->witness);
    attachment->attached(attachment);
}

static void on_remote_open(struct attachment *attachment, pn_link_t *link)
{
    if (link == attachment->witness && attachment->state == ATTACH_WITNESS) {
        if (!is_refusal(pn_link_remote_source(link)))
            ask(attachment);
    } else if (link == attachment->link && attachment->state == ATTACH_ASKED) {
        attached(attachment);
    }
}

static void on_remote_close(struct attachment *attachment, pn_condition_t *condition)
{
    struct meaning meaning;
    meaning_of(&meaning, attachment->what, condition);
    over(attachment, &meaning);
}

/* Each one has a session of its own, or all have the same. */
static void on_session_closed(struct connection *connection, pn_session_t *session)
{
    struct attachment *next;
    bool ours = false;
    for (struct attachment *at = connection->attachments; at; at = next) {
        next = at->next;
        if (at->session != session || at->state == ATTACH_NONE)
            continue;
        ours = session != connection->session;
        on_remote_close(at, pn_session_remote_condition(session));
    }
    if (session == connection->session)
        connection->session = NULL;
    if (!ours)
        close_session(session);
}

void attachment_event(struct connection *connection, pn_event_t *event)
{
    pn_event_type_t type = pn_event_type(event);
    if (type == PN_SESSION_REMOTE_CLOSE) {
        on_session_closed(connection, pn_event_session(event));
        return;
    }
    pn_link_t *link = pn_event_link(event);
    struct attachment *attachment = link ? pn_link_get_context(link) : NULL;
    bool closed = type == PN_LINK_REMOTE_CLOSE || type == PN_LINK_REMOTE_DETACH;
    if (!attachment && link && closed)
        on_abandoned(connection, link);
    if (!attachment)
        return;
    if (type == PN_LINK_REMOTE_OPEN)
        on_remote_open(attachment, link);
    else if (closed)
        on_remote_close(attachment, pn_link_remote_condition(link));
    else if ((type == PN_DELIVERY || type == PN_LINK_FLOW) && link == attachment->link &&
             attachment->state == ATTACH_READY)
        attachment->event(attachment, type, event);
}
