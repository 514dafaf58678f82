/* The fake host's sessions: dialling loopback, profile, facts and verdicts, secrets. */
#include "host_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

void testhost_endpoint(struct testhost *host, uint16_t port)
{
    host->has_endpoint = true;
    host->port = port;
}

void testhost_fail_dials(struct testhost *host, unsigned count, const char *reason)
{
    host->failing_dials = count;
    copy(host->dial_reason, sizeof host->dial_reason, reason);
}

void testhost_profile(struct testhost *host, const char *name, const char *value)
{
    testhost_put(&host->profile, name, value, value ? strlen(value) : 0);
}

void testhost_secret(struct testhost *host, const char *option, const void *bytes, size_t size)
{
    testhost_put(&host->secrets, option, bytes, size);
}

void testhost_verdict(struct testhost *host, enum accord_stage stage, enum accord_answer answer,
                      const char *rule, const char *reason)
{
    struct testhost_answer *verdict = &host->verdicts[stage];
    verdict->answer = answer;
    copy(verdict->rule, sizeof verdict->rule, rule);
    copy(verdict->reason, sizeof verdict->reason, reason);
}

void testhost_send_buffer(struct testhost *host, int bytes)
{
    host->send_buffer = bytes;
}

void testhost_at_dial(struct testhost *host, void (*run)(void *arg, int fd), void *arg)
{
    host->at_dial = run;
    host->at_dial_arg = arg;
}

static int connect_loopback(const struct testhost *host)
{
    testhost_has_dialed = true;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(host->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && host->send_buffer)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &host->send_buffer, sizeof host->send_buffer);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

static void not_dialed(struct testhost *host, struct testhost_event *event, const char *reason)
{
    INTO_PLUGIN(host, "the callback of dial", event->call.dial(event->arg, NULL, -1, reason));
}

static void run_dial(struct testhost *host, struct testhost_event *event)
{
    if (host->failing_dials > 0) {
        host->failing_dials--;
        not_dialed(host, event, host->dial_reason);
        return;
    }
    int fd = host->port && !testhost_fails(host, TESTHOST_DIALED) ? connect_loopback(host) : -1;
    if (fd < 0) {
        not_dialed(host, event, "connection refused");
        return;
    }
    struct stat status;
    fstat(fd, &status);
    struct accord_session *session = testkit_alloc(sizeof *session);
    session->host = host;
    session->fd = fd;
    session->socket = status.st_ino;
    session->next = host->sessions;
    host->sessions = session;
    if (host->at_dial)
        host->at_dial(host->at_dial_arg, fd);
    INTO_PLUGIN(host, "the callback of dial", event->call.dial(event->arg, session, fd, ""));
}

static bool in_flight(const struct testhost *host)
{
    for (const struct accord_delivery *delivery = host->deliveries; delivery; delivery = delivery->next)
        if (!delivery->finished && !delivery->waiting)
            return true;
    return false;
}

int testhost_do_dial(struct accord_instance *instance, accord_dial_fn done, void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "dial", false);
    if (!host->has_endpoint)
        testhost_complain(host, "dial without an endpoint");
    if (host->phase != TESTHOST_STARTED && !host->probe.running && !in_flight(host))
        testhost_complain(host, "dial before start or after stop, with nothing in flight");
    if (!done)
        testhost_complain(host, "dial without a callback");
    host->dials++;
    if (testhost_fails(host, TESTHOST_DIAL) || !done)
        return ACCORD_EBUSY;
    struct testhost_event *event = testhost_post(host, run_dial);
    event->call.dial = done;
    event->arg = arg;
    return ACCORD_OK;
}

static bool usable(struct accord_session *session, const char *what)
{
    if (session->ended)
        testhost_complain(session->host, "%s of an ended session", what);
    return testhost_callable(session->host, what, false) && !session->ended;
}

const char *testhost_do_profile(struct accord_session *session, const char *name)
{
    usable(session, "profile");
    const struct testhost_entry *entry = testhost_find(session->host->profile, name);
    return entry ? entry->value : NULL;
}

static void run_verdict(struct testhost *host, struct testhost_event *event)
{
    const struct testhost_answer *verdict = &host->verdicts[event->stage];
    if (host->hold_verdicts) {
        struct testhost_event *again = testkit_alloc(sizeof *again);
        *again = *event;
        again->next = host->held_verdicts;
        host->held_verdicts = again;
        return;
    }
    if (verdict->answer == ACCORD_ALLOW)
        event->session->allowed |= 1u << event->stage;
    INTO_PLUGIN(host, "the callback of report",
                event->call.verdict(event->arg, verdict->answer, verdict->rule, verdict->reason));
}

void testhost_hold_verdicts(struct testhost *host, bool hold)
{
    host->hold_verdicts = hold;
    while (!hold && host->held_verdicts) {
        struct testhost_event *event = host->held_verdicts;
        host->held_verdicts = event->next;
        event->next = NULL;
        *host->events_tail = event;
        host->events_tail = &event->next;
    }
}

int testhost_do_report(struct accord_session *session, enum accord_stage stage,
                       const struct accord_pair *facts, size_t count, accord_verdict_fn done, void *arg)
{
    struct testhost *host = session->host;
    if (!usable(session, "report"))
        return ACCORD_ESTATE;
    if (session->reported & 1u << stage)
        testhost_complain(host, "stage %d reported twice", (int)stage);
    for (size_t i = 0; i < count; i++)
        if (!facts[i].name || !*facts[i].name || !facts[i].value) {
            testhost_complain(host, "report with a fact that has no name or no value");
            return ACCORD_EINVAL;
        }
    if (!done || testhost_fails(host, TESTHOST_REPORT))
        return ACCORD_ENOMEM;
    if (stage == ACCORD_AUTHENTICATED && !(session->allowed & 1u << ACCORD_HANDSHAKE))
        testhost_complain(host, "AUTHENTICATED reported before HANDSHAKE was allowed");
    session->reported |= 1u << stage;
    for (size_t i = 0; i < count; i++)
        testhost_put(&host->facts, facts[i].name, facts[i].value, strlen(facts[i].value));
    struct testhost_event *event = testhost_post(host, run_verdict);
    event->session = session;
    event->stage = stage;
    event->call.verdict = done;
    event->arg = arg;
    return ACCORD_OK;
}

static void run_secret(struct testhost *host, struct testhost_event *event)
{
    const struct testhost_entry *entry = testhost_find(host->secrets, event->option);
    if (!entry || !entry->value || testhost_fails(host, TESTHOST_SECRET)) {
        INTO_PLUGIN(host, "the callback of secret",
                    event->call.secret(event->arg, ACCORD_ENOENT, NULL, 0, "no such secret"));
        return;
    }
    host->secrets_given++;
    /* A block of exactly this size, gone after the call: the address sanitizer sees who keeps or overreads it. */
    uint8_t *bytes = testkit_alloc(entry->size);
    memcpy(bytes, entry->value, entry->size);
    INTO_PLUGIN(host, "the callback of secret",
                event->call.secret(event->arg, ACCORD_OK, bytes, entry->size, ""));
    memset(bytes, 0xa5, entry->size);
    free(bytes);
}

/* The secret option of this name in the link's table; NULL: there is none. */
static const struct accord_option *secret_option(const struct testhost *host, const char *name)
{
    const struct accord_option *option = host->connector->link_options.table;
    while (option && option->name && (strcmp(option->name, name) != 0 || option->kind != ACCORD_SECRET))
        option++;
    return option && option->name ? option : NULL;
}

int testhost_do_secret(struct accord_session *session, const char *option, accord_secret_fn done, void *arg)
{
    struct testhost *host = session->host;
    if (!usable(session, "secret"))
        return ACCORD_ESTATE;
    const struct accord_option *found = option ? secret_option(host, option) : NULL;
    if (!found || !done) {
        testhost_complain(host,
                          "secret of \"%s\", which is no ACCORD_SECRET option of the link, or no callback",
                          option ? option : "");
        return ACCORD_EINVAL;
    }
    if (!(session->allowed & 1u << ACCORD_HANDSHAKE) && !(found->flags & ACCORD_FOR_HANDSHAKE)) {
        testhost_complain(
            host, "secret \"%s\" asked for before HANDSHAKE was allowed (it is not ACCORD_FOR_HANDSHAKE)",
            option);
        return ACCORD_ESTATE;
    }
    struct testhost_event *event = testhost_post(host, run_secret);
    event->session = session;
    event->option = testkit_copy(option);
    event->call.secret = done;
    event->arg = arg;
    return ACCORD_OK;
}

static void drop_held(struct testhost *host, const struct accord_session *session)
{
    struct testhost_event **at = &host->held_verdicts;
    while (*at) {
        struct testhost_event *event = *at;
        if (session && event->session != session) {
            at = &event->next;
            continue;
        }
        *at = event->next;
        testhost_event_free(event);
    }
}

void testhost_do_end(struct accord_session *session, const char *reason)
{
    if (!session)
        return;
    struct testhost *host = session->host;
    testhost_callable(host, "end", true);
    if (session->ended)
        testhost_complain(host, "session ended twice");
    if (!reason)
        testhost_complain(host, "session ended without a reason");
    session->ended = true;
    testhost_drop_events(host, session);
    drop_held(host, session);
}

/* Does the session still have the descriptor that it was given? */
static bool has_descriptor(const struct accord_session *session)
{
    struct stat status;
    return fstat(session->fd, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_ino == session->socket;
}

void testhost_revoke(struct testhost *host)
{
    for (const struct accord_session *session = host->sessions; session; session = session->next)
        if (!session->ended && has_descriptor(session))
            shutdown(session->fd, SHUT_RDWR);
}

bool testhost_carries(struct testhost *host, const struct accord_session *session, const char *what)
{
    if (!session != !host->has_endpoint)
        testhost_complain(
            host, session ? "%s with a session on a link without endpoint" : "%s without a session", what);
    else if (session && session->ended)
        testhost_complain(host, "%s on a session that is ended", what);
    else if (session && !(session->allowed & 1u << ACCORD_AUTHENTICATED))
        testhost_complain(host, "%s on a session that is not authenticated: its verdict was not awaited",
                          what);
    else if (session && has_descriptor(session) && !(fcntl(session->fd, F_GETFL) & O_NONBLOCK))
        testhost_complain(host,
                          "the session's descriptor was made blocking: a slow partner would hold the loop");
    else
        return true;
    return session && !session->ended && session->allowed & 1u << ACCORD_AUTHENTICATED;
}

static bool socket_open(uint64_t inode)
{
    for (int fd = 0; fd < 1024; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_ino == inode)
            return true;
    }
    return false;
}

void testhost_check_sessions(struct testhost *host)
{
    for (struct accord_session *session = host->sessions; session; session = session->next) {
        if (!session->ended)
            testhost_complain(host, "close left a session open");
        if (socket_open(session->socket))
            testhost_complain(host, "close left the descriptor of a session open");
    }
    drop_held(host, NULL);
}

const char *testhost_fact(const struct testhost *host, const char *name)
{
    const struct testhost_entry *entry = testhost_find(host->facts, name);
    return entry ? entry->value : NULL;
}

unsigned testhost_dials(const struct testhost *host)
{
    return host->dials;
}

unsigned testhost_sessions(const struct testhost *host)
{
    unsigned count = 0;
    for (const struct accord_session *session = host->sessions; session; session = session->next)
        count += !session->ended;
    return count;
}

unsigned testhost_secrets(const struct testhost *host)
{
    return host->secrets_given;
}
