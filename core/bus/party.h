/* The bus and its parties, as the files of the bus share them. */
#ifndef BUS_PARTY_H
#define BUS_PARTY_H

#include "bus/bus.h"
#include "bus/gate.h"
#include "bus/pace.h"
#include "util/table.h"

/* One sending service: what is claimed for it and what is due. */
struct bus_lane {
    struct bus_party *party;
    const struct conf_service *service;
    struct gate *gate; /* of the link's process, with the other lanes that it serves */
    size_t in_flight, window;
    int64_t bytes;      /* of those in flight */
    int64_t bytes_each; /* of those that were claimed last */
    bool blocked;       /* its link takes nothing */
    bool hungry;        /* there may be deliveries to claim */
    bool clear;         /* ordered: nothing is before what is admitted next */
    bool claiming;
    int64_t due;                    /* of the next retry, on the retry clock; 0: none */
    char blocked_by[ACCORD_ID_MAX]; /* ordered: the message that the others wait for; "" */
    int64_t blocked_since;          /* wall microseconds */
    struct store_claim claim;
};

struct bus_party {
    struct bus *bus;
    struct bus_party *next;
    const struct conf_agreement *conf;
    uint64_t generation;
    bool enabled, ready, retired, draining;
    char why_off[ACCORD_REASON_MAX];
    struct bus_lane *lanes;
    struct gate *gates; /* as many; those of the lanes that share a process are one */
    size_t lane_count;
    struct gate judges[2]; /* of the guard and of the inspector */
    size_t offers, dispatches, moves;
    size_t guests; /* routes of offers, its own and others', that lead to it */
    bool move_due; /* the last one failed */
};

struct bus {
    uv_loop_t *loop;
    struct store *store;
    struct bus_ports ports;
    void *arg;
    int64_t duplicate_horizon; /* microseconds */
    struct bus_party *parties;
    size_t offers, dispatches, cases;
    struct pace pace;
    struct table suspects;      /* by number of delivery: how sure it is that its link dies of it, never 0 */
    struct bus_dispatch *spare; /* for the dispatches to come */
    size_t spare_count, promised;
    uv_timer_t timer;               /* the earliest retry that is due */
    struct bus_dispatch *unsettled; /* their commit failed; tried again by the timer */
    bool settling_fails, giving_up;
    uint64_t again_at; /* of the loop's clock, milliseconds; 0: not */
};

struct bus_lane *bus_lane_find(struct bus_party *, const char *service);
/* Why nothing may be sent for it now: switched off, or not in force. NULL: it may. */
const char *bus_party_off(const struct bus_party *);
/* Tries again what failed: open deliveries follow the party's switch. */
void bus_party_move_again(struct bus_party *);

#endif
