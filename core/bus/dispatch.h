/* Out: claims what is due, judges it again when the policies have changed, hands it to its link. */
#ifndef BUS_DISPATCH_H
#define BUS_DISPATCH_H

#include "bus/party.h"
#include "bus/source.h"

/* Deliveries of one service that may be on their way to its link at once. */
#define BUS_WINDOW 256

struct bus_dispatch {
    struct bus_lane *lane;
    struct bus_dispatch *next; /* in bus->unsettled or lane->spare */
    struct bus_dispatch_view view;
    struct store_delivery delivery;
    struct store_message *message;
    struct accord_envelope envelope;
    char sha256[DIGEST_HEX];
    struct bus_source source;
    struct store_settlement settlement;
    struct store_audit audit;
    enum audit_action action;
    bool recorded; /* the settlement has an audit record */
    char module[64], rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX], receipt[STORE_RECEIPT_MAX];
};

/* Its settlement is committed, or given up: it is gone when this returns, and its lane goes on. */
void bus_dispatch_over(struct bus_dispatch *);

/* There may be something to claim. */
void bus_lane_feed(struct bus_lane *);
void bus_lane_pump(struct bus_lane *);
/* Nothing of it is in flight. */
void bus_lane_fini(struct bus_lane *);
void bus_timer_set(struct bus *);
/* The store did not take a settlement or a move: it is asked again in a second. */
void bus_try_again(struct bus *);

#endif
