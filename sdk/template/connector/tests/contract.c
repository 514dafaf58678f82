/* The contract suite on this connector: closing and cancelling at every moment, exactly-once, credit,
 * verdicts, admissions, and every allocation and host call failing in turn. Here stands only how to begin,
 * and how to look at the other side: a partner on a thread of its own, with boxes in memory. */
#include <accord/plugin.h>
#include <accord/testkit/suite.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define MESSAGES 256

/* What the partner has, and what it has been sent. */
struct message {
    char name[512];
    char *bytes;
    size_t size;
    bool gone; /* we told it that it may forget it */
};

static struct partner {
    struct peer peer;
    pthread_t thread;
    pthread_mutex_t lock;
    bool ended;
    struct message taken[MESSAGES], given[MESSAGES];
    size_t taken_count, given_count;
    char offer[512]; /* the line about the message that is offered now */
} partner;

static struct message *put(struct message *list, size_t *count, const char *name, const void *bytes,
                           size_t size)
{
    struct message *message = &list[*count];
    if (*count == MESSAGES)
        return NULL;
    snprintf(message->name, sizeof message->name, "%s", name);
    message->bytes = malloc(size + 1);
    memcpy(message->bytes, bytes, size);
    message->size = size;
    message->gone = false;
    *count += 1;
    return message;
}

/* A whole message has come, and has not been answered yet. */
static void stored(void *arg)
{
    (void)arg;
    put(partner.taken, &partner.taken_count, partner.peer.stored, partner.peer.bytes, partner.peer.size);
}

/* Which message it has for us now, and what becomes of it. */
static void arrange(void)
{
    struct peer *peer = &partner.peer;
    size_t at = 0;
    if (*peer->told) { /* "done BOX ID": ids are places in the list */
        const char *id = strrchr(peer->told, ' ');
        size_t place = id ? strtoul(id + 2, NULL, 10) : MESSAGES;
        if (place < partner.given_count)
            partner.given[place].gone = true;
        *peer->told = 0;
    }
    while (at < partner.given_count && partner.given[at].gone)
        at++;
    peer->message = at < partner.given_count ? partner.offer : NULL;
    if (!peer->message)
        return;
    snprintf(partner.offer, sizeof partner.offer, "m%zu %zu %.255s", at, partner.given[at].size,
             partner.given[at].name);
    peer->body = partner.given[at].bytes;
    peer->body_size = partner.given[at].size;
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&partner.lock);
    while (!partner.ended) {
        struct pollfd fds[PEER_FDS];
        nfds_t count = peer_poll(&partner.peer, fds);
        pthread_mutex_unlock(&partner.lock);
        poll(fds, count, 20);
        pthread_mutex_lock(&partner.lock);
        arrange();
        peer_turn(&partner.peer);
        arrange();
    }
    pthread_mutex_unlock(&partner.lock);
    return NULL;
}

/* ---- what the suite asks ---- */

static const struct accord_pair *begin(void *arg, bool *failed)
{
    static const struct accord_pair options[] = {{"poll", "100 ms"}, {"timeout", "10 min"}, {NULL, NULL}};
    (void)arg;
    partner = (struct partner){.peer = {.answer = "ok kept\n", .stored_whole = stored, .ask = arrange}};
    pthread_mutex_init(&partner.lock, NULL);
    peer_open(&partner.peer);
    *failed = pthread_create(&partner.thread, NULL, run, NULL) != 0;
    return options;
}

static void end(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&partner.lock);
    partner.ended = true;
    pthread_mutex_unlock(&partner.lock);
    pthread_join(partner.thread, NULL);
    peer_close(&partner.peer);
    for (size_t i = 0; i < partner.taken_count; i++)
        free(partner.taken[i].bytes);
    for (size_t i = 0; i < partner.given_count; i++)
        free(partner.given[i].bytes);
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    testhost_endpoint(host, partner.peer.port);
    testhost_profile(host, "session.encryption", "none");
}

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    bool found = false;
    (void)arg, (void)service;
    pthread_mutex_lock(&partner.lock);
    for (size_t i = 0; i < partner.taken_count && !found; i++) {
        const struct message *message = &partner.taken[i];
        size_t length = strlen(message->name), wanted = strlen(name);
        found = length > wanted && !strcmp(message->name + length - wanted, name) && message->size == size &&
                !memcmp(message->bytes, bytes, size);
    }
    pthread_mutex_unlock(&partner.lock);
    return found;
}

static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg, (void)service;
    pthread_mutex_lock(&partner.lock);
    bool done = put(partner.given, &partner.given_count, name, bytes, size);
    pthread_mutex_unlock(&partner.lock);
    return done;
}

static bool holds(void *arg, size_t service, const char *name)
{
    bool held = false;
    (void)arg, (void)service;
    pthread_mutex_lock(&partner.lock);
    for (size_t i = 0; i < partner.given_count; i++)
        held |= !strcmp(partner.given[i].name, name) && !partner.given[i].gone;
    pthread_mutex_unlock(&partner.lock);
    return held;
}

int main(void)
{
    static const struct accord_pair out[] = {{"box", "in-tray"}, {NULL, NULL}};
    static const struct accord_pair in[] = {{"box", "out-tray"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"orders", "opaque", ACCORD_SEND, out},
                                                        {"answers", "opaque", ACCORD_RECEIVE, in}};
    const struct accord_connector_suite suite = {
        .plugin = &accord_plugin,
        .clock = TESTHOST_VIRTUAL_CLOCK,
        .services = services,
        .service_count = 2,
        .endpoint_host = "partner.example",
        .patience = 100000, /* of virtual time, which runs while the partner works */
        .begin = begin,
        .end = end,
        .prepare = prepare,
        .got = got,
        .give = give,
        .holds = holds};
    return accord_connector_suite(&suite) ? 1 : 0;
}
