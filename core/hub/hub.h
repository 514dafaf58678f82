/* The hub: configuration, bus, store, audit, dialer, supervisor. It loads no plugin and parses no payload.
 *
 * Everything in core/hub runs on the one loop thread, but for the audit export's own work (trail.c).
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "conf/report.h"
#include "hub/notify.h"

/* What the command line said. */
struct hub_options {
    const char *folder;     /* conf.d */
    const char *state;      /* NULL: as agent.conf says */
    const char *executable; /* of this program, for the children */
};

struct hub {
    struct hub_options options;
    uv_loop_t loop;
    struct hub_conf *conf;       /* the newest */
    struct conf_report problems; /* what the last load found, also when nothing of it was taken on */
    struct store *store;
    struct bus *bus;
    struct unit *units;
    struct reload *reload;
    struct adoptions *adoptions;
    struct suspension *suspensions;
    struct trail *trail;
    struct keeping *keeping;
    struct control *control;
    struct backup *backup; /* being made; NULL */
    struct notify notify;
    uv_signal_t signals[3];
    uv_timer_t tick;    /* dates, deadlines, watchdogs */
    int64_t started;    /* wall microseconds */
    int64_t started_ticks;
    int64_t ticked;     /* ticks of the last tick */
    int64_t lag, late;  /* ms by which the last tick was late, and all of them */
    int64_t patient_to; /* ticks: the hub itself was late, nobody else is blamed before */
    bool anew;          /* started by itself, after the store had failed */
    bool stopping;
    bool hurried;    /* asked to stop a second time: what is in flight is cut */
    int64_t stop_by; /* ticks */
    bool finishing;  /* the last anchor and export are being made */
};

/* Runs until SIGTERM or SIGINT. Returns the exit code of the process. */
int hub_main(const struct hub_options *);

#endif
