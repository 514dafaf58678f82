/* A scripted peer: a thread that serves one connection after the other. */
#include <accord/testkit/peer.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host_private.h"

struct testpeer {
    const struct testpeer_step *script;
    int listener, wake[2]; /* wake: a pipe, readable when the peer is to end */
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    size_t at;
    unsigned go; /* stalls that may end */
    bool ending, done, failed;
    char why[512];
};

/* ---- waiting, so that testpeer_free() ends it ---- */

static bool ready(struct testpeer *peer, int fd, short events)
{
    struct pollfd polled[2] = {{.fd = fd, .events = events}, {.fd = peer->wake[0], .events = POLLIN}};
    while (poll(polled, 2, -1) < 0 && errno == EINTR)
        ;
    return !polled[1].revents;
}

static bool failed(struct testpeer *peer, const char *what, const void *expected, size_t size,
                   const char *came)
{
    pthread_mutex_lock(&peer->lock);
    if (!peer->failed && !peer->ending) {
        int most = size > 120 ? 120 : (int)size;
        peer->failed = true;
        snprintf(peer->why, sizeof peer->why, "step %zu: %s \"%.*s\"; came: %s", peer->at, what, most,
                 size ? (const char *)expected : "", came);
    }
    pthread_mutex_unlock(&peer->lock);
    return false;
}

/* 1: a byte; 0: the end of the stream; negative: broken or ending. */
static int get_byte(struct testpeer *peer, int fd, unsigned char *byte)
{
    for (;;) {
        if (!ready(peer, fd, POLLIN))
            return -1;
        ssize_t got = recv(fd, byte, 1, MSG_DONTWAIT);
        if (got >= 0)
            return (int)got;
        if (errno != EAGAIN && errno != EINTR)
            return -1;
    }
}

static bool put_bytes(struct testpeer *peer, int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        if (!ready(peer, fd, POLLOUT))
            return false;
        ssize_t put = send(fd, (const char *)bytes + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return failed(peer, "cannot send", bytes, size, strerror(errno));
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* ---- steps ---- */

static bool expect(struct testpeer *peer, int fd, const struct testpeer_step *step)
{
    char came[256];
    size_t count = 0;
    for (size_t i = 0; i < step->size; i++) {
        unsigned char byte;
        int got = get_byte(peer, fd, &byte);
        if (got == 1 && count < sizeof came - 1)
            came[count++] = (char)byte;
        came[count] = 0;
        if (got != 1)
            return failed(peer, "the connection ended, expected was", step->bytes, step->size, came);
        if (byte != ((const unsigned char *)step->bytes)[i])
            return failed(peer, "expected was", step->bytes, step->size, came);
    }
    return true;
}

static bool until(struct testpeer *peer, int fd, const struct testpeer_step *step)
{
    unsigned char *last = testkit_alloc(step->size);
    size_t have = 0;
    bool found = false;
    while (!found) {
        unsigned char byte;
        if (get_byte(peer, fd, &byte) != 1)
            break;
        if (have == step->size)
            memmove(last, last + 1, --have);
        last[have++] = byte;
        found = have == step->size && memcmp(last, step->bytes, have) == 0;
    }
    free(last);
    return found || failed(peer, "the connection ended before", step->bytes, step->size, "");
}

static bool skip(struct testpeer *peer, int fd, int64_t count)
{
    unsigned char byte;
    for (; count > 0; count--)
        if (get_byte(peer, fd, &byte) != 1)
            return failed(peer, "the connection ended in bytes to be skipped", "", 0, "");
    return true;
}

static bool eof(struct testpeer *peer, int fd)
{
    unsigned char byte;
    int got;
    while ((got = get_byte(peer, fd, &byte)) == 1)
        ;
    return got == 0 || failed(peer, "the connection broke before its end", "", 0, "");
}

static bool trickle(struct testpeer *peer, int fd, const struct testpeer_step *step)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < step->size; i++)
        if (!put_bytes(peer, fd, (const char *)step->bytes + i, 1))
            return false;
    return true;
}

static struct timespec after(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static bool stall(struct testpeer *peer, int64_t ms)
{
    struct timespec end = after(ms);
    int result = 0;
    pthread_mutex_lock(&peer->lock);
    while (!peer->go && !peer->ending && result == 0)
        result = ms ? pthread_cond_timedwait(&peer->change, &peer->lock, &end)
                    : pthread_cond_wait(&peer->change, &peer->lock);
    if (peer->go)
        peer->go--;
    bool goes_on = !peer->ending;
    pthread_mutex_unlock(&peer->lock);
    return goes_on;
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static bool take(struct testpeer *peer, int fd, const struct testpeer_step *step)
{
    switch (step->action) {
    case TESTPEER_EXPECT:
        return expect(peer, fd, step);
    case TESTPEER_UNTIL:
        return until(peer, fd, step);
    case TESTPEER_SKIP:
        return skip(peer, fd, step->number);
    case TESTPEER_EOF:
        return eof(peer, fd);
    case TESTPEER_SEND:
        return put_bytes(peer, fd, step->bytes, step->size);
    case TESTPEER_TRICKLE:
        return trickle(peer, fd, step);
    case TESTPEER_REPEAT:
        for (int64_t i = 0; i < step->number; i++)
            if (!put_bytes(peer, fd, step->bytes, step->size))
                return false;
        return true;
    case TESTPEER_STALL:
        return stall(peer, step->number);
    case TESTPEER_HALF:
        shutdown(fd, SHUT_WR);
        return true;
    default:
        return true;
    }
}

static bool ends_connection(enum testpeer_action action)
{
    return action == TESTPEER_END || action == TESTPEER_CLOSE || action == TESTPEER_RESET;
}

/* One connection: up to the step that ends it, or the failure. */
static bool serve(struct testpeer *peer, int fd)
{
    bool good = true;
    const struct testpeer_step *step = &peer->script[peer->at];
    while (good && !ends_connection(step->action)) {
        good = take(peer, fd, step);
        pthread_mutex_lock(&peer->lock);
        peer->at += good;
        pthread_mutex_unlock(&peer->lock);
        step = &peer->script[peer->at];
    }
    if (good && step->action == TESTPEER_RESET)
        reset(fd);
    close(fd);
    pthread_mutex_lock(&peer->lock);
    peer->at += good && step->action != TESTPEER_END;
    pthread_mutex_unlock(&peer->lock);
    return good;
}

static void *run(void *arg)
{
    struct testpeer *peer = arg;
    bool good = true;
    while (good && peer->script[peer->at].action != TESTPEER_END) {
        int fd = ready(peer, peer->listener, POLLIN) ? accept(peer->listener, NULL, NULL) : -1;
        good = fd >= 0 && serve(peer, fd);
    }
    pthread_mutex_lock(&peer->lock);
    peer->done = true;
    pthread_cond_broadcast(&peer->change);
    pthread_mutex_unlock(&peer->lock);
    return NULL;
}

/* ---- for tests ---- */

static int listen_loopback(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(at.sin_port);
    return fd;
}

struct testpeer *testpeer_new(const struct testpeer_step *script)
{
    struct testpeer *peer = testkit_alloc(sizeof *peer);
    pthread_condattr_t monotonic;
    peer->script = script;
    pthread_mutex_init(&peer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&peer->change, &monotonic);
    peer->listener = listen_loopback(&peer->port);
    if (peer->listener >= 0 && pipe(peer->wake) == 0) {
        if (pthread_create(&peer->thread, NULL, run, peer) == 0)
            return peer;
        close(peer->wake[0]);
        close(peer->wake[1]);
    }
    if (peer->listener >= 0)
        close(peer->listener);
    free(peer);
    return NULL;
}

uint16_t testpeer_port(const struct testpeer *peer)
{
    return peer->port;
}

void testpeer_go(struct testpeer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->go++;
    pthread_cond_broadcast(&peer->change);
    pthread_mutex_unlock(&peer->lock);
}

size_t testpeer_at(struct testpeer *peer)
{
    pthread_mutex_lock(&peer->lock);
    size_t at = peer->at;
    pthread_mutex_unlock(&peer->lock);
    return at;
}

bool testpeer_join(struct testpeer *peer, int64_t ms)
{
    struct timespec end = after(ms);
    int result = 0;
    pthread_mutex_lock(&peer->lock);
    while (!peer->done && result == 0)
        result = pthread_cond_timedwait(&peer->change, &peer->lock, &end);
    bool done = peer->done;
    pthread_mutex_unlock(&peer->lock);
    return done;
}

bool testpeer_done(void *peer)
{
    return testpeer_join(peer, 0);
}

const char *testpeer_why(struct testpeer *peer)
{
    pthread_mutex_lock(&peer->lock);
    const char *why = peer->failed ? peer->why : NULL;
    pthread_mutex_unlock(&peer->lock);
    return why;
}

void testpeer_free(struct testpeer *peer)
{
    if (!peer)
        return;
    pthread_mutex_lock(&peer->lock);
    peer->ending = true;
    pthread_cond_broadcast(&peer->change);
    pthread_mutex_unlock(&peer->lock);
    if (write(peer->wake[1], "", 1) != 1)
        abort();
    pthread_join(peer->thread, NULL);
    close(peer->wake[0]);
    close(peer->wake[1]);
    close(peer->listener);
    pthread_mutex_destroy(&peer->lock);
    pthread_cond_destroy(&peer->change);
    free(peer);
}
