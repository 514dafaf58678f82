/* The taxii connector's HTTP client on the fake host, against a server of the test's own (web_server.h). */
#ifndef TESTS_HTTP_BENCH_H
#define TESTS_HTTP_BENCH_H

#include <accord/testkit/host.h>

#include "connectors/taxii/http.h"
#include "web_server.h"

#define BENCH_NAME "taxii.example"

struct bench {
    struct testhost *host;
    struct web *web;
    struct http *http;
    int64_t until; /* as certificate_until() said; 0: never */
};

struct bench_setting {
    enum testhost_clock clock;
    struct web_wish web;    /* certificate and key: made here when NULL */
    bool asks;              /* the server asks for a certificate of ours */
    bool shows;             /* the link has one, which the server takes */
    bool stranger;          /* ... or does not */
    const char *host;       /* in the server's certificate; NULL: BENCH_NAME */
    const struct http_settings *change; /* its numbers that are not 0 */
};

/* What was asked, and what came. */
struct ask {
    struct bench *bench;
    struct http_request request;
    struct http_call *call;
    const char *body;    /* sent once `ready` */
    size_t size, at;     /* of it */
    size_t piece;        /* at most, of a body that is given; 0: any */
    int64_t made;        /* bytes of a body that is made up instead */
    bool holds;          /* no more of the body is given now */
    bool offers;         /* `body` as a whole */
    bool pauses;         /* the answer is not taken now */
    unsigned pause_each; /* the answer is put off once before each so many pieces; 0: never */
    unsigned pieces;
    bool put_off;
    int stop_head, stop_answer;            /* what these return */
    bool cancel_head, cancel_answer, cancel_body, cancel_ready, free_answer, free_done;
    bool aborts;                           /* the body */
    unsigned readied, left, headed, ended; /* left: taken as a whole */
    long head_status;
    char type[128], got[4096]; /* Content-Type, and the answer's beginning */
    int64_t got_size;
    uint64_t got_sum; /* of all its bytes, by place */
    size_t largest;   /* piece of the answer */
    enum http_end end;
    long status;
    int64_t wait;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
    char steps[512]; /* "connect 0;tls 0;" */
    void (*then)(struct ask *); /* in `done` */
};

void bench_open(struct bench *, const struct bench_setting *);
/* Closes and expects no complaints. */
void bench_close(struct bench *);

/* A POST of `body` to `path`; to be changed before ask_begin(). */
struct ask ask_of(struct bench *, const char *path, const char *body);
void ask_begin(struct ask *);
bool ask_ended(void *ask); /* a condition */
bool ask_readied(void *ask);
void ask_wait(struct ask *); /* until it has ended, in real time */
void ask_whole(struct ask *); /* begins and waits */
/* Of ask_of(), begun and waited for. */
struct ask ask_once(struct bench *, const char *path, const char *body);
/* It has ended so, and `reason` is a part of what was said. */
void ask_expect(const struct ask *, enum http_end, const char *rule, const char *reason);
/* Runs the host until the server's number is as large. */
void bench_until(struct bench *, unsigned (*number)(struct web *), unsigned);
uint64_t sum_of(uint64_t sum, int64_t at, const void *bytes, size_t size);
size_t memory_used(void); /* KiB, resident */

/* Servers. */
void serve_ok(struct web_connection *); /* "200 OK", the body "fine", as often as it is asked */
void serve_when_told(struct web_connection *); /* "204 No Content", once web_go() lets it */

#endif
