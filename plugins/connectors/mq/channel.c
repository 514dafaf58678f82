/* A channel's life: the dial, deadlines, the running of its parts, and its end. */
#include "channel_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS                                                                                               \
    8 /* of reading and writing in one callback, so that one channel does not keep the loop to itself */

static const struct accord_host *host_of(const struct channel *channel)
{
    return channel->set->host;
}

static void stop_timer(const struct channel *channel, struct accord_timer **timer)
{
    if (*timer)
        host_of(channel)->timer_stop(*timer);
    *timer = NULL;
}

bool channel_alive(const struct channel *channel)
{
    return !channel->freed && channel->stage < CHANNEL_OVER;
}

/* ---- the end ---- */

void channel_step(struct channel *channel, const char *step, int result, const char *text)
{
    if (channel->owner->step && !channel->freed)
        channel->owner->step(channel->owner->arg, channel, step, result, text);
}

static const char *step_of(enum channel_stage stage)
{
    return stage == CHANNEL_DIALLING  ? "connect"
           : stage <= CHANNEL_JUDGED  ? "tls"
           : stage <= CHANNEL_KNOWN   ? "authenticate"
           : stage == CHANNEL_OPENING ? "open"
                                      : NULL;
}

void channel_fail(struct channel *channel, enum channel_end end, const char *rule, const char *format, ...)
{
    va_list arguments;
    if (!channel_alive(channel))
        return;
    va_start(arguments, format);
    vsnprintf(channel->reason, sizeof channel->reason, format, arguments);
    va_end(arguments);
    snprintf(channel->rule, sizeof channel->rule, "%s", rule);
    channel->end = end;
    channel->failed = step_of(channel->stage);
    channel->stage = CHANNEL_OVER;
}

void channel_done(struct channel *channel)
{
    channel->end = CHANNEL_CLOSED;
    channel->stage = CHANNEL_OVER;
}

void channel_cut(struct channel *channel)
{
    char words[ACCORD_REASON_MAX];
    struct tls_problem problem = {0};
    snprintf(words, sizeof words, "%s: %s%s", channel->set->name,
             channel->broken       ? strerror(channel->broken)
             : channel->tls_failed ? "the connection was cut"
                                   : "the connection was closed",
             channel->stage != CHANNEL_OUTCOME ? ""
                                               : " when we logged in: it may be that it does not take our "
                                                 "credentials");
    if (channel->tls)
        tls_explain(channel->tls, words, &problem);
    else
        snprintf(problem.reason, sizeof problem.reason, "%s", words);
    if (channel->stage == CHANNEL_CLOSING)
        channel_done(channel);
    else
        channel_fail(channel, problem.park ? CHANNEL_REFUSED : CHANNEL_LOST, problem.rule, "%s",
                     problem.reason);
}

/* Everything but proton's objects, which the owner may still look at. The broker is told as far as the socket takes it at
 * once. */
static void release(struct channel *channel)
{
    const struct accord_host *host = host_of(channel);
    stop_timer(channel, &channel->deadline);
    stop_timer(channel, &channel->tick);
    stop_timer(channel, &channel->soon);
    if (channel->driving && channel->fd >= 0 && !channel->eof)
        amqp_give(channel);
    if (channel->fd >= 0 && channel->out.bytes) {
        wire_bye(channel);
        wire_flush(channel);
    }
    if (channel->watch)
        host->watch_end(channel->watch);
    if (channel->fd >= 0)
        close(channel->fd);
    if (channel->handle)
        host->end(channel->handle, channel->reason[0] ? channel->reason : "closed");
    channel->watch = NULL;
    channel->fd = -1;
    channel->handle = NULL;
    wire_end(channel);
    login_forget(channel);
}

static void destroy(struct channel *channel)
{
    if (channel->stage == CHANNEL_OPEN)
        amqp_close(channel);
    release(channel);
    amqp_end(channel);
    free(channel);
}

static void finish(struct channel *channel)
{
    const struct channel_closed closed = {channel->end, channel->deferred, channel->rule, channel->reason};
    bool denied = channel->end == CHANNEL_REFUSED || channel->deferred;
    channel->stage = CHANNEL_GONE;
    release(channel);
    if (channel->failed && channel->end != CHANNEL_CLOSED)
        channel_step(channel, channel->failed, denied ? ACCORD_EDENIED : ACCORD_ENET, channel->reason);
    if (!channel->freed)
        channel->owner->closed(channel->owner->arg, channel, &closed);
    if (!channel->freed)
        amqp_end(channel);
}

void channel_enter(struct channel *channel)
{
    channel->depth++;
}

void channel_leave(struct channel *channel)
{
    if (channel->depth > 1) {
        channel->depth--;
        return;
    }
    if (channel->stage == CHANNEL_OVER && !channel->freed)
        finish(channel);
    channel->depth--;
    if (channel->freed)
        destroy(channel);
}

void channel_free(struct channel *channel)
{
    if (channel && channel->depth)
        channel->freed = true;
    else if (channel)
        destroy(channel);
}

/* ---- deadlines ---- */

static const char *awaited(enum channel_stage stage)
{
    switch (stage) {
    case CHANNEL_SECRETS:
    case CHANNEL_PASSWORD:
        return "the secrets";
    case CHANNEL_SHAKING:
        return "the TLS handshake";
    case CHANNEL_JUDGED:
        return "the verdict on the handshake";
    case CHANNEL_MECHANISMS:
        return "the broker's SASL mechanisms";
    case CHANNEL_OUTCOME:
        return "the outcome of SASL";
    case CHANNEL_KNOWN:
        return "the verdict on the authenticated session";
    case CHANNEL_OPENING:
        return "the broker's open frame";
    default:
        return "nothing";
    }
}

static void on_deadline(void *arg)
{
    struct channel *channel = arg;
    channel->deadline = NULL;
    channel_enter(channel);
    if (channel->stage == CHANNEL_CLOSING)
        channel_done(channel);
    else
        channel_fail(channel, CHANNEL_LOST, "mq.timeout",
                     "%s: waited %lld ms in vain for %s (connect-timeout)", channel->set->name,
                     (long long)channel->set->connect, awaited(channel->stage));
    channel_leave(channel);
}

void channel_rest(struct channel *channel)
{
    stop_timer(channel, &channel->deadline);
}

void channel_stage(struct channel *channel, enum channel_stage stage)
{
    channel->stage = stage;
    stop_timer(channel, &channel->deadline);
    channel->deadline =
        host_of(channel)->timer(channel->set->instance, channel->set->connect, on_deadline, channel);
    if (!channel->deadline)
        channel_fail(channel, CHANNEL_LOST, "", "out of memory");
}

/* ---- running ---- */

static bool round_of(struct channel *channel)
{
    if (channel->stage < CHANNEL_OPENING)
        return login_take(channel);
    bool moved = amqp_take(channel);
    amqp_dispatch(channel);
    for (int i = 0; i < ROUNDS && channel_alive(channel) && amqp_give(channel) && !wire_full(channel); i++) {
        moved = true;
        amqp_dispatch(channel); /* what has left makes room for more */
    }
    return moved;
}

void channel_run(struct channel *channel, bool readable)
{
    bool moved = true;
    if (channel->running)
        return;
    channel->running = true;
    wire_flush(channel);
    for (int i = 0; i < ROUNDS && moved && channel_alive(channel); i++) {
        if (readable || channel->more)
            wire_fill(channel);
        readable = false;
        moved = round_of(channel);
    }
    channel->running = false;
    if (!channel_alive(channel))
        return;
    wire_flush(channel);
    wire_watch(channel);
    if (moved || channel->more)
        channel_soon(channel);
}

static void on_event(void *arg, uint32_t events)
{
    struct channel *channel = arg;
    channel_enter(channel);
    if (channel_alive(channel))
        channel_run(channel, events & ACCORD_READABLE);
    channel_leave(channel);
}

static void on_soon(void *arg)
{
    struct channel *channel = arg;
    channel->soon = NULL;
    channel_enter(channel);
    if (channel_alive(channel))
        channel_run(channel, false);
    channel_leave(channel);
}

/* Without a timer the socket wakes us, which takes bytes at almost any time. */
void channel_soon(struct channel *channel)
{
    if (channel->soon || channel->stage == CHANNEL_DIALLING)
        return;
    channel->soon = host_of(channel)->timer(channel->set->instance, 0, on_soon, channel);
    if (!channel->soon && channel->watch)
        host_of(channel)->watch_set(channel->watch, channel->watched = ACCORD_READABLE | ACCORD_WRITABLE);
}

void channel_wake(struct channel *channel)
{
    if (channel_alive(channel) && !channel->running)
        channel_soon(channel);
}

/* ---- beginning ---- */

static void on_dialled(void *arg, struct accord_session *handle, int fd, const char *reason)
{
    struct channel *channel = arg;
    channel_enter(channel);
    channel->handle = handle;
    channel->fd = fd;
    if (handle)
        channel->watch = host_of(channel)->watch(channel->set->instance, fd, on_event, channel);
    if (channel->unwanted) {
        channel_done(channel);
    } else if (!handle) {
        channel_fail(channel, CHANNEL_LOST, "", "%s: %s", channel->set->name, reason);
    } else if (!channel->watch) {
        channel_fail(channel, CHANNEL_LOST, "", "out of memory");
    } else {
        channel_stage(channel, CHANNEL_SECRETS);
        channel_step(channel, "connect", ACCORD_OK, channel->set->name);
        if (channel_alive(channel))
            login_begin(channel);
    }
    channel_leave(channel);
}

struct channel *channel_open(const struct channel_settings *set, const struct channel_owner *owner)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return NULL;
    channel->settings = *set; /* an owner that frees us in one of our calls may be gone before we are */
    channel->set = &channel->settings;
    channel->owner = owner;
    channel->fd = -1;
    if (set->host->dial(set->instance, on_dialled, channel) == 0)
        return channel;
    free(channel);
    return NULL;
}

/* ---- use ---- */

static bool is_open(const struct channel *channel)
{
    return channel->stage == CHANNEL_OPEN || channel->stage == CHANNEL_CLOSING;
}

pn_connection_t *channel_connection(struct channel *channel)
{
    return channel->stage >= CHANNEL_OPEN && channel->driving ? channel->driver.connection : NULL;
}

struct accord_session *channel_session(struct channel *channel)
{
    return is_open(channel) ? channel->handle : NULL;
}

size_t channel_backlog(const struct channel *channel)
{
    return is_open(channel) ? amqp_backlog(channel) : 0;
}

void channel_close(struct channel *channel, const char *reason)
{
    if (!channel_alive(channel) || channel->stage == CHANNEL_CLOSING || channel->unwanted)
        return;
    if (channel->stage == CHANNEL_OPEN) {
        amqp_close(channel);
        channel_stage(channel, CHANNEL_CLOSING);
        snprintf(channel->reason, sizeof channel->reason, "%s", reason);
    } else if (channel->stage == CHANNEL_DIALLING) {
        channel->unwanted = true;
        snprintf(channel->reason, sizeof channel->reason, "%s", reason);
    } else {
        channel_fail(channel, CHANNEL_CLOSED, "", "%s", reason);
    }
    if (!channel->running)
        channel_soon(channel);
}
