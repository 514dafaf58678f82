/* Connector `depot`: a small one that sends, receives, probes and does everything right, unless `depot_is` says what it
 * does wrong (wrong.h). It works one message at a time, over one session.
 */
#include <accord/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wrong.h"

#define POLL        200 /* ms */
#define WRONG(what) (depot_is == DEPOT_##what)

enum depot_wrong depot_is;

struct link_options {
    const char *user, *key, *greeting;
    int64_t poll;
};

#define LINK(field) offsetof(struct link_options, field)

static struct accord_option table[] = {
    {"user", ACCORD_TEXT, 0, LINK(user), "acme", 0, 64, NULL, "Who we are."},
    {"key", ACCORD_SECRET, 0, LINK(key), "key", 0, 0, NULL, "What we say to prove it."},
    {"greeting", ACCORD_TEXT, 0, LINK(greeting), NULL, 0, 0, NULL, "For the sake of a text without limit."},
    {"poll", ACCORD_DURATION, 0, LINK(poll), "200 ms", 1, 60000, NULL, "How often to look for messages."},
    {0},
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

static void go(struct depot *);
static void lose(struct depot *, const char *reason);

/* ---- deliveries ---- */

static void finish(struct depot *depot, enum accord_outcome outcome, const char *reason)
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

static void finish_all(struct depot *depot, const char *reason)
{
    while (depot->items)
        finish(depot, ACCORD_RETRY, reason);
}

/* ---- the session ---- */

static void end_session(struct depot *depot, const char *reason)
{
    if (!WRONG(LEAVES_WATCH))
        depot->host->watch_end(depot->watch);
    depot->watch = NULL;
    if (depot->fd >= 0 && !WRONG(LEAKS_SOCKET))
        close(depot->fd);
    depot->fd = -1;
    if (!WRONG(LEAKS_SESSION))
        depot->host->end(depot->session, reason);
    if (WRONG(DEAD_SESSION) && depot->session)
        depot->host->end(depot->session, reason);
    depot->session = NULL;
    free(depot->in);
    depot->in = NULL;
    depot->in_size = 0;
    if (depot->stage != DIALLING)
        depot->stage = NONE;
}

static void drop_offer(struct depot *depot)
{
    if (depot->offer)
        depot->host->offer_abort(depot->offer);
    depot->offer = NULL;
    free(depot->bytes);
    depot->bytes = NULL;
}

static void on_poll(void *arg)
{
    struct depot *depot = arg;
    if (!WRONG(DEAD_TIMER))
        depot->poll = NULL;
    depot->wants_poll = true;
    if (depot->running || WRONG(OFFERS_STOPPED))
        go(depot);
}

static void poll_later(struct depot *depot)
{
    const struct link_options *options = depot->setup->options;
    if (WRONG(DEAD_TIMER) && depot->poll && depot->wants_poll)
        depot->host->timer_stop(depot->poll);
    if (WRONG(TRUSTS_TIMER) || !depot->poll)
        depot->poll = depot->host->timer(depot->instance, options->poll, on_poll, depot);
    if (WRONG(TRUSTS_TIMER))
        *(volatile char *)depot->poll;
}

/* The session is gone or was refused: what depends on it ends, and later there may be another. */
static void lose(struct depot *depot, const char *reason)
{
    bool sent = depot->stage == STORED, under_way = sent || depot->stage == SENDING;
    end_session(depot, reason);
    drop_offer(depot);
    if (under_way)
        finish(depot,
               WRONG(CLAIMS_DELIVERED) ? ACCORD_DELIVERED
               : sent                  ? ACCORD_UNCERTAIN
                                       : ACCORD_RETRY,
               reason);
    finish_all(depot, reason);
    depot->refused = false;
    if (depot->probe) {
        depot->host->probed(depot->probe, "session", ACCORD_ENET, reason, true);
        depot->probe = NULL;
    }
    poll_later(depot);
}

/* Small amounts: the buffers of the socket are larger. What does not fit waits in this loop's stead for the watch. */
static bool say(struct depot *depot, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = send(depot->fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

static void say_line(struct depot *depot, enum stage next, const char *word, const char *text)
{
    char line[256];
    int size = snprintf(line, sizeof line, "%s%s%s\n", word, *text ? " " : "", text);
    depot->stage = next;
    say(depot, line, (size_t)size);
}

/* ---- getting to know each other ---- */

static void on_known(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct depot *depot = arg;
    (void)rule;
    if (answer != ACCORD_ALLOW && !WRONG(IGNORES_DENY)) {
        lose(depot, reason);
        return;
    }
    depot->stage = IDLE;
    go(depot);
}

static void on_key(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct depot *depot = arg;
    char key[64];
    if (result < 0 && WRONG(BURNS_MESSAGES) && depot->items)
        finish(depot, ACCORD_REFUSED, reason);
    if (result < 0) {
        depot->host->park(depot->instance, "depot.key", reason);
        lose(depot, reason);
        return;
    }
    snprintf(key, sizeof key, "%.*s", (int)size, (const char *)bytes);
    say_line(depot, KEYED, "AUTH", key);
}

static void ask_key(struct depot *depot)
{
    if (depot->host->secret(depot->session, "key", on_key, depot) < 0)
        lose(depot, "the key cannot be read");
}

static void on_judged(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct depot *depot = arg;
    (void)rule;
    if (answer != ACCORD_ALLOW && !WRONG(IGNORES_DENY))
        lose(depot, reason);
    else if (WRONG(IGNORES_DENY) && answer != ACCORD_ALLOW)
        say_line(depot, KEYED, "AUTH", "sesame");
    else
        ask_key(depot);
}

static void report(struct depot *depot, enum accord_stage stage, const char *name, const char *value,
                   accord_verdict_fn done)
{
    const struct accord_pair fact = {name, value};
    depot->stage = stage == ACCORD_HANDSHAKE ? JUDGED : ACCEPTED;
    if (depot->host->report(depot->session, stage, &fact, 1, done, depot) < 0)
        lose(depot, "the facts cannot be reported");
}

/* ---- messages in ---- */

static bool is_aside(const struct depot *depot, const char *name)
{
    for (size_t i = 0; i < depot->aside_count; i++)
        if (strcmp(depot->aside[i], name) == 0)
            return true;
    return false;
}

static void set_aside(struct depot *depot)
{
    if (depot->aside_count < 64)
        snprintf(depot->aside[depot->aside_count++], 64, "%s", depot->name);
}

static void on_list(struct depot *depot, const char *list)
{
    size_t size;
    depot->stage = IDLE;
    for (const char *line = list; *line != '.'; line = strchr(line, '\n') + 1) {
        if (sscanf(line, "%63s %zu", depot->name, &size) != 2 || is_aside(depot, depot->name))
            continue;
        say_line(depot, GETTING, "GET", depot->name);
        return;
    }
    poll_later(depot);
    go(depot);
}

static void offer(struct depot *depot)
{
    const struct accord_incoming message = {.name = depot->name,
                                            .source_id = depot->name,
                                            .size = (int64_t)depot->size,
                                            .cursor = depot->name,
                                            .session = WRONG(OFFERS_NO_SESSION) ? NULL : depot->session};
    depot->written = 0;
    depot->stage = OFFERED;
    if (WRONG(DELETES_EARLY)) {
        char line[128];
        int size = snprintf(line, sizeof line, "DELETE %s\n", depot->name);
        say(depot, line, (size_t)size);
    }
    if (WRONG(MIXES_UP) && depot->size > 10)
        depot->bytes[10] ^= 1;
    depot->offer = depot->running || WRONG(OFFERS_STOPPED)
                       ? depot->host->offer(depot->instance, depot->service, &message, depot)
                       : NULL;
    depot->refused = !depot->offer;
}

static void depot_offer_pull(void *state, struct accord_offer *handle, void *arg, int64_t bytes)
{
    struct depot *depot = state;
    size_t left = depot->size - depot->written;
    size_t piece = left < (size_t)bytes ? left : (size_t)bytes;
    (void)arg;
    if (WRONG(WRITES_MORE))
        piece = left;
    if (piece > ACCORD_PIECE_MAX)
        piece = ACCORD_PIECE_MAX;
    bool last = depot->written + piece == depot->size;
    if (depot->host->offer_write(handle, (uint8_t *)depot->bytes + depot->written, piece, last) < 0) {
        drop_offer(depot);
        depot->stage = IDLE;
        poll_later(depot);
        return;
    }
    depot->written += piece;
}

static void depot_offer_done(void *state, struct accord_offer *handle, void *arg,
                             const struct accord_admitted *admitted)
{
    struct depot *depot = state;
    bool held = admitted->admission == ACCORD_ACCEPTED || admitted->admission == ACCORD_QUARANTINED;
    (void)handle;
    (void)arg;
    depot->offer = NULL;
    free(depot->bytes);
    depot->bytes = NULL;
    depot->stage = IDLE;
    if (admitted->admission == ACCORD_REJECTED ||
        (admitted->admission == ACCORD_DEFERRED && (WRONG(FORGETS_DEFERRED) || WRONG(CURSOR_PAST))))
        set_aside(depot);
    bool deletes = held || (admitted->admission == ACCORD_DEFERRED && WRONG(DELETES_DEFERRED));
    if (deletes && depot->session && !WRONG(OFFERS_AGAIN) && !WRONG(DELETES_EARLY))
        say_line(depot, DELETING, "DELETE", depot->name);
    else
        poll_later(depot);
    if (WRONG(DELETES_EARLY) && depot->session)
        depot->stage = DELETING;
}

static void depot_offer_ready(void *state)
{
    struct depot *depot = state;
    if (depot->refused && depot->stage == OFFERED && !WRONG(NO_OFFER_READY))
        offer(depot);
}

/* ---- what the other side says ---- */

static void on_line(struct depot *depot, const char *line)
{
    switch (depot->stage) {
    case GREETED:
        report(depot, ACCORD_HANDSHAKE, "depot.greeting", line, on_judged);
        break;
    case KEYED:
        if (strcmp(line, "OK") == 0)
            report(depot, ACCORD_AUTHENTICATED, "depot.user", "acme", on_known);
        else
            lose(depot, "the other side does not know us");
        break;
    case STORED:
        depot->stage = IDLE;
        if (!WRONG(NEVER_FINISHES))
            finish(depot, ACCORD_DELIVERED, "");
        go(depot);
        break;
    case DELETING:
        depot->stage = IDLE;
        if (depot->running)
            depot->wants_poll = true;
        go(depot);
        break;
    default:
        break;
    }
}

/* Takes one answer off the input; false: it is not whole yet. */
static bool take(struct depot *depot)
{
    char *end = memchr(depot->in, '\n', depot->in_size);
    size_t used = end ? (size_t)(end - depot->in) + 1 : 0;
    if (!end)
        return false;
    if (depot->stage == LISTING) {
        char *dot = depot->in[0] == '.' ? depot->in : strstr(depot->in, "\n.\n");
        if (!dot)
            return false;
        char *list = depot->in;
        depot->in = NULL;
        depot->in_size = 0;
        on_list(depot, list);
        free(list);
        return false;
    }
    if (depot->stage == GETTING) {
        depot->size = strtoul(depot->in, NULL, 10);
        if (depot->in_size < used + depot->size)
            return false;
        depot->bytes = malloc(depot->size + 1);
        if (!depot->bytes) {
            lose(depot, "out of memory");
            return false;
        }
        memcpy(depot->bytes, depot->in + used, depot->size);
        used += depot->size;
    }
    *end = 0;
    char line[128];
    bool got = depot->stage == GETTING;
    snprintf(line, sizeof line, "%s", depot->in);
    depot->in_size -= used;
    memmove(depot->in, depot->in + used, depot->in_size + 1);
    if (got)
        offer(depot);
    else
        on_line(depot, line);
    return depot->in != NULL;
}

static void on_ready(void *arg, uint32_t events)
{
    struct depot *depot = arg;
    (void)events;
    for (;;) {
        char *in = realloc(depot->in, depot->in_size + 65536 + 1);
        if (!in) {
            lose(depot, "out of memory");
            return;
        }
        depot->in = in;
        ssize_t got = read(depot->fd, depot->in + depot->in_size, 65536);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (got <= 0) {
            lose(depot, "the connection ended");
            return;
        }
        depot->in_size += (size_t)got;
        depot->in[depot->in_size] = 0;
        if (WRONG(BLOCKS_SOCKET))
            break;
    }
    while (depot->in && take(depot))
        ;
}

static void on_dialed(void *arg, struct accord_session *session, int fd, const char *reason)
{
    struct depot *depot = arg;
    depot->stage = NONE;
    depot->session = session;
    depot->fd = fd;
    if (!session) {
        lose(depot, reason);
        return;
    }
    if (!depot->host->profile(session, "depot.mode") || !depot->host->profile(session, "depot.mode")[0]) {
        lose(depot, "the session profile allows nothing");
        return;
    }
    if (WRONG(PULLS_EARLY) && depot->items)
        depot->host->pull(depot->items->out->handle, session, 1);
    depot->watch = depot->host->watch(depot->instance, fd, on_ready, depot);
    if (!depot->watch) {
        lose(depot, "out of memory");
        return;
    }
    depot->host->watch_set(depot->watch, ACCORD_READABLE);
    if (WRONG(BLOCKS_SOCKET))
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (WRONG(SECRET_EARLY))
        depot->host->secret(session, "key", on_key, depot);
    say_line(depot, GREETED, "HELLO", "");
}

static void dial(struct depot *depot)
{
    depot->stage = DIALLING;
    if (depot->host->dial(depot->instance, on_dialed, depot) < 0) {
        depot->stage = NONE;
        lose(depot, "the host does not dial");
    }
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
        say(depot, line, (size_t)used);
    depot->host->pull(depot->items->out->handle, depot->session, envelope->size ? envelope->size : 1);
    if (WRONG(FINISHES_EARLY))
        finish(depot, ACCORD_DELIVERED, "");
}

static void go(struct depot *depot)
{
    bool receives = (depot->running || WRONG(OFFERS_STOPPED)) && depot->wants_poll && depot->service < 99;
    if (depot->stage == NONE && (depot->items || receives || depot->probe))
        dial(depot);
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
        say_line(depot, LISTING, "LIST", "");
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
        finish_all(depot, "late");
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
    go(depot);
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
        say_line(depot, STORED, "PUT", strcat(strcpy(empty, depot->items->out->envelope->name), " 0"));
    if (last && size && WRONG(CUTS_PAYLOAD) && depot->items->out->envelope->size > 1)
        size--;
    if (!say(depot, bytes, size))
        lose(depot, "the connection broke");
}

/* What is under way is cut off with its session; others just go. */
static void depot_cancel(void *state, struct accord_delivery *handle)
{
    struct depot *depot = state;
    if (WRONG(IGNORES_CANCEL))
        return;
    if (depot->items && depot->items->out->handle == handle) {
        if (depot->stage == SENDING || depot->stage == STORED)
            lose(depot, "canceled");
        else
            finish(depot, ACCORD_RETRY, "canceled");
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
        finish(depot, ACCORD_RETRY, "canceled");
        depot->items = rest;
        return;
    }
}

static void depot_probe(void *state, struct accord_probe *probe)
{
    struct depot *depot = state;
    depot->host->probed(probe, "options", 0, "they can be", false);
    depot->probe = probe;
    go(depot);
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
        offer(depot);
    go(depot);
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
    end_session(depot, "closing");
    drop_offer(depot);
    if (!WRONG(CLOSE_FINISHES_NOTHING) && !depot->late)
        finish_all(depot, "closing");
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
