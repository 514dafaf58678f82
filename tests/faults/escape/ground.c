#include "ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

char ground_bytes[8] = "accord-1";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type;
    return at->level ? remove(path) : 0;
}

static int make_file(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int result = write(fd, "outside\n", 8) == 8 ? 0 : -1;
    close(fd);
    return result;
}

int ground_refresh(const struct site *site)
{
    char empty[128];
    snprintf(empty, sizeof empty, "%s/empty", site->outside);
    nftw(site->outside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    nftw(site->inside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return make_file(site->outside, "canary") || make_file(site->outside, "victim") || mkdir(empty, 0700) ||
           make_file(site->inside, "own");
}

static int listen_on(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, address, size) < 0 || listen(fd, 64) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

int ground_open(struct site *site, const char *folder)
{
    static unsigned count;
    *site = (struct site){.listener = -1, .abstract_listener = -1};
    snprintf(site->outside, sizeof site->outside, "%s/accord-escape-XXXXXX", folder);
    snprintf(site->abstract, sizeof site->abstract, "accord-escape-%d-%u", (int)getpid(), count++);
    snprintf(site->inside, sizeof site->inside, "%s/accord-granted-XXXXXX", folder);
    if (!mkdtemp(site->outside) || !mkdtemp(site->inside) || ground_refresh(site) != 0)
        return -1;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    site->listener = listen_on(AF_INET, &any, size);
    if (site->listener < 0 || getsockname(site->listener, (struct sockaddr *)&any, &size) < 0)
        return -1;
    site->port = ntohs(any.sin_port);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path + 1, site->abstract, strlen(site->abstract));
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(site->abstract));
    site->abstract_listener = listen_on(AF_UNIX, &name, size);
    return site->abstract_listener < 0 ? -1 : 0;
}

void ground_close(struct site *site)
{
    if (site->listener >= 0)
        close(site->listener);
    if (site->abstract_listener >= 0)
        close(site->abstract_listener);
    nftw(site->outside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    nftw(site->inside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    rmdir(site->outside);
    rmdir(site->inside);
}

/* A peer of its own, so that the site's listener hears only of what should not reach it. */
static int connect_pair(int *peer, bool careless)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    int listener = listen_on(AF_INET, &any, size);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool done = listener >= 0 && fd >= 0 && getsockname(listener, (struct sockaddr *)&any, &size) == 0 &&
                (connect(fd, (struct sockaddr *)&any, size) == 0 || errno == EINPROGRESS);
    *peer = done ? accept(listener, NULL, NULL) : -1;
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    done = done && *peer >= 0 && poll(&writable, 1, 5000) == 1;
    if (done && !careless)
        done = connect(fd, (struct sockaddr *)&any, size) == 0; /* the state must become "connected" */
    close(listener);
    if (!done)
        close(fd);
    return done ? fd : -1;
}

int ground_connected(const struct site *site)
{
    (void)site;
    int peer;
    int fd = connect_pair(&peer, false); /* the peer's end lives as long as this process */
    return fd;
}

int ground_reset(const struct site *site)
{
    (void)site;
    int peer, fd = connect_pair(&peer, true);
    struct linger at_once = {1, 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(peer);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (fd >= 0 && poll(&ended, 1, 5000) != 1)
        return -1;
    return fd;
}
