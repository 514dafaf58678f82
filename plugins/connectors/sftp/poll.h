/* Receiving: a folder at the partner is listed again and again, and what has settled in it is fetched and offered.
 *
 *   poll.c     one folder: when it is listed, what of it is fetched, and what follows from an answer
 *   listing.c  one walk through it
 *   fetch.c    one file: read, offered, handed over; after.c deletes it or moves it away
 *   seen.c     what is known of each path; found.c the oldest of those that may be fetched; mark.c the cursor
 */
#ifndef SFTP_POLL_H
#define SFTP_POLL_H

#include "found.h"
#include "mark.h"
#include "seen.h"
#include "sftp.h"

#define FETCH_PIECES 64        /* READs of one file under way */
#define FETCH_WINDOW (4 << 20) /* bytes of them, at most; */
#define FETCH_ALL    (64 << 20) /* and of all files of one folder, about */
#define POLL_PATH    2048      /* of a path below the directory */

enum after_rule { AFTER_DELETE, AFTER_MOVE, AFTER_KEEP };

struct listing;
struct fetch;

/* One receiving service. */
struct poll {
    struct link *link;
    size_t service;
    const struct service_options *options;
    struct accord_timer *timer;
    struct listing *listing; /* under way */
    uint32_t pass;
    int64_t settled_at; /* ticks: when the first of what has to settle will have; 0: nothing has to */
    struct seen_table seen;
    struct queue queue;
    struct fetch *fetches;  /* on their way */
    struct fetch *again;    /* deferred: offered again before anything else, in this order */
    size_t fetching;
    size_t owed;            /* that were deferred and not offered again yet */
    int64_t pause;          /* ms that the last failure or deferral led to; 0: none */
    int64_t not_before;     /* ticks: nothing is fetched before */
    int64_t list_at;        /* ticks: the next listing */
    struct mark mark;       /* after = keep: with all that was offered */
    char trouble[ACCORD_REASON_MAX]; /* that was told last; "": none */
    uint32_t trouble_pass;
    bool started, full;
};

struct poll *poll_new(struct link *, size_t service); /* NULL: out of memory */
void poll_free(struct poll *);
void poll_start(struct poll *);
void poll_stop(struct poll *);
void poll_ready(struct poll *); /* offers are taken again */

/* The service's directory and what is below it; false: too long. */
bool poll_path(const struct poll *, const char *below, char path[SFTP_PATH_MAX]);
/* Says what is wrong, once until something else is, or poll_works(). `rule`: also as an incident (NULL: no). */
void poll_trouble(struct poll *, const char *rule, const char *format, ...) __attribute__((format(printf, 3, 4)));
void poll_works(struct poll *);

/* ---- for listing.c ---- */

/* A file that is there; the listing's path is not kept. */
void poll_found(struct poll *, const char *path, const struct sftp_attrs *, bool typed);
/* It is over; `whole`: nothing was left out. `reason` NULL: it went well. */
void poll_listed(struct poll *, bool whole, const char *reason);
/* NULL: out of memory. */
struct listing *listing_new(struct poll *);
void listing_free(struct listing *);
void listing_look(struct listing *, int64_t now); /* as fetch_look() */

/* ---- for fetch.c and after.c ---- */

enum fetch_end {
    FETCH_DONE,     /* nothing more to do with this file: `state` */
    FETCH_CHANGED,  /* it is not as it was listed */
    FETCH_LATER,    /* it cannot be read: others first */
    FETCH_FAILED,   /* try again with another listing */
    FETCH_DEFERRED, /* offer it again first of all */
};

enum fetch_stage {
    FETCH_WAITING, /* for a session */
    FETCH_LOOKING, /* is it a regular file? */
    FETCH_OPENING,
    FETCH_OPEN,    /* is or will be offered, and read */
    FETCH_WHOLE,   /* all was handed over: the verdict is awaited */
    FETCH_AFTER,   /* is deleted or moved */
};

/* One READ, and the bytes that have come before their turn. */
struct piece {
    uint64_t offset;
    uint32_t size, got;
    uint8_t *data;
};

struct fetch {
    struct use use; /* first */
    struct poll *poll;
    struct fetch *next, **at; /* in poll->fetches or poll->again */
    struct found *found;
    enum fetch_stage stage;
    struct accord_offer *offer;
    bool open; /* the handle */
    struct sftp_handle handle;
    int64_t credit;
    uint64_t asked, written;
    uint32_t chunk, window;
    int64_t heard;          /* ticks: of the last answer, or when it was begun */
    bool checking, checked; /* whether size and time are still those of the listing */
    bool wants_offer;       /* offers were not taken */
    bool again;             /* was deferred: nothing else of its service is offered before */
    unsigned attempts;      /* of moving it */
    enum seen_state due;    /* what after.c is to do: SEEN_HELD, SEEN_REJECTED */
    struct piece pieces[FETCH_PIECES];
    char target[64];        /* added to the name, where one of that name is already */
};

/* Takes `found` over, and begins soon. False: out of memory, and `found` is gone. `due`: SEEN_NEW: fetch it. */
bool fetch_new(struct poll *, struct found *found, enum seen_state due);
/* From the list, with all that it holds; `found` as well. */
void fetch_free(struct fetch *);
/* Once more, from the beginning. */
void fetch_again(struct fetch *);
/* Breaks its session when an answer is due for longer than `timeout`, while others are answered. */
void fetch_look(struct fetch *, int64_t now);
void fetch_offer(struct fetch *); /* after wants_offer */
void fetch_pull(struct fetch *, int64_t bytes);
void fetch_verdict(struct fetch *, const struct accord_admitted *);
/* It has ended, and is freed or put among those that are deferred. */
void poll_fetched(struct poll *, struct fetch *, enum fetch_end, enum seen_state);

/* The session of `fetch` is there: deletes or moves the file. */
void after_begin(struct fetch *);

#endif
