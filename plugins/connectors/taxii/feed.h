/* Receiving: one collection, polled again and again. Each content block of an answer is a message, offered as it comes.
 *
 * Where reading stands is a position (position.h): the window that was asked for and the part of its result. Its text is
 * the service's cursor, committed with the last block of each part. Whatever goes wrong (an answer cut off, a block
 * deferred, this process killed), the same part, or the window from its beginning, is asked for again from the last
 * position that the hub holds, and the hub knows what it has by `source_id`, a fingerprint of a block's content (of its
 * first 4 MiB when it is larger, so that it need not be held), and by the SHA-256 that it makes of it.
 *
 *   feed.c   when it is asked, and what follows from an answer; blocks.c the blocks on their way to the bus
 */
#ifndef TAXII_FEED_H
#define TAXII_FEED_H

#include "exchange.h"
#include "fingerprint.h"
#include "position.h"
#include "taxii.h"

#define BLOCK_WHOLE (4 << 20)  /* bytes up to which a block is held as a whole before it is offered */
#define FEED_HELD   (12 << 20) /* bytes of blocks in memory, about: no more is read before there are fewer */
#define FEED_OPEN   64         /* offers without a verdict, at most */
#define FEED_SPARE  16

struct feed;

/* A content block on its way, or only a position behind those before it. */
struct block {
    struct block *next;
    struct feed *feed;
    struct accord_offer *offer; /* NULL: not made yet, or over */
    uint8_t *bytes;             /* what was read and not handed over yet: [from, size) */
    size_t from, size, room;
    int64_t total, credit;
    struct fingerprint print;
    char source_id[80]; /* "" until it is known */
    char binding[ANSWER_TEXT], subtype[ANSWER_TEXT], label[64];
    bool mark;    /* no content: only `then` */
    bool large;   /* more than BLOCK_WHOLE: it is handed over as it comes */
    bool whole;   /* its content has come */
    bool written; /* and was handed over */
    bool offered;
    bool over;     /* the hub holds it, or will not have it: it counts as held */
    bool has_then; /* it is the last of a part: */
    struct position then;
};

struct feed {
    struct exchange exchange; /* first */
    struct link *link;
    size_t service;
    const struct service_options *options;
    struct catalogue_wait wait;
    EVP_MAC *print;

    struct position at;   /* what is asked for next, or now */
    struct position held; /* what the hub has committed */
    struct accord_session *session; /* that the answer comes over, while it is `live` */
    bool live;

    /* blocks.c: in the order in which they came */
    struct block *blocks, **last;
    struct block *current; /* that is being read, the last of them */
    size_t open;           /* offers without a verdict, and cursors without an answer */
    int64_t bytes;         /* in memory */
    struct {               /* memory of blocks that are over, for the next ones: it is dear when it is new */
        uint8_t *bytes;
        size_t room;
    } spare[FEED_SPARE];
    size_t spares;
    size_t rooms; /* of blocks and spare ones */
    bool full;             /* the host takes no more offers for now */
    bool paused;           /* the answer waits for us */
    bool again;            /* from `held`, as soon as nothing is open */

    /* of the answer */
    bool told; /* what it is an answer to */
    bool more;
    char result[ANSWER_TEXT], end[ANSWER_TEXT];
    int64_t came; /* blocks of this part */
    uint64_t digest, digest_before; /* of this part and of the one before: of their blocks' ids */
    int64_t asked_end;              /* of the window */

    /* when */
    bool started, behind; /* behind: there is more to be asked for at once */
    struct accord_timer *timer, *silence;
    int64_t due, not_before; /* ticks */
    int64_t pause;           /* ms that the last failure led to */
    unsigned failures;       /* in a row: */
    int64_t failed_part;     /* until a part beyond this one, or a whole window, was taken */
    unsigned narrow;         /* how often the window was halved */
    int64_t last_new;        /* ticks: when something came */
    char trouble[ACCORD_REASON_MAX]; /* that was told last; "": none */
    bool raised;                     /* and is an incident */
};

struct feed *feed_new(struct link *, size_t service); /* NULL: out of memory */
void feed_start(struct feed *);
void feed_stop(struct feed *);
void feed_free(struct feed *); /* after http_free(); NULL is fine */
void feed_ready(struct feed *); /* the host takes offers again */

/* ---- blocks.c ---- */

/* A block begins, brings content, and ends; false: out of memory. */
bool blocks_begin(struct feed *, const struct answer_block *);
bool blocks_content(struct feed *, const uint8_t *, size_t);
bool blocks_end(struct feed *, const char *label);
/* The part is read: `then` goes with its last block, or alone. False: out of memory. */
bool blocks_part(struct feed *, const struct position *then);
/* Offers what can be, in order. */
void blocks_offer(struct feed *);
/* Lets go of what was not offered; what was is left to its verdict, unless it is not whole. */
void blocks_cut(struct feed *);
void blocks_clear(struct feed *); /* of everything: aborts what is open */
bool blocks_wait(const struct feed *); /* some were not offered yet, and are whole */
bool blocks_room(const struct feed *);
void blocks_tidy(struct feed *); /* nothing is read: gives back memory that no block needs */
void block_pull(struct block *, int64_t bytes);
void block_verdict(struct block *, const struct accord_admitted *);

/* ---- feed.c, for blocks.c ---- */

void feed_moved(struct feed *);                     /* something is over, or was handed over */
void feed_again(struct feed *, const char *reason); /* from what is held, after a pause */
void feed_trouble(struct feed *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
