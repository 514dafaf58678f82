/* accord/host.h: what the host does for a plugin. The table is handed over at `open` and stays valid until
 * `close` returns. A slot that the table's `size` does not reach, or that is NULL, is missing: not supported by this
 * host, or not for this kind of plugin.
 *
 * Asynchronous services call back exactly once, always later (never inside the call that started them), and
 * not at all after the plugin's `close` was called (but for `done` of work on a thread). Calls that end or stop
 * something take NULL for nothing: timer_stop, watch_end, end.
 */
#ifndef ACCORD_HOST_H
#define ACCORD_HOST_H

#include <accord/message.h>

#ifdef __cplusplus
extern "C" {
#endif

struct accord_instance; /* one open link, or one open policy module: the host's handle */
struct accord_session;  /* one connection to the link's endpoint */
struct accord_delivery; /* one message on its way out */
struct accord_offer;    /* one message on its way in */
struct accord_probe;    /* one walk of `accord probe` */
struct accord_timer;
struct accord_watch;

enum accord_answer { ACCORD_ALLOW, ACCORD_DENY, ACCORD_DEFER };

/* Session stages, in order. Facts are names from the registry in docs/reference/session-facts.md. */
enum accord_stage {
    ACCORD_HANDSHAKE,     /* encrypted and the peer identified; nothing of ours has been sent */
    ACCORD_AUTHENTICATED, /* the peer knows us; no payload has been sent */
};

/* How a delivery ended. */
enum accord_outcome {
    ACCORD_DELIVERED, /* the other side has it, perhaps from before; `receipt` says so in its words */
    ACCORD_RETRY,     /* it does not; trying again may help, not before `wait` */
    ACCORD_REFUSED,   /* it will not take this message, ever */
    ACCORD_UNCERTAIN, /* cut after the last byte and before the answer */
};

struct accord_result {
    enum accord_outcome outcome;
    const char *reason;  /* for a person; "" when delivered */
    const char *receipt; /* what the other side said: path and size, status line; "" unless delivered */
    int64_t wait;        /* RETRY: milliseconds that the other side asked for; 0: the host's own back-off */
};

/* What became of an offer. Only ACCEPTED and QUARANTINED allow the connector to delete, acknowledge or
 * advance: both mean that the host holds the message durably. */
enum accord_admission {
    ACCORD_ACCEPTED,    /* committed (also for a repeat of what was committed before) */
    ACCORD_QUARANTINED, /* committed, and set aside: `rule` and `reason` say why; tell the source */
    ACCORD_DEFERRED,    /* not taken; offer it again later */
    ACCORD_REJECTED,    /* not taken and never will be (too large, not in force): set it aside, do not delete it */
};

struct accord_admitted {
    enum accord_admission admission;
    const char *id; /* message id, "" when deferred */
    const char *rule;
    const char *reason;
};

#define ACCORD_SECRET_MAX (64 * 1024)

typedef void (*accord_dial_fn)(void *arg, struct accord_session *session, int fd, const char *reason);
typedef void (*accord_secret_fn)(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason);
typedef void (*accord_verdict_fn)(void *arg, enum accord_answer answer, const char *rule, const char *reason);
typedef void (*accord_committed_fn)(void *arg, int result, const char *reason);
typedef void (*accord_timer_fn)(void *arg);
typedef void (*accord_watch_fn)(void *arg, uint32_t events);
typedef void (*accord_work_fn)(void *arg);

#define ACCORD_READABLE 1u
#define ACCORD_WRITABLE 2u

struct accord_host {
    uint32_t size; /* of this table, in bytes */
    uint32_t minor;

    /* ---- for every plugin ---- */

    /* One line for the operator. `event` is a short name like "sftp.stale-removed". Never pass a secret. */
    void (*log)(struct accord_instance *, enum accord_level, const char *event, const char *text);
    /* Adds to a counter of this instance; `gauge` sets a value that goes up and down. Both are shown by
     * `accord metrics`. Names: lower case and underscores, at most 64, at most 64 of an instance. */
    void (*metric)(struct accord_instance *, const char *name, int64_t add);
    void (*gauge)(struct accord_instance *, const char *name, int64_t value);
    /* Something that a person must look at though traffic goes on (a certificate that will expire, a feed that has been
     * silent): an incident, in the audit trail and for the operator. The same rule again within a day counts as the
     * same. */
    void (*incident)(struct accord_instance *, const char *rule, const char *reason);
    int64_t (*wall)(struct accord_instance *);  /* microseconds since 1970; may jump */
    int64_t (*ticks)(struct accord_instance *); /* milliseconds, monotonic; for deadlines */
    /* One shot. The handle is dead once the function runs or timer_stop returns. NULL: out of memory. */
    struct accord_timer *(*timer)(struct accord_instance *, int64_t ms, accord_timer_fn, void *arg);
    void (*timer_stop)(struct accord_timer *);
    /* Calls back while `fd` is readable or writable, as set by watch_set (initially neither); when it has failed, with
     * all that was asked for. One watch for a descriptor; end it before closing the descriptor. NULL: out of memory, or
     * not a descriptor that can be watched. */
    struct accord_watch *(*watch)(struct accord_instance *, int fd, accord_watch_fn, void *arg);
    void (*watch_set)(struct accord_watch *, uint32_t events);
    void (*watch_end)(struct accord_watch *);
    /* Runs `work` on a thread, then `done` on the loop, also after `close` has returned: the host frees the plugin's
     * state only then. `done` may call nothing of the host after `close`. Negative: neither will run. */
    int (*work)(struct accord_instance *, accord_work_fn work, accord_work_fn done, void *arg);

    /* ---- sessions: connectors with an endpoint ---- */

    /* The host checks the agreement, connects to the link's endpoint and passes a connected TCP socket with
     * TCP_NODELAY set. `fd` belongs to the plugin, which closes it; the host may shut it down at any time to
     * revoke the session. On failure session is NULL, fd is -1 and reason says why.
     * ACCORD_EBUSY: too many sessions. */
    int (*dial)(struct accord_instance *, accord_dial_fn, void *arg);
    /* The compiled session profile of this link, valid until the session ends: "ssh.ciphers" and so on
     * (docs/reference/session-profile.md). A value of "" forbids everything. NULL when absent: then the
     * plugin must not go on. */
    const char *(*profile)(struct accord_session *, const char *name);
    /* Reports the facts of a stage; the verdict must be awaited before anything of the next stage is sent.
     * After DENY and DEFER the plugin ends the session; after DEFER a later one may do better. */
    int (*report)(struct accord_session *, enum accord_stage, const struct accord_pair *facts, size_t count,
                  accord_verdict_fn, void *arg);
    /* Reads the secret that the link's option `option` names, at most ACCORD_SECRET_MAX bytes of it. Only between an
     * allowed HANDSHAKE (with ACCORD_FOR_HANDSHAKE: the dialling) and the end of the session. The bytes are wiped when
     * the callback returns; they are not NUL-terminated. */
    int (*secret)(struct accord_session *, const char *option, accord_secret_fn, void *arg);
    /* The session is over; forget the handle. Pending callbacks of the session are dropped. A dial that has not called
     * back yet cannot be ended: only `close` drops it. */
    void (*end)(struct accord_session *, const char *reason);

    /* ---- messages out: connectors that send ---- */

    /* How many deliveries of each service this instance wants to have at once, from 1; the host gives no more, and may
     * give fewer. What waits in the host can still be cancelled, held or judged again; what the plugin has runs against
     * its deadline. Without it: the host's own measure, by number and bytes. */
    void (*window)(struct accord_instance *, int64_t deliveries);

    /* Asks for up to `bytes` more of the payload; they arrive in accord_connector.payload. `session` is an
     * authenticated session of the link, which will carry them or leave them to another such session of the same link;
     * NULL for a link without endpoint. Credit adds up; the last piece may come with some of it unused, and a message
     * of 0 bytes is pulled too. */
    void (*pull)(struct accord_delivery *, struct accord_session *session, int64_t bytes);
    /* Ends a delivery, exactly once, also after `cancel`. The handle is dead when this returns. */
    void (*finish)(struct accord_delivery *, const struct accord_result *);

    /* ---- messages in: connectors that receive ---- */

    /* Offers a message of the service with this index. NULL: not now (draining or at capacity: `offer_ready`
     * will be called). The host asks for the payload through accord_connector.offer_pull. */
    struct accord_offer *(*offer)(struct accord_instance *, size_t service, const struct accord_incoming *,
                                  void *arg);
    /* Hands over the next bytes, at most what was asked for; `last` with the final ones (may be empty). */
    int (*offer_write)(struct accord_offer *, const uint8_t *, size_t, bool last);
    /* The source went away in mid-message. The handle is dead; offer_done is not called. */
    void (*offer_abort)(struct accord_offer *);
    /* Sets the cursor of a receiving service without a message; "" removes it. A cursor, from here or with an offer, is
     * committed in its turn: when every offer made before it on this service is accepted, quarantined or rejected. An
     * offer that is deferred or aborted voids the cursors of what came after it until then: offer it again before
     * anything else, with the cursor for all that was offered until now (it stands last in line), or begin again from
     * the cursor that holds. `done` when it is committed, or with why not (ACCORD_ECANCELED: void). */
    int (*advance)(struct accord_instance *, size_t service, const char *cursor, accord_committed_fn done, void *arg);

    /* ---- links ---- */

    /* The other side refuses the session itself (bad credentials, unknown host key, expired certificate):
     * stop trying until someone changes something. Unfinished deliveries are finished as RETRY by the
     * plugin. Raises an incident. Until then dials fail in the host; a connector that polls goes on at its
     * pace, and one that only sends is given deliveries again. */
    void (*park)(struct accord_instance *, const char *rule, const char *reason);
    /* One step of a probe: `result` 0 or an accord_error, and what was found or what to do, in one line. `last` ends
     * the probe; the handle is dead then. */
    void (*probed)(struct accord_probe *, const char *step, int result, const char *text, bool last);
};

#ifdef __cplusplus
}
#endif
#endif
