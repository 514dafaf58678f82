#include "wire/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

/* One chatty peer must not keep the loop from the others: the rest waits for the next turn. */
#define READS_PER_TURN 4
/* Frames leave in datagrams of about this size, before the turn is over too, so that their reader can work while the
 * next ones are made. A larger frame leaves alone. */
#define DATAGRAM_USUAL  (32 << 10)
#define BACKLOG_FULL    (1 << 20)
#define SEND_BUFFER     (1 << 20)
#define KEEP_ROOM       (512 << 10) /* a larger buffer is given back once it is empty */
#define DESCRIPTORS_MAX 8           /* received with one datagram; more than one is surplus anyway */
#define FRAME_HEAD      4

/* The frame that starts at this offset of `out` leaves alone: with this descriptor, or with these bytes behind it. */
struct passing {
    size_t at;
    int fd; /* -1: none */
    void *bytes;
    size_t size;
    void (*release)(void *bytes); /* NULL: no bytes */
};

struct channel {
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t later; /* runs once: gone and room are never called inside a caller's own call */
    int open_handles;
    int fd;
    unsigned peer;
    struct channel_events events;
    void *arg;
    struct buf out; /* whole frames; the first `sent` bytes have left */
    size_t sent;
    struct passing *passing;
    size_t passing_count, passing_room;
    size_t passing_bytes; /* that wait to leave */
    int armed;            /* what the poll handle waits for */
    bool blocked;         /* waits for POLLOUT */
    bool was_full;        /* `room` is due when the backlog has fallen */
    bool deaf;            /* the peer reads no more; what it sent before may still be waiting here */
    bool over;            /* nothing goes in or out any more */
    bool announced;
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

static void passing_fini(struct channel *ch, struct passing *passing)
{
    ch->passing_bytes -= passing->size;
    if (passing->fd >= 0)
        close(passing->fd);
    if (passing->release)
        passing->release(passing->bytes);
}

static void drop_output(struct channel *ch)
{
    for (size_t i = 0; i < ch->passing_count; i++)
        passing_fini(ch, &ch->passing[i]);
    ch->passing_count = 0;
    ch->sent = 0;
    buf_clear(&ch->out);
}

/* `why` is written already; "" for a plain end. */
static void end(struct channel *ch)
{
    if (ch->over || ch->closed)
        return;
    ch->over = true;
    drop_output(ch);
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

static size_t frame_size(const struct channel *ch, size_t at)
{
    const uint8_t *p = ch->out.data + at;
    return FRAME_HEAD + ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24);
}

static bool is_secret(const struct channel *ch, size_t at)
{
    return ch->out.data[at + FRAME_HEAD] == (WIRE_SECRET_GIVEN & 0xff) &&
           ch->out.data[at + FRAME_HEAD + 1] == WIRE_SECRET_GIVEN >> 8;
}

/* The one that is the next to leave, or NULL. */
static const struct passing *first_passing(const struct channel *ch)
{
    return ch->passing_count && ch->passing[0].at == ch->sent ? ch->passing : NULL;
}

/* As many whole frames as one datagram may hold; 0 when the first is longer than any may be. */
static size_t pack(const struct channel *ch, bool *secret)
{
    const struct passing *alone = first_passing(ch);
    size_t stop = ch->passing_count && !alone ? ch->passing[0].at : ch->out.size;
    size_t size = 0;
    *secret = false;
    while (ch->sent + size < stop) {
        size_t next = frame_size(ch, ch->sent + size);
        if (next > FRAME_HEAD + WIRE_FRAME_MAX || (size && size + next > DATAGRAM_USUAL))
            break;
        *secret = *secret || is_secret(ch, ch->sent + size);
        size += next;
        if (alone)
            return size - alone->size;
    }
    return size;
}

static ssize_t send_datagram(struct channel *ch, size_t size)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec parts[2] = {{ch->out.data + ch->sent, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1};
    const struct passing *passing = first_passing(ch);
    if (passing && passing->size)
        parts[message.msg_iovlen++] = (struct iovec){passing->bytes, passing->size};
    if (passing && passing->fd >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(head), &passing->fd, sizeof(int));
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
        drop_output(ch);
        break;
    default:
        fail(&ch->why, ACCORD_EIO, "sending %zu bytes failed: %s", size, strerror(errno));
        end(ch);
    }
}

static void passed_on(struct channel *ch, size_t size, bool secret)
{
    if (secret)
        explicit_bzero(ch->out.data + ch->sent, size);
    if (first_passing(ch)) {
        passing_fini(ch, &ch->passing[0]);
        memmove(ch->passing, ch->passing + 1, --ch->passing_count * sizeof *ch->passing);
    }
    ch->sent += size;
}

static void compact(struct channel *ch)
{
    if (ch->sent == ch->out.size) {
        ch->sent = 0;
        buf_clear(&ch->out);
        if (ch->out.room > KEEP_ROOM)
            buf_fini(&ch->out);
    } else if (ch->sent > ch->out.size / 2) {
        for (size_t i = 0; i < ch->passing_count; i++)
            ch->passing[i].at -= ch->sent;
        buf_drop(&ch->out, ch->sent);
        ch->sent = 0;
    }
}

static void send_all(struct channel *ch)
{
    while (ch->sent < ch->out.size && !ch->blocked) {
        bool secret;
        size_t size = pack(ch, &secret);
        if (!size) {
            fail(&ch->why, ACCORD_ELIMIT, "a message of %zu bytes is too long to send",
                 frame_size(ch, ch->sent));
            end(ch);
            return;
        }
        if (send_datagram(ch, size) < 0)
            send_failed(ch, size);
        else
            passed_on(ch, size, secret);
        if (ch->deaf || ch->over)
            return;
    }
    compact(ch);
}

static void flush(struct channel *ch)
{
    if (ch->deaf || ch->over) {
        drop_output(ch);
        return;
    }
    if (ch->out.failed) {
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

static void flush_turn(struct channel *ch)
{
    if (ch->closed || ch->blocked || !(ch->out.size || ch->out.failed))
        return;
    flush(ch);
    arm(ch);
}

/* Before the loop sleeps, and after its I/O callbacks: the two ends of a turn. */
static void on_prepare(uv_prepare_t *prepare)
{
    flush_turn(prepare->data);
}

static void on_check(uv_check_t *check)
{
    flush_turn(check->data);
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
    uv_check_init(loop, &ch->check);
    uv_idle_init(loop, &ch->later);
    ch->poll.data = ch->prepare.data = ch->check.data = ch->later.data = ch;
    ch->open_handles = 4;
    uv_prepare_start(&ch->prepare, on_prepare);
    uv_check_start(&ch->check, on_check);
    uv_unref((uv_handle_t *)&ch->prepare);
    uv_unref((uv_handle_t *)&ch->check);
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
    free(ch->passing);
    free(ch->in);
    free(ch);
}

void channel_close(struct channel *ch)
{
    if (!ch || ch->closed)
        return;
    ch->closed = true;
    drop_output(ch);
    buf_fini(&ch->out);
    uv_close((uv_handle_t *)&ch->poll, on_closed);
    uv_close((uv_handle_t *)&ch->prepare, on_closed);
    uv_close((uv_handle_t *)&ch->check, on_closed);
    uv_close((uv_handle_t *)&ch->later, on_closed);
    close(ch->fd);
}

struct buf *channel_out(struct channel *ch)
{
    if (channel_backlog(ch) >= DATAGRAM_USUAL)
        flush_turn(ch);
    return &ch->out;
}

static bool passing_reserve(struct channel *ch)
{
    if (ch->passing_count < ch->passing_room)
        return true;
    size_t room = ch->passing_room ? 2 * ch->passing_room : 4;
    struct passing *passing = realloc(ch->passing, room * sizeof *passing);
    if (!passing)
        return false;
    ch->passing = passing;
    ch->passing_room = room;
    return true;
}

static void put_passing(struct channel *ch, const struct buf *frame, struct passing passing)
{
    ch->passing_bytes += passing.size;
    if (ch->over || ch->deaf || frame->failed || !passing_reserve(ch)) {
        ch->out.failed = !ch->over && !ch->deaf;
        passing_fini(ch, &passing);
        return;
    }
    passing.at = ch->out.size;
    ch->passing[ch->passing_count++] = passing;
    buf_put(&ch->out, frame->data, frame->size);
}

void channel_put_fd(struct channel *ch, const struct buf *frame, int fd)
{
    put_passing(ch, frame, (struct passing){.fd = fd});
}

void channel_put_frame(struct channel *ch, const struct buf *frame, void *bytes, size_t size,
                       void (*release)(void *bytes))
{
    put_passing(ch, frame, (struct passing){.fd = -1, .bytes = bytes, .size = size, .release = release});
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
    bool waits = ch->blocked || ch->out.size || ch->out.failed || frame->failed;
    if (!waits && send_now(ch, frame, bytes, size))
        return;
    buf_put(&ch->out, frame->data, frame->size);
    buf_put(&ch->out, bytes, size);
    ch->out.failed = ch->out.failed || frame->failed;
    arm(ch);
}

size_t channel_backlog(const struct channel *ch)
{
    return ch->out.size - ch->sent + ch->passing_bytes;
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
