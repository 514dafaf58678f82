/* What the files of the bus share. */
#ifndef BUS_INTERNAL_H
#define BUS_INTERNAL_H

#include "audit/record.h"
#include "bus/bus.h"

/* Deliveries of one service that may be on their way to its link at once. */
#define BUS_WINDOW 32

struct bus_source {
    struct store *store;
    struct store_payload *staged; /* NULL: stored */
    const char *message;
    int64_t size;
    bool unreadable; /* the store's copy is damaged */
    struct store_read read;
    size_t peeked;
    bus_read_done done;
    void *arg;
};

/* One sending service: what is claimed for it and what is due. */
struct bus_lane {
    struct bus_party *party;
    const struct conf_service *service;
    size_t in_flight;
    bool blocked;  /* its link takes nothing */
    bool hungry;   /* there may be deliveries to claim */
    bool claiming;
    int64_t due;   /* wall microseconds of the next retry; 0: none */
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
    uv_timer_t timer; /* the earliest retry that is due */
    struct bus_dispatch *unsettled; /* their commit failed; tried again by the timer */
};

typedef void (*bus_judged)(void *arg, struct bus_verdict *);

/* judge.c: guard, then inspect when the party has payload policies. `done` may run at once. */
void bus_judge(struct bus *, const struct bus_case_view *, struct bus_source *, bus_judged, void *arg);

/* party.c */
struct bus_lane *bus_lane_find(struct bus_party *, const char *service);

/* dispatch.c */
void bus_lane_feed(struct bus_lane *); /* there may be something to claim */
void bus_lane_pump(struct bus_lane *);
void bus_timer_set(struct bus *);
void bus_settle_again(struct bus *);

/* trail.c */
void bus_trail_render(struct store_audit *, const struct audit_event *);
void bus_trail_free(struct store_audit *, size_t count);
void bus_key_of(char *to, size_t room, const char *agreement, const char *key);

#endif
