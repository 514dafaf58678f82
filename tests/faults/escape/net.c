/* New sockets, and the passed one aimed elsewhere. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"

/* Newer or rarer than the headers. */
#define OPTION_FASTOPEN_CONNECT 30
#define FAMILY_VSOCK            40
#define FAMILY_ALG              38

static enum escape open_socket(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);
    enum escape result = escape_outcome(fd >= 0);
    if (fd >= 0)
        close(fd);
    return result;
}

#define SOCKET(name, family, type, protocol)                                                                 \
    static enum escape name(const struct ground *g)                                                          \
    {                                                                                                        \
        (void)g;                                                                                             \
        return open_socket(family, type, protocol);                                                          \
    }

SOCKET(socket_inet_stream, AF_INET, SOCK_STREAM, 0)
SOCKET(socket_inet_dgram, AF_INET, SOCK_DGRAM, 0)
SOCKET(socket_inet6_stream, AF_INET6, SOCK_STREAM, 0)
SOCKET(socket_inet_raw, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET(socket_unix_stream, AF_UNIX, SOCK_STREAM, 0)
SOCKET(socket_unix_dgram, AF_UNIX, SOCK_DGRAM, 0)
SOCKET(socket_netlink, AF_NETLINK, SOCK_RAW, 0)
SOCKET(socket_packet, AF_PACKET, SOCK_RAW, 0)
SOCKET(socket_vsock, FAMILY_VSOCK, SOCK_STREAM, 0)
SOCKET(socket_alg, FAMILY_ALG, SOCK_SEQPACKET, 0)

static enum escape open_pair(int type)
{
    int pair[2];
    bool done = socketpair(AF_UNIX, type, 0, pair) == 0;
    enum escape result = escape_outcome(done);
    if (done) {
        close(pair[0]);
        close(pair[1]);
    }
    return result;
}

static enum escape socketpair_dgram(const struct ground *g)
{
    (void)g;
    return open_pair(SOCK_DGRAM);
}

static enum escape socketpair_seqpacket(const struct ground *g)
{
    (void)g;
    return open_pair(SOCK_SEQPACKET);
}

/* The system call itself: the agent has a connect() of its own for its links, which does nothing to a connected socket. */
static int call_connect(int fd, const void *to, socklen_t size)
{
    return (int)syscall(SYS_connect, fd, to, size);
}

static struct sockaddr_in forbidden(const struct ground *g)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(g->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to(int fd, const struct sockaddr_in *to)
{
    return call_connect(fd, to, sizeof *to);
}

static void forget_peer(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    (void)!call_connect(fd, &none, sizeof none);
}

static enum escape connect_new(const struct ground *g)
{
    struct sockaddr_in to = forbidden(g);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    enum escape result = escape_outcome(fd >= 0 && connect_to(fd, &to) == 0);
    if (fd >= 0)
        close(fd);
    return result;
}

/* A connected socket that forgets its peer may be given another, in the network of whoever made it. */
static enum escape tcp_reconnect(const struct ground *g)
{
    struct sockaddr_in to = forbidden(g);
    forget_peer(g->connected);
    int result = connect_to(g->connected, &to);
    return escape_outcome(result == 0 || errno == EINPROGRESS);
}

static enum escape tcp_disconnect(const struct ground *g)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    return escape_outcome(call_connect(g->connected, &none, sizeof none) == 0);
}

static enum escape tcp_listen(const struct ground *g)
{
    forget_peer(g->connected);
    return escape_outcome(listen(g->connected, 1) == 0);
}

static enum escape tcp_accept(const struct ground *g)
{
    forget_peer(g->connected);
    (void)!listen(g->connected, 1);
    (void)!fcntl(g->connected, F_SETFL, O_NONBLOCK);
    return escape_outcome(accept(g->connected, NULL, NULL) >= 0 || errno == EAGAIN);
}

static enum escape tcp_accept4(const struct ground *g)
{
    forget_peer(g->connected);
    (void)!listen(g->connected, 1);
    (void)!fcntl(g->connected, F_SETFL, O_NONBLOCK);
    return escape_outcome(accept4(g->connected, NULL, NULL, SOCK_CLOEXEC) >= 0 || errno == EAGAIN);
}

static enum escape tcp_bind(const struct ground *g)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    forget_peer(g->connected);
    return escape_outcome(bind(g->connected, (struct sockaddr *)&any, sizeof any) == 0);
}

/* Three times: the kernel reports the reset, then begins to connect, then says so. */
static enum escape tcp_fastopen_sendto(const struct ground *g)
{
    struct sockaddr_in to = forbidden(g);
    for (int i = 0; i < 5; i++) {
        ssize_t n = sendto(g->reset, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
        if (n > 0 || errno == EINPROGRESS)
            return ESCAPE_DONE;
    }
    return escape_outcome(false);
}

static struct msghdr message_to(struct sockaddr_in *to, struct iovec *piece)
{
    return (struct msghdr){.msg_name = to, .msg_namelen = sizeof *to, .msg_iov = piece, .msg_iovlen = 1};
}

static enum escape tcp_fastopen_sendmsg(const struct ground *g)
{
    struct sockaddr_in to = forbidden(g);
    struct iovec piece = {"x", 1};
    struct msghdr message = message_to(&to, &piece);
    for (int i = 0; i < 5; i++)
        if (sendmsg(g->reset, &message, MSG_FASTOPEN | MSG_NOSIGNAL) > 0 || errno == EINPROGRESS)
            return ESCAPE_DONE;
    return escape_outcome(false);
}

static enum escape tcp_sendmmsg(const struct ground *g)
{
    struct sockaddr_in to = forbidden(g);
    struct iovec piece = {"x", 1};
    struct mmsghdr message = {.msg_hdr = message_to(&to, &piece)};
    return escape_outcome(sendmmsg(g->connected, &message, 1, MSG_NOSIGNAL) == 1);
}

/* Harmless on a connected TCP socket, but no call with an address may pass. */
static enum escape tcp_sendto_address(const struct ground *g)
{
    struct sockaddr_in to = forbidden(g);
    return escape_outcome(sendto(g->connected, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to) == 1);
}

static enum escape set_option(int fd, int level, int name, const void *value, socklen_t size)
{
    return escape_outcome(setsockopt(fd, level, name, value, size) == 0);
}

static enum escape setsockopt_reuseaddr(const struct ground *g)
{
    return set_option(g->connected, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
}

static enum escape setsockopt_mark(const struct ground *g)
{
    return set_option(g->connected, SOL_SOCKET, SO_MARK, &(int){7}, sizeof(int));
}

static enum escape setsockopt_device(const struct ground *g)
{
    return set_option(g->connected, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}

static enum escape setsockopt_filter(const struct ground *g)
{
    struct sock_filter take = BPF_STMT(BPF_RET | BPF_K, 0xffff);
    struct sock_fprog program = {1, &take};
    return set_option(g->connected, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static enum escape setsockopt_fastopen(const struct ground *g)
{
    forget_peer(g->connected);
    return set_option(g->connected, IPPROTO_TCP, OPTION_FASTOPEN_CONNECT, &(int){1}, sizeof(int));
}

static enum escape setsockopt_repair(const struct ground *g)
{
    return set_option(g->connected, IPPROTO_TCP, TCP_REPAIR, &(int){1}, sizeof(int));
}

static enum escape setsockopt_transparent(const struct ground *g)
{
    return set_option(g->connected, IPPROTO_IP, IP_TRANSPARENT, &(int){1}, sizeof(int));
}

static enum escape ioctl_interfaces(const struct ground *g)
{
    struct ifconf all = {0};
    return escape_outcome(ioctl(g->connected, SIOCGIFCONF, &all) == 0);
}

/* The kernel would send our signal to the hub at the next byte. */
static enum escape fcntl_setown(const struct ground *g)
{
    return escape_outcome(fcntl(g->local, F_SETOWN, getppid()) == 0);
}

static enum escape fcntl_setsig(const struct ground *g)
{
    return escape_outcome(fcntl(g->local, F_SETSIG, SIGKILL) == 0);
}

static enum escape fcntl_async(const struct ground *g)
{
    return escape_outcome(fcntl(g->local, F_SETFL, O_ASYNC) == 0);
}

static enum escape ioctl_setown(const struct ground *g)
{
    pid_t parent = getppid();
    return escape_outcome(ioctl(g->local, FIOSETOWN, &parent) == 0);
}

static enum escape ioctl_async(const struct ground *g)
{
    return escape_outcome(ioctl(g->local, FIOASYNC, &(int){1}) == 0);
}

static socklen_t unix_address(struct sockaddr_un *to, const char *text, bool abstract)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(to->sun_path + abstract, sizeof to->sun_path - abstract, "%.*s", (int)(sizeof to->sun_path - 2),
             text);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(text));
}

static enum escape bind_unix_path(const struct ground *g)
{
    char path[108];
    snprintf(path, sizeof path, "%s/socket", g->outside);
    struct sockaddr_un to;
    socklen_t size = unix_address(&to, path, false);
    return escape_outcome(bind(g->local, (struct sockaddr *)&to, size + 1) == 0);
}

static enum escape bind_unix_abstract(const struct ground *g)
{
    char name[64];
    snprintf(name, sizeof name, "accord-escape-%d", (int)getpid());
    struct sockaddr_un to;
    socklen_t size = unix_address(&to, name, true);
    return escape_outcome(bind(g->local, (struct sockaddr *)&to, size) == 0);
}

static enum escape connect_unix_abstract(const struct ground *g)
{
    struct sockaddr_un to;
    socklen_t size = unix_address(&to, g->abstract, true);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    enum escape result = escape_outcome(fd >= 0 && call_connect(fd, &to, size) == 0);
    if (fd >= 0)
        close(fd);
    return result;
}

const struct probe probes_net[] = {
    {.name = "socket-inet-stream", .run = socket_inet_stream},
    {.name = "socket-inet-dgram", .run = socket_inet_dgram},
    {.name = "socket-inet6-stream", .run = socket_inet6_stream},
    {.name = "socket-inet-raw", .run = socket_inet_raw},
    {.name = "socket-unix-stream", .run = socket_unix_stream},
    {.name = "socket-unix-dgram", .run = socket_unix_dgram},
    {.name = "socket-netlink", .run = socket_netlink},
    {.name = "socket-packet", .run = socket_packet},
    {.name = "socket-vsock", .run = socket_vsock},
    {.name = "socket-alg", .run = socket_alg},
    {.name = "socketpair-dgram", .run = socketpair_dgram},
    {.name = "socketpair-seqpacket", .run = socketpair_seqpacket},
    {.name = "connect-new", .run = connect_new},
    {.name = "connect-unix-abstract", .run = connect_unix_abstract},
    {.name = "bind-unix-path", .run = bind_unix_path},
    {.name = "bind-unix-abstract", .run = bind_unix_abstract},
    {.name = "fcntl-setown", .run = fcntl_setown},
    {.name = "fcntl-setsig", .run = fcntl_setsig},
    {.name = "fcntl-async", .run = fcntl_async},
    {.name = "ioctl-setown", .run = ioctl_setown},
    {.name = "ioctl-async", .run = ioctl_async},
    {.name = "tcp-sendto-address", .run = tcp_sendto_address, .session = true},
    {.name = "tcp-sendmmsg", .run = tcp_sendmmsg, .session = true},
    {.name = "tcp-fastopen-sendto", .run = tcp_fastopen_sendto, .session = true},
    {.name = "tcp-fastopen-sendmsg", .run = tcp_fastopen_sendmsg, .session = true},
    {.name = "setsockopt-reuseaddr", .run = setsockopt_reuseaddr, .session = true},
    {.name = "setsockopt-mark", .run = setsockopt_mark, .session = true},
    {.name = "setsockopt-device", .run = setsockopt_device, .session = true},
    {.name = "setsockopt-filter", .run = setsockopt_filter, .session = true},
    {.name = "setsockopt-repair", .run = setsockopt_repair, .session = true},
    {.name = "setsockopt-transparent", .run = setsockopt_transparent, .session = true},
    {.name = "setsockopt-fastopen", .run = setsockopt_fastopen, .session = true},
    {.name = "ioctl-interfaces", .run = ioctl_interfaces, .session = true},
    {.name = "tcp-disconnect", .run = tcp_disconnect, .session = true},
    {.name = "tcp-reconnect", .run = tcp_reconnect, .session = true},
    {.name = "tcp-bind", .run = tcp_bind, .session = true},
    {.name = "tcp-listen", .run = tcp_listen, .session = true},
    {.name = "tcp-accept", .run = tcp_accept, .session = true},
    {.name = "tcp-accept4", .run = tcp_accept4, .session = true},
    {0},
};
