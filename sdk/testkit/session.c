/* The fake host's sessions: dialling loopback, profile, facts and verdicts, secrets, parking. */
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

static void run_dial(struct testhost *host, struct testhost_event *event)
{
    if (host->failing_dials > 0) {
        host->failing_dials--;
        event->call.dial(event->arg, NULL, -1, host->dial_reason);
        return;
    }
    int fd = host->port ? connect_loopback(host) : -1;
    if (fd < 0) {
        event->call.dial(event->arg, NULL, -1, "connection refused");
        return;
    }
    struct stat status;
    fstat(fd, &status);
    struct accord_session *session = calloc(1, sizeof *session);
    session->host = host;
    session->fd = fd;
    session->socket = status.st_ino;
    session->next = host->sessions;
    host->sessions = session;
    if (host->at_dial)
        host->at_dial(host->at_dial_arg, fd);
    event->call.dial(event->arg, session, fd, "");
}

int testhost_do_dial(struct accord_instance *instance, accord_dial_fn done, void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "dial", false);
    if (!host->has_endpoint)
        testhost_complain(host, "dial without an endpoint");
    if (host->phase != TESTHOST_STARTED)
        testhost_complain(host, "dial before start or after stop");
    host->dials++;
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
    if (verdict->answer == ACCORD_ALLOW)
        event->session->allowed |= 1u << event->stage;
    event->call.verdict(event->arg, verdict->answer, verdict->rule, verdict->reason);
}

int testhost_do_report(struct accord_session *session, enum accord_stage stage,
                       const struct accord_pair *facts, size_t count, accord_verdict_fn done, void *arg)
{
    struct testhost *host = session->host;
    if (!usable(session, "report"))
        return ACCORD_ESTATE;
    if (session->reported & 1u << stage)
        testhost_complain(host, "stage %d reported twice", (int)stage);
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
    if (!entry || !entry->value) {
        event->call.secret(event->arg, ACCORD_ENOENT, NULL, 0, "no such secret");
        return;
    }
    host->secrets_given++;
    /* A block of exactly this size, gone after the call: the address sanitizer sees who keeps or overreads it. */
    uint8_t *bytes = malloc(entry->size ? entry->size : 1);
    memcpy(bytes, entry->value, entry->size);
    event->call.secret(event->arg, ACCORD_OK, bytes, entry->size, "");
    free(bytes);
}

int testhost_do_secret(struct accord_session *session, const char *option, accord_secret_fn done, void *arg)
{
    if (!usable(session, "secret"))
        return ACCORD_ESTATE;
    if (!(session->allowed & 1u << ACCORD_HANDSHAKE)) {
        testhost_complain(session->host, "secret asked for before HANDSHAKE was allowed");
        return ACCORD_ESTATE;
    }
    struct testhost_event *event = testhost_post(session->host, run_secret);
    event->session = session;
    event->option = strdup(option);
    event->call.secret = done;
    event->arg = arg;
    return ACCORD_OK;
}

void testhost_do_end(struct accord_session *session, const char *reason)
{
    testhost_callable(session->host, "end", true);
    if (session->ended)
        testhost_complain(session->host, "session ended twice");
    if (!reason)
        testhost_complain(session->host, "session ended without a reason");
    session->ended = true;
    testhost_drop_events(session->host, session);
}

void testhost_do_park(struct accord_instance *instance, const char *rule, const char *reason)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "park", true);
    if (!rule || !*rule || !reason || !*reason)
        testhost_complain(host, "park without a rule or a reason");
    host->parked = true;
    copy(host->park.rule, sizeof host->park.rule, rule);
    copy(host->park.reason, sizeof host->park.reason, reason);
}

bool testhost_blocks(const struct accord_session *session)
{
    struct stat status;
    return fstat(session->fd, &status) == 0 && status.st_ino == session->socket &&
           !(fcntl(session->fd, F_GETFL) & O_NONBLOCK);
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
            testhost_complain(host, "close left a session");
        if (socket_open(session->socket))
            testhost_complain(host, "close left a descriptor open");
    }
}

const char *testhost_parked(const struct testhost *host)
{
    return host->parked ? host->park.rule : NULL;
}

const char *testhost_park_reason(const struct testhost *host)
{
    return host->parked ? host->park.reason : NULL;
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
