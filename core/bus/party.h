/* The bus and its parties, as the files of the bus share them. */
#ifndef BUS_PARTY_H
#define BUS_PARTY_H

#include "bus/bus.h"

/* One sending service: what is claimed for it and what is due. */
struct bus_lane {
    struct bus_party *party;
    const struct conf_service *service;
    size_t in_flight;
    bool blocked; /* its link takes nothing */
    bool hungry;  /* there may be deliveries to claim */
    bool claiming;
    int64_t due; /* wall microseconds of the next retry; 0: none */
    struct store_claim claim;
};

struct bus_party {
    struct bus *bus;
    struct bus_party *next;
    const struct conf_agreement *conf;
    uint64_t generation;
    bool enabled, ready;
    char why_off[ACCORD_REASON_MAX];
    struct bus_lane *lanes;
    size_t lane_count;
    size_t offers, dispatches, moves;
    bool removed;
};

struct bus {
    uv_loop_t *loop;
    struct store *store;
    struct bus_ports ports;
    void *arg;
    const struct conf *conf;
    int64_t duplicate_horizon; /* microseconds */
    struct bus_party *parties;
    size_t offers, dispatches, cases;
    uv_timer_t timer;               /* the earliest retry that is due */
    struct bus_dispatch *unsettled; /* their commit failed; tried again by the timer */
};

struct bus_lane *bus_lane_find(struct bus_party *, const char *service);

#endif
