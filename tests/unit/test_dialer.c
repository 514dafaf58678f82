/* The dialer against real sockets on loopback. */
#include "hub/dialer.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- name resolution, in place of the C library's: nobody outside is asked ---- */

static struct addrinfo *resolved_to(const char *address, const char *port, struct addrinfo *next)
{
    struct addrinfo *to = calloc(1, sizeof *to + sizeof(struct sockaddr_in6));
    bool six = strchr(address, ':');
    to->ai_family = six ? AF_INET6 : AF_INET;
    to->ai_socktype = SOCK_STREAM;
    to->ai_addr = (struct sockaddr *)(to + 1);
    to->ai_addrlen = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (six ? uv_ip6_addr(address, atoi(port), (struct sockaddr_in6 *)to->ai_addr)
            : uv_ip4_addr(address, atoi(port), (struct sockaddr_in *)to->ai_addr)) {
        free(to);
        return NULL;
    }
    to->ai_next = next;
    return to;
}

/* hole.test: a name whose servers do not answer, until the hole is filled. */
static uv_sem_t filled;
static atomic_int in_hole, most_in_hole;

static void fall_in(void)
{
    int now = atomic_fetch_add(&in_hole, 1) + 1;
    if (now > atomic_load(&most_in_hole))
        atomic_store(&most_in_hole, now);
    uv_sem_wait(&filled);
    atomic_fetch_sub(&in_hole, 1);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **out)
{
    (void)hints;
    if (strcmp(node, "hole.test") == 0)
        fall_in();
    if (strcmp(node, "two.test") == 0)
        *out = resolved_to("127.0.0.2", service, resolved_to("127.0.0.1", service, NULL));
    else
        *out = resolved_to(node, service, NULL);
    return *out ? 0 : EAI_NONAME;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* ---- dialling ---- */

struct call {
    uv_loop_t loop;
    struct conf_endpoint endpoint;
    int calls, fd;
    char address[80], reason[ACCORD_REASON_MAX];
};

static void dialled(void *arg, int fd, const char *address, const char *reason)
{
    struct call *call = arg;
    call->calls++;
    call->fd = fd;
    text_copy(call->address, sizeof call->address, address);
    text_copy(call->reason, sizeof call->reason, reason);
}

static void call_init(struct call *call, const char *host, int port)
{
    *call = (struct call){.fd = -1, .endpoint = {.port = port, .connect_timeout = 5000}};
    text_copy(call->endpoint.host, sizeof call->endpoint.host, host);
    uv_loop_init(&call->loop);
}

static void call_fini(struct call *call)
{
    uv_run(&call->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&call->loop), 0);
    if (call->fd >= 0)
        close(call->fd);
}

/* Dials, and returns with nothing left on the loop. */
static void dial(struct call *call)
{
    assert_non_null(dial_start(&call->loop, &call->endpoint, dialled, call));
    assert_int_equal(call->calls, 0);
    uv_run(&call->loop, UV_RUN_DEFAULT);
    assert_int_equal(call->calls, 1);
}

/* A listener on an address; its port in *port, 0: any. -1: there is no such address here. */
static int listen_on(const char *address, int *port, int backlog)
{
    struct sockaddr_storage at = {0};
    bool six = strchr(address, ':');
    socklen_t size = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    assert_int_equal(six ? uv_ip6_addr(address, *port, (struct sockaddr_in6 *)&at)
                         : uv_ip4_addr(address, *port, (struct sockaddr_in *)&at),
                     0);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, backlog) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(six ? ((struct sockaddr_in6 *)&at)->sin6_port : ((struct sockaddr_in *)&at)->sin_port);
    return fd;
}

/* On the two addresses of two.test, at one port; somebody may have that of the first at the second. */
static int listen_on_both(int *first, int *second, int second_backlog)
{
    for (;;) {
        int port = 0;
        *first = listen_on("127.0.0.2", &port, 0);
        assert_true(*first >= 0);
        *second = listen_on("127.0.0.1", &port, second_backlog);
        if (*second >= 0)
            return port;
        close(*first);
    }
}

/* Takes connections until its queue is full: from then on it answers nobody. */
static void fill_queue(int listener, int *held, size_t count)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    for (size_t i = 0; i < count; i++) {
        held[i] = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(connect(held[i], (struct sockaddr *)&at, size) == 0 || errno == EINPROGRESS);
    }
}

static void close_all(int *held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(held[i]);
}

#define HELD 4

static void connects_and_says_where(void **state)
{
    (void)state;
    struct call call;
    int port = 0, listener = listen_on("127.0.0.1", &port, 4), no_delay = 0;
    socklen_t size = sizeof no_delay;
    char expected[32];
    call_init(&call, "127.0.0.1", port);
    dial(&call);
    assert_true(call.fd >= 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", port);
    assert_string_equal(call.address, expected);
    assert_string_equal(call.reason, "");
    assert_int_equal(getsockopt(call.fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    assert_true(no_delay);
    call_fini(&call);
    close(listener);
}

/* The kernel lets a socket be aimed again while it thinks that it is connecting. */
static void connected_socket_cannot_be_aimed_elsewhere(void **state)
{
    (void)state;
    struct call call;
    int port = 0, other_port = 0;
    int listener = listen_on("127.0.0.1", &port, 4), other = listen_on("127.0.0.1", &other_port, 4);
    struct sockaddr_in elsewhere;
    uv_ip4_addr("127.0.0.1", other_port, &elsewhere);
    call_init(&call, "127.0.0.1", port);
    dial(&call);
    struct linger reset = {.l_onoff = 1};
    int accepted = accept(listener, NULL, NULL);
    assert_int_equal(setsockopt(accepted, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(accepted); /* the peer resets the connection */
    for (int i = 0; i < 5; i++)
        assert_true(sendto(call.fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&elsewhere,
                           sizeof elsewhere) < 0);
    assert_true(connect(call.fd, (struct sockaddr *)&elsewhere, sizeof elsewhere) < 0);
    call_fini(&call);
    close(other);
    close(listener);
}

static void refusal_names_the_address_and_the_cause(void **state)
{
    (void)state;
    struct call call;
    int port = 0;
    close(listen_on("127.0.0.1", &port, 1)); /* nobody listens there now */
    call_init(&call, "127.0.0.1", port);
    dial(&call);
    assert_int_equal(call.fd, -1);
    assert_non_null(strstr(call.reason, "127.0.0.1:"));
    assert_non_null(strstr(call.reason, "Connection refused"));
    call_fini(&call);
}

static void name_without_address_is_told(void **state)
{
    (void)state;
    struct call call;
    call_init(&call, "nobody.test", 22);
    dial(&call);
    assert_int_equal(call.fd, -1);
    assert_string_equal(call.address, "");
    assert_non_null(strstr(call.reason, "cannot resolve nobody.test"));
    call_fini(&call);
}

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    struct call call;
    int port = 0, listener = listen_on("127.0.0.1", &port, 0), held[HELD];
    fill_queue(listener, held, HELD);
    call_init(&call, "127.0.0.1", port);
    call.endpoint.connect_timeout = 300;
    uint64_t before = uv_hrtime();
    dial(&call);
    uint64_t took = (uv_hrtime() - before) / 1000000;
    assert_int_equal(call.fd, -1);
    assert_non_null(strstr(call.reason, "within connect-timeout"));
    assert_true(took >= 290 && took < 3000);
    call_fini(&call);
    close_all(held, HELD);
    close(listener);
}

static void silent_address_leaves_time_for_the_next(void **state)
{
    (void)state;
    struct call call;
    int first, second, port = listen_on_both(&first, &second, 4);
    int held[HELD];
    assert_true(first >= 0 && second >= 0);
    fill_queue(first, held, HELD);
    call_init(&call, "two.test", port);
    call.endpoint.connect_timeout = 1000;
    dial(&call);
    assert_true(call.fd >= 0);
    assert_int_equal(strncmp(call.address, "127.0.0.1:", 10), 0);
    assert_non_null(strstr(call.reason, "cannot connect to 127.0.0.2"));
    call_fini(&call);
    close_all(held, HELD);
    close(first);
    close(second);
}

static void refused_addresses_are_tried_in_turn_and_all_told(void **state)
{
    (void)state;
    struct call call;
    int port = 0, second = listen_on("127.0.0.1", &port, 4);
    call_init(&call, "two.test", port);
    dial(&call);
    assert_true(call.fd >= 0);
    assert_non_null(strstr(call.reason, "cannot connect to 127.0.0.2"));
    call_fini(&call);
    close(second);
    call_init(&call, "two.test", port);
    dial(&call);
    assert_int_equal(call.fd, -1);
    assert_non_null(strstr(call.reason, "cannot connect to 127.0.0.2"));
    assert_non_null(strstr(call.reason, "cannot connect to 127.0.0.1"));
    call_fini(&call);
}

static void both_addresses_silent_end_at_the_one_deadline(void **state)
{
    (void)state;
    struct call call;
    int first, second, port = listen_on_both(&first, &second, 0);
    int held[2 * HELD];
    fill_queue(first, held, HELD);
    fill_queue(second, held + HELD, HELD);
    call_init(&call, "two.test", port);
    call.endpoint.connect_timeout = 400;
    uint64_t before = uv_hrtime();
    dial(&call);
    uint64_t took = (uv_hrtime() - before) / 1000000;
    assert_int_equal(call.fd, -1);
    assert_non_null(strstr(call.reason, "within connect-timeout"));
    assert_true(took >= 390 && took < 3000);
    call_fini(&call);
    close_all(held, 2 * HELD);
    close(first);
    close(second);
}

static void dials_ipv6(void **state)
{
    (void)state;
    struct call call;
    int port = 0, listener = listen_on("::1", &port, 4);
    if (listener < 0)
        skip();
    call_init(&call, "::1", port);
    dial(&call);
    assert_true(call.fd >= 0);
    assert_int_equal(strncmp(call.address, "[::1]:", 6), 0);
    call_fini(&call);
    close(listener);
}

static void goes_out_from_the_source_address(void **state)
{
    (void)state;
    struct call call;
    int port = 0, listener = listen_on("127.0.0.1", &port, 4);
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    char text[32];
    call_init(&call, "127.0.0.1", port);
    text_copy(call.endpoint.source_address, sizeof call.endpoint.source_address, "127.0.0.5");
    dial(&call);
    int accepted = accept(listener, (struct sockaddr *)&from, &size);
    assert_true(accepted >= 0);
    uv_ip4_name(&from, text, sizeof text);
    assert_string_equal(text, "127.0.0.5");
    close(accepted);
    call_fini(&call);
    close(listener);
}

static void source_address_of_another_family_connects_nowhere(void **state)
{
    (void)state;
    struct call call;
    int port = 0, listener = listen_on("127.0.0.1", &port, 4);
    call_init(&call, "127.0.0.1", port);
    text_copy(call.endpoint.source_address, sizeof call.endpoint.source_address, "::1");
    dial(&call);
    assert_int_equal(call.fd, -1);
    assert_non_null(strstr(call.reason, "not supported"));
    call_fini(&call);
    close(listener);
}

static void cancelled_dial_says_nothing(void **state)
{
    (void)state;
    struct call call;
    int port = 0, listener = listen_on("127.0.0.1", &port, 0), held[HELD];
    fill_queue(listener, held, HELD);
    call_init(&call, "127.0.0.1", port);
    dial_cancel(dial_start(&call.loop, &call.endpoint, dialled, &call)); /* while it resolves */
    uv_run(&call.loop, UV_RUN_DEFAULT);
    struct dial *dialling = dial_start(&call.loop, &call.endpoint, dialled, &call);
    uv_run(&call.loop, UV_RUN_ONCE); /* resolved: it connects, and gets no answer */
    dial_cancel(dialling);
    call_fini(&call);
    assert_int_equal(call.calls, 0);
    close_all(held, HELD);
    close(listener);
}

static void worked(uv_work_t *work, int status)
{
    (void)status;
    *(bool *)work->data = true;
}

static void work(uv_work_t *request)
{
    (void)request;
}

/* Eight dials to a name that nobody resolves take one thread: other names are resolved, and work is done. */
static void name_that_nobody_resolves_stops_no_other(void **state)
{
    (void)state;
    enum { LOST = 8 };
    struct call call, lost;
    struct dial *dials[LOST];
    int port = 0, listener = listen_on("127.0.0.1", &port, 4);
    bool done = false;
    uv_work_t request = {.data = &done};
    assert_int_equal(uv_sem_init(&filled, 0), 0);
    call_init(&call, "127.0.0.1", port);
    call_init(&lost, "hole.test", port);
    for (int i = 0; i < LOST; i++)
        assert_non_null(dials[i] = dial_start(&call.loop, &lost.endpoint, dialled, &lost));
    assert_non_null(dial_start(&call.loop, &call.endpoint, dialled, &call));
    assert_int_equal(uv_queue_work(&call.loop, &request, work, worked), 0);
    while (!call.calls || !done)
        uv_run(&call.loop, UV_RUN_ONCE);
    assert_true(call.fd >= 0);
    assert_int_equal(lost.calls, 0);
    for (int i = 0; i < LOST / 2; i++)
        dial_cancel(dials[i]);
    for (int i = 0; i < LOST; i++)
        uv_sem_post(&filled);
    uv_run(&call.loop, UV_RUN_DEFAULT);
    assert_int_equal(lost.calls, LOST / 2);
    assert_non_null(strstr(lost.reason, "cannot resolve hole.test"));
    assert_int_equal(atomic_load(&most_in_hole), 1);
    call_fini(&lost);
    call_fini(&call);
    uv_sem_destroy(&filled);
    close(listener);
}

int main(void)
{
    alarm(60); /* for a loop that has nothing to wake it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_and_says_where),
        cmocka_unit_test(connected_socket_cannot_be_aimed_elsewhere),
        cmocka_unit_test(refusal_names_the_address_and_the_cause),
        cmocka_unit_test(name_without_address_is_told),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(silent_address_leaves_time_for_the_next),
        cmocka_unit_test(refused_addresses_are_tried_in_turn_and_all_told),
        cmocka_unit_test(both_addresses_silent_end_at_the_one_deadline),
        cmocka_unit_test(dials_ipv6),
        cmocka_unit_test(goes_out_from_the_source_address),
        cmocka_unit_test(source_address_of_another_family_connects_nowhere),
        cmocka_unit_test(cancelled_dial_says_nothing),
        cmocka_unit_test(name_that_nobody_resolves_stops_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
