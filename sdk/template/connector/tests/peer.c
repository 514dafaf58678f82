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
    peer->fd = -1;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(peer->listener, (struct sockaddr *)&address, size) < 0 || listen(peer->listener, 8) < 0 ||
        getsockname(peer->listener, (struct sockaddr *)&address, &size) < 0)
        abort();
    peer->port = ntohs(address.sin_port);
}

static void hang_up(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    peer->in_size = 0;
    peer->storing = false;
}

void peer_close(struct peer *peer)
{
    hang_up(peer);
    close(peer->listener);
    free(peer->bytes);
}

static void say(struct peer *peer, const char *text)
{
    if (!peer->mute && write(peer->fd, text, strlen(text)) < 0)
        hang_up(peer);
}

static void end_store(struct peer *peer)
{
    peer->storing = false;
    if (peer->answer)
        say(peer, peer->answer);
    else
        hang_up(peer);
}

static void line_came(struct peer *peer, const char *line)
{
    char text[512];
    if (!strncmp(line, "store ", 6)) {
        snprintf(peer->stored, sizeof peer->stored, "%s", line);
        peer->size = 0;
        peer->storing = sscanf(line, "store %*s %*s %zu", &peer->left) == 1;
        if (!peer->left)
            end_store(peer);
    } else if (!strncmp(line, "next ", 5) && peer->message) {
        snprintf(text, sizeof text, "message %s\n", peer->message);
        say(peer, text);
        say(peer, peer->body);
    } else if (!strncmp(line, "next ", 5)) {
        say(peer, "none\n");
    } else {
        snprintf(peer->told, sizeof peer->told, "%s", line);
        peer->message = NULL;
        say(peer, "ok\n");
    }
}

static size_t take_bytes(struct peer *peer)
{
    size_t size = peer->in_size < peer->left ? peer->in_size : peer->left;
    peer->bytes = realloc(peer->bytes, peer->size + size + 1);
    memcpy(peer->bytes + peer->size, peer->in, size);
    peer->size += size;
    peer->left -= size;
    if (!peer->left)
        end_store(peer);
    return size;
}

/* Returns how much of `in` was used; 0: more is needed. */
static size_t take(struct peer *peer)
{
    char line[4096];
    if (peer->storing)
        return take_bytes(peer);
    char *end = memchr(peer->in, '\n', peer->in_size);
    if (!end)
        return 0;
    size_t size = (size_t)(end - peer->in);
    memcpy(line, peer->in, size);
    line[size] = 0;
    line_came(peer, line);
    return size + 1;
}

void peer_turn(struct peer *peer)
{
    if (peer->fd < 0) {
        peer->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        peer->connections += peer->fd >= 0;
    }
    if (peer->fd < 0)
        return;
    ssize_t n;
    while (peer->fd >= 0 &&
           (n = read(peer->fd, peer->in + peer->in_size, sizeof peer->in - peer->in_size)) >= 0) {
        if (n == 0)
            hang_up(peer);
        peer->in_size += (size_t)n;
        for (size_t used; peer->in_size && (used = take(peer)) && peer->fd >= 0;) {
            peer->in_size -= used;
            memmove(peer->in, peer->in + used, peer->in_size);
        }
    }
}
