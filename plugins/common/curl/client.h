/* What the clients of protocols that libcurl speaks share: connections over descriptors that the host dialled, driven
 * by the host's watches and timers, and the order of the calls that they carry. One call is one transfer of libcurl's: a
 * request and its answer, or a mail.
 *
 *   client.c   calls and their order: which one waits, which session carries it
 *   session.c  one connection: the dial, the secrets, the verdicts on its handshake, and its end
 *   wire.c     libcurl on the host's watches and timers
 *   call.c     deadlines of a call, its end, and whether it is begun anew
 *   hold.c     what leaves a TLS session, held back
 *
 * A protocol gives a table of functions, and embeds the structs below at the head of its own. Each session has a multi
 * handle and an easy handle of its own, so that it is always known which connection carries which call. Nothing is freed
 * inside a callback of libcurl: there, flags are set, and client_wire_run() looks at them when libcurl has returned. */
#ifndef CURL_CLIENT_H
#define CURL_CLIENT_H

#include <accord/connector.h>
#include <curl/curl.h>

#include "common/tls/tls.h"
#include "hold.h"

struct client;
struct client_call;
struct client_session;

enum client_end {
    CLIENT_DONE,      /* to its end, whatever that is */
    CLIENT_LOST,      /* not sent as a whole, so not acted upon: no connection, deferred, silent in the handshake */
    CLIENT_UNCERTAIN, /* had left as a whole, and no whole answer came */
    CLIENT_REFUSED,   /* the session itself, by us (a verdict, its certificate) or by them: park the link with `rule` */
    CLIENT_CANCELED,  /* by the caller */
};

/* For probes: what is told step by step while a call goes on ("connect", "tls", "authenticate"). */
typedef void (*client_step_fn)(void *arg, const char *step, int result, const char *text);

/* What one protocol does. Where a session is given, its call is session->call. */
struct client_protocol {
    const char *schemes; /* for CURLOPT_PROTOCOLS_STR */
    size_t session_size; /* of what a struct client_session is the head of; 0: of itself */
    /* Sets options of session->easy that hold for all of its calls. */
    bool (*open)(struct client_session *);
    /* Sets those of the call that is about to begin. False: it cannot be sent as it is. */
    bool (*setup)(struct client_session *);
    /* The session that carries it is authenticated and allowed: payload may be asked for. Again after `reset`. Also for one
     * that waits, over a session that is in use, so that its payload is there when its turn has come; then again for the
     * session that does carry it. */
    void (*ready)(struct client_call *);
    /* Has all of it left, so that it may have been acted upon? */
    bool (*left)(const struct client_call *);
    /* May it be sent once more, `ready` having been called, when a reused connection turned out dead before an answer? */
    bool (*again)(const struct client_call *);
    void (*reset)(struct client_call *);
    /* libcurl is through with a call, which is no more the session's: ends with client_finish(). Its code is CURLE_OK, or
     * an error that was not the caller's doing. */
    void (*over)(struct client_session *, struct client_call *, CURLcode);
    /* NULL: libcurl carries the calls. Otherwise it only connects (CURLOPT_CONNECT_ONLY) and greets, when the handshake
     * has been allowed; then `greeted` logs in and reports with client_session_report(). From then on the bytes of the
     * connection are the protocol's: `talk` is called when the descriptor is ready for session->wanted, and when the
     * call goes on. It ends calls with client_call_over(). */
    void (*talk)(struct client_session *, uint32_t events);
    void (*greeted)(struct client_session *);
    void (*parting)(struct client_session *); /* an idle session is closed by us: the last words. NULL: none */
    void (*closed)(struct client_session *);  /* frees what the protocol has in it; NULL: nothing */
    /* The very end: tells the caller, unless call->client->freed, and frees. */
    void (*finished)(struct client_call *, enum client_end, const char *rule, const char *reason);
};

struct client_settings {
    const struct client_protocol *protocol;
    struct accord_instance *instance;
    const struct accord_host *host;
    const char *name; /* of the endpoint */
    int64_t port;
    /* Names of the link's options that hold secrets (accord_host.secret); NULL: not set. */
    const char *trust, *certificate, *key, *passphrase;
    const struct accord_list *pins;
    int64_t connections; /* open at once, at most */
    int64_t connect;     /* ms for dial and handshake */
    int64_t silence;     /* ms without a byte in either direction while something is due */
    int64_t whole;       /* ms for a call; 0: no limit but `silence` */
    int64_t idle_close;  /* ms that an unused connection stays open; 0: it is closed at once */
    /* Our certificate was read: when it ends (microseconds since 1970). */
    void (*certificate_until)(void *arg, int64_t);
    void *arg;
};

enum client_stage {
    CLIENT_DIALLING,
    CLIENT_SECRETS, /* are awaited */
    CLIENT_SHAKING, /* hands */
    CLIENT_JUDGED,  /* the verdict on the handshake is awaited */
    CLIENT_LOGIN,   /* the handshake is allowed, and we log in (protocols that talk) */
    CLIENT_KNOWN,   /* the verdict on the authenticated session is awaited */
    CLIENT_BUSY,    /* with a call that may leave */
    CLIENT_IDLE,
    CLIENT_OVER, /* its call is being told of its end */
};

enum { SECRET_TRUST, SECRET_CERTIFICATE, SECRET_KEY, SECRET_PASSPHRASE, SECRETS };

struct client_session {
    struct client_session *next;
    struct client *client;
    struct client_call *call; /* NULL: none (idle, or its call was cancelled while it was dialled) */
    enum client_stage stage;
    struct accord_session *handle; /* NULL until dialled */
    int fd;                        /* -1: none, or closed by libcurl */
    bool given;                    /* to libcurl, which closes it */
    struct accord_watch *watch;
    uint32_t wanted, watched; /* events: by libcurl; by us, which is less while held back */
    struct accord_timer *timer, *idle;
    long timer_ms; /* that `timer` was set to */
    CURLM *multi;
    CURL *easy;
    bool inside;  /* libcurl is running */
    bool starved; /* of timers: cannot go on */
    bool mute;    /* the facts could not be told: cannot go on */
    bool greeted; /* libcurl has connected and is through: the protocol talks */
    bool used;    /* has carried a call to its end */
    bool retired; /* is not used again */
    uint8_t *secrets[SECRETS];
    size_t secret_sizes[SECRETS];
    int secret; /* that is awaited */
    struct tls *tls;
    struct tls_problem problem; /* that is why the handshake ended, or the facts could not be told; reason "": none */
    SSL *ssl;                   /* libcurl's, while its connection stands */
    struct hold hold;
    char said[CURL_ERROR_SIZE]; /* by libcurl */
};

struct client_call {
    struct client_call *next; /* in client->waiting */
    struct client *client;
    struct client_session *session; /* NULL: waits in line */
    struct accord_timer *deadline;
    int64_t began;     /* ticks: when a session was asked for */
    int64_t heard;     /* ticks: the last byte in either direction */
    uint64_t wrote;    /* by session->hold when it began */
    bool fresh_only;   /* a reused session has let it down */
    bool early;        /* `ready` was called while it waited */
    bool readied;      /* it was called for the session that carries it */
    bool body_ended;   /* all of it was given to libcurl */
    bool left;         /* as a whole, before libcurl began anew */
    bool body_waits;   /* for client_go_on() */
    bool answer_waits; /* likewise */
    bool moved;        /* something came or was given since `heard` was set */
    bool answered;     /* a byte of an answer has come */
    bool goes_on;      /* client_go_on() was called */
    unsigned turn;     /* of the client, in which it went on */
    bool stopped;      /* by the caller: no more callbacks but `finished` */
    bool over;         /* ended by us: `reason` */
    char reason[ACCORD_REASON_MAX];
    client_step_fn step; /* NULL: nobody is told */
    void *step_arg;
};

struct client {
    struct client_settings set;
    struct client_session *sessions;
    struct client_call *waiting, **waiting_end;
    struct accord_timer *soon;
    bool owed; /* the host had no timer for it */
    unsigned turn;
    unsigned depth; /* of calls from the host */
    bool freed;     /* inside one of them */
};

/* ---- for the connector ---- */

/* `client` is zeroed, and at the head of what client_free() frees. False: libcurl cannot be initialised. Copies the
 * settings, not what they point to. */
bool client_init(struct client *, const struct client_settings *);
/* Aborts everything, silently. In the connector's `close`, since a dial cannot be ended in any other way;
 * also from inside a callback. */
void client_free(struct client *);
/* `call` is zeroed, and its own from now on. False: out of memory, and it is the caller's still. */
bool client_begin(struct client *, struct client_call *);
void client_cancel(struct client_call *, const char *reason); /* `finished` comes later, CLIENT_CANCELED */
void client_go_on(struct client_call *);
/* Closes what is not in use, and the rest when its call is over: the next one reads the secrets anew. */
void client_drop_idle(struct client *);
void client_tell_steps(struct client_call *, client_step_fn, void *arg); /* NULL: stop */

/* ---- for the protocol ---- */

/* Tells the caller and frees the call, which has no session any more. */
void client_finish(struct client_call *, enum client_end, const char *rule, const char *reason);
/* The caller's callback has ended its call; or we have (a limit): `reason` says why. libcurl is to be told. */
void client_call_stop(struct client_call *, const char *reason);
__attribute__((format(printf, 2, 3))) void client_call_give_up(struct client_call *, const char *format, ...);
void client_call_step(struct client_call *, const char *step, int result, const char *text);
/* Does the caller listen no more? Then libcurl's callbacks are to fail. */
bool client_call_is_off(const struct client_call *);
/* When the peer knows us: reports the facts of TLS about it and, behind them, these. Then `ready` is called, or the call
 * fails. */
void client_session_report(struct client_session *, const struct accord_pair *, size_t count);
/* Ends the session's call, if it has one, and itself. */
void client_session_fail(struct client_session *, enum client_end, const char *rule, const char *reason);
void client_wire_watch(struct client_session *); /* after a change of session->wanted */
/* session->call is over, in whatever way; the session may be gone afterwards. */
void client_call_over(struct client_session *, CURLcode);
/* Why libcurl failed: what the handshake says about it, or else `text`. */
void client_explain(const struct client_session *, const char *text, struct tls_problem *);

/* ---- among its parts ---- */

/* client.c */
void client_enter(struct client *); /* around everything that the host calls */
void client_leave(struct client *); /* `client` may be gone afterwards */
void client_soon(struct client *);
void client_requeue(struct client_call *); /* at the head of the line */
/* Takes the next one for a session that has none; NULL: nobody waits. */
struct client_call *client_next(struct client *);
/* The same for a session that has carried one before. */
struct client_call *client_next_for_used(struct client *);
/* A timer, once more if the first attempt fails. */
struct accord_timer *client_timer(struct client *, int64_t ms, accord_timer_fn, void *arg);

/* session.c */
bool client_session_open(struct client *, struct client_call *); /* false: not now */
void client_session_carry(struct client_session *, struct client_call *); /* an idle session */
/* When libcurl does not run: ends it all. While it is dialled it lives on until the host has answered. */
void client_session_close(struct client_session *, const char *reason);
void client_session_destroy(struct client_session *, const char *reason); /* also then: the host will not answer */
/* Its call is over; it is kept or closed. */
void client_session_rest(struct client_session *);
/* The handshake is over, and libcurl runs: tells the facts, holds everything back. */
void client_session_shaken(struct client_session *);

/* wire.c */
bool client_wire_open(struct client_session *);  /* makes the handles; false: out of memory */
void client_wire_close(struct client_session *); /* frees them, and closes the connection */
/* Begins session->call. */
bool client_wire_begin(struct client_session *);
/* Lets libcurl run, and sees what has become of the call; `session` may be gone afterwards. */
void client_wire_run(struct client_session *, curl_socket_t, int events);
void client_wire_go_on(struct client_session *);

/* call.c */
void client_call_attend(struct client_call *); /* starts the deadlines; client_call_rest() ends them */
void client_call_rest(struct client_call *);
void client_call_ready(struct client_call *);
bool client_call_left(const struct client_call *); /* as a whole */

#endif
