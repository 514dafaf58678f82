/* One question to the partner and its answer: written in the link's dialect, sent with its headers, read as it comes,
 * and at the end put into one outcome. It is part of what asks, first in it: `arg` of the answer's events is the
 * exchange.
 *
 *     exchange_init(&me->exchange, link, ASKED_POLL, &events, done);
 *     link->dialect->poll(&me->exchange.draft, me->exchange.id, &poll);
 *     if (!exchange_begin(&me->exchange, path))
 *         out of memory: `done` is not called
 */
#ifndef TAXII_EXCHANGE_H
#define TAXII_EXCHANGE_H

#include "answer.h"
#include "draft.h"
#include "http.h"
#include "status.h"

#define EXCHANGE_ID   96
#define EXCHANGE_PATH 512

struct link;
struct exchange;

typedef void exchange_fn(struct exchange *, const struct outcome *);

struct exchange {
    struct link *link;
    enum asked asked;
    char id[EXCHANGE_ID]; /* of our message: made up by exchange_init, or set by the owner */
    struct draft draft;   /* our message, or what of it is to be sent next */
    int64_t size;         /* of our message; exchange_begin: the draft's, unless `body` is set */
    int64_t limit;        /* of the answer */
    /* Set by the owner when it sends more than a draft: */
    void (*ready)(struct exchange *, struct accord_session *);
    ptrdiff_t (*body)(struct exchange *, uint8_t *to, size_t size);
    const uint8_t *(*whole)(struct exchange *); /* http_request's */
    void (*leaves)(struct exchange *);
    /* And to hold the answer back: no more of it is read before exchange_go_on(). NULL: it is always read. */
    bool (*room)(struct exchange *);

    /* its own */
    struct http_request request;
    char path[EXCHANGE_PATH];
    size_t sent;
    struct http_call *call; /* NULL: not under way */
    struct answer *answer;
    struct answer_events events;
    struct outcome outcome;
    exchange_fn *done;
    bool judged;   /* the outcome is known before the end: a status, or something broken */
    bool canceled; /* by exchange_cancel() */
    char page[512]; /* the beginning of what is no TAXII message */
    size_t page_size;
    long code;
};

/* With a message id of its own, and empty. `events` without `status`. */
void exchange_init(struct exchange *, struct link *, enum asked, const struct answer_events *, exchange_fn *done);
/* `done` is called once, later. False: out of memory, and it will not be; nor after exchange_fini(). */
bool exchange_begin(struct exchange *, const char *path);
bool exchange_runs(const struct exchange *);
void exchange_cancel(struct exchange *, const char *reason); /* the outcome is MEANS_CANCELED; nothing when it does not run */
void exchange_go_on(struct exchange *);
/* Of an exchange that does not run, or whose link's http is gone. */
void exchange_fini(struct exchange *);

#endif
