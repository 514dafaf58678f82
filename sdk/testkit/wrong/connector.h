/* What the files of the connector `depot` share: connector.c has its deliveries and its life, talk.c the session and
 * the messages that come in.
 */
#ifndef TESTKIT_WRONG_CONNECTOR_H
#define TESTKIT_WRONG_CONNECTOR_H

#include <accord/plugin.h>

#include "wrong.h"

#define WRONG(what) (depot_is == DEPOT_##what)

struct link_options {
    const char *user, *key, *greeting;
    int64_t poll;
};

enum stage {
    NONE,
    DIALLING,
    GREETED,
    JUDGED,
    KEYED,
    KNOWN,
    ACCEPTED,
    IDLE,
    SENDING,
    STORED,
    LISTING,
    GETTING,
    OFFERED,
    DELETING
};

struct item { /* a delivery */
    struct item *next;
    const struct accord_outgoing *out;
};

struct depot {
    const struct accord_host *host;
    struct accord_instance *instance;
    const struct accord_link_setup *setup;
    bool running, closed, wants_poll;
    enum stage stage;
    struct accord_session *session;
    int fd;
    struct accord_watch *watch;
    struct accord_timer *poll;
    struct item *items; /* the first is under way from SENDING to STORED */
    size_t service;     /* that receives */
    char *in;
    size_t in_size;
    char name[64]; /* of the message that comes in */
    char *bytes;
    size_t size, written;
    struct accord_offer *offer;
    bool refused;       /* offer() returned NULL */
    char aside[64][64]; /* names that are left alone: rejected */
    size_t aside_count;
    bool late;
    struct accord_probe *probe;
};

/* connector.c */
void depot_finish(struct depot *, enum accord_outcome, const char *reason); /* the first of the items */
void depot_finish_all(struct depot *, const char *reason);
void depot_go(struct depot *); /* with whatever is next */

/* talk.c */
void depot_dial(struct depot *);
/* The session is gone or was refused: what depends on it ends, and later there may be another. */
void depot_lose(struct depot *, const char *reason);
void depot_end_session(struct depot *, const char *reason);
bool depot_say(struct depot *, const void *, size_t);
void depot_say_line(struct depot *, enum stage next, const char *word, const char *text);
void depot_offer(struct depot *);
void depot_drop_offer(struct depot *);
void depot_offer_pull(void *state, struct accord_offer *, void *arg, int64_t bytes);
void depot_offer_done(void *state, struct accord_offer *, void *arg, const struct accord_admitted *);
void depot_offer_ready(void *state);

#endif
