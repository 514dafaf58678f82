#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/exit.h"
#include "util/text.h"

struct client {
    int fd;
    uint8_t *datagram;
    struct wire_bytes rest; /* of the datagram: frames not yet handed out */
};

static int fail_connect(const char *state, struct reason *why)
{
    switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
        return fail(why, ACCORD_ENOENT,
                    "no agent is running on the state folder %s; start accordd, or name another with --state",
                    state);
    case EACCES:
    case EPERM:
        return fail(why, ACCORD_EDENIED,
                    "this user may not talk to the agent of %s; ask as root or as its user", state);
    default:
        return fail(why, error_from_errno(errno), "cannot reach the agent of %s: %s", state, strerror(errno));
    }
}

static int connect_to(int fd, const char *state, struct reason *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", state, CLIENT_SOCKET);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return fail(why, ACCORD_EINVAL, "the state folder's name is too long for a socket: %s", state);
    struct timeval patience = {.tv_sec = CLIENT_PATIENCE};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return fail_connect(state, why);
    return 0;
}

int client_open(struct client **out, const char *state, struct reason *why)
{
    struct client *client = calloc(1, sizeof *client);
    uint8_t *datagram = client ? malloc(WIRE_DATAGRAM_MAX) : NULL;
    if (!datagram) {
        free(client);
        return fail(why, ACCORD_ENOMEM, "out of memory");
    }
    client->datagram = datagram;
    client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int result = client->fd < 0
                     ? fail(why, error_from_errno(errno), "cannot make a socket: %s", strerror(errno))
                     : connect_to(client->fd, state, why);
    if (result)
        client_close(client);
    else
        *out = client;
    return result;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    if (client->fd >= 0)
        close(client->fd);
    free(client->datagram);
    free(client);
}

static int fail_transfer(const char *what, struct reason *why)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return fail(why, ACCORD_ETIMEOUT, "the agent did not answer within %d s; see its log",
                    CLIENT_PATIENCE);
    return fail(why, error_from_errno(errno), "cannot %s the agent: %s", what, strerror(errno));
}

int client_send(struct client *client, const struct buf *frames, struct reason *why)
{
    if (frames->failed)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    ssize_t n;
    do
        n = send(client->fd, frames->data, frames->size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? fail_transfer("send to", why) : 0;
}

static int receive(struct client *client, struct reason *why)
{
    struct iovec part = {client->datagram, WIRE_DATAGRAM_MAX};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1}; /* no room for descriptors: none is wanted */
    ssize_t n;
    do
        n = recvmsg(client->fd, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail_transfer("hear from", why);
    if (n == 0)
        return fail(why, ACCORD_ENET, "the agent hung up in mid-answer; see its log");
    if (header.msg_flags & MSG_TRUNC)
        return fail(why, ACCORD_EPROTO, "the agent sent more than a datagram may hold");
    client->rest = (struct wire_bytes){client->datagram, (size_t)n};
    return 0;
}

int client_next(struct client *client, struct wire_message *message, struct reason *why)
{
    int result = client->rest.size ? 0 : receive(client, why);
    return result ? result : wire_decode(&client->rest, WIRE_H, message, why);
}

static int unexpected(const struct wire_message *message, struct reason *why)
{
    return fail(why, ACCORD_EPROTO,
                "the agent answered with %s, which belongs elsewhere; are accord and accordd of "
                "the same version?",
                wire_type_name(message->type));
}

static void end_of(struct client_end *end, const struct wire_END *said)
{
    end->exit = said->exit < EXIT_CODES ? said->exit : EXIT_REFUSED;
    text_copy(end->line, sizeof end->line, said->line);
}

int client_command(struct client *client, const char *verb, const struct accord_pair *arguments, size_t count,
                   client_row_fn each, void *arg, struct client_end *end, struct reason *why)
{
    struct buf frame = {0};
    wire_put_COMMAND(&frame, &(struct wire_COMMAND){WIRE_VERSION, verb, WIRE_PAIRS(arguments, count)});
    int result = client_send(client, &frame, why);
    buf_fini(&frame);
    struct wire_message message;
    while (!result && !(result = client_next(client, &message, why))) {
        if (message.type == WIRE_END) {
            end_of(end, &message.END);
            return 0;
        }
        if (message.type == WIRE_ROW)
            each(arg, message.ROW.table, &message.ROW.cells);
        else
            result = unexpected(&message, why);
    }
    return result;
}
