/* accord/connector.h: the vtable of a connector, which speaks one protocol. */
#ifndef ACCORD_CONNECTOR_H
#define ACCORD_CONNECTOR_H

#include <accord/host.h>
#include <accord/option.h>

#ifdef __cplusplus
extern "C" {
#endif

enum accord_direction {
    ACCORD_SEND = 1,    /* from the bus to the other side */
    ACCORD_RECEIVE = 2, /* from the other side to the bus */
};

enum accord_connector_flag {
    ACCORD_CAN_SEND = 1u << 0,
    ACCORD_CAN_RECEIVE = 1u << 1,
    ACCORD_DIALS = 1u << 2, /* the link names an endpoint */
};

/* One service of a link, as configured. Everything in it lives until `close` returns. */
struct accord_service {
    const char *name; /* "stow-plan" */
    const char *type;
    enum accord_direction direction;
    const void *options; /* the struct that service_options fills */
    int64_t max_size;    /* largest payload in bytes */
    const char *cursor;  /* RECEIVE: as last committed when this process started; "" when there is none */
};

struct accord_link_setup {
    const char *agreement;
    const char *name;
    const void *options; /* the struct that link_options fills */
    const struct accord_service *const *services;
    size_t service_count;
    const char *endpoint_host; /* what the peer is called (SNI, host key look-up); NULL without endpoint */
    int64_t endpoint_port;
};

/* A delivery as the connector sees it; lives until finish(). */
struct accord_outgoing {
    struct accord_delivery *handle;
    size_t service;
    const struct accord_envelope *envelope;
    int64_t attempt;    /* 1: nobody has tried before; more when someone has, or may have before being killed */
    int64_t not_after;  /* accord_host.ticks by which it should have finished; 0: no limit */
};

struct accord_connector {
    uint32_t size; /* sizeof(struct accord_connector) when the plugin was built */
    uint32_t flags;
    struct accord_options link_options;
    struct accord_options service_options;

    /* Rules that no single option can state, asked by `accord check`, at start and at every reload, in a sandboxed
     * child that has nothing but the configuration: no I/O, no state, and soon. Writes a sentence into `why` and
     * returns ACCORD_EINVAL. "service NAME: ..." is shown at that section, and the sentence at the line of the first
     * key that it names. NULL: none. */
    int (*check)(const struct accord_link_setup *, char *why, size_t why_size);

    size_t state_size; /* the host allocates this much, zeroed, 16-byte aligned, for each link */

    /* Once, before all others. May not do I/O; failing leaves nothing behind. */
    int (*open)(void *state, struct accord_instance *, const struct accord_host *,
                const struct accord_link_setup *, char *why, size_t why_size);
    /* From now on offers may be made and sessions dialled (again, after `stop`). */
    void (*start)(void *state);
    /* Make no new offers and begin nothing; what is in flight may finish. Called before `close`. */
    void (*stop)(void *state);
    /* Abort everything: every delivery is finished, every session ended, every descriptor closed, every timer
     * stopped, before this returns, except functions on a thread, for which the host waits. */
    void (*close)(void *state);

    /* Takes a delivery: finish it exactly once. `*out` is valid until then. NULL: cannot send. */
    void (*deliver)(void *state, const struct accord_outgoing *out);
    /* Payload that pull() asked for, in order, at most ACCORD_PIECE_MAX; the bytes are the host's and valid
     * during the call only. `last` with the final piece (which may be empty). */
    void (*payload)(void *state, struct accord_delivery *, const uint8_t *, size_t, bool last);
    /* Please finish soon: normally with RETRY, or with what has happened anyhow. */
    void (*cancel)(void *state, struct accord_delivery *);

    /* The host wants up to `bytes` more of this offer. `arg` is what offer() was given. */
    void (*offer_pull)(void *state, struct accord_offer *, void *arg, int64_t bytes);
    /* The verdict on an offer. The handle is dead when this returns. May come before the last byte was
     * written, when the envelope or the size alone decided. */
    void (*offer_done)(void *state, struct accord_offer *, void *arg, const struct accord_admitted *);
    /* After offer() returned NULL: there is room again. */
    void (*offer_ready)(void *state);

    /* `accord probe`: walk what a session needs, step by step (handshake, authentication, the folders, queues or feeds
     * of the services), telling each with accord_host.probed; no message moves and nothing is changed at the other
     * side. A probe that fails parks nothing. NULL: the host's own steps (name, connection) are all there is. */
    void (*probe)(void *state, struct accord_probe *);
};

#ifdef __cplusplus
}
#endif
#endif
