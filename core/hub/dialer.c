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
    const struct dial_watch *watch; /* NULL: the first connection is what is wanted */
    uv_getaddrinfo_t resolve;
    struct dial *behind; /* in `lookups` */
    bool queued;         /* for its look-up: another one asks for the same host */
    bool resolving, timer_open;
    struct addrinfo *addresses, *next;
    uv_timer_t timer;  /* ends one address, and the whole with the last */
    uint64_t deadline; /* of the loop's clock */
    struct attempt *attempt;
    char address[80], reason[ACCORD_REASON_MAX];
    char host[256]; /* the endpoint may be gone before a look-up that was given up ends */
};

/* One address. The socket is passed on or closed, and its handle goes when libuv lets go of it. */
struct attempt {
    uv_poll_t poll; /* first */
    struct dial *dial;
    int fd;
};

/* Look-ups that run or wait. One host is asked for once at a time: a name that no server answers must not take the
 * threads that others need for theirs. */
static struct dial *lookups;

static void dial_free_if_over(struct dial *dial)
{
    if (dial->timer_open || dial->resolving)
        return;
    if (dial->addresses)
        uv_freeaddrinfo(dial->addresses);
    free(dial);
}

static void timer_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    dial->timer_open = false;
    dial_free_if_over(dial);
}

static void attempt_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Returns the descriptor, which is the caller's now. */
static int end_attempt(struct dial *dial)
{
    struct attempt *attempt = dial->attempt;
    if (!attempt)
        return -1;
    dial->attempt = NULL;
    uv_close((uv_handle_t *)&attempt->poll, attempt_closed);
    return attempt->fd;
}

static void lookup_remove(struct dial *dial)
{
    struct dial **at = &lookups;
    while (*at && *at != dial)
        at = &(*at)->behind;
    if (*at)
        *at = dial->behind;
}

/* Answers, once, and lets everything go. */
static void conclude(struct dial *dial, int fd)
{
    dial_done done = dial->done;
    dial->done = NULL;
    int unused = end_attempt(dial);
    if (unused >= 0)
        close(unused);
    if (dial->queued)
        lookup_remove(dial);
    dial->queued = false;
    if (dial->resolving)
        uv_cancel((uv_req_t *)&dial->resolve);
    uv_close((uv_handle_t *)&dial->timer, timer_closed);
    if (done)
        done(dial->arg, fd, dial->address, dial->reason);
}

/* ---- one address after the other ---- */

static bool watched(struct dial *dial, int fd, int number)
{
    return !dial->watch || dial->watch->tried(dial->arg, dial->address, fd, number);
}

/* Whether to go on with the next address. */
static bool note_failure(struct dial *dial, int number)
{
    size_t used = strlen(dial->reason);
    snprintf(dial->reason + used, sizeof dial->reason - used, "%scannot connect to %s: %s", used ? "; " : "",
             dial->address, strerror(number));
    return watched(dial, -1, number);
}

static void address_text(struct dial *dial, const struct sockaddr *to)
{
    char host[INET6_ADDRSTRLEN] = "?";
    uv_ip_name(to, host, sizeof host);
    snprintf(dial->address, sizeof dial->address, to->sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
             (int)dial->endpoint->port);
}

static void try_next(struct dial *dial);

static void go_on(struct dial *dial, bool more)
{
    dial->next = dial->next->ai_next;
    if (more)
        try_next(dial);
    else
        conclude(dial, -1);
}

static void address_failed(struct dial *dial, int number)
{
    int fd = end_attempt(dial);
    if (fd >= 0)
        close(fd);
    go_on(dial, note_failure(dial, number));
}

/* Nobody wants the connection: it was made to be seen. */
static void show(struct dial *dial)
{
    int fd = end_attempt(dial);
    bool more = watched(dial, fd, 0);
    close(fd);
    go_on(dial, more);
}

/* The second connect() is what makes the state final. */
static int settle(int fd, const struct addrinfo *at)
{
    int number = 0, on = 1;
    socklen_t size = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        return errno;
    if (number)
        return number;
    if (connect(fd, at->ai_addr, at->ai_addrlen) < 0 && errno != EISCONN)
        return errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0)
        return errno;
    return 0;
}

static void writable(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = (struct attempt *)poll;
    struct dial *dial = attempt->dial;
    (void)status, (void)events; /* SO_ERROR says more */
    int number = settle(attempt->fd, dial->next);
    if (number)
        address_failed(dial, number);
    else if (dial->watch)
        show(dial);
    else
        conclude(dial, end_attempt(dial));
}

static int bind_source(const struct dial *dial, int fd, int family)
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
    return bind(fd, (struct sockaddr *)&from,
                family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

/* 0, with the attempt under way, or an errno. */
static int try_address(struct dial *dial, const struct addrinfo *at)
{
    struct attempt *attempt = calloc(1, sizeof *attempt);
    if (!attempt)
        return ENOMEM;
    int number = 0, fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind_source(dial, fd, at->ai_family) < 0 ||
        (connect(fd, at->ai_addr, at->ai_addrlen) < 0 && errno != EINPROGRESS))
        number = errno;
    else if (uv_poll_init(dial->loop, &attempt->poll, fd) < 0)
        number = ENOMEM;
    if (number) {
        if (fd >= 0)
            close(fd);
        free(attempt);
        return number;
    }
    attempt->dial = dial;
    attempt->fd = fd;
    dial->attempt = attempt;
    uv_poll_start(&attempt->poll, UV_WRITABLE, writable);
    return 0;
}

static uint64_t time_left(const struct dial *dial)
{
    uint64_t now = uv_now(dial->loop);
    return dial->deadline > now ? dial->deadline - now : 0;
}

static void timed_out(uv_timer_t *timer)
{
    struct dial *dial = timer->data;
    char before[ACCORD_REASON_MAX / 2];
    if (dial->attempt && dial->next->ai_next) {
        address_failed(dial, ETIMEDOUT);
        return;
    }
    if (dial->attempt)
        watched(dial, -1, ETIMEDOUT);
    text_copy(before, sizeof before, dial->reason);
    snprintf(dial->reason, sizeof dial->reason, "no connection to %.128s port %d within connect-timeout%s%s",
             dial->endpoint->host, (int)dial->endpoint->port, before[0] ? "; before that: " : "", before);
    conclude(dial, -1);
}

/* An address that does not answer must leave time for those behind it. */
static void share_time(struct dial *dial)
{
    uint64_t count = 0;
    for (const struct addrinfo *at = dial->next; at; at = at->ai_next)
        count++;
    uv_timer_start(&dial->timer, timed_out, time_left(dial) / count, 0);
}

static void try_next(struct dial *dial)
{
    for (; dial->next; dial->next = dial->next->ai_next) {
        address_text(dial, dial->next->ai_addr);
        int number = try_address(dial, dial->next);
        if (!number) {
            share_time(dial);
            return;
        }
        if (!note_failure(dial, number))
            break;
    }
    conclude(dial, -1);
}

/* ---- look-ups ---- */

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses);

static int look_up(struct dial *dial)
{
    char port[8];
    snprintf(port, sizeof port, "%d", (int)dial->endpoint->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    dial->resolve.data = dial;
    dial->queued = false;
    int result = uv_getaddrinfo(dial->loop, &dial->resolve, resolved, dial->endpoint->host, port, &hints);
    dial->resolving = result == 0;
    if (result)
        lookup_remove(dial);
    return result;
}

static bool host_is_asked_for(const char *host)
{
    const struct dial *at = lookups;
    while (at && (!at->resolving || strcmp(at->host, host) != 0))
        at = at->behind;
    return at;
}

static int queue_lookup(struct dial *dial)
{
    struct dial **last = &lookups;
    bool asked = host_is_asked_for(dial->host);
    while (*last)
        last = &(*last)->behind;
    *last = dial;
    dial->queued = asked;
    return asked ? 0 : look_up(dial);
}

static void not_resolved(struct dial *dial, int status)
{
    snprintf(dial->reason, sizeof dial->reason, "cannot resolve %s: %s; check DNS and the endpoint's host",
             dial->host, uv_strerror(status));
    conclude(dial, -1);
}

/* Those behind it ask themselves: what was found may have changed. */
static void next_lookup(const char *host)
{
    struct dial *at = lookups;
    while (at && (!at->queued || strcmp(at->host, host) != 0))
        at = at->behind;
    int result = at ? look_up(at) : 0;
    if (result)
        not_resolved(at, result);
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct dial *dial = request->data;
    dial->resolving = false;
    dial->addresses = addresses;
    lookup_remove(dial);
    next_lookup(dial->host);
    if (!dial->done) {
        dial_free_if_over(dial);
    } else if (status < 0 || !addresses) {
        not_resolved(dial, status);
    } else if (dial->watch && !dial->watch->found(dial->arg, addresses)) {
        conclude(dial, -1);
    } else {
        dial->next = addresses;
        try_next(dial);
    }
}

struct dial *dial_start(uv_loop_t *loop, const struct conf_endpoint *endpoint, dial_done done, void *arg)
{
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    *dial = (struct dial){.loop = loop, .endpoint = endpoint, .done = done, .arg = arg};
    text_copy(dial->host, sizeof dial->host, endpoint->host);
    if (queue_lookup(dial) < 0) {
        free(dial);
        return NULL;
    }
    uv_timer_init(loop, &dial->timer);
    dial->timer.data = dial;
    dial->timer_open = true;
    uv_update_time(loop);
    dial->deadline = uv_now(loop) + (uint64_t)endpoint->connect_timeout;
    uv_timer_start(&dial->timer, timed_out, (uint64_t)endpoint->connect_timeout, 0);
    return dial;
}

void dial_watch(struct dial *dial, const struct dial_watch *watch)
{
    dial->watch = watch;
}

void dial_cancel(struct dial *dial)
{
    dial->done = NULL;
    conclude(dial, -1);
}
