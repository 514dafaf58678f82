/* The link role without its sandbox: the test is the hub, and the connector a puppet that does what the
 * name of a delivery says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_hub.h"
#include "link/link.h"
#include "util/log.h"

#include <cmocka.h> /* last: it defines fail() */

#define GRACE_MS 50

/* ---- the puppet, in the child ---- */

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
    struct accord_envelope envelope = {
        .name = "in.txt", .source_id = "42", .size = -1, .headers = headers, .header_count = 1};
    p->offer = p->host->offer(p->self, 1, &envelope, p);
    if (!p->offer)
        say(p, "offer", "none");
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
        p->host->offer(p->self, 0, &(struct accord_envelope){.name = "x"}, p);
    else if (!strcmp(verb, "write"))
        offer_more(p, "hello ", false);
    else if (!strcmp(verb, "write-last"))
        offer_more(p, "world", true);
    else if (!strcmp(verb, "abort"))
        p->host->offer_abort(p->offer);
    else
        return false;
    return true;
}

static void deliver(void *state, const struct accord_outgoing *out)
{
    struct puppet *p = state;
    const char *verb = out->envelope.name;
    if (!strcmp(verb, "hold") || !strcmp(verb, "deaf") || !strcmp(verb, "pull")) {
        p->held = out->handle;
        say(p, verb, "%zu %s %s %s %s=%s attempt %d", out->service, out->envelope.id, out->envelope.type,
            out->envelope.origin, out->envelope.headers[0].name, out->envelope.headers[0].value,
            (int)out->attempt);
        if (!strcmp(verb, "pull"))
            p->host->pull(out->handle, p->session, 10);
        return;
    }
    char copy[ACCORD_NAME_MAX]; /* the envelope ends with the delivery */
    snprintf(copy, sizeof copy, "%s", verb);
    finish(p, out->handle, ACCORD_DELIVERED, copy);
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
    say(p, "open", "%s %s:%d %d %zu %s", setup->name, setup->endpoint_host, (int)setup->endpoint_port,
        (int)options->size, setup->service_count, setup->services[1].name);
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
};

static const struct accord_plugin plugin = {
    .size = sizeof plugin, .kind = ACCORD_CONNECTOR, .name = "puppet", .connector = &connector};

static int load(void *arg, const char *name, const char *sha256, const struct accord_plugin **out,
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

/* ---- the hub's side ---- */

static uint64_t last_delivery;

static void configure(struct fake_hub *hub, const char *link, const char *messy)
{
    struct accord_pair options[] = {{"size", "2 KiB"}, {"messy", messy}};
    wire_put_LOAD(&hub->out, &(struct wire_LOAD){"connector-puppet.so", ""});
    wire_put_LINK(&hub->out,
                  &(struct wire_LINK){0, link, "puppet", "peer.example", 22, "none", WIRE_PAIRS(options, 2)});
    wire_put_SERVICE(&hub->out, &(struct wire_SERVICE){0, 0, "out", "opaque", ACCORD_SEND, 1000, "", 0, {0}});
    wire_put_SERVICE(&hub->out,
                     &(struct wire_SERVICE){1, 0, "in", "opaque", ACCORD_RECEIVE, 1000, "", 0, {0}});
    wire_put_START(&hub->out, &(struct wire_START){0});
    hub_send(hub, -1);
}

static void begin(struct fake_hub *hub, const char *messy)
{
    hub_open(hub, WIRE_L, link_run, load, GRACE_MS);
    configure(hub, "sftp", messy);
    hub_expect_log(hub, "open", "sftp peer.example:22 2048 2 in");
    hub_expect(hub, WIRE_READY);
    hub_expect_log(hub, "start", "go");
}

static uint64_t put_delivery(struct fake_hub *hub, const char *verb, int64_t size)
{
    static const struct accord_pair header = {"a", "b"};
    wire_put_DELIVER(&hub->out, &(struct wire_DELIVER){.delivery = ++last_delivery,
                                                       .service = 0,
                                                       .attempt = 3,
                                                       .id = "id1",
                                                       .type = "opaque",
                                                       .name = verb,
                                                       .origin = "site/x",
                                                       .size = size,
                                                       .headers = WIRE_PAIRS(&header, 1)});
    hub_send(hub, -1);
    return last_delivery;
}

/* A delivery that is a command: the puppet finishes it and does what it says. */
static void command(struct fake_hub *hub, const char *verb)
{
    uint64_t id = put_delivery(hub, verb, 0);
    const struct wire_FINISH *finished = &hub_expect(hub, WIRE_FINISH)->FINISH;
    assert_int_equal(finished->delivery, id);
    assert_string_equal(finished->receipt, verb);
}

static uint64_t hold(struct fake_hub *hub, const char *verb)
{
    uint64_t id = put_delivery(hub, verb, 25);
    hub_expect_log(hub, verb, "0 id1 opaque site/x a=b attempt 3");
    return id;
}

static void finished_with(struct fake_hub *hub, uint64_t id, enum accord_outcome outcome, const char *reason)
{
    const struct wire_FINISH *finished = &hub_expect(hub, WIRE_FINISH)->FINISH;
    assert_int_equal(finished->delivery, id);
    assert_int_equal(finished->outcome, outcome);
    assert_string_equal(finished->reason, reason);
}

static void end(struct fake_hub *hub)
{
    hub_expect_nothing(hub);
    assert_int_equal(hub_close(hub), 0);
    assert_null(strstr(hub->text, "called-after-close"));
    assert_null(strstr(hub->text, "plugin.leaks"));
}

static uint64_t dial(struct fake_hub *hub)
{
    command(hub, "dial");
    const struct wire_DIAL *asked = &hub_expect(hub, WIRE_DIAL)->DIAL;
    assert_int_equal(asked->link, 0);
    return asked->session;
}

static void put_dialed(struct fake_hub *hub, uint64_t session, int64_t result, const char *reason, int fd)
{
    struct accord_pair profile[] = {{"ssh.ciphers", "aes256-gcm"}};
    wire_put_DIALED(&hub->out,
                    &(struct wire_DIALED){session, result, reason, WIRE_PAIRS(profile, result ? 0 : 1)});
    hub_send(hub, fd);
}

static uint64_t connect_session(struct fake_hub *hub)
{
    uint64_t session = dial(hub);
    int fd = dup(0);
    put_dialed(hub, session, 0, "", fd);
    close(fd);
    hub_expect_log(hub, "dialed", "session fd ");
    return session;
}

static void judge(struct fake_hub *hub, uint64_t session, enum accord_stage stage, enum accord_answer answer)
{
    command(hub, stage == ACCORD_HANDSHAKE ? "handshake" : "authenticated");
    const struct wire_FACTS *facts = &hub_expect(hub, WIRE_FACTS)->FACTS;
    assert_int_equal(facts->session, session);
    assert_int_equal(facts->stage, stage);
    assert_string_equal(wire_pairs_get(&facts->facts, "ssh.kex"), "curve25519-sha256");
    wire_put_FACTS_VERDICT(&hub->out,
                           &(struct wire_FACTS_VERDICT){session, (uint8_t)stage, (uint8_t)answer,
                                                        answer ? "encryption.ssh-cipher" : "", "because"});
    hub_send(hub, -1);
    hub_expect_log(hub, "verdict", answer ? "1 encryption.ssh-cipher because" : "0  because");
}

static void opens_starts_and_ends_in_order(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    end(&hub);
}

static void a_link_that_does_not_open_fails_with_its_reason(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, load, GRACE_MS);
    configure(&hub, "broken", "no");
    hub_expect_failure(&hub, "plugin.open");
    assert_non_null(strstr(hub.text, "no such folder"));
}

static void options_that_do_not_fit_fail(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, load, GRACE_MS);
    configure(&hub, "sftp", "perhaps");
    hub_expect_failure(&hub, "plugin.options");
}

static void a_plugin_that_does_not_load_fails(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, load, GRACE_MS);
    wire_put_LOAD(&hub.out, &(struct wire_LOAD){"connector-none.so", ""});
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "plugin.missing");
}

static void a_second_finish_is_fatal(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    command(&hub, "twice");
    hub_expect_failure(&hub, "plugin.double-finish");
    assert_non_null(strstr(hub.text, "sftp"));
}

static void a_dead_delivery_may_not_be_pulled(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    command(&hub, "pull-finished");
    hub_expect_failure(&hub, "plugin.dead-delivery");
}

static void put_piece(struct fake_hub *hub, uint64_t id, const char *text, bool last)
{
    wire_put_PIECE(&hub->out, &(struct wire_PIECE){id, last, {(const uint8_t *)text, strlen(text)}});
    hub_send(hub, -1);
}

static void expect_pull(struct fake_hub *hub, uint64_t id, uint64_t session)
{
    const struct wire_PULL *pull = &hub_expect(hub, WIRE_PULL)->PULL;
    assert_int_equal(pull->stream, id);
    assert_int_equal(pull->session, session);
    assert_int_equal(pull->bytes, 10);
}

static void payload_comes_in_order_as_pulled(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    uint64_t id = hold(&hub, "pull");
    expect_pull(&hub, id, session);
    put_piece(&hub, id, "0123456789", false);
    hub_expect_log(&hub, "payload", "0123456789");
    expect_pull(&hub, id, session);
    put_piece(&hub, id, "abcd", false);
    hub_expect_log(&hub, "payload", "abcd");
    expect_pull(&hub, id, session);
    put_piece(&hub, id, "efghijklmno", true);
    hub_expect_log(&hub, "payload", "efghijklmno last");
    finished_with(&hub, id, ACCORD_DELIVERED, "");
    put_piece(&hub, id, "late", false); /* was on its way: dropped */
    end(&hub);
}

static void more_than_was_pulled_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = hold(&hub, "pull");
    expect_pull(&hub, id, 0);
    put_piece(&hub, id, "0123456789a", false);
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_payload_of_the_wrong_size_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = hold(&hub, "pull");
    expect_pull(&hub, id, 0);
    put_piece(&hub, id, "0123", true); /* 25 were announced */
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_cancelled_delivery_is_finished_by_its_connector(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = hold(&hub, "hold");
    for (int i = 0; i < 2; i++)
        wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){id});
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){id + 1000});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "please");
    finished_with(&hub, id, ACCORD_RETRY, "cancelled");
    command(&hub, "past-grace"); /* nothing expires any more */
    hub_expect_log(&hub, "tick", "once");
    end(&hub);
}

static void a_connector_deaf_to_cancel_ends_the_process(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "yes");
    uint64_t id = hold(&hub, "deaf");
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){id});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "please");
    hub_expect_failure(&hub, "plugin.hangs");
}

static void dial_gives_a_session_with_its_profile(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    command(&hub, "profile");
    hub_expect_log(&hub, "profile", "aes256-gcm no kex");
    command(&hub, "end");
    const struct wire_SESSION_END *ended = &hub_expect(&hub, WIRE_SESSION_END)->SESSION_END;
    assert_int_equal(ended->session, session);
    assert_string_equal(ended->reason, "enough");
    end(&hub);
}

static void a_denied_dial_gives_its_reason(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    put_dialed(&hub, dial(&hub), ACCORD_EDENIED, "the agreement is not in force", -1);
    hub_expect_log(&hub, "dialed", "none no-fd the agreement is not in force");
    end(&hub);
}

static void a_dialed_message_without_its_descriptor_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    put_dialed(&hub, dial(&hub), 0, "", -1);
    hub_expect_failure(&hub, "hub.protocol");
}

/* Nobody waits for it any more: the descriptor is closed, as the far end sees. */
static void a_late_dialed_message_is_dropped_with_its_descriptor(void **state)
{
    (void)state;
    struct fake_hub hub;
    int pair[2];
    begin(&hub, "no");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    put_dialed(&hub, 4711, 0, "", pair[0]);
    close(pair[0]);
    hub_expect_nothing(&hub);
    char byte;
    assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
    close(pair[1]);
    end(&hub);
}

static void a_descriptor_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    wire_put_PING(&hub.out, &(struct wire_PING){1});
    hub_send(&hub, 0);
    hub_expect_failure(&hub, "hub.protocol");
}

static void facts_and_secrets_come_in_their_order(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    command(&hub, "secret");
    hub_expect_log(&hub, "result", "-12"); /* not before an allowed handshake */
    command(&hub, "authenticated");
    hub_expect_log(&hub, "report", "-12");
    judge(&hub, session, ACCORD_HANDSHAKE, ACCORD_ALLOW);
    command(&hub, "secret");
    const struct wire_SECRET *asked = &hub_expect(&hub, WIRE_SECRET)->SECRET;
    assert_string_equal(asked->option, "key");
    struct wire_SECRET_GIVEN given = {asked->session, asked->request, 0, {(const uint8_t *)"s3cret", 6}, ""};
    wire_put_SECRET_GIVEN(&hub.out, &given);
    hub_send(&hub, -1);
    hub_expect_log(&hub, "secret", "0 s3cret ");
    judge(&hub, session, ACCORD_AUTHENTICATED, ACCORD_ALLOW);
    wire_put_SECRET_GIVEN(&hub.out, &given); /* once was enough */
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_denied_session_gets_no_secret(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    judge(&hub, session, ACCORD_HANDSHAKE, ACCORD_DENY);
    command(&hub, "secret");
    hub_expect_log(&hub, "result", "-12");
    command(&hub, "handshake");
    hub_expect_log(&hub, "report", "-12");
    command(&hub, "end");
    hub_expect(&hub, WIRE_SESSION_END);
    end(&hub);
}

static void late_answers_for_an_ended_session_are_dropped(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t session = connect_session(&hub);
    judge(&hub, session, ACCORD_HANDSHAKE, ACCORD_ALLOW);
    command(&hub, "secret");
    uint64_t request = hub_expect(&hub, WIRE_SECRET)->SECRET.request;
    command(&hub, "authenticated");
    hub_expect(&hub, WIRE_FACTS);
    command(&hub, "end");
    hub_expect(&hub, WIRE_SESSION_END);
    wire_put_SECRET_GIVEN(&hub.out,
                          &(struct wire_SECRET_GIVEN){session, request, 0, {(const uint8_t *)"x", 1}, ""});
    wire_put_FACTS_VERDICT(&hub.out, &(struct wire_FACTS_VERDICT){session, ACCORD_AUTHENTICATED, 0, "", ""});
    hub_send(&hub, -1);
    end(&hub);
}

static void a_dead_session_may_not_be_used(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    connect_session(&hub);
    command(&hub, "end");
    hub_expect(&hub, WIRE_SESSION_END);
    command(&hub, "use-ended");
    hub_expect_failure(&hub, "plugin.dead-session");
}

static uint64_t offer(struct fake_hub *hub)
{
    command(hub, "offer");
    const struct wire_OFFER *made = &hub_expect(hub, WIRE_OFFER)->OFFER;
    assert_int_equal(made->service, 1);
    assert_int_equal(made->size, -1);
    assert_string_equal(made->name, "in.txt");
    assert_string_equal(made->source_id, "42");
    assert_string_equal(wire_pairs_get(&made->headers, "subject"), "hello");
    return made->offer;
}

static void offer_write(struct fake_hub *hub, uint64_t id)
{
    wire_put_OFFER_PULL(&hub->out, &(struct wire_OFFER_PULL){id, 11});
    hub_send(hub, -1);
    hub_expect_log(hub, "offer_pull", "1 11");
    command(hub, "write");
    assert_memory_equal(hub_expect(hub, WIRE_OFFER_DATA)->OFFER_DATA.data.data, "hello ", 6);
    command(hub, "write-last");
    const struct wire_OFFER_DATA *data = &hub_expect(hub, WIRE_OFFER_DATA)->OFFER_DATA;
    assert_int_equal(data->last, 1);
    assert_memory_equal(data->data.data, "world", 5);
}

static void offer_ends(struct fake_hub *hub, uint64_t id, enum accord_admission admission, const char *rule)
{
    wire_put_OFFER_DONE(&hub->out, &(struct wire_OFFER_DONE){id, (uint8_t)admission, "id7", rule, "why"});
    hub_send(hub, -1);
}

static void an_offer_is_accepted(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = offer(&hub);
    command(&hub, "write");
    hub_expect_log(&hub, "offer_write", "-3"); /* nothing was asked for yet */
    offer_write(&hub, id);
    offer_ends(&hub, id, ACCORD_ACCEPTED, "");
    hub_expect_log(&hub, "offer_done", "1 0 id7  why");
    offer_ends(&hub, id, ACCORD_ACCEPTED, "");
    end(&hub);
}

static void an_offer_is_quarantined_before_its_last_byte(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = offer(&hub);
    offer_ends(&hub, id, ACCORD_QUARANTINED, "services.type");
    hub_expect_log(&hub, "offer_done", "1 1 id7 services.type why");
    end(&hub);
}

static void an_offer_is_rejected_before_its_first_byte(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = offer(&hub);
    offer_ends(&hub, id, ACCORD_REJECTED, "services.size");
    hub_expect_log(&hub, "offer_done", "1 3 id7 services.size why");
    end(&hub);
}

static void an_offer_is_deferred(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = offer(&hub);
    offer_write(&hub, id);
    offer_ends(&hub, id, ACCORD_DEFERRED, "hub.full");
    hub_expect_log(&hub, "offer_done", "1 2 id7 hub.full why");
    end(&hub);
}

static void an_offer_cannot_be_accepted_before_its_last_byte(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    offer_ends(&hub, offer(&hub), ACCORD_ACCEPTED, "");
    hub_expect_failure(&hub, "hub.protocol");
}

static void an_aborted_offer_hears_no_more(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t id = offer(&hub);
    command(&hub, "abort");
    assert_int_equal(hub_expect(&hub, WIRE_OFFER_ABORT)->OFFER_ABORT.offer, id);
    wire_put_OFFER_PULL(&hub.out, &(struct wire_OFFER_PULL){id, 11});
    hub_send(&hub, -1);
    offer_ends(&hub, id, ACCORD_DEFERRED, "");
    hub_expect_nothing(&hub);
    command(&hub, "abort");
    hub_expect_failure(&hub, "plugin.dead-offer");
}

static void an_offer_to_a_sending_service_is_fatal(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    command(&hub, "offer-wrong-way");
    hub_expect_failure(&hub, "plugin.offer");
}

static void offers_beyond_the_limit_wait_for_room(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t last = 0;
    for (int i = 0; i < 256; i++)
        last = offer(&hub);
    command(&hub, "offer");
    hub_expect_log(&hub, "offer", "none");
    offer_ends(&hub, last, ACCORD_DEFERRED, "");
    hub_expect_log(&hub, "offer_done", "0 2 id7  why");
    hub_expect_log(&hub, "offer_ready", "now");
    offer(&hub);
    end(&hub);
}

static void draining_begins_nothing_and_ends_what_runs(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    uint64_t held = hold(&hub, "hold");
    command(&hub, "timer");
    hub_expect_log(&hub, "tick", "once");
    wire_put_DRAIN(&hub.out, &(struct wire_DRAIN){0});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "stop", "no more");
    finished_with(&hub, put_delivery(&hub, "offer", 0), ACCORD_RETRY, "the link is draining");
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){held});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "please");
    finished_with(&hub, held, ACCORD_RETRY, "cancelled");
    wire_put_START(&hub.out, &(struct wire_START){0}); /* the switch was turned back on */
    hub_send(&hub, -1);
    hub_expect(&hub, WIRE_READY);
    hub_expect_log(&hub, "start", "go");
    offer(&hub);
    end(&hub);
}

static void loop_services_call_back_once_and_later(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    command(&hub, "timer");
    hub_expect_log(&hub, "tick", "once");
    command(&hub, "watch");
    hub_expect_log(&hub, "watch", "1 1");
    command(&hub, "work");
    hub_expect_log(&hub, "work", "done");
    command(&hub, "metric");
    assert_int_equal(hub_expect(&hub, WIRE_METRIC)->METRIC.add, 3);
    command(&hub, "park");
    assert_string_equal(hub_expect(&hub, WIRE_PARK)->PARK.rule, "sftp.host-key");
    end(&hub);
}

/* The hub goes in the middle of everything: close is called, nothing calls back after it. */
static void the_hubs_end_closes_everything(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    connect_session(&hub);
    hold(&hub, "hold");
    offer(&hub);
    dial(&hub);
    command(&hub, "long-timer");
    end(&hub);
}

static void what_close_leaves_behind_is_said_and_swept(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "yes");
    connect_session(&hub);
    hold(&hub, "hold");
    command(&hub, "long-timer");
    hub_expect_nothing(&hub);
    assert_int_equal(hub_close(&hub), 0);
    assert_non_null(strstr(hub.text, "session open"));
    assert_non_null(strstr(hub.text, "delivery of id1 unfinished"));
    assert_non_null(strstr(hub.text, "timer or a watch"));
    assert_null(strstr(hub.text, "called-after-close"));
}

static void work_on_a_thread_is_awaited_after_close(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    put_delivery(&hub, "work", 0);
    assert_int_equal(hub_close(&hub), 0);
    assert_null(strstr(hub.text, "called-after-close"));
}

static void messages_out_of_order_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_open(&hub, WIRE_L, link_run, load, GRACE_MS);
    put_delivery(&hub, "hold", 0); /* before START */
    hub_expect_failure(&hub, "hub.protocol");
    begin(&hub, "no");
    wire_put_LINK(&hub.out, &(struct wire_LINK){.link = 1});
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
    begin(&hub, "no");
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0}); /* a guard's */
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
    begin(&hub, "no");
    wire_put_DELIVER(&hub.out, &(struct wire_DELIVER){.delivery = 1, .service = 1}); /* it receives */
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
}

static void a_malformed_message_ends_the_process(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, "no");
    wire_put_PING(&hub.out, &(struct wire_PING){1});
    hub.out.data[4] = 0xff;
    hub_send(&hub, -1);
    char byte;
    assert_int_equal(recv(hub.fd, &byte, 1, 0), 0);
    assert_int_equal(hub_close(&hub), 1);
    assert_non_null(strstr(hub.text, "hub.protocol"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_starts_and_ends_in_order),
        cmocka_unit_test(a_link_that_does_not_open_fails_with_its_reason),
        cmocka_unit_test(options_that_do_not_fit_fail),
        cmocka_unit_test(a_plugin_that_does_not_load_fails),
        cmocka_unit_test(a_second_finish_is_fatal),
        cmocka_unit_test(a_dead_delivery_may_not_be_pulled),
        cmocka_unit_test(payload_comes_in_order_as_pulled),
        cmocka_unit_test(more_than_was_pulled_is_refused),
        cmocka_unit_test(a_payload_of_the_wrong_size_is_refused),
        cmocka_unit_test(a_cancelled_delivery_is_finished_by_its_connector),
        cmocka_unit_test(a_connector_deaf_to_cancel_ends_the_process),
        cmocka_unit_test(dial_gives_a_session_with_its_profile),
        cmocka_unit_test(a_denied_dial_gives_its_reason),
        cmocka_unit_test(a_dialed_message_without_its_descriptor_is_refused),
        cmocka_unit_test(a_late_dialed_message_is_dropped_with_its_descriptor),
        cmocka_unit_test(a_descriptor_that_nobody_asked_for_is_refused),
        cmocka_unit_test(facts_and_secrets_come_in_their_order),
        cmocka_unit_test(a_denied_session_gets_no_secret),
        cmocka_unit_test(late_answers_for_an_ended_session_are_dropped),
        cmocka_unit_test(a_dead_session_may_not_be_used),
        cmocka_unit_test(an_offer_is_accepted),
        cmocka_unit_test(an_offer_is_quarantined_before_its_last_byte),
        cmocka_unit_test(an_offer_is_rejected_before_its_first_byte),
        cmocka_unit_test(an_offer_is_deferred),
        cmocka_unit_test(an_offer_cannot_be_accepted_before_its_last_byte),
        cmocka_unit_test(an_aborted_offer_hears_no_more),
        cmocka_unit_test(an_offer_to_a_sending_service_is_fatal),
        cmocka_unit_test(offers_beyond_the_limit_wait_for_room),
        cmocka_unit_test(draining_begins_nothing_and_ends_what_runs),
        cmocka_unit_test(loop_services_call_back_once_and_later),
        cmocka_unit_test(the_hubs_end_closes_everything),
        cmocka_unit_test(what_close_leaves_behind_is_said_and_swept),
        cmocka_unit_test(work_on_a_thread_is_awaited_after_close),
        cmocka_unit_test(messages_out_of_order_are_refused),
        cmocka_unit_test(a_malformed_message_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
