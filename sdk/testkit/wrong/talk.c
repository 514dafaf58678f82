#include "connector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the session ---- */

void depot_end_session(struct depot *depot, const char *reason)
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

void depot_drop_offer(struct depot *depot)
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
        depot_go(depot);
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
void depot_lose(struct depot *depot, const char *reason)
{
    bool sent = depot->stage == STORED, under_way = sent || depot->stage == SENDING;
    depot_end_session(depot, reason);
    depot_drop_offer(depot);
    if (under_way)
        depot_finish(depot,
                     WRONG(CLAIMS_DELIVERED) ? ACCORD_DELIVERED
                     : sent                  ? ACCORD_UNCERTAIN
                                             : ACCORD_RETRY,
                     reason);
    depot_finish_all(depot, reason);
    depot->refused = false;
    if (depot->probe) {
        depot->host->probed(depot->probe, "session", ACCORD_ENET, reason, true);
        depot->probe = NULL;
    }
    poll_later(depot);
}

/* Small amounts: the buffers of the socket are larger. What does not fit waits in this loop's stead for the watch. */
bool depot_say(struct depot *depot, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = send(depot->fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

void depot_say_line(struct depot *depot, enum stage next, const char *word, const char *text)
{
    char line[256];
    int size = snprintf(line, sizeof line, "%s%s%s\n", word, *text ? " " : "", text);
    depot->stage = next;
    depot_say(depot, line, (size_t)size);
}

/* ---- getting to know each other ---- */

static void on_known(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct depot *depot = arg;
    (void)rule;
    if (answer != ACCORD_ALLOW && !WRONG(IGNORES_DENY)) {
        depot_lose(depot, reason);
        return;
    }
    depot->stage = IDLE;
    depot_go(depot);
}

static void on_key(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct depot *depot = arg;
    char key[64];
    if (result < 0 && WRONG(BURNS_MESSAGES) && depot->items)
        depot_finish(depot, ACCORD_REFUSED, reason);
    if (result < 0) {
        depot->host->park(depot->instance, "depot.key", reason);
        depot_lose(depot, reason);
        return;
    }
    snprintf(key, sizeof key, "%.*s", (int)size, (const char *)bytes);
    depot_say_line(depot, KEYED, "AUTH", key);
}

static void ask_key(struct depot *depot)
{
    if (depot->host->secret(depot->session, "key", on_key, depot) < 0)
        depot_lose(depot, "the key cannot be read");
}

static void on_judged(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct depot *depot = arg;
    (void)rule;
    if (answer != ACCORD_ALLOW && !WRONG(IGNORES_DENY))
        depot_lose(depot, reason);
    else if (WRONG(IGNORES_DENY) && answer != ACCORD_ALLOW)
        depot_say_line(depot, KEYED, "AUTH", "sesame");
    else
        ask_key(depot);
}

static void report(struct depot *depot, enum accord_stage stage, const char *name, const char *value,
                   accord_verdict_fn done)
{
    const struct accord_pair fact = {name, value};
    depot->stage = stage == ACCORD_HANDSHAKE ? JUDGED : ACCEPTED;
    if (depot->host->report(depot->session, stage, &fact, 1, done, depot) < 0)
        depot_lose(depot, "the facts cannot be reported");
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
        depot_say_line(depot, GETTING, "GET", depot->name);
        return;
    }
    poll_later(depot);
    depot_go(depot);
}

void depot_offer(struct depot *depot)
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
        depot_say(depot, line, (size_t)size);
    }
    if (WRONG(MIXES_UP) && depot->size > 10)
        depot->bytes[10] ^= 1;
    depot->offer = depot->running || WRONG(OFFERS_STOPPED)
                       ? depot->host->offer(depot->instance, depot->service, &message, depot)
                       : NULL;
    depot->refused = !depot->offer;
}

void depot_offer_pull(void *state, struct accord_offer *handle, void *arg, int64_t bytes)
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
        depot_drop_offer(depot);
        depot->stage = IDLE;
        poll_later(depot);
        return;
    }
    depot->written += piece;
}

void depot_offer_done(void *state, struct accord_offer *handle, void *arg,
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
        depot_say_line(depot, DELETING, "DELETE", depot->name);
    else
        poll_later(depot);
    if (WRONG(DELETES_EARLY) && depot->session)
        depot->stage = DELETING;
}

void depot_offer_ready(void *state)
{
    struct depot *depot = state;
    if (depot->refused && depot->stage == OFFERED && !WRONG(NO_OFFER_READY))
        depot_offer(depot);
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
            depot_lose(depot, "the other side does not know us");
        break;
    case STORED:
        depot->stage = IDLE;
        if (!WRONG(NEVER_FINISHES))
            depot_finish(depot, ACCORD_DELIVERED, "");
        depot_go(depot);
        break;
    case DELETING:
        depot->stage = IDLE;
        if (depot->running)
            depot->wants_poll = true;
        depot_go(depot);
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
            depot_lose(depot, "out of memory");
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
        depot_offer(depot);
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
            depot_lose(depot, "out of memory");
            return;
        }
        depot->in = in;
        ssize_t got = read(depot->fd, depot->in + depot->in_size, 65536);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (got <= 0) {
            depot_lose(depot, "the connection ended");
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
        depot_lose(depot, reason);
        return;
    }
    if (!depot->host->profile(session, "depot.mode") || !depot->host->profile(session, "depot.mode")[0]) {
        depot_lose(depot, "the session profile allows nothing");
        return;
    }
    if (WRONG(PULLS_EARLY) && depot->items)
        depot->host->pull(depot->items->out->handle, session, 1);
    depot->watch = depot->host->watch(depot->instance, fd, on_ready, depot);
    if (!depot->watch) {
        depot_lose(depot, "out of memory");
        return;
    }
    depot->host->watch_set(depot->watch, ACCORD_READABLE);
    if (WRONG(BLOCKS_SOCKET))
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (WRONG(SECRET_EARLY))
        depot->host->secret(session, "key", on_key, depot);
    depot_say_line(depot, GREETED, "HELLO", "");
}

void depot_dial(struct depot *depot)
{
    depot->stage = DIALLING;
    if (depot->host->dial(depot->instance, on_dialed, depot) < 0) {
        depot->stage = NONE;
        depot_lose(depot, "the host does not dial");
    }
}
