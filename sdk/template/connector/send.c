#include "send.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define PIECE (64 * 1024) /* asked of the host at a time; so much is on its way in this process */

struct parcel {
    const struct accord_outgoing *out; /* valid until finish() */
    struct parcel *next;
};

struct sender {
    struct session session;
    struct parcel *first, **last;
    bool begun; /* the partner has been told of the first one */
    bool whole; /* its last byte was put: from here on the partner may have it */
};

/* Every delivery is finished exactly once, and this is the one place. `parcel` is the first, or was
 * waiting. */
static void finish(struct sender *sender, struct parcel **at, enum accord_outcome outcome, const char *text)
{
    struct parcel *parcel = *at;
    struct accord_result result = {.outcome = outcome, .reason = "", .receipt = ""};
    if (outcome == ACCORD_DELIVERED)
        result.receipt = text;
    else
        result.reason = text;
    if (!*text) /* a person reads it */
        *(outcome == ACCORD_DELIVERED ? &result.receipt : &result.reason) =
            "the partner said no more than that";
    if (at == &sender->first)
        sender->begun = sender->whole = false;
    *at = parcel->next;
    if (!*at)
        sender->last = at;
    sender->session.self->host->finish(parcel->out->handle, &result);
    free(parcel);
}

/* Nobody knows what became of a message that was cut off between its last byte and the answer: saying
 * UNCERTAIN lets the agreement's file decide (on-uncertain) whether it may go twice. */
static void fail_first(struct sender *sender, const char *reason)
{
    finish(sender, &sender->first, sender->whole ? ACCORD_UNCERTAIN : ACCORD_RETRY, reason);
}

static void begin_next(void *arg)
{
    struct sender *sender = arg;
    const struct self *self = sender->session.self;
    if (!sender->first) {
        session_close(&sender->session, "nothing more to send");
        return;
    }
    const struct accord_outgoing *out = sender->first->out;
    sender->begun = true;
    /* The id is the same at every attempt: a partner that keeps it can tell a repeat. */
    session_say(&sender->session, "store %s %s %" PRId64 " %s\n", box_of(self, out->service),
                out->envelope->id, out->envelope->size, out->envelope->name);
    self->host->pull(out->handle, sender->session.handle, PIECE);
}

void sender_payload(struct sender *sender, const uint8_t *bytes, size_t size, bool last)
{
    sender->whole = last;
    session_put(&sender->session, bytes, size);
    session_await(&sender->session, last);
}

/* The last piece has gone to the system: it is time for another. A slow partner thus slows down the host,
 * and nothing is heaped up here. */
static void drained(void *arg)
{
    struct sender *sender = arg;
    if (sender->begun && !sender->whole)
        sender->session.self->host->pull(sender->first->out->handle, sender->session.handle, PIECE);
}

/* The host tries each of them again when its time has come. */
static void lost(void *arg, const char *reason)
{
    struct sender *sender = arg;
    while (sender->first)
        fail_first(sender, reason);
}

static void go_on(struct sender *sender)
{
    if (sender->first && sender->session.self->started)
        session_begin(&sender->session);
    else
        lost(sender, "the link is stopping");
}

/* The answer's word and what it means; false: the protocol has no such answer, or not now. */
static bool settle(struct sender *sender, const char *line)
{
    if (!strncmp(line, "ok ", 3) && sender->whole)
        finish(sender, &sender->first, ACCORD_DELIVERED, line + 3);
    else if (!strncmp(line, "no ", 3))
        finish(sender, &sender->first, ACCORD_REFUSED, line + 3);
    else if (!strncmp(line, "later ", 6))
        finish(sender, &sender->first, ACCORD_RETRY, line + 6);
    else
        return false;
    return true;
}

static void answer_came(void *arg)
{
    struct sender *sender = arg;
    char *line = session_line(&sender->session);
    if (!line && sender->session.in_size < SESSION_IN)
        return;
    bool whole = sender->whole;
    if (line && sender->begun && settle(sender, line) && whole) {
        session_take(&sender->session, strlen(line) + 1);
        session_await(&sender->session, false);
        begin_next(sender);
        return;
    }
    /* In mid-payload the partner would take the rest of it for lines: only a new session is in step again. */
    session_close(&sender->session, "out of step");
    if (sender->begun)
        fail_first(sender, "the partner gave an answer that the protocol does not know");
    go_on(sender);
}

void sender_deliver(struct sender *sender, const struct accord_outgoing *out)
{
    struct parcel *parcel = malloc(sizeof *parcel);
    if (!parcel) {
        const struct accord_result result = {
            .outcome = ACCORD_RETRY, .reason = "out of memory", .receipt = ""};
        sender->session.self->host->finish(out->handle, &result);
        return;
    }
    *parcel = (struct parcel){.out = out};
    *sender->last = parcel;
    sender->last = &parcel->next;
    go_on(sender);
}

void sender_cancel(struct sender *sender, const struct accord_delivery *delivery)
{
    struct parcel **at = &sender->first;
    while (*at && (*at)->out->handle != delivery)
        at = &(*at)->next;
    if (!*at)
        return;
    if (at != &sender->first || !sender->begun) {
        finish(sender, at, ACCORD_RETRY, "cancelled before it was sent");
        return;
    }
    session_close(&sender->session, "cancelled");
    fail_first(sender, "cancelled on its way");
    go_on(sender);
}

struct sender *sender_new(struct self *self)
{
    static const struct session_events events = {begin_next, answer_came, drained, lost};
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    sender->session.self = self;
    sender->session.events = &events;
    sender->session.arg = sender;
    sender->last = &sender->first;
    return sender;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    session_close(&sender->session, "the link is closed");
    lost(sender, "the link is closed");
    free(sender);
}
