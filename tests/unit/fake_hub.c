#include "fake_hub.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000

static _Noreturn void child(int fd, int err, int (*run)(const struct process_setup *), process_load_fn *load,
                            int64_t grace)
{
    dup2(err, STDERR_FILENO);
    struct process_setup setup = {.fd = fd, .agreement = "test", .load = load, .grace = grace};
    exit(run(&setup)); /* the leak check runs at exit */
}

void hub_open(struct fake_hub *hub, unsigned peer, int (*run)(const struct process_setup *),
              process_load_fn *load, int64_t grace)
{
    int pair[2], err[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(err), 0);
    *hub = (struct fake_hub){.fd = pair[0], .err = err[0], .peer = peer, .in = malloc(WIRE_DATAGRAM_MAX)};
    hub->child = fork();
    if (hub->child == 0) {
        close(pair[0]);
        close(err[0]);
        free(hub->in);
        child(pair[1], err[1], run, load, grace);
    }
    close(pair[1]);
    close(err[1]);
}

void hub_send(struct fake_hub *hub, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {hub->out.data, hub->out.size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(hub->fd, &message, MSG_NOSIGNAL), (ssize_t)hub->out.size);
    buf_clear(&hub->out);
}

static bool receive(struct fake_hub *hub)
{
    struct pollfd waiting = {.fd = hub->fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, DEADLINE_MS), 1);
    ssize_t size;
    do
        size = recv(hub->fd, hub->in, WIRE_DATAGRAM_MAX, 0);
    while (size < 0 && errno == ECONNRESET);
    hub->rest = (struct wire_bytes){hub->in, size > 0 ? (size_t)size : 0};
    return size > 0;
}

const struct wire_message *hub_expect(struct fake_hub *hub, enum wire_type type)
{
    struct reason why = {""};
    if (!hub->rest.size && !receive(hub)) {
        hub_close(hub);
        fail_msg("the child ended instead of sending %s: %s", wire_type_name(type), hub->text);
    }
    assert_int_equal(wire_decode(&hub->rest, hub->peer, &hub->m, &why), 0);
    if (hub->m.type == WIRE_LOG && type != WIRE_LOG)
        print_error("LOG %s: %s\n", hub->m.LOG.event, hub->m.LOG.line);
    if (hub->m.type == WIRE_FAILED && type != WIRE_FAILED)
        print_error("FAILED %s: %s\n", hub->m.FAILED.rule, hub->m.FAILED.reason);
    assert_string_equal(wire_type_name(hub->m.type), wire_type_name(type));
    return &hub->m;
}

void hub_expect_log(struct fake_hub *hub, const char *event, const char *line)
{
    const struct wire_message *m = hub_expect(hub, WIRE_LOG);
    assert_string_equal(m->LOG.line, line);
    assert_string_equal(m->LOG.event, event);
}

void hub_expect_nothing(struct fake_hub *hub)
{
    wire_put_PING(&hub->out, &(struct wire_PING){++hub->pings});
    hub_send(hub, -1);
    assert_int_equal(hub_expect(hub, WIRE_PONG)->PONG.token, hub->pings);
}

void hub_expect_failure(struct fake_hub *hub, const char *rule)
{
    assert_string_equal(hub_expect(hub, WIRE_FAILED)->FAILED.rule, rule);
    assert_int_equal(hub_close(hub), 1);
    assert_non_null(strstr(hub->text, rule));
}

int hub_close(struct fake_hub *hub)
{
    if (!hub->child)
        return -1;
    close(hub->fd);
    size_t size = 0;
    for (ssize_t got; (got = read(hub->err, hub->text + size, sizeof hub->text - 1 - size)) > 0;)
        size += (size_t)got;
    hub->text[size] = 0;
    close(hub->err);
    int status;
    assert_int_equal(waitpid(hub->child, &status, 0), hub->child);
    hub->child = 0;
    buf_fini(&hub->out);
    free(hub->in);
    if (!WIFEXITED(status) || strstr(hub->text, "Sanitizer"))
        print_error("child: %s\n", hub->text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
