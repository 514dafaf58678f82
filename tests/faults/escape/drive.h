/* A hub for one child with the battery in it: starts the child, gives it what it needs, collects what it
 * reports. */
#ifndef ESCAPE_DRIVE_H
#define ESCAPE_DRIVE_H

#include "ground.h"

#define DRIVE_RESULTS 256

struct drive_order {
    const char *executable; /* understands --role=... */
    const char *role;       /* link, guard, inspect, describe */
    const char *folder;     /* of the plugins */
    const char *plugin;     /* file in it */
    const char *only;       /* one probe, or NULL */
    const struct site *site;
};

struct drive {
    struct {
        char name[48];
        char text[48]; /* "blocked EPERM" */
    } results[DRIVE_RESULTS];
    size_t count;
    bool ended; /* the battery came to its end */
    int status; /* of the process, as from waitpid(); meaningless when it ended by itself after `ended` */
    char words[512]; /* what else it said: walls, failures */
};

/* 0, or -1 when there was no talk with the child at all. */
int drive_battery(const struct drive_order *, struct drive *);
const char *drive_result(const struct drive *, const char *probe); /* NULL: not reported */

#endif
