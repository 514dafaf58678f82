/* A message on its way in, as the files that bring it in share it: offer.c takes the payload, route.c has it
 * judged, commit.c commits. */
#ifndef BUS_OFFER_H
#define BUS_OFFER_H

#include "audit/record.h"
#include "bus/content.h"
#include "bus/cursors.h"
#include "bus/dispatch.h"
#include "bus/judge.h"
#include "bus/source.h"

/* One service that takes the message. Its party does not change while it is a guest there. */
struct offer_route {
    struct bus_offer *offer;
    struct bus_party *party;
    struct bus_lane *lane;
    const struct conf_service *service;
    struct bus_source source; /* of its own: two inspectors read at the same time */
    struct bus_verdict verdict;
    bool counted;                /* as bytes that are being committed */
    struct bus_dispatch *direct; /* has a place in its lane's window, and goes when the commit is done */
    struct bus_lane *behind;     /* ordered, and not direct: nothing that comes later may go before it; NULL */
};

#define OFFER_FEW 3 /* audit records */

struct bus_offer {
    struct gate_item at_inlet; /* first */
    bool entered;              /* there: it is judged and committed now */
    bool aborted;              /* no more events */
    bool over;                 /* goes when the store has taken the piece that it is taking */
    bool taking;               /* the store has a piece */
    bool whole;                /* the last bytes have come */
    bool has_former;
    struct bus_party *party;
    const struct conf_service *service;
    struct bus_content *content;
    struct bus_offer_events events;
    void *arg;
    int64_t announced, granted, received;
    struct buf waiting; /* what came while the store was taking: at most what was granted */
    char answers[ACCORD_ID_MAX]; /* the message that it answers; "" */
    struct bus_party *counted; /* in whose quarantine it is being committed; its routes say for themselves */
    struct cursor_turn turn;        /* in line at its service, unless a person submitted it */
    uint64_t serial;                /* of the cursor that its commit takes along; 0: none */
    struct bus_verdict verdict; /* of the source's policies, or of the routes when none takes it */
    struct offer_route *routes;
    size_t route_count, judging;
    struct store_delivery *deliveries;
    struct store_audit *audit;
    size_t audit_count, audit_room;
    const char **keys;
    size_t key_count;
    struct offer_route **key_routes; /* which route gave the key; NULL: the source */
    const char **key_formers;        /* what their agreements were called before; NULL: nothing else */
    struct offer_release *release; /* it comes out of quarantine; NULL */
    struct store_get get;          /* the message that this one repeats */
    struct bus_source source; /* once it is sealed; from here on nothing is zeroed */
    struct store_admission admission; /* once it is made; its cursor's `serial` says so */
    /* Where routes, audit and deliveries are when there are no more of them. */
    struct offer_route one_route;
    struct store_audit few_audit[OFFER_FEW];
    struct store_delivery one_delivery;
    char former[STORE_ROUTE_MAX]; /* what the origin was called before, if it has_former */
    char cursor[ACCORD_CURSOR_MAX];
};

/* offer.c: as gate->enter. */
void offer_enter(struct gate_item *);
/* The ends. Each tells the source and frees the offer. */
void offer_answer(struct bus_offer *, enum accord_admission, const char *id, const char *rule,
                  const char *reason);
void offer_defer(struct bus_offer *, const char *rule, const char *reason);
void offer_reject(struct bus_offer *, const char *rule, const char *reason);
/* An audit record of an offer that does not become a message. */
void offer_record(struct bus_offer *, enum audit_action, const char *rule, const char *reason);

/* route.c: the payload is whole: have the source's policies judge, then every destination's. */
void offer_judge(struct bus_offer *);
/* The lanes that take the offer; NULL: out of memory. */
const struct takers *offer_takers(const struct bus_offer *);
/* Every verdict is there: commit, to quarantine when nobody may have it. */
void offer_conclude(struct bus_offer *);
/* Replaces a verdict. */
void offer_verdict_set(struct bus_verdict *, enum accord_answer, const char *module, const char *rule,
                       const char *reason);
void offer_routes_free(struct bus_offer *);
/* Its delivery is in the store, or will not come: it keeps back nothing in its lane by itself. */
void offer_route_arrived(struct offer_route *);
/* It is not admitted, after all: gives back the places in its destinations' windows. */
void offer_leave_lanes(struct bus_offer *);

/* commit.c */
void offer_commit(struct bus_offer *, bool quarantined);
/* Its deliveries and their audit records. False: no memory. */
bool offer_prepare(struct bus_offer *);
/* Forgets what was prepared. */
void offer_unprepare(struct bus_offer *);
/* They are committed: sends them, or lets them be claimed. */
void offer_feed(struct bus_offer *);

/* release.c: a person's decision that a quarantined message goes on. */
struct offer_release {
    char user[64], why[ACCORD_REASON_MAX];
    struct store_unquarantine verb;
};
void offer_release_commit(struct bus_offer *, bool quarantined);

#endif
