/* What the files of the link process share: the links, and what is under way. */
#ifndef LINK_ROLE_H
#define LINK_ROLE_H

#include "host/instance.h"
#include "host/pairs.h"
#include "host/handle.h"

struct conf_options;

/* One open link: an instance of a connector. */
struct link {
    struct accord_instance base;
    uint32_t id; /* the hub's number */
    char *texts; /* name, connector, host */
    const char *connector_name;
    struct accord_connector connector;
    void *state; /* the plugin's */
    bool open, started;
    struct accord_pair *pairs;
    size_t pair_count;
    struct conf_options *options;
    struct accord_link_setup setup;
    struct accord_service **services;
    size_t service_count;
    unsigned sessions;
    unsigned offers;      /* the weight of those that are open */
    unsigned wants_offer; /* offer() returned NULL for this weight: offer_ready is due; 0: not */
};

/* A service by the hub's number. */
struct link_service {
    struct link *link;
    size_t index; /* in link->services */
    char *texts;
    struct accord_pair *pairs;
    size_t pair_count;
    struct conf_options *options;
    char *cursor;      /* NULL: none */
    uint32_t voids;    /* DEFERRED that were heard of */
    unsigned advances; /* unanswered */
    unsigned under_way; /* deliveries */
};

struct link_role {
    struct process process;
    struct accord_host host; /* the table for every connector */
    struct link **links;
    size_t link_count;
    struct link_service *services;
    size_t service_count;
    struct table deliveries; /* by the hub's stream id */
    struct table sessions, offers, advances, probes;
    uint64_t last_id; /* of sessions, offers and secret requests */
    uv_idle_t ready;  /* run once, whichever comes first: what may not be said inside a plugin's own call */
    uv_check_t soon;
    struct buf asked; /* u64 ids of offers and */
    struct buf early; /* of deliveries that have something to hear then */
};

/* The one of this process: the handles that plugins hold carry no address. */
extern struct link_role *link_role;

static inline struct buf *link_out(void)
{
    return process_out(&link_role->process);
}

static inline struct link *link_of(struct accord_instance *instance)
{
    return (struct link *)instance;
}

/* ---- instance.c ---- */
void link_configure(const struct wire_message *);         /* LINK */
void link_configure_service(const struct wire_message *); /* SERVICE */
void link_configure_cursor(const struct wire_message *);  /* CURSOR */
void link_open_all(void);                                 /* or process_die() */
void link_close_all(void);
void link_free_all(void);

/* ---- session.c ---- */
int session_dial(struct accord_instance *, accord_dial_fn, void *arg);
const char *session_profile(struct accord_session *, const char *name);
int session_report(struct accord_session *, enum accord_stage, const struct accord_pair *, size_t,
                   accord_verdict_fn, void *arg);
int session_secret(struct accord_session *, const char *option, accord_secret_fn, void *arg);
void session_end(struct accord_session *, const char *reason);
void session_dialed(const struct wire_message *, int fd);
void session_verdict(const struct wire_message *);
void session_secret_given(const struct wire_message *);
/* The wire id of a live session of this link; a dead handle is the plugin's error. */
uint64_t session_id(const struct link *, const struct accord_session *);
/* After the plugins' close: whatever is left, with a line for each link that left it. */
void session_sweep(void);

/* ---- delivery.c ---- */
void delivery_begin(const struct wire_message *);  /* DELIVER */
void delivery_piece(const struct wire_message *);  /* PIECE */
void delivery_cancel(const struct wire_message *); /* CANCEL */
void delivery_pull(struct accord_delivery *, struct accord_session *, int64_t bytes);
void delivery_finish(struct accord_delivery *, const struct accord_result *);
void delivery_turn(void);
void delivery_sweep(void);

/* ---- offer.c ---- */
struct accord_offer *offer_begin(struct accord_instance *, size_t service, const struct accord_incoming *,
                                 void *arg);
int offer_write(struct accord_offer *, const uint8_t *, size_t, bool last);
void offer_abort(struct accord_offer *);
int offer_advance(struct accord_instance *, size_t service, const char *cursor, accord_committed_fn, void *arg);
void offer_advanced(const struct wire_message *); /* ADVANCED */
void offer_pulled(const struct wire_message *); /* OFFER_PULL */
void offer_done(const struct wire_message *);   /* OFFER_DONE */
/* There may be room: calls offer_ready of those who wait, later. */
void offer_room(void);
void offer_turn(void);

/* ---- probe.c ---- */
void probe_begin(const struct wire_message *); /* PROBE */
void probe_told(struct accord_probe *, const char *step, int result, const char *text, bool last);
void probe_sweep(void);

/* ---- later.c ---- */
void role_wake_init(uv_loop_t *);
void role_wake_end(void);
/* offer_turn() and delivery_turn() run at the end of this turn, or in the next of the loop, outside of any plugin's call. */
void role_wake(void);
/* Then with this id in `ids`. False: out of memory. */
bool role_later(struct buf *ids, uint64_t id);
/* Steps through them in their order, also through those that are added meanwhile; at the end they are gone. */
bool role_next(struct buf *ids, size_t *at, uint64_t *id);
void offer_sweep(void);

#endif
