#include "peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void peer_open(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    for (size_t i = 0; i < PEER_CONNECTIONS; i++)
        peer->connections[i].fd = -1;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(peer->listener, (struct sockaddr *)&address, size) < 0 || listen(peer->listener, 64) < 0 ||
        getsockname(peer->listener, (struct sockaddr *)&address, &size) < 0)
        abort();
    peer->port = ntohs(address.sin_port);
}

static void hang_up(struct peer_connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->bytes);
    free(connection->out);
    *connection = (struct peer_connection){.fd = -1};
}

void peer_close(struct peer *peer)
{
    for (size_t i = 0; i < PEER_CONNECTIONS; i++)
        hang_up(&peer->connections[i]);
    close(peer->listener);
    free(peer->bytes);
}

static void flush(struct peer_connection *connection)
{
    while (connection->out_sent < connection->out_size) {
        ssize_t n = send(connection->fd, connection->out + connection->out_sent,
                         connection->out_size - connection->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return;
        connection->out_sent += (size_t)n;
    }
    connection->out_size = connection->out_sent = 0;
}

static void say(struct peer *peer, struct peer_connection *connection, const void *bytes, size_t size)
{
    if (peer->mute || !size)
        return;
    connection->out = realloc(connection->out, connection->out_size + size);
    memcpy(connection->out + connection->out_size, bytes, size);
    connection->out_size += size;
    flush(connection);
}

static void say_line(struct peer *peer, struct peer_connection *connection, const char *line)
{
    say(peer, connection, line, strlen(line));
}

static void end_store(struct peer *peer, struct peer_connection *connection)
{
    connection->storing = false;
    snprintf(peer->stored, sizeof peer->stored, "%s", connection->line);
    free(peer->bytes);
    peer->bytes = connection->bytes ? connection->bytes : calloc(1, 1);
    peer->size = connection->size;
    connection->bytes = NULL;
    if (peer->stored_whole)
        peer->stored_whole(peer);
    if (peer->answer)
        say_line(peer, connection, peer->answer);
    else
        hang_up(connection);
}

static void next_asked(struct peer *peer, struct peer_connection *connection)
{
    char text[600];
    if (peer->ask)
        peer->ask();
    if (!peer->message) {
        say_line(peer, connection, "none\n");
        return;
    }
    snprintf(text, sizeof text, "message %s\n", peer->message);
    say_line(peer, connection, text);
    say(peer, connection, peer->body, peer->body_size);
}

static void line_came(struct peer *peer, struct peer_connection *connection, const char *line)
{
    if (!strncmp(line, "store ", 6)) {
        snprintf(connection->line, sizeof connection->line, "%.500s", line);
        connection->size = 0;
        connection->storing = sscanf(line, "store %*s %*s %zu", &connection->left) == 1;
        if (!connection->left)
            end_store(peer, connection);
    } else if (!strncmp(line, "next ", 5)) {
        next_asked(peer, connection);
    } else {
        snprintf(peer->told, sizeof peer->told, "%.500s", line);
        peer->message = NULL;
        say_line(peer, connection, "ok\n");
    }
}

static size_t take_bytes(struct peer *peer, struct peer_connection *connection)
{
    size_t size = connection->in_size < connection->left ? connection->in_size : connection->left;
    connection->bytes = realloc(connection->bytes, connection->size + size + 1);
    memcpy(connection->bytes + connection->size, connection->in, size);
    connection->size += size;
    connection->left -= size;
    if (!connection->left)
        end_store(peer, connection);
    return size;
}

/* Returns how much of `in` was used; 0: more is needed. */
static size_t take(struct peer *peer, struct peer_connection *connection)
{
    char line[4096];
    if (connection->storing)
        return take_bytes(peer, connection);
    char *end = memchr(connection->in, '\n', connection->in_size);
    if (!end)
        return 0;
    size_t size = (size_t)(end - connection->in);
    memcpy(line, connection->in, size);
    line[size] = 0;
    line_came(peer, connection, line);
    return size + 1;
}

static void serve(struct peer *peer, struct peer_connection *connection)
{
    ssize_t n = 0;
    flush(connection);
    while (connection->fd >= 0 && (n = recv(connection->fd, connection->in + connection->in_size,
                                            sizeof connection->in - connection->in_size, MSG_DONTWAIT)) > 0) {
        connection->in_size += (size_t)n;
        for (size_t used; connection->in_size && (used = take(peer, connection)) && connection->fd >= 0;) {
            connection->in_size -= used;
            memmove(connection->in, connection->in + used, connection->in_size);
        }
    }
    if (connection->fd >= 0 && n == 0)
        hang_up(connection);
}

void peer_turn(struct peer *peer)
{
    for (size_t i = 0; i < PEER_CONNECTIONS; i++) {
        struct peer_connection *connection = &peer->connections[i];
        if (connection->fd < 0)
            connection->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection->fd >= 0)
            serve(peer, connection);
    }
}

nfds_t peer_poll(const struct peer *peer, struct pollfd fds[PEER_FDS])
{
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = peer->listener, .events = POLLIN};
    for (size_t i = 0; i < PEER_CONNECTIONS; i++) {
        const struct peer_connection *connection = &peer->connections[i];
        short events = connection->out_sent < connection->out_size ? POLLIN | POLLOUT : POLLIN;
        if (connection->fd >= 0)
            fds[count++] = (struct pollfd){.fd = connection->fd, .events = events};
    }
    return count;
}
