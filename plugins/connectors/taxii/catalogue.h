/* What the partner says of itself: its services, its collections, where they are and which content bindings they take.
 * Asked when something is due and it is older than a day, or was found wrong. Addresses are taken only on the link's own
 * host and port: a partner cannot send us elsewhere (and the hub would not dial). What the link's options name is not
 * learnt. */
#ifndef TAXII_CATALOGUE_H
#define TAXII_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define CATALOGUE_ROWS 256 /* collections, and services, that are kept; most partners have a dozen */

struct link;
struct http_call;
struct catalogue_asking;

struct catalogue_row {
    char *name; /* of a collection; of a service: "INBOX", "POLL", ... */
    char *poll, *inbox; /* paths; NULL: none. A service has its own in `inbox` or `poll`, whatever it is */
    char **bindings;
    size_t binding_count; /* 0: all are taken */
    bool available, set;                /* a data set */
    bool poll_elsewhere, inbox_elsewhere; /* it names an address that is refused: no other one stands in for it */
};

/* Told once that the catalogue is there, or why not. Embedded. */
struct catalogue_wait {
    struct catalogue_wait *next;
    void (*run)(struct catalogue_wait *, const struct outcome *); /* NULL: it is there */
    bool waits;
};

struct catalogue {
    struct catalogue_row *services, *collections;
    size_t service_count, collection_count;
    bool there;
    bool stale;
    int64_t asked_at;  /* ticks of the last answer */
    char foreign[256]; /* the first address that was refused; "" */
    struct catalogue_asking *asking;
    struct catalogue_wait *waiting;
};

enum catalogue_found { CATALOGUE_THERE, CATALOGUE_WAIT, CATALOGUE_NO_MEMORY };

/* CATALOGUE_WAIT: `wait` is run later. */
enum catalogue_found catalogue_want(struct link *, struct catalogue_wait *);
void catalogue_leave(struct link *, struct catalogue_wait *); /* it is not run any more; fine in every state */
/* Something that it says has proven wrong: asked anew when next wanted, though not at every failure. */
void catalogue_doubt(struct link *);
void catalogue_fini(struct link *); /* after http_free() */

/* Of the catalogue that is there. NULL: none, and why. */
const char *catalogue_poll_path(const struct link *, const char *collection, struct outcome *why);
const char *catalogue_inbox_path(const struct link *, const char *collection, const char *binding,
                                 struct outcome *why);
bool catalogue_is_set(const struct link *, const char *collection); /* a data set, which has no times */

/* The path of an address on this host and port (443 when it says none); NULL: it is elsewhere, or not https. */
const char *catalogue_path(const char *address, const char *host, int64_t port);

/* For probes: the question under way; there is one while somebody waits. */
struct http_call *catalogue_call(const struct link *);

#endif
