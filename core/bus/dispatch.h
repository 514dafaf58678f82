/* A delivery on its way: judged again when the policies have changed, handed to its link, settled. */
#ifndef BUS_DISPATCH_H
#define BUS_DISPATCH_H

#include "bus/content.h"
#include "bus/party.h"
#include "bus/source.h"

/* What is known of it beside its service. */
struct bus_delivery {
    uint64_t number;
    int64_t attempts, attempts_before, since;
    uint64_t generation;
    char message[ACCORD_ID_MAX];
    char rule[ACCORD_RULE_MAX]; /* as it was settled last; "" */
};

struct bus_dispatch {
    struct gate_item at_gate; /* first */
    struct bus_lane *lane;
    struct bus_dispatch *next; /* in bus->unsettled or bus->spare */
    int64_t size;
    int64_t sent_at;    /* ticks; 0: not at its link */
    int64_t good_until; /* ticks: the allow that it has is worth nothing from then on; 0: see generation */
    struct store_message *message; /* claimed: from the store, */
    bool holds;                    /* with its payload, which its lane counts until it has left; or */
    struct bus_content *content;   /* just admitted */
    struct store_audit audit;
    enum audit_action action;
    bool recorded;                 /* the settlement has an audit record */
    struct bus_dispatch_view view; /* from here on nothing is zeroed when it begins */
    struct bus_source source;
    struct bus_delivery delivery;
    struct store_settlement settlement;
    struct accord_envelope envelope; /* claimed */
    char sha256[DIGEST_HEX];
    const char *module, *rule, *reason, *receipt; /* of the settlement, in: */
    char texts[64 + ACCORD_RULE_MAX + ACCORD_REASON_MAX + STORE_RECEIPT_MAX];
};

/* A place in the lane's window for what is being admitted, so that it leaves as soon as it is committed. NULL: it
 * must wait its turn in the store. */
struct bus_dispatch *bus_dispatch_reserve(struct bus_lane *, int64_t size);
/* It was not admitted. */
void bus_dispatch_unreserve(struct bus_dispatch *);
/* It was, as `sending`. */
void bus_dispatch_direct(struct bus_dispatch *, const struct store_delivery *, struct bus_content *,
                         int64_t good_until);
/* It was claimed. Takes over the message and the payload. */
void bus_dispatch_claimed(struct bus_lane *, const struct store_claimed *);
/* Its link has it no more. */
void bus_dispatch_left(struct bus_dispatch *);
/* Its settlement is committed, or given up: it is gone when this returns, and its lane goes on. */
void bus_dispatch_over(struct bus_dispatch *);
/* The policy generation to be stored with what the verdict allows; 0: it must be judged again. */
uint64_t bus_allowed_under(const struct bus_party *, const struct bus_verdict *);
/* Microseconds until a deferred question is put again, when the policy has said; 0: it has not. */
int64_t bus_deferred_for(const struct bus_verdict *, const struct conf_service *);
/* Its link takes nothing now, or its agreement is off: what is kept for it is given back. */
void bus_dispatch_flush(struct bus_lane *);
/* What a gate gave back: to its link, if that still takes it. */
void bus_dispatch_enter(struct gate_item *);
/* As gate->enter. */
void bus_dispatch_send(struct gate_item *);

#endif
