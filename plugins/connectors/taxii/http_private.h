/* What the parts of the HTTP client share: http.c (requests and their order), http_session.c (from the dial to the verdicts,
 * and the end), http_wire.c (libcurl: multi handle, sockets, timers), http_call.c (one request: what libcurl calls back,
 * deadlines, what its end means).
 *
 * Each session has a multi handle and an easy handle of its own, so that it is always known which connection carries which
 * request. Nothing is freed inside a callback of libcurl: there, flags are set, and http_wire_run() looks at them when
 * libcurl has returned. */
#ifndef TAXII_HTTP_PRIVATE_H
#define TAXII_HTTP_PRIVATE_H

#include <curl/curl.h>

#include "common/tls/tls.h"
#include "http.h"
#include "http_hold.h"

enum http_stage {
    HTTP_DIALLING,
    HTTP_SECRETS, /* are awaited */
    HTTP_SHAKING, /* hands */
    HTTP_JUDGED,  /* the verdict on the handshake is awaited */
    HTTP_KNOWN,   /* the verdict on the authenticated session is awaited */
    HTTP_BUSY,    /* with a request that may leave */
    HTTP_IDLE,
    HTTP_OVER, /* its request is being told of its end */
};

enum { SECRET_TRUST, SECRET_CERTIFICATE, SECRET_KEY, SECRET_PASSPHRASE, SECRETS };

struct http_session {
    struct http_session *next;
    struct http *http;
    struct http_call *call; /* NULL: none (idle, or its request was cancelled while it was dialled) */
    enum http_stage stage;
    struct accord_session *handle; /* NULL until dialled */
    int fd;                        /* -1: none, or closed by libcurl */
    bool given;                    /* to libcurl, which closes it */
    struct accord_watch *watch;
    uint32_t wanted, watched; /* events: by libcurl; by us, which is less while held back */
    struct accord_timer *timer, *idle;
    CURLM *multi;
    CURL *easy;
    bool inside;  /* libcurl is running */
    bool starved; /* of timers: cannot go on */
    bool used;    /* has carried a request and its answer */
    bool retired; /* is not used again */
    uint8_t *secrets[SECRETS];
    size_t secret_sizes[SECRETS];
    int secret; /* that is awaited */
    struct tls *tls;
    struct tls_problem problem; /* that is why the handshake ended, or the facts could not be told; reason "": none */
    SSL *ssl;                   /* libcurl's, while its connection stands */
    struct http_hold hold;
    char said[CURL_ERROR_SIZE]; /* by libcurl */
};

struct http_call {
    struct http_call *next; /* in http->waiting */
    struct http *http;
    const struct http_request *request;
    struct http_session *session; /* NULL: waits in line */
    struct curl_slist *headers;
    struct accord_timer *deadline;
    int64_t began;   /* ticks: when a session was asked for */
    int64_t heard;   /* ticks: the last byte in either direction */
    uint64_t wrote;  /* by session->hold when it began */
    int64_t given;   /* bytes of the body, to libcurl */
    int64_t encoded; /* bytes that these are on the wire (chunks) */
    int64_t head_size, answer_size;
    bool fresh_only;   /* a reused session has let it down */
    bool readied;      /* `ready` was called */
    bool body_ended;   /* all of it was given */
    bool left;         /* as a whole, before libcurl began anew */
    bool body_waits;   /* for http_go_on() */
    bool answer_waits; /* likewise */
    bool moved;        /* something came or was given since `heard` was set */
    bool answered;     /* a byte of an answer has come */
    bool head_told;
    bool goes_on; /* http_go_on() was called */
    unsigned turn; /* of http, in which it went on */
    bool stopped;  /* by the caller: no more callbacks but `done` */
    bool over;     /* ended by us: `reason` */
    char reason[ACCORD_REASON_MAX];
    http_step_fn step; /* NULL: nobody is told */
    void *step_arg;
};

struct http {
    struct http_settings set;
    struct http_session *sessions;
    struct http_call *waiting, **waiting_end;
    struct accord_timer *soon;
    bool owed; /* the host had no timer for it */
    unsigned turn;
    unsigned depth; /* of calls from the host */
    bool freed;     /* inside one of them */
};

/* http.c */
void http_enter(struct http *); /* around everything that the host calls */
void http_leave(struct http *); /* `http` may be gone afterwards */
void http_soon(struct http *);
void http_requeue(struct http_call *); /* at the head of the line */
/* Takes the next one for a session that has none; NULL: nobody waits. */
struct http_call *http_next(struct http *);
/* Tells the caller and frees the call, which has no session any more. */
void http_finish(struct http_call *, enum http_end, const char *rule, const char *reason, long status,
                 int64_t wait);
/* A timer, once more if the first attempt fails. */
struct accord_timer *http_timer(struct http *, int64_t ms, accord_timer_fn, void *arg);

/* http_session.c */
bool http_session_open(struct http *, struct http_call *); /* false: not now */
void http_session_carry(struct http_session *, struct http_call *); /* an idle session */
/* When libcurl does not run: ends it all. While it is dialled it lives on until the host has answered. */
void http_session_close(struct http_session *, const char *reason);
void http_session_destroy(struct http_session *, const char *reason); /* also then: the host will not answer */
/* Its request is over; it is kept or closed. */
void http_session_rest(struct http_session *);
/* The handshake is over: tells the facts, holds everything back. False: `problem`. */
bool http_session_shaken(struct http_session *);
/* Ends its request, if it has one, and itself. */
void http_session_fail(struct http_session *, enum http_end, const char *rule, const char *reason);

/* http_wire.c */
bool http_wire_open(struct http_session *);  /* makes the handles; false: out of memory */
void http_wire_close(struct http_session *); /* frees them, and closes the connection */
/* Begins session->call. */
bool http_wire_begin(struct http_session *);
/* Lets libcurl run, and sees what has become of the request; `session` may be gone afterwards. */
void http_wire_run(struct http_session *, curl_socket_t, int events);
void http_wire_go_on(struct http_session *);
void http_wire_watch(struct http_session *); /* what is watched follows from stage and hold */

/* http_call.c */
bool http_call_setup(struct http_session *); /* of session->easy for session->call */
void http_call_callbacks(struct http_session *);
void http_call_attend(struct http_call *); /* starts the deadlines; http_call_rest() ends them */
void http_call_rest(struct http_call *);
void http_call_reset(struct http_call *); /* to be begun anew */
void http_call_ready(struct http_call *);
bool http_call_left(const struct http_call *); /* as a whole */
void http_call_step(struct http_call *, const char *step, int result, const char *text);
/* libcurl is through with session->call, which it does not know any more. */
void http_call_over(struct http_session *, CURLcode);

/* http_reason.c */
/* What it means, in a sentence that begins with the endpoint's name. */
void http_reason(const struct http_session *, CURLcode, char *to, size_t size);

#endif
