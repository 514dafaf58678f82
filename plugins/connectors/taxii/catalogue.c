#include "catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "taxii.h"

#define KEPT_FOR    (INT64_C(86400) * 1000)
#define DOUBT_AFTER (INT64_C(60) * 1000) /* ms: what was just asked is not doubted */

/* One asking: discovery, then collection information, as far as their paths are known. */
struct catalogue_asking {
    struct exchange exchange; /* first */
    struct catalogue_row *services, *collections;
    size_t service_count, collection_count;
    char foreign[256];
    enum { ASK_DISCOVERY, ASK_COLLECTIONS, ASK_NOTHING } turn; /* what comes next */
};

/* ---- rows ---- */

static void free_rows(struct catalogue_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < rows[i].binding_count; k++)
            free(rows[i].bindings[k]);
        free(rows[i].bindings);
        free(rows[i].name);
        free(rows[i].poll);
        free(rows[i].inbox);
    }
    free(rows);
}

static bool copy(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return *to || !text;
}

static bool copy_bindings(struct catalogue_row *row, const char *const *bindings, size_t count)
{
    row->bindings = calloc(count + 1, sizeof *row->bindings);
    for (size_t i = 0; row->bindings && i < count; i++) {
        if (!copy(&row->bindings[i], bindings[i]))
            return false;
        row->binding_count++;
    }
    return row->bindings;
}

/* A new row; NULL: no room or no memory. */
static struct catalogue_row *add_row(struct catalogue_row **rows, size_t *count)
{
    if (*count >= CATALOGUE_ROWS)
        return NULL;
    struct catalogue_row *grown = realloc(*rows, (*count + 1) * sizeof **rows);
    if (!grown)
        return NULL;
    *rows = grown;
    grown[*count] = (struct catalogue_row){0};
    return &grown[(*count)++];
}

/* ---- addresses ---- */

/* What follows "https://host[:port]" of ours. An IPv6 literal stands in brackets. */
static const char *after_host(const char *at, const char *host)
{
    size_t size = strlen(host);
    bool literal = strchr(host, ':') != NULL;
    if (literal && *at++ != '[')
        return NULL;
    if (strncasecmp(at, host, size) != 0)
        return NULL;
    at += size;
    if (literal && *at++ != ']')
        return NULL;
    return at;
}

const char *catalogue_path(const char *address, const char *host, int64_t port)
{
    int64_t named = 443;
    if (!host || strncasecmp(address, "https://", 8) != 0)
        return NULL;
    const char *at = after_host(address + 8, host);
    if (at && *at == ':') {
        size_t digits = strspn(++at, "0123456789");
        named = digits > 0 && digits < 6 ? strtol(at, NULL, 10) : 0;
        at += digits;
    }
    if (!at || named != port || (*at && *at != '/') || at[0] == '\0' || strlen(at) >= TAXII_PATH)
        return NULL;
    for (const char *c = at; *c; c++)
        if (*c <= 0x20 || *c >= 0x7f || *c == '#' || *c == '\\')
            return NULL;
    return at;
}

/* NULL: there is none, or it is refused, which is remembered. */
static const char *path_of(struct catalogue_asking *asking, const char *address)
{
    const struct accord_link_setup *setup = asking->exchange.link->setup;
    if (!*address)
        return NULL;
    const char *path = catalogue_path(address, setup->endpoint_host, setup->endpoint_port);
    if (!path && !asking->foreign[0])
        snprintf(asking->foreign, sizeof asking->foreign, "%s", address);
    return path;
}

/* ---- answers ---- */

static bool takes_our_message(const struct link *link, const struct answer_instance *instance)
{
    for (size_t i = 0; i < instance->message_binding_count; i++)
        if (strcmp(instance->message_bindings[i], link->dialect->answer_type) == 0)
            return true;
    return instance->message_binding_count == 0;
}

static int on_instance(void *arg, const struct answer_instance *instance)
{
    struct catalogue_asking *asking = arg;
    if (!takes_our_message(asking->exchange.link, instance) ||
        strncasecmp(instance->address, "http:", 5) == 0)
        return ACCORD_OK; /* a partner may list the same service without TLS as well */
    const char *path = path_of(asking, instance->address);
    if (!path)
        return ACCORD_OK;
    struct catalogue_row *row = add_row(&asking->services, &asking->service_count);
    if (!row)
        return asking->service_count >= CATALOGUE_ROWS ? ACCORD_OK : ACCORD_ENOMEM;
    row->available = instance->available;
    return copy(&row->name, instance->service) && copy(&row->inbox, path) &&
                   copy_bindings(row, instance->bindings, instance->binding_count)
               ? ACCORD_OK
               : ACCORD_ENOMEM;
}

static int on_collection(void *arg, const struct answer_collection *collection)
{
    struct catalogue_asking *asking = arg;
    struct catalogue_row *row = add_row(&asking->collections, &asking->collection_count);
    if (!row)
        return asking->collection_count >= CATALOGUE_ROWS ? ACCORD_OK : ACCORD_ENOMEM;
    row->available = collection->available;
    row->set = !collection->feed;
    row->poll_elsewhere = *collection->poll_address && !path_of(asking, collection->poll_address);
    row->inbox_elsewhere = *collection->inbox_address && !path_of(asking, collection->inbox_address);
    return copy(&row->name, collection->name) &&
                   copy(&row->poll, path_of(asking, collection->poll_address)) &&
                   copy(&row->inbox, path_of(asking, collection->inbox_address)) &&
                   copy_bindings(row, collection->bindings, collection->binding_count)
               ? ACCORD_OK
               : ACCORD_ENOMEM;
}

static const struct answer_events events = {.instance = on_instance, .collection = on_collection};

/* ---- asking ---- */

static void tell(struct link *link, const struct outcome *failed)
{
    struct catalogue *catalogue = &link->catalogue;
    struct catalogue_wait *waiting = catalogue->waiting;
    catalogue->waiting = NULL;
    while (waiting) { /* one that runs may take another out: catalogue_leave() looks here as well */
        struct catalogue_wait *wait = waiting;
        waiting = wait->next;
        wait->waits = false;
        catalogue->waiting = waiting;
        wait->run(wait, failed);
        waiting = catalogue->waiting;
    }
}

static void free_asking(struct catalogue_asking *asking)
{
    exchange_fini(&asking->exchange);
    free_rows(asking->services, asking->service_count);
    free_rows(asking->collections, asking->collection_count);
    free(asking);
}

static void take_over(struct link *link, struct catalogue_asking *asking)
{
    struct catalogue *catalogue = &link->catalogue;
    free_rows(catalogue->services, catalogue->service_count);
    free_rows(catalogue->collections, catalogue->collection_count);
    catalogue->services = asking->services;
    catalogue->service_count = asking->service_count;
    catalogue->collections = asking->collections;
    catalogue->collection_count = asking->collection_count;
    asking->services = asking->collections = NULL;
    asking->service_count = asking->collection_count = 0;
    if (asking->foreign[0] && strcmp(catalogue->foreign, asking->foreign) != 0)
        link_log(link, ACCORD_WARNING, "taxii.foreign-address",
                 "the partner names the address %s, which is not https on this endpoint: it is not used",
                 asking->foreign);
    snprintf(catalogue->foreign, sizeof catalogue->foreign, "%s", asking->foreign);
    catalogue->there = true;
    catalogue->stale = false;
    catalogue->asked_at = link->host->ticks(link->instance);
}

static void on_asked(struct exchange *, const struct outcome *);

/* The path of the next question; NULL: there is none. */
static const char *next_path(const struct catalogue_asking *asking)
{
    const struct link_options *options = asking->exchange.link->options;
    if (asking->turn == ASK_DISCOVERY)
        return options->discovery;
    if (asking->turn == ASK_NOTHING || options->collections)
        return asking->turn == ASK_NOTHING ? NULL : options->collections;
    for (size_t i = 0; i < asking->service_count; i++)
        if (strcmp(asking->services[i].name, "COLLECTION_MANAGEMENT") == 0)
            return asking->services[i].inbox;
    return NULL;
}

static bool ask(struct catalogue_asking *asking, const char *path)
{
    struct link *link = asking->exchange.link;
    const struct dialect *dialect = link->dialect;
    exchange_fini(&asking->exchange);
    exchange_init(&asking->exchange, link, ASKED_CATALOGUE, &events, on_asked);
    (asking->turn == ASK_DISCOVERY ? dialect->discovery : dialect->collections)(&asking->exchange.draft,
                                                                                asking->exchange.id);
    asking->turn++;
    return exchange_begin(&asking->exchange, path);
}

static void on_asked(struct exchange *exchange, const struct outcome *outcome)
{
    struct catalogue_asking *asking = (struct catalogue_asking *)exchange;
    struct link *link = exchange->link;
    struct outcome end = *outcome;
    const char *path = end.means == MEANS_DONE ? next_path(asking) : NULL;
    if (path && ask(asking, path))
        return;
    if (path)
        outcome_set(&end, MEANS_RETRY, "", "out of memory");
    link->catalogue.asking = NULL;
    if (end.means == MEANS_DONE)
        take_over(link, asking);
    free_asking(asking);
    tell(link, end.means == MEANS_DONE ? NULL : &end);
}

/* Discovery is passed over when what it is good for is known. */
static bool needs_discovery(const struct link *link)
{
    const struct link_options *options = link->options;
    return options->discovery && !(options->collections && options->inbox && options->poll);
}

static bool begin(struct link *link)
{
    struct catalogue_asking *asking = calloc(1, sizeof *asking);
    if (!asking)
        return false;
    asking->exchange.link = link;
    asking->turn = needs_discovery(link) ? ASK_DISCOVERY : ASK_COLLECTIONS;
    if (!ask(asking, next_path(asking))) {
        free_asking(asking);
        return false;
    }
    link->catalogue.asking = asking;
    return true;
}

enum catalogue_found catalogue_want(struct link *link, struct catalogue_wait *wait)
{
    struct catalogue *catalogue = &link->catalogue;
    int64_t age = link->host->ticks(link->instance) - catalogue->asked_at;
    bool fresh = catalogue->there && !catalogue->stale && age < KEPT_FOR;
    if (fresh || (!link->options->discovery && !link->options->collections))
        return CATALOGUE_THERE;
    if (!catalogue->asking && !begin(link))
        return CATALOGUE_NO_MEMORY;
    if (!wait->waits) {
        wait->next = catalogue->waiting;
        wait->waits = true;
        catalogue->waiting = wait;
    }
    return CATALOGUE_WAIT;
}

void catalogue_leave(struct link *link, struct catalogue_wait *wait)
{
    for (struct catalogue_wait **at = &link->catalogue.waiting; *at; at = &(*at)->next)
        if (*at == wait) {
            *at = wait->next;
            break;
        }
    wait->waits = false;
}

void catalogue_doubt(struct link *link)
{
    struct catalogue *catalogue = &link->catalogue;
    if (link->host->ticks(link->instance) - catalogue->asked_at >= DOUBT_AFTER)
        catalogue->stale = true;
}

void catalogue_fini(struct link *link)
{
    struct catalogue *catalogue = &link->catalogue;
    if (catalogue->asking)
        free_asking(catalogue->asking);
    free_rows(catalogue->services, catalogue->service_count);
    free_rows(catalogue->collections, catalogue->collection_count);
    *catalogue = (struct catalogue){0};
}

/* ---- what it says ---- */

static const struct catalogue_row *collection_of(const struct link *link, const char *name)
{
    const struct catalogue *catalogue = &link->catalogue;
    for (size_t i = 0; i < catalogue->collection_count; i++)
        if (strcmp(catalogue->collections[i].name, name) == 0)
            return &catalogue->collections[i];
    return NULL;
}

static bool takes(const struct catalogue_row *row, const char *binding)
{
    for (size_t i = 0; i < row->binding_count; i++)
        if (strcmp(row->bindings[i], binding) == 0)
            return true;
    return row->binding_count == 0;
}

/* The service at `path`, or the first of its kind; NULL: none is listed. */
static const struct catalogue_row *service_of(const struct link *link, const char *kind, const char *path)
{
    const struct catalogue *catalogue = &link->catalogue;
    for (size_t i = 0; i < catalogue->service_count; i++)
        if (strcmp(catalogue->services[i].name, kind) == 0 &&
            (!path || strcmp(catalogue->services[i].inbox, path) == 0))
            return &catalogue->services[i];
    return NULL;
}

static void nowhere(const struct link *link, const char *what, const char *collection, struct outcome *why)
{
    const char *foreign = link->catalogue.foreign;
    outcome_set(why, MEANS_RETRY, "taxii.no-address",
                "the partner names no %s service for the collection %.100s on this endpoint%s%.100s: correct "
                "`collection`, set `%s` of the link, or ask the partner for access",
                what, collection, *foreign ? "; it names " : "", foreign, what);
    why->wait = 600000;
    why->stale = true;
}

static bool is_unknown(const struct link *link, const char *collection, const struct catalogue_row *row,
                       struct outcome *why)
{
    if (!link->catalogue.collection_count || (row && row->available))
        return false;
    outcome_set(why, MEANS_RETRY, "taxii.collection",
                "the partner %s the collection %.100s: correct `collection`, or ask the partner for access",
                row ? "does not let us use" : "has not", collection);
    why->wait = 600000;
    why->stale = true;
    return true;
}

const char *catalogue_poll_path(const struct link *link, const char *collection, struct outcome *why)
{
    const struct catalogue_row *row = collection_of(link, collection), *service;
    *why = (struct outcome){.parts = -1};
    if (is_unknown(link, collection, row, why))
        return NULL;
    if (link->options->poll)
        return link->options->poll;
    if (row && row->poll)
        return row->poll;
    service = service_of(link, "POLL", NULL);
    if (service && !(row && row->poll_elsewhere))
        return service->inbox;
    nowhere(link, "poll", collection, why);
    return NULL;
}

const char *catalogue_inbox_path(const struct link *link, const char *collection, const char *binding,
                                 struct outcome *why)
{
    const struct catalogue_row *row = collection_of(link, collection), *service;
    const char *path = link->options->inbox;
    *why = (struct outcome){.parts = -1};
    if (is_unknown(link, collection, row, why))
        return NULL;
    if (!path && row)
        path = row->inbox;
    service = service_of(link, "INBOX", path);
    if (!path && service && !(row && row->inbox_elsewhere))
        path = service->inbox;
    if (!path) {
        nowhere(link, "inbox", collection, why);
        return NULL;
    }
    if ((row && !takes(row, binding)) || (service && !takes(service, binding))) {
        outcome_set(
            why, MEANS_RETRY, "taxii.binding",
            "the partner does not take %.120s for the collection %.100s, and would drop it without a word: "
            "correct `binding`",
            binding, collection);
        why->wait = 600000;
        why->stale = true;
        return NULL;
    }
    return path;
}

bool catalogue_is_set(const struct link *link, const char *collection)
{
    const struct catalogue_row *row = collection_of(link, collection);
    return row && row->set;
}

struct http_call *catalogue_call(const struct link *link)
{
    return link->catalogue.asking->exchange.call;
}
