/* Finds settled files in one folder: a pass reads the names step by step, remembers what it saw, and hands out
 * those whose size, time and inode have stayed the same for `settle`. Blocking: one step at a time, on a thread;
 * between steps the loop may read the results. */
#ifndef DIR_SCAN_H
#define DIR_SCAN_H

#include <dirent.h>

#include "place.h"

#define SCAN_STEP    1000  /* names read in one step */
#define SCAN_READY   64    /* files handed out by one step */
#define SCAN_SEEN    10000 /* files remembered; more wait until these are gone */
#define SCAN_REFUSED 8     /* refusals told by one step; more are told by the next pass */

struct found {
    char name[NAME_ROOM];
    struct facts facts;
};

struct seen; /* a file that a pass saw */

struct scan {
    /* set once */
    const char *root, *below, *pattern, *service;
    int64_t settle;

    /* set by the loop before a step */
    int64_t now;     /* ticks when the step begins, before it looks at anything */
    int64_t ended;   /* ticks after the last step had ended: what it saw, it saw before that */
    bool may_reopen; /* nothing uses the descriptors: they may be exchanged */
    bool recover;    /* hand out what stands in the claimed folder first */

    /* results of the last step */
    struct found ready[SCAN_READY];
    size_t ready_count;
    bool ready_claimed; /* they are in the claimed folder already */
    struct found refused[SCAN_REFUSED];
    const char *refused_why[SCAN_REFUSED];
    size_t refused_count;
    bool pass_over;  /* the next step begins a new pass */
    int64_t due;     /* with pass_over: when the first unsettled file settles; 0: none waits */
    bool reopened;   /* the folder is another one than before */
    bool failed;     /* `why` says what; the next step tries anew */
    char why[WHY_ROOM];

    /* of the thread; the descriptors may be used by others while they are open */
    int folder, claimed;
    DIR *dir;
    struct seen **seen;
    size_t seen_count;
    struct seen *fresh[SCAN_STEP]; /* seen in the last step as they are for the first time */
    size_t fresh_count;
    uint32_t pass;
};

int scan_init(struct scan *);
void scan_step(struct scan *);
void scan_fini(struct scan *);

#endif
