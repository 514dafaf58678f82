/* The sessions of one link, up to `connections`, and who works in them: sending and receiving share them. */
#ifndef SFTP_POOL_H
#define SFTP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct accord_session;
struct accord_timer;
struct client;
struct link;
struct session;

enum use_kind {
    USE_SEND,  /* an upload: at most `files` of them in one session */
    USE_FETCH, /* a download: at most `files` of them in one session */
    USE_LIST,  /* what needs no payload: listings, clean-up; as many as there are */
    USE_KINDS,
};

/* One piece of work that needs a session; part of what does the work. `begin` and `broken` may leave the pool and free
 * what they are part of. */
struct use {
    struct use *next, **at;  /* in the list where it is; `at` NULL: in none */
    struct link *link;       /* set by pool_join */
    struct session *session; /* NULL while it waits */
    enum use_kind kind;
    bool heavy; /* so much payload that it is worth waiting for a session with less to do */
    /* Once: the session is ready, requests can be made: client_ask() and sftp_put_...() on use_client(). */
    void (*begin)(struct use *);
    /* Instead, or later: no session can be had, or its own is over. The use has left the pool already, and what it has
     * asked is forgotten. */
    void (*broken)(struct use *, const char *reason);
};

struct pool {
    struct session *sessions;
    struct use *waiting[USE_KINDS];
    struct use **end[USE_KINDS]; /* where the next to wait goes */
    size_t uses, heavy, light;   /* waiting and begun: all; those with much payload; those with little */
    struct accord_timer *soon;
    int64_t alone, alone_until; /* ms, ticks: no further connection before, for one failed */
    bool advancing, closed;
};

void pool_init(struct link *);
/* Ends every session and every use. */
void pool_close(struct link *, const char *reason);
/* Of a use that is in no pool. One of its functions is called later, never before this returns. */
void pool_join(struct link *, struct use *);
/* Neither of its functions is called any more, but replies are, unless client_forget() is. Fine in every state. */
void pool_leave(struct use *);
/* Ends what waits, and lets the sessions that nobody uses go. */
void pool_stop(struct link *, const char *reason);
/* Requests were made, or room was: soon they are sent and what waits begins. Cheap, call it freely; not needed in a
 * function that handles a reply. */
void pool_soon(struct link *);

static inline bool use_joined(const struct use *use)
{
    return use->at != NULL;
}
struct client *use_client(const struct use *);            /* of a use that has begun */
struct accord_session *use_session(const struct use *);   /* for accord_host.pull */
/* The session of a use that has begun cannot go on (the partner broke the protocol): broken() follows for all of them. */
void use_break(const struct use *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- for session.c ---- */

void pool_ready(struct session *); /* its requests can be made */
/* It is over and has to be closed; `rule`: park the link ("": no). */
void pool_lost(struct session *, const char *rule, const char *reason);
/* Begins what waits, as far as there is room, and dials where there is not enough. */
void pool_advance(struct link *);

#endif
