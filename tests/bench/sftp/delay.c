/* A wire with a length: what comes in on a port of 127.0.0.1 goes on to another, and back, each byte a constant time
 * later. Full bandwidth, no loss, no reordering; both sides with TCP_NODELAY.
 *
 *     delay-proxy PORT MILLISECONDS     each way; prints the port that it listens on, and goes on until it is ended
 *
 * The proxy reads at once and writes when the time has come, so that neither end's window ever waits for the other: what
 * is on the wire is kept in a ring for each direction. Opening and closing take the same time as data (the end of a
 * stream is a mark like any other), but for the connection itself, which is answered at once, as netem would not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RING  (32u << 20) /* bytes on the wire in one direction: 1.6 GB/s at 20 ms */
#define MARKS (1u << 16)  /* pieces on the wire in one direction */

/* Up to here the ring may be written out, from then on. */
struct mark {
    int64_t due; /* ns */
    uint64_t end;
};

/* One direction: read from `in`, written to `out`. Counters only grow; a place is the counter modulo the size. */
struct way {
    int in, out;
    uint8_t *ring;
    struct mark *marks;
    uint64_t read, due, written; /* bytes: in the ring, that may go, that have gone */
    uint64_t first, last;        /* marks that are not due yet */
    int64_t ends;                /* when the end of the stream is due; 0: it has not been seen */
    bool readable, writable, ended;
};

struct wire {
    struct way ways[2];
    struct wire *next;
};

/* What epoll gives back: one descriptor, which one way reads and the other writes. */
struct side {
    struct way *reads, *writes;
};

static int64_t delay;
static int epoll;
static struct wire *wires;

static int64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void fatal(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- one direction ---- */

/* The free, or the full, part of the ring as at most two pieces. */
static int pieces(struct iovec parts[2], const struct way *way, uint64_t from, uint64_t size)
{
    uint64_t at = from % RING, first = size < RING - at ? size : RING - at;
    parts[0] = (struct iovec){way->ring + at, first};
    parts[1] = (struct iovec){way->ring, size - first};
    return size > first ? 2 : 1;
}

static bool again(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* False: the connection is gone. */
static bool take(struct way *way)
{
    struct iovec parts[2];
    while (way->readable && !way->ends && way->read - way->written < RING && way->last - way->first < MARKS) {
        ssize_t got = readv(way->in, parts, pieces(parts, way, way->read, RING - (way->read - way->written)));
        if (again(got)) {
            way->readable = false;
        } else if (got < 0) {
            return false;
        } else if (got == 0) {
            way->ends = now() + delay;
        } else {
            way->read += (uint64_t)got;
            way->marks[way->last++ % MARKS] = (struct mark){now() + delay, way->read};
        }
    }
    return true;
}

static bool give(struct way *way, int64_t time)
{
    struct iovec parts[2];
    while (way->first < way->last && way->marks[way->first % MARKS].due <= time)
        way->due = way->marks[way->first++ % MARKS].end;
    while (way->writable && way->written < way->due) {
        ssize_t put = writev(way->out, parts, pieces(parts, way, way->written, way->due - way->written));
        if (again(put))
            way->writable = false;
        else if (put < 0)
            return false;
        else
            way->written += (uint64_t)put;
    }
    if (way->ends && !way->ended && way->ends <= time && way->written == way->read) {
        way->ended = true;
        shutdown(way->out, SHUT_WR);
    }
    return true;
}

/* When there is something to do next; 0: only when a descriptor says so. */
static int64_t next_due(const struct way *way)
{
    if (way->first < way->last)
        return way->marks[way->first % MARKS].due;
    return way->ends && !way->ended && way->written == way->read ? way->ends : 0;
}

/* ---- connections ---- */

static void watch(int fd, struct way *reads, struct way *writes)
{
    const int yes = 1;
    struct side *side = malloc(sizeof *side); /* kept until the end: an event may still name it */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = side};
    if (!side || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        fatal("connection");
    *side = (struct side){reads, writes};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fatal("epoll_ctl");
}

static void open_way(struct way *way, int in, int out)
{
    *way =
        (struct way){.in = in, .out = out, .ring = malloc(RING), .marks = malloc(MARKS * sizeof *way->marks)};
    if (!way->ring || !way->marks)
        fatal("connection");
}

static void open_wire(int near, const struct sockaddr_in *target)
{
    struct wire *wire = calloc(1, sizeof *wire);
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!wire || far < 0)
        fatal("connection");
    if (connect(far, (const struct sockaddr *)target, sizeof *target) < 0) {
        perror("connect");
        close(near);
        close(far);
        free(wire);
        return;
    }
    open_way(&wire->ways[0], near, far);
    open_way(&wire->ways[1], far, near);
    watch(near, &wire->ways[0], &wire->ways[1]);
    watch(far, &wire->ways[1], &wire->ways[0]);
    wire->next = wires;
    wires = wire;
}

static void close_wire(struct wire *wire)
{
    close(wire->ways[0].in);
    close(wire->ways[0].out);
    for (int i = 0; i < 2; i++) {
        free(wire->ways[i].ring);
        free(wire->ways[i].marks);
    }
    /* The struct stays: an event of this turn may still point to it. Its descriptors are gone. */
    memset(wire->ways, 0, sizeof wire->ways);
}

/* Moves what can be moved; returns when the next byte is due, 0: not known. */
static int64_t turn(void)
{
    int64_t soonest = 0;
    for (struct wire **at = &wires; *at;) {
        struct wire *wire = *at;
        bool alive = true;
        int64_t time = now();
        for (int i = 0; i < 2; i++)
            alive = alive && take(&wire->ways[i]) && give(&wire->ways[i], time);
        if (!alive || (wire->ways[0].ended && wire->ways[1].ended)) {
            *at = wire->next;
            close_wire(wire);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            int64_t due = next_due(&wire->ways[i]);
            if (due && (!soonest || due < soonest))
                soonest = due;
        }
        at = &wire->next;
    }
    return soonest;
}

static void note(const struct epoll_event *event)
{
    const struct side *side = event->data.ptr;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        side->reads->readable = true;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        side->writes->writable = true;
}

static void run(int listener, const struct sockaddr_in *target)
{
    struct epoll_event events[64];
    for (;;) {
        int64_t due = turn(), wait = due ? due - now() : 0;
        const struct timespec timeout = {wait > 0 ? wait / 1000000000 : 0, wait > 0 ? wait % 1000000000 : 0};
        int count = epoll_pwait2(epoll, events, 64, due ? &timeout : NULL, NULL);
        if (count < 0 && errno != EINTR)
            fatal("epoll_pwait2");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) {
                note(&events[i]);
                continue;
            }
            int near = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (near >= 0)
                open_wire(near, target);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, target = own;
    socklen_t size = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (argc != 3) {
        fprintf(stderr, "usage: delay-proxy PORT MILLISECONDS\n");
        return 2;
    }
    target.sin_port = htons((uint16_t)atoi(argv[1]));
    delay = (int64_t)(atof(argv[2]) * 1e6);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&own, &size) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        fatal("cannot listen");
    printf("%d\n", ntohs(own.sin_port));
    fflush(stdout);
    run(listener, &target);
}
