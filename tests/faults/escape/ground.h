/* Makes the world that the probes of an escape battery try to reach. */
#ifndef ESCAPE_GROUND_H
#define ESCAPE_GROUND_H

#include "probe.h"

struct site {
    char outside[64];
    char inside[64]; /* a folder that a link may be given to write in */
    char abstract[64];
    uint16_t port;
    int listener, abstract_listener;
};

extern char ground_bytes[8]; /* "accord-1", for `address` */

/* 0, or -1 with errno. `folder`: where to make the folder, such as /tmp. */
int ground_open(struct site *, const char *folder);
void ground_close(struct site *);
/* Makes the files of the folder anew. */
int ground_refresh(const struct site *);
/* A connected TCP socket in the state in which the hub passes it; its peer stays. */
int ground_connected(const struct site *);
/* One that was connected without waiting and without the second connect(), and then reset by its peer. */
int ground_reset(const struct site *);

#endif
