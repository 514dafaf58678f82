#include "link_puppet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

#include <cmocka.h> /* last: it defines fail() */

struct puppet {
    struct accord_instance *self;
    const struct accord_host *host;
    struct accord_session *session, *ended;
    struct accord_delivery *held, *finished;
    struct accord_offer *offer;
    struct accord_timer *timer;
    struct accord_watch *watch;
    int fd, pipe[2];
    bool inside; /* a call to the host: no callback may come */
    bool closed, messy, busy;
};

struct puppet_options {
    int64_t size;
    const char *early;
    bool messy; /* cleans nothing up in close */
};

static void say(struct puppet *p, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct puppet *p, const char *event, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (p->inside)
        event = "called-too-early";
    if (p->closed)
        log_event(ACCORD_ERROR, "called-after-close", NULL, "%s %s", event, text);
    else
        p->host->log(p->self, ACCORD_INFO, event, text);
}

static void on_dialed(void *arg, struct accord_session *session, int fd, const char *reason)
{
    struct puppet *p = arg;
    say(p, "dialed", "%s %s %s", session ? "session" : "none", fd >= 0 ? "fd" : "no-fd", reason);
    p->session = session;
    p->fd = fd;
}

static void on_verdict(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    say(arg, "verdict", "%d %s %s", (int)answer, rule, reason);
}

static void on_secret(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    say(arg, "secret", "%d %.*s %s", result, (int)size, (const char *)bytes, reason);
}

static void on_tick(void *arg)
{
    ((struct puppet *)arg)->timer = NULL;
    say(arg, "tick", "once");
}

static void on_event(void *arg, uint32_t events)
{
    struct puppet *p = arg;
    char byte;
    say(p, "watch", "%u %zd", events, read(p->pipe[0], &byte, 1));
    p->host->watch_end(p->watch);
    p->watch = NULL;
}

static void on_thread(void *arg)
{
    ((struct puppet *)arg)->busy = true;
}

static void on_work_done(void *arg)
{
    struct puppet *p = arg;
    if (p->closed)
        log_event(ACCORD_INFO, "work", NULL, "done after close, as promised");
    else
        say(p, "work", "%s", p->busy ? "done" : "not done");
}

static void finish(struct puppet *p, struct accord_delivery *delivery, enum accord_outcome outcome,
                   const char *text)
{
    p->finished = delivery;
    if (p->held == delivery)
        p->held = NULL;
    p->host->finish(delivery, &(struct accord_result){outcome, outcome ? text : "", outcome ? "" : text, 0});
}

static void report(struct puppet *p, enum accord_stage stage)
{
    struct accord_pair facts[] = {{"ssh.kex", "curve25519-sha256"}, {"ssh.cipher.out", "aes256-gcm"}};
    int result = p->host->report(p->session, stage, facts, 2, on_verdict, p);
    p->inside = false;
    if (result)
        say(p, "report", "%d", result);
}

static void make_offer(struct puppet *p)
{
    struct accord_pair headers[] = {{"subject", "hello"}};
    const struct accord_incoming message = {.name = "in.txt",
                                            .source_id = "42",
                                            .size = -1,
                                            .headers = headers,
                                            .header_count = 1,
                                            .cursor = "c1"};
    p->offer = p->host->offer(p->self, 1, &message, p);
    if (!p->offer)
        say(p, "offer", "none");
}

static void on_committed(void *arg, int result, const char *reason)
{
    say(arg, "advanced", "%d %s", result, reason);
}

static void advance(struct puppet *p)
{
    int result = p->host->advance(p->self, 1, "c2", on_committed, p);
    if (result)
        say(p, "advance", "%d", result);
}

static void offer_more(struct puppet *p, const char *text, bool last)
{
    int result = p->host->offer_write(p->offer, (const uint8_t *)text, strlen(text), last);
    if (result)
        say(p, "offer_write", "%d", result);
}

static void say_profile(struct puppet *p)
{
    const char *ciphers = p->host->profile(p->session, "ssh.ciphers");
    const char *kex = p->host->profile(p->session, "ssh.kex");
    p->inside = false; /* answered at once */
    say(p, "profile", "%s %s", ciphers, kex ? kex : "no kex");
}

/* One verb; false when it is about the delivery itself. */
static bool obey_session(struct puppet *p, const char *verb)
{
    int result = 0;
    if (!strcmp(verb, "dial"))
        result = p->host->dial(p->self, on_dialed, p);
    else if (!strcmp(verb, "handshake"))
        report(p, ACCORD_HANDSHAKE);
    else if (!strcmp(verb, "authenticated"))
        report(p, ACCORD_AUTHENTICATED);
    else if (!strcmp(verb, "profile"))
        say_profile(p);
    else if (!strcmp(verb, "secret"))
        result = p->host->secret(p->session, "key", on_secret, p);
    else if (!strcmp(verb, "early-secret"))
        result = p->host->secret(p->session, "early", on_secret, p);
    else if (!strcmp(verb, "end")) {
        p->host->end(p->session, "enough");
        p->ended = p->session;
        p->session = NULL;
        if (p->fd >= 0)
            close(p->fd);
        p->fd = -1;
    } else if (!strcmp(verb, "use-ended"))
        p->host->profile(p->ended, "ssh.kex");
    else
        return false;
    if (result) {
        p->inside = false;
        say(p, "result", "%d", result);
    }
    return true;
}

static bool obey_loop(struct puppet *p, const char *verb)
{
    if (!strcmp(verb, "timer"))
        p->timer = p->host->timer(p->self, 0, on_tick, p);
    else if (!strcmp(verb, "past-grace"))
        p->timer = p->host->timer(p->self, 2 * GRACE_MS, on_tick, p);
    else if (!strcmp(verb, "long-timer"))
        p->timer = p->host->timer(p->self, 3600000, on_tick, p);
    else if (!strcmp(verb, "watch")) {
        assert_int_equal(pipe(p->pipe), 0);
        p->watch = p->host->watch(p->self, p->pipe[0], on_event, p);
        p->host->watch_set(p->watch, ACCORD_READABLE);
        assert_int_equal(write(p->pipe[1], "x", 1), 1);
    } else if (!strcmp(verb, "work"))
        p->host->work(p->self, on_thread, on_work_done, p);
    else if (!strcmp(verb, "park"))
        p->host->park(p->self, "sftp.host-key", "unknown host key");
    else if (!strcmp(verb, "gauge"))
        p->host->gauge(p->self, "waiting", -4);
    else if (!strcmp(verb, "incident"))
        p->host->incident(p->self, "sftp.silent", "nothing came for a day");
    else if (!strcmp(verb, "window"))
        p->host->window(p->self, 3);
    else if (!strcmp(verb, "metric"))
        p->host->metric(p->self, "files", 3);
    else
        return false;
    return true;
}

static bool obey_offer(struct puppet *p, const char *verb)
{
    p->inside = false; /* offer answers at once */
    if (!strcmp(verb, "offer"))
        make_offer(p);
    else if (!strcmp(verb, "offer-wrong-way"))
        p->host->offer(p->self, 0, &(struct accord_incoming){.name = "x"}, p);
    else if (!strcmp(verb, "write"))
        offer_more(p, "hello ", false);
    else if (!strcmp(verb, "write-last"))
        offer_more(p, "world", true);
    else if (!strcmp(verb, "advance"))
        advance(p);
    else if (!strcmp(verb, "abort"))
        p->host->offer_abort(p->offer);
    else
        return false;
    return true;
}

static void deliver(void *state, const struct accord_outgoing *out)
{
    struct puppet *p = state;
    const char *verb = out->envelope->name;
    if (!strcmp(verb, "hold") || !strcmp(verb, "deaf") || !strcmp(verb, "pull")) {
        p->held = out->handle;
        say(p, verb, "%zu %s %s %s %s=%s attempt %d", out->service, out->envelope->id, out->envelope->type,
            out->envelope->origin, out->envelope->headers[0].name, out->envelope->headers[0].value,
            (int)out->attempt);
        if (!strcmp(verb, "pull"))
            p->host->pull(out->handle, p->session, 10);
        return;
    }
    char copy[ACCORD_NAME_MAX]; /* the envelope ends with the delivery */
    snprintf(copy, sizeof copy, "%s", verb);
    finish(p, out->handle, strcmp(copy, "refuse") ? ACCORD_DELIVERED : ACCORD_REFUSED, copy);
    if (!strcmp(copy, "twice"))
        finish(p, p->finished, ACCORD_DELIVERED, "again");
    if (!strcmp(copy, "pull-finished"))
        p->host->pull(p->finished, NULL, 1);
    p->inside = true;
    if (!obey_session(p, copy) && !obey_loop(p, copy))
        obey_offer(p, copy);
    p->inside = false;
}

static void payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct puppet *p = state;
    say(p, "payload", "%.*s%s", (int)size, (const char *)bytes, last ? " last" : "");
    if (last)
        finish(p, delivery, ACCORD_DELIVERED, "all of it");
    else
        p->host->pull(delivery, p->session, 10);
}

static void cancel(void *state, struct accord_delivery *delivery)
{
    struct puppet *p = state;
    say(p, "cancel", "please");
    if (!p->messy)
        finish(p, delivery, ACCORD_RETRY, "cancelled");
}

static void offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    struct puppet *p = state;
    say(p, "offer_pull", "%d %d", offer == p->offer && arg == p, (int)bytes);
}

static void offer_done(void *state, struct accord_offer *offer, void *arg,
                       const struct accord_admitted *admitted)
{
    struct puppet *p = state;
    say(p, "offer_done", "%d %d %s %s %s", offer == p->offer && arg == p, (int)admitted->admission,
        admitted->id, admitted->rule, admitted->reason);
}

static void probe(void *state, struct accord_probe *probe)
{
    struct puppet *p = state;
    p->host->probed(probe, "handshake", 0, "as it should be", false);
    p->host->probed(probe, "folder", ACCORD_ENOENT, "make it", true);
    if (p->messy)
        p->host->probed(probe, "more", 0, "", true);
}

static void offer_ready(void *state)
{
    say(state, "offer_ready", "now");
}

static int open_puppet(void *state, struct accord_instance *self, const struct accord_host *host,
                       const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct puppet *p = state;
    const struct puppet_options *options = setup->options;
    *p = (struct puppet){.self = self, .host = host, .fd = -1, .pipe = {-1, -1}, .messy = options->messy};
    if (!strcmp(setup->name, "broken")) {
        snprintf(why, why_size, "no such folder");
        return ACCORD_ENOENT;
    }
    say(p, "open", "%s %s:%d %d %zu %s%s", setup->name, setup->endpoint_host, (int)setup->endpoint_port,
        (int)options->size, setup->service_count, setup->services[1]->name, setup->services[1]->cursor);
    return 0;
}

static void start(void *state)
{
    say(state, "start", "go");
}

static void stop(void *state)
{
    struct puppet *p = state;
    say(p, "stop", "no more");
}

static void close_puppet(void *state)
{
    struct puppet *p = state;
    if (!p->messy) {
        if (p->session)
            p->host->end(p->session, "closing");
        if (p->held)
            finish(p, p->held, ACCORD_RETRY, "closing");
        p->host->timer_stop(p->timer);
        p->host->watch_end(p->watch);
    }
    if (p->fd >= 0)
        close(p->fd);
    p->closed = true;
}

static const struct accord_option option_table[] = {
    {.name = "size", .kind = ACCORD_SIZE, .offset = offsetof(struct puppet_options, size), .fallback = "7"},
    {.name = "early",
     .kind = ACCORD_SECRET,
     .flags = ACCORD_FOR_HANDSHAKE,
     .offset = offsetof(struct puppet_options, early)},
    {.name = "messy",
     .kind = ACCORD_BOOL,
     .offset = offsetof(struct puppet_options, messy),
     .fallback = "no"},
    {0},
};

static const struct accord_connector connector = {
    .size = sizeof connector,
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .link_options = {option_table, sizeof(struct puppet_options)},
    .state_size = sizeof(struct puppet),
    .open = open_puppet,
    .start = start,
    .stop = stop,
    .close = close_puppet,
    .deliver = deliver,
    .payload = payload,
    .cancel = cancel,
    .offer_pull = offer_pull,
    .offer_done = offer_done,
    .offer_ready = offer_ready,
    .probe = probe,
};

static const struct accord_plugin plugin = {
    .size = sizeof plugin, .kind = ACCORD_CONNECTOR, .name = "puppet", .connector = &connector};

int puppet_load(void *arg, const char *name, const char *sha256, const struct accord_plugin **out,
                char rule[ACCORD_RULE_MAX], struct reason *why)
{
    (void)arg, (void)sha256;
    *out = &plugin;
    if (strcmp(name, "connector-puppet.so") == 0)
        return 0;
    snprintf(rule, ACCORD_RULE_MAX, "plugin.missing");
    snprintf(why->text, sizeof why->text, "no %s", name);
    return ACCORD_ENOENT;
}
