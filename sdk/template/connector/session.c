#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void session_rest(struct session *session)
{
    if (session->silence)
        session->self->host->timer_stop(session->silence);
    session->silence = NULL;
}

void session_close(struct session *session, const char *reason)
{
    const struct accord_host *host = session->self->host;
    session->wanted = session->due = false; /* a dial cannot be taken back: dialed() looks at this */
    session_rest(session);
    if (!session->handle)
        return;
    host->watch_end(session->watch); /* before the descriptor */
    close(session->fd);
    host->end(session->handle, reason); /* what it was still to call back is dropped */
    session->handle = NULL;
}

static void lose(struct session *session, const char *reason)
{
    session_close(session, reason);
    session->events->lost(session->arg, reason);
}

static void silent(void *arg)
{
    struct session *session = arg;
    session->silence = NULL; /* a timer's handle is dead once its function runs */
    lose(session, "the partner did not answer in time");
}

/* ---- bytes ---- */

/* After every change: what is waited for now, and how long. */
static void watch(struct session *session)
{
    const struct self *self = session->self;
    bool writing = session->out_sent < session->out_size;
    uint32_t events = session->in_size < SESSION_IN ? ACCORD_READABLE : 0;
    self->host->watch_set(session->watch, writing ? events | ACCORD_WRITABLE : events);
    if (!writing && !session->due)
        session_rest(session);
    else if (!session->silence)
        session->silence = self->host->timer(self->instance, link_options(self)->timeout, silent, session);
}

/* false: it was lost. */
static bool write_some(struct session *session)
{
    while (session->out_sent < session->out_size) {
        ssize_t n = send(session->fd, session->out + session->out_sent, session->out_size - session->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n < 0) {
            lose(session, "the partner closed the connection");
            return false;
        }
        session->out_sent += (size_t)n;
        session_rest(session);
    }
    session->out_size = session->out_sent = 0;
    return true;
}

static void read_some(struct session *session)
{
    ssize_t n =
        recv(session->fd, session->in + session->in_size, SESSION_IN - session->in_size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose(session, "the partner closed the connection");
        return;
    }
    session->in_size += (size_t)n;
    session_rest(session);
    session->events->came(session->arg);
}

static void moved(void *arg, uint32_t events)
{
    struct session *session = arg;
    if (events & ACCORD_WRITABLE) {
        if (!write_some(session))
            return;
        if (!session->out_size)
            session->events->drained(session->arg);
    }
    if (session->handle && (events & ACCORD_READABLE) && session->in_size < SESSION_IN)
        read_some(session);
    if (session->handle)
        watch(session);
}

void session_put(struct session *session, const void *bytes, size_t size)
{
    if (size > sizeof session->out - session->out_size)
        return; /* a caller that did not wait for `drained` */
    memcpy(session->out + session->out_size, bytes, size);
    session->out_size += size;
    watch(session);
}

char *session_line(struct session *session)
{
    char *end = memchr(session->in, '\n', session->in_size);
    if (!end)
        return NULL;
    *end = 0;
    return session->in;
}

void session_take(struct session *session, size_t size)
{
    session->in_size -= size;
    memmove(session->in, session->in + size, session->in_size);
    watch(session);
}

void session_await(struct session *session, bool due)
{
    session->due = due;
    session_rest(session);
    watch(session);
}

void session_say(struct session *session, const char *format, ...)
{
    char line[1024];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    session_put(session, line, size < (int)sizeof line ? (size_t)size : sizeof line - 1);
}

/* ---- from the dial to the host's last word ---- */

/* A refusal that trying again will not change, until a person has changed something. */
static void park(struct session *session, const char *rule, const char *reason)
{
    if (!session->is_probe)
        session->self->host->park(session->self->instance, rule, reason);
    lose(session, reason);
}

static void authenticated(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct session *session = arg;
    if (answer == ACCORD_ALLOW)
        session->events->ready(session->arg);
    else if (answer == ACCORD_DENY)
        park(session, rule, reason);
    else
        lose(session, reason);
}

/* This protocol has no encryption, and says so: the agreement's encryption policy allows that only on
 * links that it lists. One that uses TLS or SSH reports what was negotiated here: docs/reference/session-
 * facts.md. */
static const struct accord_pair facts[] = {{"session.encryption", "none"}};

static void known(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct session *session = arg;
    const struct accord_host *host = session->self->host;
    if (answer == ACCORD_DENY)
        park(session, rule, reason);
    else if (answer == ACCORD_DEFER)
        lose(session, reason);
    /* A protocol with a login logs in here; accord_host.secret gives the password, from now on and not
     * before. */
    else if (host->report(session->handle, ACCORD_AUTHENTICATED, facts, 1, authenticated, session) < 0)
        lose(session, "the host took no facts");
}

static void dialed(void *arg, struct accord_session *handle, int fd, const char *reason)
{
    struct session *session = arg;
    const struct accord_host *host = session->self->host;
    session->dialing = false;
    if (!handle || !session->wanted) {
        if (fd >= 0)
            close(fd);
        if (handle)
            host->end(handle, "not wanted any more");
        if (session->wanted)
            lose(session, reason);
        return;
    }
    session->handle = handle;
    session->fd = fd;
    session->in_size = session->out_size = session->out_sent = 0;
    session->watch = host->watch(session->self->instance, fd, moved, session);
    const char *profile = host->profile(handle, "session.encryption");
    if (!session->watch) {
        close(fd);
        host->end(handle, "out of memory");
        session->handle = NULL;
        lose(session, "out of memory");
    } else if (!profile || strcmp(profile, "none") != 0) {
        park(session, "sample.profile",
             "the agreement does not allow sessions without encryption on this link");
    } else if (host->report(handle, ACCORD_HANDSHAKE, facts, 1, known, session) < 0) {
        lose(session, "the host took no facts");
    }
}

void session_begin(struct session *session)
{
    session->wanted = true;
    if (session->handle || session->dialing)
        return;
    session->dialing = session->self->host->dial(session->self->instance, dialed, session) == ACCORD_OK;
    if (!session->dialing)
        lose(session, "the host dials no more sessions now");
}
