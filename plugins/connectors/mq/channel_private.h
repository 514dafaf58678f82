/* What the parts of a channel share. channel.c owns its life and its end, channel_login.c the way from the dial to the
 * second verdict, channel_wire.c bytes and TLS, channel_amqp.c the driver. */
#ifndef MQ_CHANNEL_PRIVATE_H
#define MQ_CHANNEL_PRIVATE_H

#include "channel.h"
#include "channel_frames.h"
#include "channel_sasl.h"

#include "common/tls/options.h"
#include "common/tls/tls.h"

enum channel_stage {
    CHANNEL_DIALLING,
    CHANNEL_SECRETS,    /* of the handshake, one by one */
    CHANNEL_SHAKING,    /* TLS */
    CHANNEL_JUDGED,     /* the handshake's facts are with the host */
    CHANNEL_MECHANISMS, /* our SASL header has left */
    CHANNEL_PASSWORD,   /* asked of the host */
    CHANNEL_OUTCOME,    /* of SASL */
    CHANNEL_KNOWN,      /* the authenticated session's facts are with the host */
    CHANNEL_OPENING,    /* our open frame has left */
    CHANNEL_OPEN,
    CHANNEL_CLOSING, /* our close frame has left */
    CHANNEL_OVER,    /* it has ended; `closed` comes as soon as nothing of ours is on the stack */
    CHANNEL_GONE,    /* `closed` was called */
};

enum { SECRET_TRUST, SECRET_CERTIFICATE, SECRET_KEY, SECRET_PASSPHRASE, SECRETS };

/* Bytes as they are on the wire. */
struct channel_buffer {
    uint8_t *bytes;
    size_t start, end;
};

struct channel {
    struct channel_settings settings;
    const struct channel_settings *set; /* those */
    const struct channel_owner *owner;
    enum channel_stage stage;
    unsigned depth; /* of our functions on the stack that came from the loop */
    bool freed;     /* by the owner, while we are on the stack */

    struct accord_session *handle;
    int fd;
    struct accord_watch *watch;
    uint32_t watched;
    struct accord_timer *deadline, *tick, *soon;

    uint8_t *secrets[SECRETS];
    size_t secret_sizes[SECRETS];
    int secret; /* the one that is asked for */

    bool plain; /* no TLS: the profile says so */
    struct tls *tls;
    SSL_CTX *context;
    SSL *ssl;
    bool shaken, tls_failed;
    struct channel_buffer in, out;
    bool eof;
    int broken; /* errno of the socket */

    const char *mechanism;
    char offered[SASL_LIST_MAX];
    uint8_t said[SASL_FRAME_MAX]; /* by the broker, in SASL */
    size_t said_size;
    bool greeted; /* its header was read */

    pn_connection_driver_t driver;
    struct frames frames; /* before the driver gets them */
    bool driving;  /* `driver` is there */
    bool answered; /* the broker's open frame was read */
    bool more;     /* there is more in the socket than was read at a time */
    bool running;  /* in channel_run() */

    bool unwanted; /* closed while it dials */
    enum channel_end end;
    bool deferred;
    const char *failed; /* the step in which it ended; NULL: it was open */
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
};

/* ---- channel.c ---- */

/* Around all that the loop calls. channel_leave() may free the channel. */
void channel_enter(struct channel *);
void channel_leave(struct channel *);
/* Neither over nor freed: asked after every call of the owner's functions. */
bool channel_alive(const struct channel *);
/* Begins a stage, which has the time of `connect`. */
void channel_stage(struct channel *, enum channel_stage);
/* Nothing is awaited of the broker any more but its frames: no deadline. */
void channel_rest(struct channel *);
void channel_step(struct channel *, const char *step, int result, const char *text);
/* The first failure counts. */
__attribute__((format(printf, 4, 5))) void channel_fail(struct channel *, enum channel_end, const char *rule,
                                                        const char *format, ...);
/* It ends as channel_close() wanted it. */
void channel_done(struct channel *);
/* The connection was cut: what TLS has heard says why, and whether trying again can help. */
void channel_cut(struct channel *);
/* Takes and gives as far as it goes; `readable`: there is something to be had from the socket. */
void channel_run(struct channel *, bool readable);
void channel_soon(struct channel *);

/* ---- channel_login.c ---- */

/* After the dial: `handle`, `fd` and `watch` are there. */
void login_begin(struct channel *);
/* Takes what was received, up to the open frame. True: there was something. */
bool login_take(struct channel *);
void login_forget(struct channel *);

/* ---- channel_wire.c ---- */

bool wire_begin(struct channel *); /* false: out of memory, or TLS cannot be set up; the channel has failed then */
void wire_end(struct channel *);
/* 1: the handshake is over, 0: more has to come, -1: it has failed. */
int wire_shake(struct channel *);
/* Takes from the socket what is there; false: nothing new. The end is kept in `eof` and `broken`. */
bool wire_fill(struct channel *);
/* Decrypted bytes; 0: none now; -1: the end. */
ssize_t wire_get(struct channel *, void *, size_t);
#define WIRE_LEAST 1024 /* room below which the socket is waited for */
/* How much can be put now. */
size_t wire_room(const struct channel *);
bool wire_put(struct channel *, const void *, size_t);
void wire_flush(struct channel *);
bool wire_full(const struct channel *); /* after a flush: the socket takes no more now */
void wire_bye(struct channel *); /* the end of TLS */
void wire_watch(struct channel *);

/* ---- channel_amqp.c ---- */

void amqp_begin(struct channel *);
void amqp_end(struct channel *);
bool amqp_take(struct channel *); /* true: there was something */
void amqp_dispatch(struct channel *);
bool amqp_give(struct channel *); /* true: there was something to write */
void amqp_close(struct channel *);
size_t amqp_backlog(const struct channel *);

#endif
