/* connect(), as accordd has it for its link processes: a socket that is connected, as every dialled one is, is left as it
 * is. libcurl 7.88 connects them once more and would fail with EISCONN. The program's symbol comes before libc's for the
 * libraries of a connector. Programs in which no fake host has dialled keep the system's. */
#include "host_private.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

bool testhost_has_dialed;

__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    struct sockaddr_storage peer;
    socklen_t room = sizeof peer;
    if (testhost_has_dialed && getpeername(fd, (struct sockaddr *)&peer, &room) == 0)
        return 0;
    return (int)syscall(SYS_connect, fd, to, size);
}
