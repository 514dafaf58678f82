#include "plugin/talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/spawn.h"
#include "wire/codec.h"

#define END_MS   1000 /* from hanging up to its death */
#define SLICE_MS 100  /* between looks at `cancel` */
#define GROUP    ((size_t)64 * 1024)

int64_t talk_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int talk_open(struct talk *talk, const char *executable, const char *name, const atomic_bool *cancel,
              struct reason *why)
{
    *talk = (struct talk){.pid = -1, .channel = -1, .cancel = cancel};
    return spawn_child(executable, "describe", name, &talk->pid, &talk->channel, why);
}

/* 1 ready, 0 too late, or ACCORD_ECANCELED. */
static int wait_for(const struct talk *talk, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - talk_now();
        struct pollfd poll_fd = {.fd = talk->channel, .events = events};
        if (talk->cancel && atomic_load(talk->cancel))
            return ACCORD_ECANCELED;
        if (left <= 0)
            return 0;
        int ready = poll(&poll_fd, 1, left < SLICE_MS ? (int)left : SLICE_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return 1;
    }
}

static int send_one(struct talk *talk, const uint8_t *bytes, size_t size, int64_t deadline,
                    struct reason *why)
{
    for (;;) {
        ssize_t n = send(talk->channel, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            return 0;
        if (errno == EPIPE || errno == ECONNRESET)
            return 0; /* what it said before it went is still to be read */
        if (errno != EAGAIN && errno != EINTR)
            return fail(why, ACCORD_EIO, "cannot ask the describing child: %s", strerror(errno));
        int ready = wait_for(talk, POLLOUT, deadline);
        if (ready <= 0)
            return fail(why, ready ? ready : ACCORD_ETIMEOUT, "it did not listen in time");
    }
}

/* The size of the whole frames at the front that make one datagram. */
static size_t group(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t frame = 4 + ((size_t)bytes[at] | (size_t)bytes[at + 1] << 8 | (size_t)bytes[at + 2] << 16 |
                            (size_t)bytes[at + 3] << 24);
        if (at && at + frame > GROUP)
            break;
        at += frame;
    }
    return at;
}

int talk_send(struct talk *talk, const struct buf *frames, int64_t deadline, struct reason *why)
{
    int result = frames->failed ? fail(why, ACCORD_ENOMEM, "out of memory") : 0;
    for (size_t at = 0; !result && at < frames->size;) {
        size_t size = group(frames->data + at, frames->size - at);
        result = send_one(talk, frames->data + at, size, deadline, why);
        at += size;
    }
    return result;
}

int talk_receive(struct talk *talk, int64_t deadline, struct buf *datagram, struct reason *why)
{
    buf_clear(datagram);
    uint8_t *to = buf_reserve(datagram, WIRE_DATAGRAM_MAX);
    if (!to)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    for (;;) {
        int ready = wait_for(talk, POLLIN, deadline);
        if (ready <= 0)
            return fail(why, ready ? ready : ACCORD_ETIMEOUT, "it did not answer in time");
        /* A descriptor that it sends is not wanted: without room for control data the kernel closes it. */
        ssize_t n = recv(talk->channel, to, WIRE_DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n > WIRE_DATAGRAM_MAX)
            return fail(why, ACCORD_EPROTO, "it sent a datagram of %zd bytes", n);
        datagram->size = n > 0 ? (size_t)n : 0;
        talk->gone = n <= 0;
        return n > 0;
    }
}

void talk_close(struct talk *talk, const char *doing, struct reason *how)
{
    if (talk->pid < 0)
        return;
    close(talk->channel);
    /* What it says is said: only one that went by itself gets time to end. */
    int status = spawn_end(talk->pid, talk->gone ? END_MS : 0);
    talk->pid = -1;
    if (!talk->gone)
        return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        fail(how, 0, "it was killed while %s: it tried a system call that no plugin may use", doing);
    else if (WIFSIGNALED(status))
        fail(how, 0, "it crashed while %s (signal %d, %s); report this to whoever wrote it", doing,
             WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fail(how, 0, "it ended its process while %s (status %d); report this to whoever wrote it", doing,
             WEXITSTATUS(status));
}
