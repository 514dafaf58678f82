/* The bus and its parties, as the files of the bus share them. */
#ifndef BUS_PARTY_H
#define BUS_PARTY_H

#include "bus/bus.h"
#include "bus/denials.h"
#include "bus/gate.h"
#include "bus/pace.h"
#include "util/table.h"

#define ANSWERS_EARLY 64 /* answers that may come before the delivery that they answer is settled */
#define OVERDUE_PAGE  64

struct answers {
    char early[ANSWERS_EARLY]
              [ACCORD_ID_MAX]; /* messages that were answered lately and expected nothing yet */
    size_t early_next;
    bool asking;
    struct store_overdue overdue;
    struct store_delivery found[OVERDUE_PAGE];
    struct store_missed missed;
    struct store_audit audit[2 * OVERDUE_PAGE]; /* that it is overdue, and the incident */
    bool told[OVERDUE_PAGE];
};

/* One sending service: what is claimed for it and what is due. */
struct bus_lane {
    struct bus_party *party;
    const struct conf_service *service;
    struct gate *gate; /* of the link's process, with the other lanes that it serves */
    size_t in_flight, window;
    size_t most; /* what its link wants to have at once; 0: it has not said */
    size_t at_link; /* of those in flight: handed over, or at the gate */
    struct bus_dispatch *kept, *kept_last; /* of those in flight: wait in memory until fewer are at the link */
    bool going_on;
    size_t released, lately; /* left the window: since `counted_at`, and in LANE_SPAN before it */
    uint64_t counted_at;     /* of the loop's clock, milliseconds */
    int64_t bytes;      /* of those in flight */
    int64_t bytes_each; /* of those that were claimed last */
    int64_t held;       /* bytes of payload in memory that were claimed, or may be by the claim at hand */
    bool blocked;       /* its link takes nothing */
    bool hungry;        /* there may be deliveries to claim */
    bool clear; /* ordered: nothing waits, and nothing is before what comes next */
    size_t coming; /* ordered: are being admitted, and will be there before what is admitted later */
    bool claiming;
    int64_t due;                    /* of the next retry, on the retry clock; 0: none */
    char blocked_by[ACCORD_ID_MAX]; /* ordered: the message that the others wait for; "" */
    int64_t blocked_since;          /* wall microseconds */
    uint64_t overdue;               /* answers that have not come in time */
    char deferred[ACCORD_REASON_MAX]; /* what the policies said when they deferred last; "": they have allowed since */
    struct store_claim claim;
    char verdict[sizeof "verdict.//" + 2 * CONF_NAME_MAX]; /* what its policies' answer is called in an audit record */
};

/* Who takes what comes in by one service, as long as no configuration has changed. */
struct takers {
    uint64_t routing; /* of the bus, when they were found; 0: they were not */
    struct bus_lane **lanes;
    size_t count;
};

struct bus_party {
    struct bus *bus;
    struct bus_party *next;
    void *owner;
    const struct conf_agreement *conf;
    uint64_t generation;
    bool enabled, ready, retired, draining;
    char why_off[ACCORD_REASON_MAX];
    struct bus_lane *lanes;
    struct gate *gates; /* as many; those of the lanes that share a process are one */
    size_t lane_count;
    struct gate judges[2]; /* of the guard and of the inspector */
    struct takers *takers; /* for each service, and one for any other */
    size_t taker_count;
    struct gate *inlets; /* for each link: its messages that are judged and committed at once */
    bool stopped[2];       /* its sources: by its store-limit, by its quarantine-limit */
    uint64_t coming[2];    /* bytes that are being committed: they count already */
    struct bus_source_line *source_lines; /* for each service */
    size_t offers, dispatches, moves, notes;
    size_t guests; /* routes of offers, its own and others', that lead to it */
    bool move_due; /* the last one failed */
    struct bus_counts *counts;
    struct store_usage usage; /* as it was when the store had published so often: */
    unsigned usage_seen;
};

struct bus {
    uv_loop_t *loop;
    struct store *store;
    struct bus_ports ports;
    void *arg;
    int64_t duplicate_horizon; /* microseconds */
    struct bus_party *parties;
    uint64_t routing; /* counts what changes who takes a message; from 1 */
    size_t offers, dispatches, cases;
    int64_t held; /* what the lanes hold */
    struct pace pace;
    struct table suspects;      /* by number of delivery: how sure it is that its link dies of it, never 0 */
    struct bus_dispatch *spare; /* for the dispatches to come */
    size_t spare_count, promised;
    uv_timer_t timer;               /* the earliest retry that is due */
    struct bus_dispatch *unsettled; /* their commit failed; tried again by the timer */
    bool settling_fails, giving_up;
    uint64_t again_at;  /* of the loop's clock, milliseconds; 0: not */
    uint64_t chores_at; /* likewise: what is done once a second while there is some of it */
    struct denials denials;
    struct answers answers;
};

struct bus_lane *bus_lane_find(struct bus_party *, const char *service);
/* Messages of one link that are judged and committed at the same time, so that no link's flood fills the store's queue:
 * the others of it wait here. */
#define INLET_SHARE 256
/* When what it feeds goes out fast and has a queue all the same, it is not the partner that is slow: work on what is here
 * goes before more of it. */
#define INLET_LITTLE 32
/* Why nothing may be sent for it now: switched off, or not in force. NULL: it may. */
const char *bus_party_off(const struct bus_party *);
/* Tries again what failed: open deliveries follow the party's switch. */
void bus_party_move_again(struct bus_party *);

#endif
