#include "wire/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"
#include "wire/outbox.h"

/* One chatty peer must not keep the loop from the others: the rest waits for the next turn. */
#define READS_PER_TURN  4
#define BACKLOG_FULL    (1 << 20)
#define SEND_BUFFER     (1 << 20)
#define DESCRIPTORS_MAX 8 /* received with one datagram; more than one is surplus anyway */
#define LATER           1 /* ms */

struct channel {
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_timer_t patience;
    uv_idle_t later; /* runs once: gone and room are never called inside a caller's own call */
    int open_handles;
    int fd;
    unsigned peer;
    struct channel_events events;
    void *arg;
    struct outbox box;
    int armed;     /* what the poll handle waits for */
    bool blocked;  /* waits for POLLOUT */
    bool was_full; /* `room` is due when the backlog has fallen */
    bool deaf;     /* the peer reads no more; what it sent before may still be waiting here */
    bool over;     /* nothing goes in or out any more */
    bool announced;
    bool dispatching; /* what was received */
    bool patient;     /* all that waits to leave may wait for more */
    bool closed;
    struct reason why;
    uint8_t *in;
};

static void receive(struct channel *);
static void flush(struct channel *);

/* ---- events ---- */

static void on_later(uv_idle_t *later)
{
    struct channel *ch = later->data;
    uv_idle_stop(later);
    if (ch->over) {
        if (!ch->announced) {
            ch->announced = true;
            ch->events.gone(ch->arg, &ch->why);
        }
    } else if (ch->events.room) {
        ch->events.room(ch->arg);
    }
}

/* `why` is written already; "" for a plain end. */
static void end(struct channel *ch)
{
    if (ch->over || ch->closed)
        return;
    ch->over = true;
    outbox_drop(&ch->box);
    uv_poll_stop(&ch->poll);
    uv_idle_start(&ch->later, on_later);
}

static void on_poll(uv_poll_t *, int status, int events);

/* Starting a poll handle anew costs two system calls. */
static void arm(struct channel *ch)
{
    int wanted = UV_READABLE | (ch->blocked ? UV_WRITABLE : 0);
    if (ch->over || ch->closed || ch->armed == wanted)
        return;
    ch->armed = wanted;
    uv_poll_start(&ch->poll, wanted, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *ch = poll->data;
    /* libuv stops the handle on POLLERR; a peer that closed with bytes unread raises it, and may have left
     * last words for us. */
    bool stopped = status < 0;
    if (stopped)
        ch->armed = 0;
    if (events & UV_WRITABLE) {
        ch->blocked = false;
        flush(ch);
    }
    if (stopped || (events & UV_READABLE))
        receive(ch);
    arm(ch);
}

/* ---- sending ---- */

static ssize_t send_datagram(struct channel *ch, struct datagram *datagram)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = datagram->parts, .msg_iovlen = datagram->count};
    if (datagram->fd >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(head), &datagram->fd, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(ch->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
}

static void send_failed(struct channel *ch, size_t size)
{
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        ch->blocked = true;
        break;
    case EPIPE:
    case ECONNRESET:
        ch->deaf = true; /* the end is announced when what it said last has been read */
        outbox_drop(&ch->box);
        break;
    default:
        fail(&ch->why, ACCORD_EIO, "sending %zu bytes failed: %s", size, strerror(errno));
        end(ch);
    }
}

static void send_all(struct channel *ch)
{
    while (outbox_size(&ch->box) && !ch->blocked) {
        struct datagram datagram = outbox_next(&ch->box);
        if (!datagram.count) {
            fail(&ch->why, ACCORD_ELIMIT, "a message of %zu bytes is too long to send",
                 outbox_first_size(&ch->box));
            end(ch);
            return;
        }
        if (send_datagram(ch, &datagram) < 0)
            send_failed(ch, datagram.size + datagram.elsewhere);
        else
            outbox_left(&ch->box, &datagram);
        if (ch->deaf || ch->over)
            return;
    }
    outbox_compact(&ch->box);
}

static void flush(struct channel *ch)
{
    if (ch->deaf || ch->over) {
        outbox_drop(&ch->box);
        return;
    }
    if (ch->box.out.failed) {
        fail(&ch->why, ACCORD_ENOMEM, "out of memory for a message");
        end(ch);
        return;
    }
    if (channel_full(ch))
        ch->was_full = true;
    send_all(ch);
    if (ch->was_full && channel_backlog(ch) < BACKLOG_FULL / 2) {
        ch->was_full = false;
        uv_idle_start(&ch->later, on_later);
    }
}

static bool has_output(const struct channel *ch)
{
    return ch->box.out.size || ch->box.out.failed;
}

static void flush_turn(struct channel *ch)
{
    if (ch->closed || ch->blocked || !has_output(ch))
        return;
    flush(ch);
    arm(ch);
}

/* Before the loop sleeps, once: what the callbacks of a turn said leaves together with what the timers add that they
 * started for at once. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct channel *ch = prepare->data;
    if (!ch->patient)
        flush_turn(ch);
}

/* Leaves with what the other timers of this turn add. */
static void on_patience(uv_timer_t *patience)
{
    struct channel *ch = patience->data;
    ch->patient = false;
}

/* ---- receiving ---- */

/* Keeps the first descriptor, closes the others. */
static int take_descriptors(struct msghdr *message)
{
    int kept = -1;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            if (kept < 0)
                kept = fd;
            else
                close(fd);
        }
    }
    return kept;
}

static ssize_t receive_datagram(struct channel *ch, int *fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct iovec part = {ch->in, WIRE_DATAGRAM_MAX};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *fd = -1;
    ssize_t size = recvmsg(ch->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return size;
    *fd = take_descriptors(&message);
    if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return size;
    if (*fd >= 0)
        close(*fd);
    fail(&ch->why, ACCORD_EPROTO,
         message.msg_flags & MSG_TRUNC ? "a datagram is longer than allowed" : "descriptors were cut off");
    end(ch);
    return 0;
}

/* A descriptor goes with the first message of its datagram. The time stands still for the hub meanwhile; plugins, in its
 * children, are told it as it is. */
static void dispatch(struct channel *ch, size_t size, int fd)
{
    struct wire_bytes bytes = {ch->in, size};
    if (ch->peer != WIRE_H)
        clock_hold();
    ch->dispatching = true;
    while (bytes.size && !ch->over && !ch->closed) {
        struct wire_message message;
        if (wire_decode(&bytes, ch->peer, &message, &ch->why) < 0) {
            end(ch);
            break;
        }
        int given = fd;
        fd = -1;
        ch->events.message(ch->arg, &message, given);
        if (message.type == WIRE_SECRET_GIVEN)
            explicit_bzero((void *)(uintptr_t)message.SECRET_GIVEN.value.data,
                           message.SECRET_GIVEN.value.size);
    }
    ch->dispatching = false;
    clock_release();
    if (fd >= 0)
        close(fd);
}

/* The hub sends full datagrams while it has more to say. A child that asks for another one after the last finds none,
 * and if there is one after all, its loop wakes at once: it has no other peer that could be kept waiting. */
static bool is_last(const struct channel *ch, size_t size)
{
    return ch->peer == WIRE_H && size < DATAGRAM_USUAL / 2;
}

/* What a datagram is answered with leaves before the next one is read. */
static void receive(struct channel *ch)
{
    for (int i = 0; i < READS_PER_TURN && !ch->over && !ch->closed; i++) {
        int fd;
        ssize_t size = receive_datagram(ch, &fd);
        if (size > 0) {
            dispatch(ch, (size_t)size, fd);
            if (!ch->patient)
                flush_turn(ch);
            if (is_last(ch, (size_t)size))
                break;
        } else if (size == 0) {
            if (fd >= 0)
                close(fd);
            end(ch);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR && errno != ECONNRESET) { /* after a reset the last words, then the end */
            fail(&ch->why, ACCORD_EIO, "receiving failed: %s", strerror(errno));
            end(ch);
        }
    }
}

/* ---- life ---- */

static void init_handles(struct channel *ch, uv_loop_t *loop)
{
    uv_prepare_init(loop, &ch->prepare);
    uv_timer_init(loop, &ch->patience);
    uv_idle_init(loop, &ch->later);
    ch->poll.data = ch->prepare.data = ch->patience.data = ch->later.data = ch;
    ch->open_handles = 4;
    uv_prepare_start(&ch->prepare, on_prepare);
    uv_unref((uv_handle_t *)&ch->prepare);
    uv_unref((uv_handle_t *)&ch->patience);
}

int channel_open(struct channel **out, uv_loop_t *loop, int fd, unsigned peer,
                 const struct channel_events *events, void *arg)
{
    int error = ACCORD_ENOMEM;
    struct channel *ch = calloc(1, sizeof *ch);
    if (!ch || !(ch->in = malloc(WIRE_DATAGRAM_MAX)))
        goto out;
    ch->fd = fd;
    ch->peer = peer;
    ch->events = *events;
    ch->arg = arg;
    if (uv_poll_init(loop, &ch->poll, fd) < 0) {
        error = ACCORD_EINVAL;
        goto out;
    }
    init_handles(ch, loop);
    /* Without it a datagram still fits (208 KiB by default), but few are under way at a time. */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int));
    arm(ch);
    *out = ch;
    return 0;
out:
    if (ch)
        free(ch->in);
    free(ch);
    close(fd);
    return error;
}

static void on_closed(uv_handle_t *handle)
{
    struct channel *ch = handle->data;
    if (--ch->open_handles)
        return;
    free(ch->in);
    free(ch);
}

void channel_close(struct channel *ch)
{
    if (!ch || ch->closed)
        return;
    ch->closed = true;
    outbox_fini(&ch->box);
    uv_close((uv_handle_t *)&ch->poll, on_closed);
    uv_close((uv_handle_t *)&ch->prepare, on_closed);
    uv_close((uv_handle_t *)&ch->patience, on_closed);
    uv_close((uv_handle_t *)&ch->later, on_closed);
    close(ch->fd);
}

struct buf *channel_out(struct channel *ch)
{
    ch->patient = false;
    if (channel_backlog(ch) >= DATAGRAM_USUAL)
        flush_turn(ch);
    return &ch->box.out;
}

struct buf *channel_out_later(struct channel *ch)
{
    if (has_output(ch))
        return &ch->box.out;
    ch->patient = true;
    if (!uv_is_active((uv_handle_t *)&ch->patience) && !ch->closed)
        uv_timer_start(&ch->patience, on_patience, LATER, 0);
    return &ch->box.out;
}

static void put_passing(struct channel *ch, const struct buf *frame, struct outbox_passing passing)
{
    ch->patient = false;
    if (ch->over || ch->deaf) {
        outbox_release(&passing);
        return;
    }
    if (!outbox_pass(&ch->box, frame, passing))
        ch->box.out.failed = true;
}

void channel_put_fd(struct channel *ch, const struct buf *frame, int fd)
{
    put_passing(ch, frame, (struct outbox_passing){.fd = fd});
}

void channel_put_frame(struct channel *ch, const struct buf *frame, void *bytes, size_t size,
                       void (*release)(void *bytes))
{
    put_passing(ch, frame,
                (struct outbox_passing){.fd = -1, .bytes = bytes, .size = size, .release = release});
    if (!ch->dispatching)
        flush_turn(ch);
}

/* True: it has left, or never will. */
static bool send_now(struct channel *ch, const struct buf *frame, const void *bytes, size_t size)
{
    struct iovec parts[2] = {{frame->data, frame->size}, {(void *)(uintptr_t)bytes, size}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};
    ssize_t sent;
    do
        sent = sendmsg(ch->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        send_failed(ch, frame->size + size);
    return sent >= 0 || ch->over || ch->deaf;
}

void channel_put_bytes(struct channel *ch, const struct buf *frame, const void *bytes, size_t size)
{
    flush_turn(ch);
    if (ch->over || ch->deaf || ch->closed)
        return;
    bool waits = ch->blocked || ch->box.out.size || ch->box.out.failed || frame->failed;
    if (!waits && send_now(ch, frame, bytes, size))
        return;
    ch->patient = false;
    buf_put(&ch->box.out, frame->data, frame->size);
    buf_put(&ch->box.out, bytes, size);
    ch->box.out.failed = ch->box.out.failed || frame->failed;
    arm(ch);
}

size_t channel_backlog(const struct channel *ch)
{
    return outbox_size(&ch->box);
}

bool channel_full(const struct channel *ch)
{
    return channel_backlog(ch) >= BACKLOG_FULL;
}

void channel_flush(struct channel *ch, int ms)
{
    uint64_t until = uv_hrtime() / 1000000 + (uint64_t)ms;
    for (;;) {
        ch->blocked = false;
        flush(ch);
        uint64_t now = uv_hrtime() / 1000000;
        if (!ch->blocked || now >= until)
            break;
        struct pollfd waiting = {.fd = ch->fd, .events = POLLOUT};
        poll(&waiting, 1, (int)(until - now));
    }
    arm(ch);
}
