/* What the service manager is told: sd_notify(3)'s protocol, without its library. Without NOTIFY_SOCKET nothing
 * happens. The watchdog is fed only while both the loop and the store's thread do their work.
 */
#ifndef HUB_NOTIFY_H
#define HUB_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "store/store.h"

struct notify {
    int fd; /* -1: nobody to tell */
    struct sockaddr_un to;
    socklen_t size;
    int64_t watchdog; /* ms between signs of life; 0: none wanted */
    int64_t due;      /* ticks */
    bool asking;      /* the store */
    char status[256]; /* as it was told last */
    struct store_cursor question;
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. They stay for the same process when it starts anew (again.h);
 * children do not get them (spawn.c). */
void notify_open(struct notify *);
void notify_close(struct notify *);
void notify_ready(struct notify *);
void notify_reloading(struct notify *);
void notify_stopping(struct notify *);
/* One line; told when it is another than before. */
void notify_status(struct notify *, const char *line);
/* Feeds the watchdog when it is time and the store has answered since. */
void notify_tick(struct notify *, struct store *, int64_t ticks);

#endif
