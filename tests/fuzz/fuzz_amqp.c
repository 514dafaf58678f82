/* What a broker sends once the bytes are decrypted: SASL, then frames for proton's driver with the channel's handling of
 * its events, on a host that is next to nothing. The first byte says where the broker begins and in what pieces it
 * speaks. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>

#include "connectors/mq/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AFTER_SASL = 1, AFTER_OPEN = 3, IN_PIECES = 4, CLOSES = 8, FREES = 16 };

#define TIMERS 8
#define TURNS  20 /* for what follows from one piece */

struct accord_timer {
    accord_timer_fn run;
    void *arg;
    bool set, now;
};

/* The host, which is also the session and the watch. */
static struct {
    int ours, theirs;
    accord_dial_fn dialled;
    accord_verdict_fn judge;
    accord_watch_fn watch;
    void *arg, *watch_arg;
    uint32_t events;
    struct accord_timer timers[TIMERS];
    bool ended;
    unsigned mode, opens, closes;
    struct channel *channel;
} world;

/* ---- a host ---- */

static int64_t clock_of(struct accord_instance *instance)
{
    (void)instance;
    return 1000000;
}

static struct accord_timer *timer(struct accord_instance *instance, int64_t ms, accord_timer_fn run,
                                  void *arg)
{
    (void)instance;
    for (int i = 0; i < TIMERS; i++)
        if (!world.timers[i].set) {
            world.timers[i] = (struct accord_timer){run, arg, true, ms == 0};
            return &world.timers[i];
        }
    abort();
}

static void timer_stop(struct accord_timer *at)
{
    at->set = false;
}

static struct accord_watch *watch(struct accord_instance *instance, int fd, accord_watch_fn run, void *arg)
{
    (void)instance, (void)fd;
    world.watch = run;
    world.watch_arg = arg;
    return (struct accord_watch *)&world;
}

static void watch_set(struct accord_watch *at, uint32_t events)
{
    (void)at;
    world.events = events;
}

static void watch_end(struct accord_watch *at)
{
    (void)at;
    world.watch = NULL;
}

static int dial(struct accord_instance *instance, accord_dial_fn done, void *arg)
{
    (void)instance;
    world.dialled = done;
    world.arg = arg;
    return 0;
}

static const char *profile(struct accord_session *session, const char *name)
{
    (void)session;
    return strcmp(name, "session.encryption") == 0 ? "none"
           : strcmp(name, "sasl.mechanisms")       ? NULL
                                                   : "ANONYMOUS";
}

static int report(struct accord_session *session, enum accord_stage stage, const struct accord_pair *facts,
                  size_t count, accord_verdict_fn done, void *arg)
{
    (void)session, (void)stage, (void)facts, (void)count;
    world.judge = done;
    world.arg = arg;
    return 0;
}

static void end(struct accord_session *session, const char *reason)
{
    (void)session, (void)reason;
    world.ended = true;
    world.judge = NULL;
}

static const struct accord_host host = {
    .size = sizeof host,
    .wall = clock_of,
    .ticks = clock_of,
    .timer = timer,
    .timer_stop = timer_stop,
    .watch = watch,
    .watch_set = watch_set,
    .watch_end = watch_end,
    .dial = dial,
    .profile = profile,
    .report = report,
    .end = end,
};

/* ---- an owner ---- */

static void opened(void *arg, struct channel *channel)
{
    pn_session_t *session = pn_session(channel_connection(channel));
    (void)arg;
    world.opens++;
    pn_session_set_incoming_capacity(session, 64 * 1024);
    pn_session_open(session);
    pn_link_t *from = pn_receiver(session, "from"), *to = pn_sender(session, "to");
    pn_terminus_set_address(pn_link_source(from), "/queue/a");
    pn_terminus_set_address(pn_link_target(to), "/queue/b");
    pn_link_open(from);
    pn_link_open(to);
    pn_link_flow(from, 10);
}

static void take(pn_delivery_t *delivery)
{
    static char bytes[64 * 1024];
    pn_link_t *link = pn_delivery_link(delivery);
    while (pn_link_recv(link, bytes, sizeof bytes) > 0)
        ;
    if (pn_delivery_partial(delivery))
        return;
    pn_delivery_update(delivery, PN_ACCEPTED);
    pn_delivery_settle(delivery);
    pn_link_flow(link, 1);
}

static void event(void *arg, struct channel *channel, pn_event_t *at)
{
    pn_link_t *link = pn_event_link(at);
    pn_delivery_t *delivery = pn_event_delivery(at);
    (void)arg, (void)channel;
    if (world.closes || !world.opens)
        abort();
    if (delivery && pn_link_is_receiver(link) && pn_delivery_readable(delivery))
        take(delivery);
    else if (delivery && pn_link_is_sender(link) && pn_delivery_updated(delivery))
        pn_delivery_settle(delivery);
    else if (pn_event_type(at) == PN_LINK_FLOW && pn_link_is_sender(link) && pn_link_credit(link) > 0 &&
             channel_backlog(channel) < 4096) {
        pn_delivery(link, pn_dtag("1", 1));
        pn_link_send(link, "hello", 5);
        pn_link_advance(link);
    }
}

static void closed(void *arg, struct channel *channel, const struct channel_closed *how)
{
    (void)arg;
    if (world.closes++ || !how->rule || !how->reason)
        abort();
    if (world.mode & FREES) {
        channel_free(channel);
        world.channel = NULL;
    }
}

/* ---- the broker ---- */

static void run_timers(void)
{
    for (int i = 0; i < TIMERS; i++)
        if (world.timers[i].set && world.timers[i].now) {
            world.timers[i].set = false;
            world.timers[i].run(world.timers[i].arg);
        }
}

static void turn(void)
{
    uint8_t sink[64 * 1024];
    if (world.dialled) {
        accord_dial_fn done = world.dialled;
        world.dialled = NULL;
        done(world.arg, (struct accord_session *)&world, world.ours, "");
    }
    if (world.judge) {
        accord_verdict_fn done = world.judge;
        world.judge = NULL;
        done(world.arg, ACCORD_ALLOW, "", "");
    }
    run_timers();
    if (world.watch && world.events)
        world.watch(world.watch_arg, world.events);
    while (recv(world.theirs, sink, sizeof sink, MSG_DONTWAIT) > 0)
        ;
}

static void turns(void)
{
    for (int i = 0; i < TURNS && !world.closes; i++)
        turn();
}

static void say(const void *bytes, size_t size)
{
    if (send(world.theirs, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        turns();
}

static void begin(void)
{
    static const char sasl[] = "AMQP\3\1\0\0\0\0\0\x1c\2\1\0\0\0\x53\x40\xc0\x0f\1\xe0\x0c\1\xa3\x09"
                               "ANONYMOUS\0\0\0\x10\2\1\0\0\0\x53\x44\xc0\3\1\x50\0";
    static const char amqp[] = "AMQP\0\1\0\0\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1b";
    turns();
    if (world.mode & AFTER_SASL)
        say(sasl, sizeof sasl - 1);
    if ((world.mode & AFTER_OPEN) == AFTER_OPEN)
        say(amqp, sizeof amqp - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct channel_settings set = {.host = &host,
                                                .name = "mq.example",
                                                .container = "accord",
                                                .mechanism = "ANONYMOUS",
                                                .connect = 10000,
                                                .heartbeat = 60000,
                                                .max_frame = 32768};
    static const struct channel_owner owner = {.opened = opened, .event = event, .closed = closed};
    int pair[2];
    if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return 0;
    memset(&world, 0, sizeof world);
    world.ours = pair[0];
    world.theirs = pair[1];
    world.mode = data[0];
    world.channel = channel_open(&set, &owner);
    begin();
    size_t piece = world.mode & IN_PIECES ? 7 : 16384;
    for (size_t at = 1; at < size && !world.closes; at += piece)
        say(data + at, size - at < piece ? size - at : piece);
    if (world.mode & CLOSES && !world.closes)
        channel_close(world.channel, "enough");
    turns();
    shutdown(world.theirs, SHUT_WR);
    turns();
    if (world.closes != 1)
        abort();
    channel_free(world.channel);
    for (int i = 0; i < TIMERS; i++)
        if (world.timers[i].set)
            abort();
    if (!world.ended || world.watch)
        abort();
    close(world.theirs);
    return 0;
}
