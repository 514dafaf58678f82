/* Connector `depot`: a small one that sends, receives, probes and does everything right, unless `depot_is` says what it
 * does wrong (wrong.h). It works one message at a time, over one session.
 */
#include "connector.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum depot_wrong depot_is;

#define LINK(field) offsetof(struct link_options, field)

static struct accord_option table[] = {
    {"user", ACCORD_TEXT, 0, LINK(user), "acme", 0, 64, NULL, "Who we are."},
    {"key", ACCORD_SECRET, 0, LINK(key), "key", 0, 0, NULL, "What we say to prove it."},
    {"greeting", ACCORD_TEXT, 0, LINK(greeting), NULL, 0, 0, NULL, "For the sake of a text without limit."},
    {"poll", ACCORD_DURATION, 0, LINK(poll), "200 ms", 1, 60000, NULL, "How often to look for messages."},
    {0},
};

/* ---- deliveries ---- */

void depot_finish(struct depot *depot, enum accord_outcome outcome, const char *reason)
{
    struct item *item = depot->items;
    const struct accord_outgoing *out = item->out;
    struct accord_delivery *handle = out->handle;
    const struct accord_result result = {outcome, outcome == ACCORD_DELIVERED ? "" : reason,
                                         outcome == ACCORD_DELIVERED && !WRONG(SAYS_NOTHING) ? "stored" : "",
                                         0};
    depot->items = item->next;
    if (!WRONG(LEAKS_MEMORY))
        free(item);
    else
        item->next = NULL;
    depot->host->finish(handle, &result);
    if (WRONG(FINISHES_TWICE))
        depot->host->finish(handle, &result);
    if (WRONG(DEAD_DELIVERY))
        depot->host->pull(handle, depot->session, 1);
}

void depot_finish_all(struct depot *depot, const char *reason)
{
    while (depot->items)
        depot_finish(depot, ACCORD_RETRY, reason);
}

/* ---- what is next ---- */

static void send_next(struct depot *depot)
{
    const struct accord_envelope *envelope = depot->items->out->envelope;
    char line[128];
    int64_t size = envelope->size - (WRONG(CUTS_PAYLOAD) && envelope->size > 1);
    int used = snprintf(line, sizeof line, "PUT %s %lld\n", envelope->name, (long long)size);
    depot->stage = SENDING;
    if (size) /* the answer to an empty one would come before its payload */
        depot_say(depot, line, (size_t)used);
    depot->host->pull(depot->items->out->handle, depot->session, envelope->size ? envelope->size : 1);
    if (WRONG(FINISHES_EARLY))
        depot_finish(depot, ACCORD_DELIVERED, "");
}

void depot_go(struct depot *depot)
{
    bool receives = (depot->running || WRONG(OFFERS_STOPPED)) && depot->wants_poll && depot->service < 99;
    if (depot->stage == NONE && (depot->items || receives || depot->probe))
        depot_dial(depot);
    if (depot->stage != IDLE)
        return;
    if (depot->probe) {
        depot->host->probed(depot->probe, "session", 0, "the other side knows us", !WRONG(PROBES_FOR_EVER));
        depot->probe = NULL;
    }
    if (depot->items) {
        send_next(depot);
    } else if (receives) {
        depot->wants_poll = false;
        depot_say_line(depot, LISTING, "LIST", "");
    }
}

static void late_work(void *arg)
{
    (void)arg;
    usleep(30000);
}

static void late_done(void *arg)
{
    struct depot *depot = arg;
    if (depot->closed)
        depot_finish_all(depot, "late");
}

static void depot_deliver(void *state, const struct accord_outgoing *out)
{
    struct depot *depot = state;
    struct item *item = malloc(sizeof *item), **at = &depot->items;
    if (WRONG(FINISHES_LATE) && !depot->late)
        depot->late = depot->host->work(depot->instance, late_work, late_done, depot) == 0;
    if (WRONG(BAD_METRIC))
        depot->host->metric(depot->instance, "Depot.Deliveries", 1);
    if (!item && !WRONG(TRUSTS_MALLOC)) {
        depot->host->finish(out->handle, &(struct accord_result){ACCORD_RETRY, "out of memory", "", 0});
        return;
    }
    *item = (struct item){.out = out};
    while (*at)
        at = &(*at)->next;
    *at = item;
    depot_go(depot);
}

static void depot_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                          bool last)
{
    struct depot *depot = state;
    char empty[ACCORD_NAME_MAX + 2];
    (void)handle;
    if (WRONG(BLOCKS_LOOP))
        usleep(400000);
    while (WRONG(HANGS))
        usleep(1000);
    if (depot->stage != SENDING)
        return;
    if (last)
        depot->stage = STORED;
    if (last && depot->items->out->envelope->size == 0)
        depot_say_line(depot, STORED, "PUT", strcat(strcpy(empty, depot->items->out->envelope->name), " 0"));
    if (last && size && WRONG(CUTS_PAYLOAD) && depot->items->out->envelope->size > 1)
        size--;
    if (!depot_say(depot, bytes, size))
        depot_lose(depot, "the connection broke");
}

/* What is under way is cut off with its session; others just go. */
static void depot_cancel(void *state, struct accord_delivery *handle)
{
    struct depot *depot = state;
    if (WRONG(IGNORES_CANCEL))
        return;
    if (depot->items && depot->items->out->handle == handle) {
        if (depot->stage == SENDING || depot->stage == STORED)
            depot_lose(depot, "canceled");
        else
            depot_finish(depot, ACCORD_RETRY, "canceled");
        return;
    }
    for (struct item **at = &depot->items; *at; at = &(*at)->next) {
        if ((*at)->out->handle != handle)
            continue;
        struct item *item = *at;
        *at = item->next;
        item->next = depot->items;
        struct item *rest = depot->items;
        depot->items = item;
        depot_finish(depot, ACCORD_RETRY, "canceled");
        depot->items = rest;
        return;
    }
}

static void depot_probe(void *state, struct accord_probe *probe)
{
    struct depot *depot = state;
    depot->host->probed(probe, "options", 0, "they can be", false);
    depot->probe = probe;
    depot_go(depot);
}

/* ---- life ---- */

static int depot_check(const struct accord_link_setup *setup, char *why, size_t room)
{
    const struct link_options *options = setup->options;
    char greeting[16];
    if (WRONG(CHECK_OVERFLOWS) && options->greeting)
        strcpy(greeting, options->greeting);
    else
        snprintf(greeting, sizeof greeting, "%s", options->greeting ? options->greeting : "");
    if (greeting[0] != '!')
        return 0;
    snprintf(why, room, "greeting may not begin with !");
    return ACCORD_EINVAL;
}

static int depot_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                      const struct accord_link_setup *setup, char *why, size_t room)
{
    struct depot *depot = state;
    *depot = (struct depot){.host = host, .instance = instance, .setup = setup, .fd = -1, .service = 99};
    char *first = malloc(10), *second = malloc(20);
    if (!first || !second) {
        if (!WRONG(OPEN_LEAKS)) {
            free(first);
            free(second);
        }
        snprintf(why, room, "out of memory");
        return ACCORD_ENOMEM;
    }
    free(first);
    free(second);
    for (size_t i = setup->service_count; i-- > 0;)
        if (setup->services[i]->direction == ACCORD_RECEIVE)
            depot->service = i;
    if (WRONG(LEAKS_DESCRIPTOR) && open("/dev/null", O_RDONLY) < 0)
        return ACCORD_EIO;
    return 0;
}

static void depot_start(void *state)
{
    struct depot *depot = state;
    depot->running = true;
    depot->wants_poll = true;
    if (depot->refused && depot->stage == OFFERED)
        depot_offer(depot);
    depot_go(depot);
}

static void depot_stop_(void *state)
{
    struct depot *depot = state;
    depot->running = false;
}

static void depot_close(void *state)
{
    struct depot *depot = state;
    if (depot->stage == DIALLING)
        depot->stage = NONE;
    if (depot->probe)
        depot->host->probed(depot->probe, "session", ACCORD_ECANCELED, "the link is closed", true);
    depot_end_session(depot, "closing");
    depot_drop_offer(depot);
    if (!WRONG(CLOSE_FINISHES_NOTHING) && !depot->late)
        depot_finish_all(depot, "closing");
    if (WRONG(CLOSE_FINISHES_NOTHING))
        while (depot->items) {
            struct item *item = depot->items;
            depot->items = item->next;
            free(item);
        }
    if (!WRONG(LEAVES_TIMER))
        depot->host->timer_stop(depot->poll);
    depot->closed = true;
}

static struct accord_connector connector = {
    .size = sizeof connector,
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .link_options = {table, sizeof(struct link_options)},
    .check = depot_check,
    .state_size = sizeof(struct depot),
    .open = depot_open,
    .start = depot_start,
    .stop = depot_stop_,
    .close = depot_close,
    .deliver = depot_deliver,
    .payload = depot_payload,
    .cancel = depot_cancel,
    .offer_pull = depot_offer_pull,
    .offer_done = depot_offer_done,
    .offer_ready = depot_offer_ready,
    .probe = depot_probe,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "depot",
    .version = "0.1",
    .summary = "Right, unless it is wrong on purpose.",
    .connector = &connector,
};
