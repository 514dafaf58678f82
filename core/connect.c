/* connect(), as the protocol libraries of a link's process find it. They are given sockets that the hub has connected,
 * and libcurl 7.88 connects even those once more (https://github.com/curl/curl/pull/10648, missing in Debian 12), which the
 * system call answers with EISCONN. The executable's symbol comes before libc's for every library that it loads, so it
 * must be in the executable's dynamic symbol table (tests/structure/test_abi.py). */
#include "connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool only_connected;

void connect_only_connected(void)
{
    only_connected = true;
}

__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    struct sockaddr_storage peer;
    socklen_t room = sizeof peer;
    if (!only_connected)
        return (int)syscall(SYS_connect, fd, to, size);
    if (getpeername(fd, (struct sockaddr *)&peer, &room) == 0)
        return 0;
    errno = EACCES;
    return -1;
}
