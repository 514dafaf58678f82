/* The fake host's cursors: committed in the order of the offers, void behind one that was not taken. */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *key(char to[32], size_t service)
{
    snprintf(to, 32, "%zu", service);
    return to;
}

const char *testhost_cursor(const struct testhost *host, size_t service)
{
    char name[32];
    const struct testhost_entry *entry = testhost_find(host->cursors, key(name, service));
    if (entry)
        return entry->value;
    return host->setup && service < host->setup->service_count ? host->setup->services[service]->cursor : "";
}

static struct testhost_mark *append(struct testhost *host, size_t service, const char *cursor)
{
    struct testhost_mark *mark = testkit_alloc(sizeof *mark);
    mark->service = service;
    mark->has_cursor = cursor != NULL;
    snprintf(mark->cursor, sizeof mark->cursor, "%s", cursor ? cursor : "");
    struct testhost_mark **at = &host->marks;
    while (*at)
        at = &(*at)->next;
    *at = mark;
    return mark;
}

void testhost_mark_offer(struct testhost *host, struct accord_offer *offer)
{
    append(host, offer->service, offer->has_cursor ? offer->cursor : NULL)->offer = offer;
}

/* ---- committing ---- */

static void run_committed(struct testhost *host, struct testhost_event *event)
{
    INTO_PLUGIN(host, "the callback of advance",
                event->call.committed(event->arg, event->result,
                                      event->result ? "a message before it was not taken" : ""));
}

static void answer(struct testhost *host, const struct testhost_mark *mark, int result)
{
    struct testhost_event *event = testhost_post(host, run_committed);
    event->call.committed = mark->done;
    event->arg = mark->arg;
    event->result = result;
}

static void commit_one(struct testhost *host, const struct testhost_mark *mark)
{
    char name[32];
    if (!mark->has_cursor)
        return;
    size_t own = (size_t)snprintf(name, sizeof name, "%zu/", mark->service);
    for (const struct testhost_entry *owed = host->owed; owed; owed = owed->next)
        if (strncmp(owed->name, name, own) == 0)
            testhost_complain(host,
                              "the cursor \"%s\" goes past \"%s\", which was deferred and not offered again",
                              mark->cursor, owed->name + own);
    testhost_put(&host->cursors, key(name, mark->service), mark->cursor, strlen(mark->cursor));
}

static void commit(struct testhost *host, size_t service)
{
    struct testhost_mark **at = &host->marks;
    while (*at) {
        struct testhost_mark *mark = *at;
        if (mark->service != service) {
            at = &mark->next;
            continue;
        }
        if (mark->offer && !mark->held)
            return;
        commit_one(host, mark);
        if (!mark->offer)
            answer(host, mark, ACCORD_OK);
        *at = mark->next;
        free(mark);
    }
}

/* What came after an offer that was not taken. */
static void make_void(struct testhost *host, size_t service, struct testhost_mark **at)
{
    while (*at) {
        struct testhost_mark *mark = *at;
        bool advance = mark->service == service && !mark->offer;
        if (mark->service == service)
            mark->has_cursor = false;
        if (!advance) {
            at = &mark->next;
            continue;
        }
        answer(host, mark, ACCORD_ECANCELED);
        *at = mark->next;
        free(mark);
    }
}

static void owe(struct testhost *host, const struct accord_offer *offer, bool owed)
{
    char name[ACCORD_SOURCE_ID_MAX + 32];
    if (!offer->source_id[0])
        return;
    snprintf(name, sizeof name, "%zu/%s", offer->service, offer->source_id);
    if (owed)
        testhost_put(&host->owed, name, "", 0);
    else
        testhost_remove(&host->owed, name);
}

void testhost_mark_over(struct testhost *host, const struct accord_offer *offer, bool held, bool deferred)
{
    struct testhost_mark **at = &host->marks;
    size_t service = offer->service;
    while (*at && (*at)->offer != offer)
        at = &(*at)->next;
    if (held || deferred)
        owe(host, offer, deferred);
    if (*at && held) {
        (*at)->held = true;
    } else if (*at) {
        struct testhost_mark *gone = *at;
        *at = gone->next;
        free(gone);
        make_void(host, service, at);
    }
    commit(host, service);
}

int testhost_do_advance(struct accord_instance *instance, size_t service, const char *cursor,
                        accord_committed_fn done, void *arg)
{
    struct testhost *host = instance->host;
    if (!testhost_callable(host, "advance", false))
        return ACCORD_ESTATE;
    if (service >= host->setup->service_count ||
        host->setup->services[service]->direction != ACCORD_RECEIVE || !cursor ||
        strlen(cursor) >= ACCORD_CURSOR_MAX || !done) {
        testhost_complain(host,
                          "advance of service %zu, which does not receive, or without a cursor or a callback",
                          service);
        return ACCORD_EINVAL;
    }
    if (testhost_fails(host, TESTHOST_ADVANCE))
        return ACCORD_ENOMEM;
    struct testhost_mark *mark = append(host, service, cursor);
    mark->done = done;
    mark->arg = arg;
    commit(host, service);
    return ACCORD_OK;
}

void testhost_free_marks(struct testhost *host)
{
    while (host->marks) {
        struct testhost_mark *next = host->marks->next;
        free(host->marks);
        host->marks = next;
    }
    testhost_free_entries(host->cursors);
    testhost_free_entries(host->owed);
}
