/* The bus: admits messages, finds who takes them, has both sides' policies judge, dispatches deliveries with
 * credit and settles them. Knows nothing of processes and sockets: the hub gives it ports.
 *
 * The hub's own checks are made here, from its compiled tables, on every message and at every step: a child's
 * allow is necessary, never sufficient. Loop thread only.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <uv.h>

#include "audit/record.h"
#include "bus/cursors.h"
#include "conf/conf.h"
#include "store/store.h"

struct bus;
struct bus_party;    /* one agreement, or the site */
struct bus_offer;    /* a message on its way in */
struct bus_dispatch; /* a delivery on its way out */
struct bus_case;     /* one question to one policy process */

/* A payload that can be read from anywhere in it: staged in an offer, or stored. */
struct bus_source;
/* The whole payload, when it is in memory: it needs no read. NULL: it is not. */
const uint8_t *bus_source_memory(const struct bus_source *);
/* The same for good: whoever takes it frees it. NULL: others may need it, or it is not in memory. */
uint8_t *bus_source_take(struct bus_source *);
typedef void (*bus_read_done)(void *arg, int result, size_t got);
int64_t bus_source_size(const struct bus_source *);
/* One read at a time for one source. `done` runs later, in the order of the store's calls. */
void bus_source_read(struct bus_source *, int64_t offset, void *to, size_t room, bus_read_done, void *arg);

enum bus_judge { BUS_GUARD, BUS_INSPECT };

struct bus_key {
    char text[ACCORD_KEY_MAX];
};

struct bus_words {
    char module[64];
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
};

/* Whoever is given one ends it: bus_verdict_fini(). */
struct bus_verdict {
    enum accord_answer answer;
    size_t key_count;
    struct bus_key *keys;
    const struct bus_words *words; /* NULL: it says nothing, as most that allow */
    int64_t wait;       /* defer: milliseconds until it is asked again; 0: the bus knows best */
    int64_t good_until; /* allow: ticks; then it must be asked again. 0: while the generation is the same */
};

/* All empty when it says nothing. */
const struct bus_words *bus_verdict_words(const struct bus_verdict *);
/* Instead of what it has said so far, to which the arguments must not point. */
void bus_verdict_say(struct bus_verdict *, const char *module, const char *rule, const char *reason);
void bus_verdict_fini(struct bus_verdict *);

struct bus_ports {
    /* Puts a case to a process of its party; bus_case_answer() must follow, later, exactly once (defer
     * when the process is not there). */
    void (*ask)(void *arg, enum bus_judge, struct bus_case *);
    /* Hands a delivery to its link; exactly one of bus_dispatch_finish(), _cut(), _crashed(), _fail() and _return()
     * must follow. */
    void (*send)(void *arg, struct bus_dispatch *);
    /* An audit record that belongs to no commit. */
    void (*record)(void *arg, const struct audit_event *);
    /* Something that a person must look at. `link` may be NULL. `recorded`: a commit has its audit record already. */
    void (*incident)(void *arg, const char *agreement, const char *link, const char *rule,
                     const char *reason, bool recorded);
};

struct bus *bus_new(uv_loop_t *, struct store *, const struct bus_ports *, void *arg);
/* Every offer, dispatch and case must be over: bus_idle(). */
void bus_free(struct bus *);
bool bus_idle(const struct bus *);
/* How far back repeats are looked for, in microseconds; 0: not at all. */
void bus_duplicate_horizon_set(struct bus *, int64_t);
/* The end is near: settlements that the store does not take are given up. It has committed nothing of
 * them: after a restart their deliveries wait again. */
void bus_give_up(struct bus *);

/* ---- parties ---- */

/* `conf` must stay until replaced by bus_party_set or removed. */
struct bus_party *bus_party_add(struct bus *, const struct conf_agreement *, uint64_t generation);
/* A new configuration of the same agreement. Only while it is not busy. ACCORD_ENOMEM: it keeps the old
 * one. */
int bus_party_set(struct bus_party *, const struct conf_agreement *, uint64_t generation);
const struct conf_agreement *bus_party_conf(const struct bus_party *);
/* Whatever the hub wants to find again by the party that a port names; NULL at first. */
void bus_party_own(struct bus_party *, void *owner);
void *bus_party_owner(const struct bus_party *);
struct bus_party *bus_party_find(struct bus *, const char *agreement);
/* Off: its open deliveries are held, its sources refused. `why` is shown with what is held. */
void bus_party_enable(struct bus_party *, bool enabled, const char *why);
/* Its processes run: it may be judged and served. */
void bus_party_ready(struct bus_party *, bool ready);
/* Its processes will be ended: nothing waits for them to come back. Until it is ready again. */
void bus_party_drain(struct bus_party *);
/* A link takes no deliveries (parked, or its process is gone) or takes them again. */
void bus_party_block(struct bus_party *, const char *link, bool blocked);
/* The link wants no more than so many deliveries of each of its services at once; 0: it does not say. */
void bus_party_window(struct bus_party *, const char *link, int64_t most);
/* Deliveries have become its own, or were held too late: they follow its switch. */
void bus_party_moved_in(struct bus_party *);
/* Its file is gone: no new message is routed to it, and what it has is held. */
void bus_party_retire(struct bus_party *, bool retired);
/* Number of things under way that use its configuration: offers, routes to it, dispatches, moves, claims. */
size_t bus_party_busy(const struct bus_party *);
void bus_party_remove(struct bus_party *);
/* The agreement is within its dates. */
bool bus_in_force(const struct conf_agreement *, int64_t wall);

/* Since the agent started, for each service that has had something to do. */
struct bus_count {
    uint64_t offers[ACCORD_REJECTED + 1];      /* answered, by enum accord_admission */
    uint64_t deliveries[STORE_DISCARDED + 1];  /* attempts that were settled, by enum store_state */
    uint64_t bytes_in, bytes_out;              /* of what was accepted, and delivered */
};
typedef void (*bus_count_each)(void *arg, const char *agreement, const char *service, const struct bus_count *);
void bus_party_counts(const struct bus_party *, bus_count_each, void *arg);

/* ---- in ---- */

struct bus_offer_events {
    void (*pull)(void *arg, int64_t bytes);
    /* The offer is gone when this returns. Called once, unless the offer was aborted. */
    void (*done)(void *arg, const struct accord_admitted *);
};
/* In line with the other offers of its service's link: its cursor is committed in its turn (cursors.h). */
struct bus_place {
    const char *cursor; /* NULL: none */
};
/* `envelope` is copied. `place` NULL: a person submits it. `out` is NULL when `done` has run already: the envelope
 * alone decided. ACCORD_ENOMEM. */
int bus_offer_new(struct bus_party *, const struct conf_service *, const struct accord_envelope *,
                  const struct bus_place *, const struct bus_offer_events *, void *arg, struct bus_offer **out);
/* At most what pull asked for, in as many parts as the source likes; ACCORD_EPROTO when it is more, or
 * behind the last. */
int bus_offer_data(struct bus_offer *, const uint8_t *, size_t, bool last);
/* The source went away: no more events. A payload that was whole goes on to its admission. */
void bus_offer_abort(struct bus_offer *);

/* A cursor without a message, committed in its turn. `wait` is called once when this returns 0, not later than in
 * bus_source_gone(). ACCORD_ENOMEM. */
int bus_advance(struct bus_party *, const struct conf_service *, const char *cursor, struct cursor_wait *);
/* How many of these wait. */
size_t bus_advances(const struct bus_party *, const struct conf_service *);
/* How many deferrals the service's link has been told of; the hub's to count, for what crosses them on its way. */
uint32_t *bus_voids(struct bus_party *, const struct conf_service *);
/* The link's process is gone, and all of its offers aborted: nobody waits any more. */
void bus_source_gone(struct bus_party *, const struct conf_service *);

/* ---- a person decides ---- */

/* Lets a quarantined message go on: what reads payloads is not asked again, but the hub's own checks and the guards
 * of both ends are, and it goes to the services that take it now. Ends like an offer: accepted; or rejected or
 * deferred, and it stays in quarantine. */
int bus_release(struct bus *, const struct store_message *, const char *user, const char *why,
                const struct bus_offer_events *, void *arg);
/* A delivery was retried or discarded in the store. */
void bus_decided(struct bus *, const struct store_delivery *);

/* ---- looking ---- */

struct bus_lane_view {
    const struct conf_service *service;
    size_t in_flight;
    const char *blocked_by; /* the message that those behind it wait for; "" */
    int64_t blocked_since;  /* wall microseconds */
    uint64_t overdue;       /* answers that have not come in time, since the agent started */
    const char *deferred;   /* why the policies let nothing out for now; "" */
};
/* False: there are not so many. */
bool bus_party_lane(const struct bus_party *, size_t index, struct bus_lane_view *);

/* ---- cases ---- */

struct bus_case_view {
    struct bus_party *party;
    enum accord_question question;
    const struct conf_service *service;
    const struct accord_envelope *envelope;
    struct buf *encoded; /* where whoever sends the envelope on may keep it encoded; NULL: nowhere */
    struct bus_source *source; /* NULL for the guard */
    bool without_payload;      /* the inspector is not asked: a person has decided about the content */
};
const struct bus_case_view *bus_case_view(const struct bus_case *);
/* Takes over what the verdict holds. */
void bus_case_answer(struct bus_case *, struct bus_verdict *);
/* The process that judges died or hung; `alone`: with no other question in it. The case is put to the next process
 * alone; one that ends that too is denied. */
void bus_case_crashed(struct bus_case *, bool alone);

/* ---- out ---- */

struct bus_dispatch_view {
    struct bus_party *party;
    const struct conf_service *service;
    uint64_t number; /* of the delivery */
    int64_t attempt;
    const struct accord_envelope *envelope;
    struct buf *encoded; /* as of a case */
    struct bus_source *source;
};
const struct bus_dispatch_view *bus_dispatch_view(const struct bus_dispatch *);
/* Its link has been given all of the payload: what is in memory of it may go. */
void bus_dispatch_sent(struct bus_dispatch *);
void bus_dispatch_finish(struct bus_dispatch *, const struct accord_result *);
/* Its process was ended on request; `result` says how far it had come. */
void bus_dispatch_cut(struct bus_dispatch *, const struct accord_result *);
/* Its process died or hung. It is offered again alone; when that ends the process once more, it is dead. */
struct bus_crash {
    bool alone;      /* no other delivery was with the process */
    bool busy;       /* but messages were coming in through it */
    bool sent_whole; /* all of its payload had been handed over */
    const char *reason;
};
void bus_dispatch_crashed(struct bus_dispatch *, const struct bus_crash *);
/* The link was not there to take it: it waits again, and no attempt is counted. */
void bus_dispatch_return(struct bus_dispatch *, const char *reason);

#endif
