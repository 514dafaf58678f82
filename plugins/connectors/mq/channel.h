/* One AMQP 1.0 connection to the link's endpoint: a descriptor that the host dialled, TLS by common/tls, SASL and frames
 * by qpid-proton's connection driver, driven by the host's watches and timers.
 *
 * The bytes run socket <-> SSL <-> driver. Nothing goes into the driver's output, so no SASL and no secret, before the
 * facts of the handshake are allowed; the user's password is asked of the host only then. `opened` is called when the
 * broker has taken us (SASL's outcome and its open frame) and the facts of the authenticated session are allowed: from
 * then on the owner makes sessions and links on channel_connection() and is given proton's events.
 *
 * Facts: those of common/tls at both stages, and at ACCORD_AUTHENTICATED sasl.mechanism ("PLAIN", "EXTERNAL",
 * "ANONYMOUS") and sasl.offered (what the broker named, separated by commas). Profile: sasl.mechanisms, what may be
 * used, the preferred one first.
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
    const char *user; /* of SASL PLAIN; NULL or "": none */
    /* Names of the link's options that hold secrets (accord_host.secret); NULL: not set. */
    const char *password, *trust, *certificate, *key, *passphrase;
    const struct accord_list *pins;
    int64_t connect;   /* ms for dial, handshake, SASL and the broker's open */
    int64_t heartbeat; /* ms without a frame after which the broker counts as gone; announced in our open frame */
    uint32_t max_frame;
    void (*certificate_until)(void *arg, int64_t); /* our certificate was read: when it ends (us since 1970) */
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

/* Called on the loop, never inside a call of channel_open. */
struct channel_owner {
    void (*opened)(void *arg, struct channel *);
    /* Of sessions, links and deliveries; and of the connection's remote close, before `closed`. */
    void (*event)(void *arg, struct channel *, pn_event_t *);
    /* Exactly once, unless channel_free() came first. The channel may be freed in it. */
    void (*closed)(void *arg, struct channel *, const struct channel_closed *);
    /* For probes: "tls", "authenticate", "open", as they are passed; NULL: nobody asks. */
    void (*step)(void *arg, struct channel *, const char *step, int result, const char *text);
    void *arg;
};

/* Begins to dial. Keeps both pointers. NULL: out of memory. */
struct channel *channel_open(const struct channel_settings *, const struct channel_owner *);
pn_connection_t *channel_connection(struct channel *);
struct accord_session *channel_session(struct channel *); /* that carries payload; NULL before `opened` */
/* Something was written to proton's objects outside of `event` and `opened`: let it out. Cheap to call often. */
void channel_wake(struct channel *);
/* Bytes that wait for the socket: a sender that has more waits for less of them. */
size_t channel_backlog(const struct channel *);
/* A close frame, then the end of TLS and `closed`; at most the time of `connect`. */
void channel_close(struct channel *, const char *reason);
void channel_free(struct channel *); /* at once and silently; NULL is fine */

#endif
