/* The TAXII connector: one link, what it submits and what it polls. Which version of TAXII is spoken is a matter of two
 * files: what we say (dialect.h) and what is answered (answer.h).
 *
 *   taxii.c      vtable; options.c tables and rules
 *   http.c       requests and their answers, over TLS (http.h: its other files)
 *   exchange.c   one question in a dialect, and what its answer means (status.c)
 *   catalogue.c  what discovery and collection information say: where, and which bindings
 *   submit.c     deliveries, in batches, to the inbox; content.c their bytes as they stand in a message
 *   feed.c       one collection that is polled: windows, parts, cursor (position.c); block.c one content block on its way
 *                to the bus
 *   probe.c      the steps of `accord probe`
 *
 * Everything runs on the loop thread.
 */
#ifndef TAXII_TAXII_H
#define TAXII_TAXII_H

#include <accord/connector.h>

#include "catalogue.h"
#include "common/tls/expiry.h"
#include "common/tls/options.h"
#include "content.h"
#include "dialect.h"
#include "http.h"
#include "status.h"

#define TAXII_PATH 512 /* of an address, with NUL */

struct link_options {
    int64_t version; /* index: only 1.1 */
    const char *discovery, *collections, *inbox, *poll; /* paths; NULL: to be learnt */
    struct tls_options tls;
    int64_t connections;
    int64_t connect_timeout;
    int64_t timeout;    /* longest silence */
    int64_t longest;    /* of a request and its answer */
    int64_t idle_close;
    int64_t answer_limit;
};

struct service_options {
    const char *collection;
    /* sending */
    const char *binding, *subtype;
    int64_t batch, batch_size;
    int64_t form; /* enum content_form */
    bool destination;
    /* receiving */
    int64_t poll, window, start, settle;
    const char *subscription;
    struct accord_list bindings;
    int64_t silent_after;
    int64_t max_parts;
};

struct feed;
struct submit;

/* The state of one link. */
struct link {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    const struct link_options *options;
    const struct dialect *dialect;
    struct http *http;
    struct catalogue catalogue;
    struct submit *submit;
    struct feed **feeds; /* for each service; NULL: it sends */
    struct probe *probes;
    struct tls_expiry expiry;
    bool started;
};

/* options.c */
extern const struct accord_option taxii_link_table[], taxii_service_table[];
int taxii_check(const struct accord_link_setup *, char *why, size_t why_size);

/* taxii.c */
const struct service_options *link_service(const struct link *, size_t service);
void link_log(struct link *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The outcome is not about one message: parks, or raises an incident, and says that addresses may have changed. */
void link_hears(struct link *, const struct outcome *);

#endif
