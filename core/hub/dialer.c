/* Connects to an endpoint that the agreement lists. The caller has checked that before any name is resolved.
 *
 * After writability connect() is called once more: it returns 0 and leaves the kernel's socket in its final
 * state, so that no holder of the descriptor can re-aim it with a fast-open send. One deadline covers name
 * resolution and every address.
 */
#include "hub/dialer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/text.h"

struct dial {
    uv_loop_t *loop;
    const struct conf_endpoint *endpoint;
    dial_done done; /* NULL: cancelled or answered */
    void *arg;
    uv_getaddrinfo_t resolve;
    bool resolving;
    struct addrinfo *addresses, *next;
    uv_timer_t timer;
    uv_poll_t poll;
    bool polling;
    int fd;
    int open_handles;
    char address[80], reason[ACCORD_REASON_MAX];
};

static void dial_free_if_over(struct dial *dial)
{
    if (dial->open_handles || dial->resolving)
        return;
    if (dial->addresses)
        uv_freeaddrinfo(dial->addresses);
    free(dial);
}

static void handle_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    dial->open_handles--;
    dial_free_if_over(dial);
}

static void stop_polling(struct dial *dial)
{
    if (!dial->polling)
        return;
    dial->polling = false;
    uv_poll_stop(&dial->poll);
    uv_close((uv_handle_t *)&dial->poll, handle_closed);
}

/* Answers, once, and lets everything go. */
static void conclude(struct dial *dial, int fd)
{
    dial_done done = dial->done;
    dial->done = NULL;
    stop_polling(dial);
    if (fd < 0 && dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    if (dial->resolving)
        uv_cancel((uv_req_t *)&dial->resolve);
    uv_close((uv_handle_t *)&dial->timer, handle_closed);
    if (done)
        done(dial->arg, fd, dial->address, dial->reason);
    else if (fd >= 0)
        close(fd);
}

static void next_address(struct dial *dial);

static void address_failed(struct dial *dial, int number)
{
    snprintf(dial->reason, sizeof dial->reason, "cannot connect to %s: %s", dial->address, strerror(number));
    stop_polling(dial);
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    next_address(dial);
}

static void address_text(struct dial *dial, const struct sockaddr *to)
{
    char host[INET6_ADDRSTRLEN] = "?";
    uv_ip_name(to, host, sizeof host);
    snprintf(dial->address, sizeof dial->address, to->sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
             (int)dial->endpoint->port);
}

static void writable(uv_poll_t *poll, int status, int events)
{
    struct dial *dial = poll->data;
    (void)events;
    const struct addrinfo *at = dial->next;
    int number = 0, on = 1;
    socklen_t size = sizeof number;
    /* The socket knows the cause; libuv reports every failure as a bad descriptor. */
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0 || number || status < 0) {
        address_failed(dial, number ? number : EIO);
        return;
    }
    if (connect(dial->fd, at->ai_addr, at->ai_addrlen) < 0 && errno != EISCONN) {
        address_failed(dial, errno);
        return;
    }
    setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(dial->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    dial->reason[0] = 0;
    conclude(dial, dial->fd);
}

static int bind_source(struct dial *dial, int family)
{
    struct sockaddr_storage from = {0};
    const char *text = dial->endpoint->source_address;
    if (!*text)
        return 0;
    int result = family == AF_INET6 ? uv_ip6_addr(text, 0, (struct sockaddr_in6 *)&from)
                                    : uv_ip4_addr(text, 0, (struct sockaddr_in *)&from);
    if (result < 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return bind(dial->fd, (struct sockaddr *)&from,
                family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

static int try_address(struct dial *dial, const struct addrinfo *at)
{
    address_text(dial, at->ai_addr);
    dial->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0 || bind_source(dial, at->ai_family) < 0)
        return errno;
    if (connect(dial->fd, at->ai_addr, at->ai_addrlen) < 0 && errno != EINPROGRESS)
        return errno;
    if (uv_poll_init(dial->loop, &dial->poll, dial->fd) < 0)
        return ENOMEM;
    dial->poll.data = dial;
    dial->polling = true;
    dial->open_handles++;
    uv_poll_start(&dial->poll, UV_WRITABLE, writable);
    return 0;
}

/* One at a time, in the resolver's order; the previous one's poll handle must be closed first. */
static void try_next(uv_timer_t *timer);

static void next_address(struct dial *dial)
{
    dial->next = dial->next->ai_next;
    if (!dial->next) {
        conclude(dial, -1);
        return;
    }
    int64_t left = (int64_t)uv_timer_get_due_in(&dial->timer);
    uv_timer_start(&dial->timer, try_next, 0, (uint64_t)(left > 0 ? left : 1));
}

static void timed_out(uv_timer_t *timer)
{
    struct dial *dial = timer->data;
    char before[160];
    text_copy(before, sizeof before, dial->reason);
    snprintf(dial->reason, sizeof dial->reason, "no connection to %.200s port %d within connect-timeout%s%s",
             dial->endpoint->host, (int)dial->endpoint->port, before[0] ? "; before that: " : "", before);
    conclude(dial, -1);
}

static void try_next(uv_timer_t *timer)
{
    struct dial *dial = timer->data;
    uint64_t left = uv_timer_get_repeat(timer);
    uv_timer_set_repeat(timer, 0);
    uv_timer_start(timer, timed_out, left, 0);
    int number = try_address(dial, dial->next);
    if (number)
        address_failed(dial, number);
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct dial *dial = request->data;
    dial->resolving = false;
    dial->addresses = addresses;
    if (!dial->done) {
        dial_free_if_over(dial);
        return;
    }
    if (status < 0 || !addresses) {
        snprintf(dial->reason, sizeof dial->reason,
                 "cannot resolve %s: %s; check DNS and the endpoint's host", dial->endpoint->host,
                 uv_strerror(status));
        conclude(dial, -1);
        return;
    }
    dial->next = addresses;
    int number = try_address(dial, addresses);
    if (number)
        address_failed(dial, number);
}

struct dial *dial_start(uv_loop_t *loop, const struct conf_endpoint *endpoint, dial_done done, void *arg)
{
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    *dial = (struct dial){.loop = loop, .endpoint = endpoint, .done = done, .arg = arg, .fd = -1};
    char port[8];
    snprintf(port, sizeof port, "%d", (int)endpoint->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    dial->resolve.data = dial;
    if (uv_getaddrinfo(loop, &dial->resolve, resolved, endpoint->host, port, &hints) < 0) {
        free(dial);
        return NULL;
    }
    dial->resolving = true;
    uv_timer_init(loop, &dial->timer);
    dial->timer.data = dial;
    dial->open_handles = 1;
    uv_timer_start(&dial->timer, timed_out, (uint64_t)endpoint->connect_timeout, 0);
    return dial;
}

void dial_cancel(struct dial *dial)
{
    dial->done = NULL;
    conclude(dial, -1);
}
