/* Proton's connection driver: frames in and out, its events to the owner, heartbeats, and what its ends mean. */
#include "channel_private.h"

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/transport.h>
#include <stdio.h>
#include <string.h>

#define READ_ROOM     (64 * 1024)
#define GIVE_ROUNDS   16  /* times that the socket is filled before others have their turn */
#define SESSIONS_MOST 255 /* of a connection: proton makes a table of them */
#define WORDS_MAX     200

/* ---- what the broker says, for a person ---- */

static void safe(char to[WORDS_MAX], const char *from)
{
    snprintf(to, WORDS_MAX, "%s", from ? from : "");
    for (char *c = to; *c; c++)
        if (*c < 0x20 || *c > 0x7e || *c == '"')
            *c = '?';
}

/* Conditions that a person has to see to; any other may pass (OASIS AMQP 1.0, 2.8.15 to 2.8.18). */
static const struct {
    const char *condition, *rule, *hint;
    bool refuses;
} conditions[] = {
    {"amqp:unauthorized-access", "mq.unauthorized-access", "the user has no right to it there", true},
    {"amqp:not-allowed", "mq.not-allowed", "ask the partner what is not allowed", true},
    {"amqp:not-found", "mq.not-found", "check `hostname` (the virtual host)", true},
    {"amqp:invalid-field", "mq.invalid-field", "check `hostname` and `container`", true},
    {"amqp:not-implemented", "mq.not-implemented", "check `profile`", true},
    {"amqp:connection:redirect", "mq.redirect", "the agreement names one endpoint: it has to be named anew",
     true},
    {"amqp:connection:forced", "mq.connection-forced", "it is tried again", false},
    {"amqp:connection:framing-error", "mq.framing-error", "it could not read us; it is tried again", false},
    {"amqp:resource-limit-exceeded", "mq.resource-limit", "it is tried again", false},
    {"amqp:internal-error", "mq.internal-error", "it is tried again", false},
};

static void fail_closed(struct channel *channel, const char *condition, const char *words)
{
    char name[WORDS_MAX], said[WORDS_MAX];
    const char *rule = "mq.connection-closed", *hint = "it is tried again";
    bool refuses = false;
    safe(name, condition);
    safe(said, words);
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (!strcmp(name, conditions[i].condition)) {
            rule = conditions[i].rule;
            hint = conditions[i].hint;
            refuses = conditions[i].refuses;
        }
    channel_fail(channel, refuses ? CHANNEL_REFUSED : CHANNEL_LOST, rule,
                 "%s closed the connection%s%s%s%s; %s", channel->set->name, *name ? ": " : "", name,
                 *said ? ": " : "", said, hint);
}

static void closed_by_broker(struct channel *channel)
{
    pn_connection_t *connection = channel->driver.connection;
    pn_condition_t *condition = pn_connection_remote_condition(connection);
    if (!(pn_connection_state(connection) & PN_LOCAL_CLOSED))
        pn_connection_close(connection); /* the answer goes with the last bytes */
    if (channel->stage == CHANNEL_CLOSING)
        channel_done(channel);
    else if (pn_condition_is_set(condition))
        fail_closed(channel, pn_condition_get_name(condition), pn_condition_get_description(condition));
    else
        fail_closed(channel, "", "");
}

/* Proton has found a fault, and has told the broker of it where it could. */
static void broken_off(struct channel *channel)
{
    pn_condition_t *condition = pn_transport_condition(channel->driver.transport);
    char name[WORDS_MAX], words[WORDS_MAX];
    safe(name, pn_condition_get_name(condition));
    safe(words, pn_condition_get_description(condition));
    if (channel->stage == CHANNEL_CLOSING)
        channel_done(channel);
    else if (strstr(words, "idle-timeout"))
        channel_fail(channel, CHANNEL_LOST, "mq.silent",
                     "%s: not a sign of life for %lld ms (heartbeat); it is tried again", channel->set->name,
                     (long long)channel->set->heartbeat);
    else
        channel_fail(channel, CHANNEL_LOST, "mq.framing-error", "%s sent what cannot be decoded%s%s%s%s",
                     channel->set->name, *name ? ": " : "", name, *words ? ": " : "", words);
}

/* ---- heartbeats ---- */

static void on_tick(void *arg);

/* Proton counts from 1, and takes 0 for no time at all. */
static void tick(struct channel *channel)
{
    const struct accord_host *host = channel->set->host;
    int64_t now = host->ticks(channel->set->instance) + 1;
    int64_t next = pn_transport_tick(channel->driver.transport, now);
    if (next <= 0)
        return;
    channel->tick = host->timer(channel->set->instance, next > now ? next - now : 1, on_tick, channel);
    if (!channel->tick)
        channel_fail(channel, CHANNEL_LOST, "", "out of memory");
}

static void on_tick(void *arg)
{
    struct channel *channel = arg;
    channel->tick = NULL;
    channel_enter(channel);
    if (channel_alive(channel)) {
        tick(channel);
        channel_run(channel, false);
    }
    channel_leave(channel);
}

/* ---- events ---- */

static void opened(struct channel *channel)
{
    char text[ACCORD_REASON_MAX], container[WORDS_MAX];
    safe(container, pn_connection_remote_container(channel->driver.connection));
    snprintf(text, sizeof text, "container \"%s\", frames of up to %u bytes", container,
             pn_transport_get_remote_max_frame(channel->driver.transport));
    channel->stage = CHANNEL_OPEN;
    channel_rest(channel);
    tick(channel);
    channel_step(channel, "open", ACCORD_OK, text);
    if (channel->stage == CHANNEL_OPEN && !channel->freed)
        channel->owner->opened(channel->owner->arg, channel);
}

static void unasked(struct channel *channel, const char *what)
{
    channel_fail(channel, CHANNEL_LOST, "mq.protocol", "%s opened a %s that nobody asked for",
                 channel->set->name, what);
}

/* What it begins by itself would be kept by proton, without limit. */
static bool is_unasked(struct channel *channel, pn_event_t *event)
{
    pn_event_type_t type = pn_event_type(event);
    if (type == PN_SESSION_REMOTE_OPEN && pn_session_state(pn_event_session(event)) & PN_LOCAL_UNINIT)
        unasked(channel, "session");
    else if (type == PN_LINK_REMOTE_OPEN && pn_link_state(pn_event_link(event)) & PN_LOCAL_UNINIT)
        unasked(channel, "link");
    return !channel_alive(channel);
}

static void handle(struct channel *channel, pn_event_t *event)
{
    pn_event_type_t type = pn_event_type(event);
    bool open = channel->stage == CHANNEL_OPEN || channel->stage == CHANNEL_CLOSING;
    if (type == PN_CONNECTION_REMOTE_OPEN && channel->stage == CHANNEL_OPENING)
        channel->answered = true;
    else if (type == PN_TRANSPORT_ERROR)
        broken_off(channel);
    else if (((type >= PN_SESSION_INIT && type <= PN_DELIVERY) || type == PN_CONNECTION_REMOTE_CLOSE) &&
             open && !is_unasked(channel, event))
        channel->owner->event(channel->owner->arg, channel, event);
    if (type == PN_CONNECTION_REMOTE_CLOSE && channel_alive(channel))
        closed_by_broker(channel);
}

void amqp_dispatch(struct channel *channel)
{
    pn_event_t *event;
    while (channel_alive(channel) && (event = pn_connection_driver_next_event(&channel->driver)))
        handle(channel, event);
    /* Not at once: some brokers open only to close with a reason. */
    if (channel->answered && channel->stage == CHANNEL_OPENING && channel_alive(channel))
        opened(channel);
}

/* ---- bytes ---- */

static void no_more(struct channel *channel, bool cut)
{
    amqp_dispatch(channel); /* which may tell why */
    if (channel_alive(channel) && cut)
        channel_cut(channel);
    else if (channel_alive(channel))
        broken_off(channel);
}

static void read_done(struct channel *channel, const char *bytes, size_t size)
{
    if (frames_pass(&channel->frames, (const uint8_t *)bytes, size))
        pn_connection_driver_read_done(&channel->driver, size);
    else if (channel->stage == CHANNEL_CLOSING)
        channel_done(channel);
    else
        channel_fail(channel, CHANNEL_LOST, "mq.framing-error",
                     "%s sent a delivery without delivery-id; it is tried again", channel->set->name);
}

bool amqp_take(struct channel *channel)
{
    pn_rwbytes_t room = pn_connection_driver_read_buffer_sized(&channel->driver, READ_ROOM);
    size_t size = 0;
    ssize_t got = 0;
    while (size < room.size && (got = wire_get(channel, room.start + size, room.size - size)) > 0)
        size += (size_t)got;
    if (size)
        read_done(channel, room.start, size);
    if (got < 0 || pn_connection_driver_read_closed(&channel->driver))
        no_more(channel, got < 0);
    return size > 0;
}

bool amqp_give(struct channel *channel)
{
    bool gave = false;
    for (int i = 0; i < GIVE_ROUNDS;) {
        size_t room = wire_room(channel);
        if (room < WIRE_LEAST) {
            i++;
            wire_flush(channel);
            if (wire_full(channel))
                break;
            continue;
        }
        pn_bytes_t bytes = pn_connection_driver_write_buffer(&channel->driver);
        size_t size = bytes.size < room ? bytes.size : room;
        if (!size || !wire_put(channel, bytes.start, size))
            break;
        pn_connection_driver_write_done(&channel->driver, size);
        gave = true;
    }
    return gave;
}

size_t amqp_backlog(const struct channel *channel)
{
    pn_connection_t *connection = channel->driver.connection;
    size_t size = channel->out.end - channel->out.start;
    for (pn_session_t *at = pn_session_head(connection, 0); at; at = pn_session_next(at, 0))
        size += pn_session_outgoing_bytes(at);
    return size;
}

/* ---- beginning and end ---- */

/* What came together with SASL's end. */
static void take_early(struct channel *channel)
{
    pn_rwbytes_t room = pn_connection_driver_read_buffer_sized(&channel->driver, sizeof channel->said);
    if (!channel->said_size || room.size < channel->said_size)
        return;
    memcpy(room.start, channel->said, channel->said_size);
    read_done(channel, room.start, channel->said_size);
    channel->said_size = 0;
}

void amqp_begin(struct channel *channel)
{
    const struct channel_settings *set = channel->set;
    bool named = set->hostname && *set->hostname;
    if (pn_connection_driver_init(&channel->driver, NULL, NULL) != 0) {
        channel_fail(channel, CHANNEL_LOST, "", "out of memory");
        return;
    }
    channel->driving = true;
    frames_init(&channel->frames);
    pn_transport_trace(channel->driver.transport, PN_TRACE_OFF); /* whatever the environment says */
    pn_transport_set_max_frame(channel->driver.transport, set->max_frame);
    pn_transport_set_channel_max(channel->driver.transport, SESSIONS_MOST);
    pn_transport_set_idle_timeout(channel->driver.transport, (pn_millis_t)set->heartbeat);
    pn_connection_set_container(channel->driver.connection, set->container);
    pn_connection_set_hostname(channel->driver.connection, named ? set->hostname : set->name);
    pn_connection_open(channel->driver.connection);
    pn_connection_driver_bind(&channel->driver);
    channel_stage(channel, CHANNEL_OPENING);
    take_early(channel);
}

void amqp_close(struct channel *channel)
{
    pn_connection_close(channel->driver.connection);
}

void amqp_end(struct channel *channel)
{
    if (channel->driving)
        pn_connection_driver_destroy(&channel->driver);
    channel->driving = false;
}
