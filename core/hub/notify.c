#include "hub/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

/* A path, or with "@" a name of Linux's abstract kind. */
static bool set_address(struct notify *notify, const char *name)
{
    size_t size = strlen(name);
    if ((*name != '/' && *name != '@') || size < 2 || size >= sizeof notify->to.sun_path)
        return false;
    notify->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(notify->to.sun_path, name, size);
    if (*name == '@')
        notify->to.sun_path[0] = 0;
    notify->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

static int64_t watchdog_wanted(void)
{
    const char *every = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!every || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    int64_t us = strtoll(every, NULL, 10);
    return us > 0 ? us / 3000 + 1 : 0; /* three times in its time */
}

void notify_open(struct notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *notify = (struct notify){.fd = -1};
    if (name && set_address(notify, name))
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd >= 0)
        notify->watchdog = watchdog_wanted();
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

/* A manager that does not listen loses what it is told; it is told most things again. */
static void tell(struct notify *notify, const char *text)
{
    if (notify->fd < 0)
        return;
    ssize_t n = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&notify->to,
                       notify->size);
    if (n < 0 && errno != EAGAIN)
        log_event(ACCORD_DEBUG, "hub.notify", NULL, "the service manager cannot be told: %s",
                  strerror(errno));
}

void notify_ready(struct notify *notify)
{
    tell(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
    struct timespec now;
    char text[80];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(notify, text);
}

void notify_stopping(struct notify *notify)
{
    tell(notify, "STOPPING=1");
}

void notify_status(struct notify *notify, const char *line)
{
    char text[sizeof notify->status + 16];
    if (strcmp(line, notify->status) == 0)
        return;
    text_copy(notify->status, sizeof notify->status, line);
    snprintf(text, sizeof text, "STATUS=%s", notify->status);
    tell(notify, text);
}

static void answered(void *arg, int result)
{
    struct notify *notify = arg;
    (void)result; /* an error is an answer: its thread is alive */
    notify->asking = false;
    tell(notify, "WATCHDOG=1");
}

void notify_tick(struct notify *notify, struct store *store, int64_t ticks)
{
    if (!notify->watchdog || notify->asking || ticks < notify->due)
        return;
    notify->due = ticks + notify->watchdog;
    notify->asking = true;
    notify->question = (struct store_cursor){.route = "!/watchdog"};
    store_cursor(store, &notify->question, answered, notify);
}
