/* When the cursors of one receiving service may be committed (accord/host.h, advance): each in its turn, when every
 * offer made before it is held. Pure: it keeps the order, and advance.c commits.
 *
 * A cursor stands with the newest offer before it that is still open, and replaces an older one there: what is to be
 * committed is always the newest of those whose turn has come.
 */
#ifndef BUS_CURSORS_H
#define BUS_CURSORS_H

#include <stdbool.h>
#include <stdint.h>

/* Somebody waits until a cursor is committed, or void. Called once; may be freed by it. */
struct cursor_wait {
    struct cursor_wait *next;
    void (*done)(struct cursor_wait *, int result);
};

struct cursor {
    char *text; /* heap; NULL: none */
    uint64_t serial;
    struct cursor_wait *waits; /* for it, and for older ones that it has replaced */
};

/* An offer that is open, embedded in it. */
struct cursor_turn {
    struct cursor_turn *next, *previous; /* NULL: not in line */
    struct cursors *of;
    struct cursor own;   /* its own, */
    struct cursor after; /* and the newest of what is held behind it */
};

struct cursors {
    struct cursor_turn line; /* in the order in which they were made */
    struct cursor due;       /* its turn has come, and no commit has had it */
    uint64_t serial;         /* of the newest */
    unsigned waiting;        /* for all of them */
};

void cursors_init(struct cursors *);
/* Nobody waits any more, and nothing is in line. What was due stays so. */
void cursors_reset(struct cursors *);
void cursors_fini(struct cursors *);

/* An offer is made; `cursor` NULL: it has none. ACCORD_ENOMEM. */
int cursors_enter(struct cursors *, struct cursor_turn *, const char *cursor);
/* A cursor without an offer. ACCORD_ENOMEM: `wait` is not called. */
int cursors_advance(struct cursors *, const char *cursor, struct cursor_wait *);
/* The offer has ended. Held: accepted, quarantined or rejected. Otherwise its cursor and those behind it are void. Does
 * nothing when it is not in line. */
void cursors_leave(struct cursor_turn *, bool held);

/* What the commit of this offer may take along; NULL: nothing. Its cursor is due with it only when it is the first. */
const char *cursors_with(const struct cursor_turn *, uint64_t *serial);
/* What may be committed by itself; NULL: nothing. */
const char *cursors_due(const struct cursors *, uint64_t *serial);
/* A commit had the cursor of this serial; or had not, and those who wait for it hear why. */
void cursors_committed(struct cursors *, uint64_t serial);
void cursors_failed(struct cursors *, uint64_t serial, int result);

#endif
