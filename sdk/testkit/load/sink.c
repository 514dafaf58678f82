/* Connector `sink`: the far side of load. Takes what is delivered, checks it against what pulse made, and writes a
 * line for every message that arrived whole into FOLDER/SERVICE.sink:
 *
 *     TIME MESSAGE-ID SOURCE-ID ATTEMPT delivered|failed|uncertain|refused|damaged
 *
 * The line is handed to the kernel before the delivery is finished, as a partner holds a file before it says so: a
 * message that the agent believes delivered and that has no line is lost, and one with two lines is a duplicate.
 * It also misbehaves on request.
 */
#include <accord/plugin.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "tally.h"

#define BUCKETS 1024 /* of deliveries by handle */

struct link_options {
    const char *folder;
    bool sync;
};

struct service_options {
    int64_t delay, fail_every, uncertain_every, refuse_every, crash_every, hang_every;
    bool verify;
};

#define LINK(field)    offsetof(struct link_options, field)
#define SERVICE(field) offsetof(struct service_options, field)
#define EVERY_MAX      1000000000

static const struct accord_option link_table[] = {
    {"folder", ACCORD_PATH, ACCORD_REQUIRED | ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE, LINK(folder), NULL, 0,
     0, NULL, "Where SERVICE.sink is written."},
    {"sync", ACCORD_BOOL, 0, LINK(sync), "no", 0, 0, NULL,
     "The lines are on the disk before a delivery is finished."},
    {0},
};

static const struct accord_option service_table[] = {
    {"delay", ACCORD_DURATION, 0, SERVICE(delay), "0 ms", 0, 3600000, NULL,
     "From the last byte to the answer."},
    {"fail-every", ACCORD_INTEGER, 0, SERVICE(fail_every), "0", 0, EVERY_MAX, NULL,
     "Every n-th arrival since the start is answered with retry; 0: none."},
    {"uncertain-every", ACCORD_INTEGER, 0, SERVICE(uncertain_every), "0", 0, EVERY_MAX, NULL,
     "Every n-th arrival ends without a clear answer."},
    {"refuse-every", ACCORD_INTEGER, 0, SERVICE(refuse_every), "0", 0, EVERY_MAX, NULL,
     "Every n-th arrival is refused for good."},
    {"crash-every", ACCORD_INTEGER, 0, SERVICE(crash_every), "0", 0, EVERY_MAX, NULL,
     "The process aborts at every n-th arrival, before its line is written."},
    {"hang-every", ACCORD_INTEGER, 0, SERVICE(hang_every), "0", 0, EVERY_MAX, NULL,
     "Every n-th arrival is never finished, whoever asks."},
    {"verify", ACCORD_BOOL, 0, SERVICE(verify), "yes", 0, 0, NULL, "The payload must be what pulse makes."},
    {0},
};

/* One delivery. */
struct arrival {
    struct outlet *outlet;
    struct arrival *chain; /* in its bucket */
    struct arrival *next;  /* in outlet->first ..., or sink->spare */
    const struct accord_outgoing *out;
    int64_t offset, due;
    uint64_t key;
    bool damaged, hung;
    enum accord_outcome outcome;
};

/* One service. */
struct outlet {
    struct sink *sink;
    const struct service_options *options;
    struct tally tally;
    int64_t count;
    struct arrival *first, *last; /* whole, and to be finished in this order */
    struct accord_timer *timer;
};

struct sink {
    const struct accord_host *host;
    struct accord_instance *instance;
    const struct accord_link_setup *setup;
    struct outlet *outlets;
    struct arrival *buckets[BUCKETS], *spare;
    uint8_t expected[ACCORD_PIECE_MAX];
};

/* ---- deliveries by handle ---- */

static struct arrival **bucket(struct sink *sink, const struct accord_delivery *handle)
{
    uint64_t spread = (uint64_t)(uintptr_t)handle * 0x9e3779b97f4a7c15u;
    return &sink->buckets[spread >> 54];
}

static struct arrival *find(struct sink *sink, const struct accord_delivery *handle)
{
    struct arrival *arrival = *bucket(sink, handle);
    while (arrival && arrival->out->handle != handle)
        arrival = arrival->chain;
    return arrival;
}

static void finish(struct arrival *arrival, enum accord_outcome outcome)
{
    static const char *const reasons[] = {[ACCORD_DELIVERED] = "",
                                          [ACCORD_RETRY] = "not now: this is a test",
                                          [ACCORD_REFUSED] = "never: this is a test",
                                          [ACCORD_UNCERTAIN] =
                                              "it ended after the last byte: this is a test"};
    struct sink *sink = arrival->outlet->sink;
    struct arrival **at = bucket(sink, arrival->out->handle);
    while (*at != arrival)
        at = &(*at)->chain;
    *at = arrival->chain;
    arrival->next = sink->spare;
    sink->spare = arrival;
    sink->host->finish(arrival->out->handle,
                       &(struct accord_result){.outcome = outcome,
                                               .reason = reasons[outcome],
                                               .receipt = outcome == ACCORD_DELIVERED ? "counted" : ""});
}

/* ---- arriving ---- */

static void on_time(void *);

static void arm(struct outlet *outlet)
{
    struct sink *sink = outlet->sink;
    if (!outlet->first || outlet->timer)
        return;
    int64_t pause = outlet->first->due - sink->host->ticks(sink->instance);
    outlet->timer = sink->host->timer(sink->instance, pause > 0 ? pause : 0, on_time, outlet);
}

/* Everything that has arrived until now gets its line in one write, and what is due its end. */
static void on_time(void *arg)
{
    struct outlet *outlet = arg;
    struct sink *sink = outlet->sink;
    outlet->timer = NULL;
    bool written = tally_write(&outlet->tally);
    if (!written)
        sink->host->log(sink->instance, ACCORD_ERROR, "sink.tally", strerror(errno));
    int64_t now = sink->host->ticks(sink->instance);
    while (outlet->first && outlet->first->due <= now) {
        struct arrival *arrival = outlet->first;
        outlet->first = arrival->next;
        finish(arrival, written ? arrival->outcome : ACCORD_RETRY);
    }
    arm(outlet);
}

static bool is_due(const struct outlet *outlet, int64_t every)
{
    return every && outlet->count % every == 0;
}

static const char *decide(struct arrival *arrival)
{
    struct outlet *outlet = arrival->outlet;
    const struct service_options *o = outlet->options;
    outlet->count++;
    if (is_due(outlet, o->crash_every))
        abort();
    arrival->hung = is_due(outlet, o->hang_every);
    arrival->outcome = ACCORD_REFUSED;
    if (arrival->damaged)
        return "damaged";
    if (is_due(outlet, o->refuse_every))
        return "refused";
    arrival->outcome = ACCORD_RETRY;
    if (is_due(outlet, o->fail_every))
        return "failed";
    arrival->outcome = ACCORD_UNCERTAIN;
    if (is_due(outlet, o->uncertain_every))
        return "uncertain";
    arrival->outcome = ACCORD_DELIVERED;
    return "delivered";
}

static void arrived(struct arrival *arrival)
{
    struct outlet *outlet = arrival->outlet;
    struct sink *sink = outlet->sink;
    const struct accord_envelope *e = arrival->out->envelope;
    const char *word = decide(arrival);
    if (arrival->hung)
        return;
    tally_begin(&outlet->tally);
    tally_number(&outlet->tally, sink->host->wall(sink->instance));
    tally_word(&outlet->tally, e->id);
    tally_word(&outlet->tally, e->source_id[0] ? e->source_id : "-");
    tally_number(&outlet->tally, arrival->out->attempt);
    tally_word(&outlet->tally, word);
    tally_end(&outlet->tally);
    arrival->due = outlet->options->delay ? sink->host->ticks(sink->instance) + outlet->options->delay : 0;
    arrival->next = NULL;
    if (outlet->first)
        outlet->last->next = arrival;
    else
        outlet->first = arrival;
    outlet->last = arrival;
    arm(outlet);
}

static void sink_deliver(void *state, const struct accord_outgoing *out)
{
    struct sink *sink = state;
    struct arrival *arrival = sink->spare ? sink->spare : malloc(sizeof *arrival);
    if (!arrival) {
        sink->host->finish(out->handle, &(struct accord_result){ACCORD_RETRY, "out of memory", "", 0});
        return;
    }
    if (arrival == sink->spare)
        sink->spare = arrival->next;
    const struct accord_envelope *e = out->envelope;
    struct arrival **at = bucket(sink, out->handle);
    *arrival = (struct arrival){.outlet = &sink->outlets[out->service],
                                .chain = *at,
                                .out = out,
                                .key = content_key(e->source_id, e->size)};
    *at = arrival;
    sink->host->pull(out->handle, NULL, e->size ? e->size : 1);
}

static bool differs(struct sink *sink, const struct arrival *arrival, const uint8_t *bytes, size_t size)
{
    /* Pieces that do not begin on a word are compared from the word before on. */
    size_t skip = (size_t)(arrival->offset % 8);
    if (size + skip > sizeof sink->expected)
        return true;
    content_fill(arrival->key, arrival->offset - (int64_t)skip, sink->expected, size + skip);
    return memcmp(bytes, sink->expected + skip, size) != 0;
}

static void sink_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                         bool last)
{
    struct sink *sink = state;
    struct arrival *arrival = find(sink, handle);
    if (size && arrival->outlet->options->verify && !arrival->damaged)
        arrival->damaged = differs(sink, arrival, bytes, size);
    arrival->offset += (int64_t)size;
    if (last)
        arrived(arrival);
}

/* What has arrived is answered in its turn. */
static void sink_cancel(void *state, struct accord_delivery *handle)
{
    struct arrival *arrival = find(state, handle);
    if (arrival && !arrival->hung && arrival->offset < arrival->out->envelope->size)
        finish(arrival, ACCORD_RETRY);
}

/* ---- life ---- */

static void finish_all(struct sink *sink)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (sink->buckets[i])
            finish(sink->buckets[i], ACCORD_RETRY);
}

/* What has its line and not its end is answered as if it had none: the agent sends it again. */
static void sink_close(void *state)
{
    struct sink *sink = state;
    for (size_t i = 0; sink->outlets && i < sink->setup->service_count; i++) {
        struct outlet *outlet = &sink->outlets[i];
        sink->host->timer_stop(outlet->timer);
        tally_write(&outlet->tally);
        tally_close(&outlet->tally);
    }
    finish_all(sink);
    while (sink->spare) {
        struct arrival *arrival = sink->spare;
        sink->spare = arrival->next;
        free(arrival);
    }
    free(sink->outlets);
}

static int sink_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t room)
{
    struct sink *sink = state;
    const struct link_options *options = setup->options;
    sink->host = host;
    sink->instance = instance;
    sink->setup = setup;
    sink->outlets = calloc(setup->service_count + 1, sizeof *sink->outlets);
    int result = sink->outlets ? 0 : ACCORD_ENOMEM;
    for (size_t i = 0; sink->outlets && i < setup->service_count; i++) {
        struct outlet *outlet = &sink->outlets[i];
        *outlet = (struct outlet){.sink = sink, .options = setup->services[i]->options, .tally.fd = -1};
        if (!result)
            result = tally_open(&outlet->tally, options->folder, setup->services[i]->name, "sink", why, room);
        if (!result)
            result = tally_each(&outlet->tally, NULL, NULL);
        outlet->tally.sync = options->sync;
    }
    if (result)
        sink_close(state);
    return result;
}

static void sink_nothing(void *state)
{
    (void)state;
}

static const struct accord_connector sink = {
    .size = sizeof sink,
    .flags = ACCORD_CAN_SEND,
    .link_options = {link_table, sizeof(struct link_options)},
    .service_options = {service_table, sizeof(struct service_options)},
    .state_size = sizeof(struct sink),
    .open = sink_open,
    .start = sink_nothing,
    .stop = sink_nothing,
    .close = sink_close,
    .deliver = sink_deliver,
    .payload = sink_payload,
    .cancel = sink_cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "sink",
    .version = "0.1",
    .summary = "The far side of load: counts what arrives, and misbehaves on request.",
    .connector = &sink,
};
