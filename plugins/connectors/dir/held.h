/* One claimed file, from the claim to its end: for intake.c, which owns it. */
#ifndef DIR_HELD_H
#define DIR_HELD_H

#include "claim.h"
#include "intake.h"
#include "scan.h"

enum held_step {
    HELD_TAKE,
    HELD_OPEN,
    HELD_READ,
    HELD_ACCEPT,
    HELD_REJECT,
    HELD_PUT_BACK,
};

struct held {
    struct intake *intake;
    struct held *next;
    struct claim_file file;

    bool busy; /* a step runs on a thread: it alone touches `file` */
    enum held_step step;
    enum claim_result result;

    bool active;  /* counts against INTAKE_OFFERS */
    bool waiting; /* for room to offer */
    struct accord_offer *offer;
    int64_t credit, offset;
    bool complete; /* the last byte was handed over */
    uint8_t *piece;
    size_t wanted, got;

    bool judged; /* the verdict came */
    enum accord_admission admission;
    char *reason_text; /* of the reason file */

    struct accord_timer *timer; /* until the next try */
    bool again;                 /* a try is due; it waits for `start` */
    unsigned tries;
    bool no_room; /* the last try found the store full: the next comes soon */
};

struct intake {
    struct dir *dir;
    const struct accord_service *service;
    const struct service_options *options;
    size_t index;
    struct scan scan;
    struct claim_place place;
    char path[1024]; /* for people and inotify */

    bool started, closed;
    bool scanning;
    bool unplanned; /* the last step's results are not all used */
    bool hinted;    /* inotify: something happened since the pass began */
    bool failed;    /* and told */
    size_t next_ready;
    struct accord_timer *timer;
    int64_t timer_at; /* ticks */
    int inotify; /* -1: not yet; -2: the system has none for us */
    struct accord_watch *watch;

    struct held *held;
    size_t held_count, active;
};

/* Begins with a file that a scan found; `claimed`: it is in the claimed folder already. */
void held_begin(struct intake *, const struct found *, bool claimed);
void held_offer(struct held *);  /* while it waits for room */
void held_resume(struct held *); /* after `start`: what came due while stopped */
void held_abort(struct held *);  /* close */
/* In intake.c: a held file has gone, or waits: there may be room for others. */
void intake_pump(struct intake *);
void intake_release(struct intake *);

#endif
