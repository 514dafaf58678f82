#include "receive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum step {
    IDLE,
    ASKED,  /* for a message */
    BODY,   /* its bytes come, and are handed over */
    SKIP,   /* its bytes come, and the host wants no more of them */
    JUDGED, /* all have come; the verdict is awaited */
    TOLD,   /* the partner has been told what became of it */
};

struct receiver {
    struct session session;
    struct accord_timer *timer; /* until the next look; NULL: one is going on, or stopped */
    enum step step;
    size_t service; /* that is being asked for */
    struct accord_offer *offer;
    char id[128];
    const char *word;     /* for the partner, when its message was skipped */
    int64_t left, credit; /* bytes of the body: to come, and that the host has asked for */
};

static void look(void *arg);

/* ---- one look: every receiving service until it has no more ---- */

static void look_later(struct receiver *receiver)
{
    const struct self *self = receiver->session.self;
    receiver->step = IDLE;
    if (self->started && !receiver->timer)
        receiver->timer = self->host->timer(self->instance, link_options(self)->poll, look, receiver);
}

static void end_look(struct receiver *receiver, const char *reason)
{
    session_close(&receiver->session, reason);
    look_later(receiver);
}

/* Goes on with the service `at`, or the next one that receives. */
static void ask(struct receiver *receiver, size_t at)
{
    const struct self *self = receiver->session.self;
    const struct accord_link_setup *setup = self->setup;
    while (at < setup->service_count && setup->services[at]->direction != ACCORD_RECEIVE)
        at++;
    receiver->service = at;
    if (at == setup->service_count || !self->started) {
        end_look(receiver, "nothing more to fetch");
        return;
    }
    receiver->step = ASKED;
    session_say(&receiver->session, "next %s\n", box_of(self, at));
    session_await(&receiver->session, true);
}

static void ready(void *arg)
{
    ask(arg, 0);
}

/* ---- one message ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void tell(struct receiver *receiver, const char *word)
{
    receiver->step = TOLD;
    session_say(&receiver->session, "%s %s %s\n", word, box_of(receiver->session.self, receiver->service),
                receiver->id);
    session_await(&receiver->session, true);
}

/* At most what the host has asked for: it decides how fast a message comes in. */
static void hand_over(struct receiver *receiver)
{
    struct session *session = &receiver->session;
    int64_t size = least(least((int64_t)session->in_size, receiver->left), receiver->credit);
    if (receiver->step != BODY || !receiver->credit || (!size && receiver->left))
        return;
    receiver->left -= size;
    receiver->credit -= size;
    if (!receiver->left)
        receiver->step = JUDGED;
    session->self->host->offer_write(receiver->offer, (const uint8_t *)session->in, (size_t)size,
                                     !receiver->left);
    session_take(session, (size_t)size);
    session_await(session, receiver->left && receiver->credit); /* otherwise it is the host's turn */
}

static void skip(struct receiver *receiver)
{
    int64_t size = least((int64_t)receiver->session.in_size, receiver->left);
    receiver->left -= size;
    session_take(&receiver->session, (size_t)size);
    if (!receiver->left)
        tell(receiver, receiver->word);
}

static void offer(struct receiver *receiver, const char *line)
{
    const struct self *self = receiver->session.self;
    int name = 0;
    if (sscanf(line, "message %127s %" SCNd64 " %n", receiver->id, &receiver->left, &name) != 2 || !name ||
        receiver->left < 0) {
        end_look(receiver, "not the protocol");
        return;
    }
    /* The id is what tells a repeat from a new message, should we be cut off before the partner was told. */
    const struct accord_incoming message = {.name = line[name] ? line + name : receiver->id,
                                            .source_id = receiver->id,
                                            .size = receiver->left,
                                            .session = receiver->session.handle};
    session_await(&receiver->session, false);
    receiver->credit = 0;
    receiver->offer = self->host->offer(self->instance, receiver->service, &message, receiver);
    if (receiver->offer)
        receiver->step = BODY;
    else
        end_look(receiver, "the host takes nothing now"); /* offer_ready will be called */
}

void receiver_pull(struct receiver *receiver, int64_t bytes)
{
    receiver->credit += bytes;
    session_await(&receiver->session, receiver->left > 0);
    hand_over(receiver);
}

/* ACCEPTED and QUARANTINED mean that the host holds it, whatever happens; only then may the partner forget
 * it. REJECTED: it never will be taken, so a person must look. DEFERRED: it is asked for again. The host
 * may say so before the last byte. */
void receiver_admitted(struct receiver *receiver, const struct accord_admitted *admitted)
{
    bool held = admitted->admission == ACCORD_ACCEPTED || admitted->admission == ACCORD_QUARANTINED;
    receiver->offer = NULL;
    receiver->word = held ? "done" : "reject";
    if (admitted->admission == ACCORD_DEFERRED) {
        end_look(receiver, "the host takes the message later");
    } else if (receiver->step == JUDGED) {
        tell(receiver, receiver->word);
    } else {
        receiver->step = SKIP;
        session_await(&receiver->session, true);
        skip(receiver);
    }
}

static void came(void *arg)
{
    struct receiver *receiver = arg;
    if (receiver->step == BODY || receiver->step == SKIP) {
        (receiver->step == BODY ? hand_over : skip)(receiver);
        return;
    }
    const char *line = session_line(&receiver->session);
    if (!line && receiver->session.in_size < SESSION_IN)
        return;
    if (!line) {
        end_look(receiver, "not the protocol");
        return;
    }
    char copy[SESSION_IN];
    snprintf(copy, sizeof copy, "%s", line);
    session_take(&receiver->session, strlen(copy) + 1);
    if (receiver->step == ASKED && (!strcmp(copy, "none") || !receiver->session.self->started))
        ask(receiver, receiver->service + 1);
    else if (receiver->step == ASKED)
        offer(receiver, copy);
    else if (receiver->step == TOLD && !strncmp(copy, "ok", 2))
        ask(receiver, receiver->service);
    else
        end_look(receiver, "not the protocol");
}

static void drained(void *arg)
{
    (void)arg;
}

static void lost(void *arg, const char *reason)
{
    struct receiver *receiver = arg;
    const struct self *self = receiver->session.self;
    if (receiver->offer)
        self->host->offer_abort(receiver->offer);
    receiver->offer = NULL;
    self->host->log(self->instance, ACCORD_NOTICE, "sample.not-fetched", reason);
    look_later(receiver);
}

/* ---- life ---- */

static void look(void *arg)
{
    struct receiver *receiver = arg;
    receiver->timer = NULL;
    session_begin(&receiver->session);
}

static bool receives(const struct self *self)
{
    for (size_t i = 0; i < self->setup->service_count; i++)
        if (self->setup->services[i]->direction == ACCORD_RECEIVE)
            return true;
    return false;
}

void receiver_look(struct receiver *receiver)
{
    const struct self *self = receiver->session.self;
    if (!receives(self) || receiver->step != IDLE)
        return;
    if (receiver->timer)
        self->host->timer_stop(receiver->timer);
    receiver->timer = NULL;
    session_begin(&receiver->session);
}

void receiver_stop(struct receiver *receiver)
{
    if (receiver->timer)
        receiver->session.self->host->timer_stop(receiver->timer);
    receiver->timer = NULL;
}

struct receiver *receiver_new(struct self *self)
{
    static const struct session_events events = {ready, came, drained, lost};
    struct receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return NULL;
    receiver->session.self = self;
    receiver->session.events = &events;
    receiver->session.arg = receiver;
    return receiver;
}

void receiver_free(struct receiver *receiver)
{
    if (!receiver)
        return;
    receiver_stop(receiver);
    session_close(&receiver->session, "the link is closed");
    if (receiver->offer)
        receiver->session.self->host->offer_abort(receiver->offer);
    free(receiver);
}
