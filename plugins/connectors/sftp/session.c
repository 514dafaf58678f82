/* The life of one session: dial, deadlines, pumping bytes, going idle, breaking, closing. */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rounds of writing and reading in one callback, so that one link cannot keep the loop to itself. */
#define PUMP_ROUNDS 8
#define PUMP_PIECE  (128 * 1024)

static const struct accord_host *host_of(const struct session *session)
{
    return session->link->host;
}

static void stop_timer(struct session *session, struct accord_timer **timer)
{
    if (*timer)
        host_of(session)->timer_stop(*timer);
    *timer = NULL;
}

/* ---- ending ---- */

static void end_watch(struct session *session)
{
    if (session->watch)
        host_of(session)->watch_end(session->watch);
    session->watch = NULL;
}

/* libssh closes a descriptor that was given to it after some errors and not at other times. Whether the number
 * still stands for our socket, and not for one opened meanwhile, is seen from its inode. */
static void close_socket(const struct session *session)
{
    struct stat status;
    if (session->fd >= 0 && fstat(session->fd, &status) == 0 && status.st_ino == session->inode &&
        S_ISSOCK(status.st_mode))
        close(session->fd);
}

static void unlink_session(struct session *session)
{
    struct session **at = &session->link->pool.sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
}

static void free_session(struct session *session)
{
    stop_timer(session, &session->deadline);
    stop_timer(session, &session->idle);
    stop_timer(session, &session->alive);
    stop_timer(session, &session->soon);
    end_watch(session);
    auth_wipe(&session->auth);
    if (session->channel)
        ssh_channel_free(session->channel);
    if (session->ssh) {
        ssh_disconnect(session->ssh); /* says goodbye without waiting */
        ssh_free(session->ssh);
    }
    close_socket(session);
    client_fini(&session->client);
    unlink_session(session);
    free(session);
}

void session_close(struct session *session, const char *reason)
{
    if (session->handle)
        host_of(session)->end(session->handle, reason);
    session->handle = NULL;
    free_session(session);
}

static void take_down(void *arg)
{
    struct session *session = arg;
    char reason[ACCORD_REASON_MAX], rule[ACCORD_RULE_MAX];
    session->soon = NULL;
    snprintf(reason, sizeof reason, "%s", session->reason);
    snprintf(rule, sizeof rule, "%s", session->rule);
    pool_lost(session, rule, reason);
}

void session_break(struct session *session, const char *rule, const char *format, ...)
{
    if (session->stage == SESSION_BROKEN)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(session->reason, sizeof session->reason, format, args);
    va_end(args);
    snprintf(session->rule, sizeof session->rule, "%s", rule ? rule : "");
    session->broke_at = session->stage;
    session->stage = SESSION_BROKEN;
    session->stop = true;
    stop_timer(session, &session->deadline);
    stop_timer(session, &session->idle);
    stop_timer(session, &session->alive);
    stop_timer(session, &session->soon);
    /* Now and not later: libssh may have closed the descriptor, and its number may be given out again. */
    end_watch(session);
    if (!session->link->pool.closed)
        session->soon = host_of(session)->timer(session->link->instance, 0, take_down, session);
}

/* ---- deadlines ---- */

static void on_deadline(void *arg)
{
    static const char *const waits[] = {
        [SESSION_HANDSHAKE] = "the SSH handshake",
        [SESSION_PEER_JUDGED] = "the verdict on the handshake",
        [SESSION_KEY] = "the secrets",
        [SESSION_AUTH] = "authentication",
        [SESSION_SELF_JUDGED] = "the verdict on the authenticated session",
        [SESSION_CHANNEL] = "an SSH channel",
        [SESSION_SUBSYSTEM] = "the SFTP subsystem",
        [SESSION_GREETING] = "the SFTP greeting",
        [SESSION_READY] = "an answer to an SFTP request",
    };
    struct session *session = arg;
    const struct link *link = session->link;
    session->deadline = NULL;
    bool due = session->stage != SESSION_READY || session->client.waiting > 0;
    int64_t left = session->heard + link->options->timeout - link->host->ticks(link->instance);
    if (due && left <= 0)
        session_break(session, NULL, "%s: waited %lld s in vain for %s", link->setup->endpoint_host,
                      (long long)(link->options->timeout / 1000), waits[session->stage]);
    else if (due)
        session->deadline = link->host->timer(link->instance, left, on_deadline, session);
}

/* The partner moved on, or a request was made while none was under way. */
static void heard(struct session *session)
{
    const struct link *link = session->link;
    session->heard = link->host->ticks(link->instance);
    if (!session->deadline)
        session->deadline = link->host->timer(link->instance, link->options->timeout, on_deadline, session);
}

void session_enter(struct session *session, enum session_stage stage)
{
    session->stage = stage;
    heard(session);
}

/* ---- keeping alive ---- */

/* An SFTP request and not one of SSH's own: its answer is due like any other, so that a partner who is not there any
 * more is noticed too. */
static void on_alive(void *arg)
{
    struct session *session = arg;
    const struct link *link = session->link;
    struct client *client = &session->client;
    int64_t left = session->heard + link->options->keep_alive - link->host->ticks(link->instance);
    session->alive = NULL;
    if (left <= 0 && client->waiting == 0) {
        sftp_put_realpath(&client->outbox, client_ask(client, NULL, NULL, 0), ".");
        link->host->metric(link->instance, "keep_alives", 1);
        pool_soon(session->link);
    }
    session->alive =
        link->host->timer(link->instance, left > 0 ? left : link->options->keep_alive, on_alive, session);
}

static void begin_keeping_alive(struct session *session)
{
    const struct link *link = session->link;
    if (link->options->keep_alive > 0)
        session->alive = link->host->timer(link->instance, link->options->keep_alive, on_alive, session);
}

/* ---- pumping ---- */

static void go_on(void *arg)
{
    struct session *session = arg;
    session->soon = NULL;
    session_pump(session);
}

/* libssh's own buffer has no limit: nothing is added while it waits for the socket. */
static bool write_some(struct session *session)
{
    struct outbox *outbox = &session->client.outbox;
    if (outbox->failed || session->client.overrun) {
        session_break(session, NULL, "the SFTP session ran out of %s",
                      outbox->failed ? "memory" : "request numbers");
        return false;
    }
    size_t size = outbox_size(outbox);
    if (size == 0 || (ssh_get_status(session->ssh) & SSH_WRITE_PENDING))
        return false;
    uint32_t piece = (uint32_t)(size < PUMP_PIECE ? size : PUMP_PIECE);
    int sent = ssh_channel_write(session->channel, outbox->bytes + outbox->start, piece);
    if (sent < 0 && sent != SSH_AGAIN) {
        session_break(session, NULL, "%s: the connection broke: %s", session->link->setup->endpoint_host,
                      ssh_get_error(session->ssh));
        return false;
    }
    if (sent > 0)
        outbox_sent(outbox, (size_t)sent);
    return sent > 0;
}

/* What the server writes for people would otherwise use up the channel's window. */
static void drop_stderr(struct session *session)
{
    uint8_t bytes[1024];
    while (ssh_channel_read_nonblocking(session->channel, bytes, sizeof bytes, 1) > 0)
        ;
}

static bool read_some(struct session *session)
{
    static uint8_t bytes[64 * 1024]; /* one loop thread; not kept between calls */
    const char *peer = session->link->setup->endpoint_host;
    int size = ssh_channel_read_nonblocking(session->channel, bytes, sizeof bytes, 0);
    if (size == 0 || size == SSH_AGAIN) {
        if (!ssh_is_connected(session->ssh) || ssh_channel_is_eof(session->channel))
            session_break(session, NULL, "%s closed the connection", peer);
        return false;
    }
    if (size < 0) {
        const char *words = ssh_get_error(session->ssh);
        session_break(session, NULL, "%s closed the connection%s%s", peer, *words ? ": " : "", words);
        return false;
    }
    heard(session);
    char why[ACCORD_REASON_MAX];
    if (client_feed(&session->client, bytes, (size_t)size, &session->stop, why, sizeof why) < 0) {
        session_break(session, NULL, "%s: %s", peer, why);
        return false;
    }
    if (session->stage == SESSION_GREETING && session->client.greeted) {
        session->was_ready = true;
        session_enter(session, SESSION_READY);
        begin_keeping_alive(session);
        pool_ready(session);
    }
    return true;
}

/* Reads all that is there first: what the answers lead to goes out in as few SSH packets as possible. */
static bool pump_once(struct session *session)
{
    bool moved = false;
    for (int i = 0; i < PUMP_ROUNDS && session->stage != SESSION_BROKEN && read_some(session); i++)
        moved = true;
    if (session->stage == SESSION_READY)
        pool_advance(session->link);
    for (int i = 0; i < PUMP_ROUNDS && session->stage != SESSION_BROKEN && write_some(session); i++)
        moved = true;
    return moved;
}

void session_pump(struct session *session)
{
    if (session->stage < SESSION_GREETING || session->stage == SESSION_BROKEN)
        return;
    if (session->client.waiting > 0 && !session->waited)
        heard(session); /* the first answer in a while is due from now on */
    drop_stderr(session);
    int round = 0;
    while (round < PUMP_ROUNDS && session->stage != SESSION_BROKEN && pump_once(session))
        round++;
    if (session->stage == SESSION_BROKEN)
        return;
    session->waited = session->client.waiting > 0;
    bool blocked = ssh_get_poll_flags(session->ssh) & SSH_WRITE_PENDING;
    host_of(session)->watch_set(session->watch, ACCORD_READABLE | (blocked ? ACCORD_WRITABLE : 0));
    if (round == PUMP_ROUNDS && !session->soon)
        session->soon = host_of(session)->timer(session->link->instance, 0, go_on, session);
}

static void on_ready(void *arg, uint32_t events)
{
    struct session *session = arg;
    (void)events;
    if (session->stage < SESSION_GREETING)
        login_step(session);
    else
        session_pump(session);
}

/* ---- beginning ---- */

static void on_dialled(void *arg, struct accord_session *handle, int fd, const char *reason)
{
    struct session *session = arg;
    struct link *link = session->link;
    if (!handle) {
        session_break(session, NULL, "cannot reach %s: %s", link->setup->endpoint_host, reason);
        return;
    }
    session->handle = handle;
    session->fd = fd;
    struct stat status;
    if (fstat(fd, &status) == 0)
        session->inode = status.st_ino;
    if (link->pool.uses == 0) {
        session_break(session, NULL, "nothing is left to be done");
        return;
    }
    session->watch = link->host->watch(link->instance, fd, on_ready, session);
    if (!session->watch) {
        session_break(session, NULL, "out of memory");
        return;
    }
    session_enter(session, SESSION_HANDSHAKE);
    if (login_begin(session) == 0)
        login_step(session);
}

struct session *session_open(struct link *link)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->link = link;
    session->fd = -1;
    session->next = link->pool.sessions;
    link->pool.sessions = session;
    session->stage = SESSION_DIALLING; /* the deadline is the host's, which calls back in any case */
    if (link->host->dial(link->instance, on_dialled, session) < 0) {
        free_session(session);
        return NULL;
    }
    return session;
}

/* ---- use ---- */

static void on_idle(void *arg)
{
    struct session *session = arg;
    session->idle = NULL;
    session_close(session, "idle");
}

void session_rest(struct session *session)
{
    const struct link *link = session->link;
    if (session->stage == SESSION_READY && !session->idle)
        session->idle = link->host->timer(link->instance, link->started ? link->options->idle_close : 0,
                                          on_idle, session);
}

bool session_ready(const struct session *session)
{
    return session && session->stage == SESSION_READY;
}

void session_busy(struct session *session)
{
    stop_timer(session, &session->idle);
}

/* The limit that the server tells counts all its descriptors; some are its own. */
size_t session_files(const struct session *session)
{
    uint64_t most = session->client.limits.handles, files = (uint64_t)session->link->options->files;
    if (most > 0 && files > most / 2)
        files = most > 1 ? most / 2 : 1;
    return (size_t)files;
}
