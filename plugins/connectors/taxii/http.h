/* HTTP requests to the link's endpoint, over TLS and descriptors that the host dialled: libcurl's multi interface,
 * driven by the host's watches and timers. HTTP/1.1, one host, no redirects, no proxy, no cookies, nothing from the
 * environment.
 *
 * A connection is dialled when a request needs one, reused while requests follow, and closed after `idle_close` or when
 * the partner does. Its facts are reported when the handshake is over; nothing of a request leaves before both verdicts
 * are there. A request that finds no free connection waits in line; at most `connections` are open.
 */
#ifndef TAXII_HTTP_H
#define TAXII_HTTP_H

#include <accord/connector.h>

struct http;      /* of one link */
struct http_call; /* one request and its answer */

struct http_settings {
    struct accord_instance *instance;
    const struct accord_host *host;
    const char *name; /* of the endpoint: SNI, Host, identity */
    int64_t port;
    /* Names of the link's options that hold secrets (accord_host.secret); NULL: not set. */
    const char *trust, *certificate, *key, *passphrase;
    const struct accord_list *pins;
    int64_t connections;  /* open at once, at most */
    int64_t connect;      /* ms for dial and handshake */
    int64_t silence;      /* ms without a byte in either direction while something is due */
    int64_t whole;        /* ms for a request and its answer; 0: no limit but `silence` */
    int64_t idle_close;   /* ms that an unused connection stays open; 0: it is closed at once */
    int64_t head_limit;   /* bytes of an answer's head, at most */
    int64_t answer_limit; /* bytes of an answer's body, after decompression */
    /* Our certificate was read: when it ends (microseconds since 1970). */
    void (*certificate_until)(void *arg, int64_t);
    void *arg;
};

enum http_end {
    HTTP_ANSWERED, /* the answer is whole; `status` is set, whatever it is */
    HTTP_LOST, /* not sent as a whole, so not acted upon: no connection, deferred, silent in the handshake */
    HTTP_UNCERTAIN, /* the request had left as a whole, and no whole answer came, or one that is too large */
    HTTP_REFUSED,   /* the session itself, by us (a verdict, its certificate) or by them: park the link with `rule` */
    HTTP_CANCELED,  /* by the caller's own callback or http_cancel() */
};

struct http_result {
    enum http_end end;
    long status;        /* of the answer; 0: none */
    const char *rule;   /* of a refusal, or of what was deferred; "" */
    const char *reason; /* for a person; "" when answered */
    int64_t wait;       /* ms that the partner asked for (Retry-After); 0: none */
};

/* Of one request. All of it lives until `done` returns, which is called exactly once, never inside a call of http_*,
 * and not after http_free(). */
struct http_request {
    const char *path; /* absolute, with its query */
    /* Content-Type and the like; Host, Content-Length and User-Agent are set here. */
    const struct accord_pair *headers;
    size_t header_count;
    int64_t size; /* of the body; -1: not known, sent in chunks; there is always one (POST) */
    /* The session that carries it is authenticated and allowed; the body may follow. Once, unless the request is begun
     * anew on another connection: then again, and the body from its first byte. */
    void (*ready)(void *arg, struct accord_session *);
    /* The next bytes of the body, at most `size`, into `to`: how many; 0: none now (http_go_on() when there are);
     * HTTP_END after the last; HTTP_ABORT ends the request. */
    ptrdiff_t (*body)(void *arg, uint8_t *to, size_t size);
    /* All `size` bytes of the body at once, when they are there and none was given, so that they leave with the head; they
     * stay there until `done`. NULL: not now, `body` is asked. Behind `ready`, `leaves` says that they were taken. `whole`
     * itself may be NULL: never. */
    const uint8_t *(*whole)(void *arg);
    void (*leaves)(void *arg);
    /* The head of the answer has come; look at it with http_header(). Non-zero ends the request. */
    int (*head)(void *arg, struct http_call *, long status);
    /* Bytes of the answer's body. Non-zero ends the request (HTTP_CANCELED); HTTP_PAUSE: not taken, and come again
     * after http_go_on(). */
    int (*answer)(void *arg, const uint8_t *, size_t);
    void (*done)(void *arg, const struct http_result *);
    void *arg;
    /* May be sent once more on another connection when a reused one turned out dead before an answer. (Without it too when
     * `ready` had not been called yet: then nothing had left.) */
    bool again;
};
#define HTTP_END   (-1)
#define HTTP_ABORT (-2)
#define HTTP_PAUSE 1

struct http *
http_new(const struct http_settings *); /* NULL: out of memory; copies the settings, not what they point to */
/* Aborts everything, silently; NULL is fine. In the connector's `close`, since a dial cannot be ended in any other way;
 * also from inside a callback. */
void http_free(struct http *);
struct http_call *http_begin(struct http *,
                             const struct http_request *); /* NULL: out of memory; keeps the pointer */
void http_cancel(struct http_call *, const char *reason);  /* `done` comes later, HTTP_CANCELED */
void http_go_on(struct http_call *);
/* Of the answer, after its head; the last of that name without regard to case; NULL: none. Valid until `done`. */
const char *http_header(const struct http_call *, const char *name);
/* Whether a Content-Type (NULL: there was none) is this media type, whatever its parameters: "application/xml". */
bool http_is_type(const char *content_type, const char *type);
/* Closes what is not in use, and the rest when its request is over: the next one reads the secrets anew. */
void http_drop_idle(struct http *);
/* For probes: what is told step by step while a call goes on ("connect", "tls", "authenticate"). NULL: stop. */
typedef void (*http_step_fn)(void *arg, const char *step, int result, const char *text);
void http_tell_steps(struct http_call *, http_step_fn, void *arg);

#endif
