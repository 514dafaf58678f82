/* One AMQP 1.0 connection to the link's endpoint: a descriptor that the host dialled, TLS by common/tls, SASL by
 * channel_sasl.c, frames by qpid-proton's connection driver, driven by the host's watches and timers
 * (docs/decisions/0016).
 *
 * The bytes run socket <-> SSL <-> SASL, then driver. Nothing of SASL and no secret leaves before the facts of the
 * handshake are allowed; the user's password is asked of the host only then. Our open frame leaves when the facts of the
 * authenticated session are allowed too, after SASL's outcome. `opened` is called with the broker's open frame: from then
 * on the owner makes sessions and links on channel_connection() and is given proton's events.
 *
 * Facts: those of common/tls at both stages, and at ACCORD_AUTHENTICATED sasl.mechanism ("PLAIN", "EXTERNAL",
 * "ANONYMOUS") and sasl.offered (what the broker named, separated by commas). Profile: sasl.mechanisms, what may be
 * used, the preferred one first; session.encryption = "none": no TLS (docs/decisions/0009), and so no PLAIN or EXTERNAL.
 *
 * A session or link that the broker opens by itself ends the connection: we are a client and ask for what we want.
 */
#ifndef MQ_CHANNEL_H
#define MQ_CHANNEL_H

#include <accord/connector.h>
#include <proton/connection_driver.h>

struct channel;

struct channel_settings {
    struct accord_instance *instance;
    const struct accord_host *host;
    const char *name;     /* of the endpoint: SNI, the certificate's identity, open.hostname unless `hostname` is set */
    const char *hostname; /* of the open frame: "vhost:NAME" and the like; NULL or "": `name` */
    const char *container;
    /* "PLAIN", "EXTERNAL" or "ANONYMOUS"; NULL: the profile's first of PLAIN (if there is a password) and EXTERNAL (if
     * there is a certificate) that the broker offers. */
    const char *mechanism;
    const char *user; /* of SASL PLAIN; NULL or "": none */
    /* Names of the link's options that hold secrets (accord_host.secret); NULL: not set. */
    const char *password, *trust, *certificate, *key, *passphrase;
    const struct accord_list *pins;
    int64_t connect;   /* ms for each step after the dial: handshake, SASL, the broker's open, its close */
    int64_t heartbeat; /* ms without a frame after which the broker counts as gone: half of it is announced; 0: never */
    uint32_t max_frame;
    void (*certificate_until)(void *owner_arg, int64_t); /* ours was read: when it ends (us since 1970); or NULL */
};

enum channel_end {
    CHANNEL_LOST,    /* cut, silent, closed by the broker in a way that may pass: try again later */
    CHANNEL_REFUSED, /* the session itself, by us (a verdict, a certificate) or by them (SASL, TLS): park with `rule` */
    CHANNEL_CLOSED,  /* by channel_close() */
};

struct channel_closed {
    enum channel_end end;
    bool deferred;      /* a verdict said: not now */
    const char *rule;   /* "mq.credentials", "tls.untrusted", "mq.connection-forced", ...; "" */
    const char *reason; /* for a person: what happened, and what to do */
};

/* Called on the loop, never inside a call of channel_open(), channel_wake() or channel_close(); every one may call
 * channel_close() and channel_free(). */
struct channel_owner {
    void (*opened)(void *arg, struct channel *);
    /* Of sessions, links and deliveries; and of the connection's remote close, before `closed`. */
    void (*event)(void *arg, struct channel *, pn_event_t *);
    /* Exactly once, unless channel_free() came first, and last. Proton's objects are as they were until it returns: a
     * delivery that pn_delivery_buffered() has no more may be with the broker. */
    void (*closed)(void *arg, struct channel *, const struct channel_closed *);
    /* For probes: "connect", "tls", "authenticate", "open", as they are passed, and the one that failed, before `closed`;
     * NULL: nobody asks. */
    void (*step)(void *arg, struct channel *, const char *step, int result, const char *text);
    void *arg;
};

/* Begins to dial. Copies the settings; keeps the owner, and what the settings point to, until it is freed. NULL: out of
 * memory, or the host does not dial now. */
struct channel *channel_open(const struct channel_settings *, const struct channel_owner *);
pn_connection_t *channel_connection(struct channel *); /* NULL before `opened` */
struct accord_session *channel_session(struct channel *); /* that carries payload; NULL before `opened` */
/* Something was written to proton's objects outside of `event` and `opened`: let it out. Cheap to call often. */
void channel_wake(struct channel *);
/* Bytes that wait for the socket: a sender that has more waits for less of them. */
size_t channel_backlog(const struct channel *);
/* A close frame, then the end of TLS and `closed`; at most the time of `connect`. While it dials: when the host has
 * answered. */
void channel_close(struct channel *, const char *reason);
/* At once and silently. While it dials only in the plugin's `close`, since a dial cannot be ended. NULL is fine. */
void channel_free(struct channel *);

#endif
