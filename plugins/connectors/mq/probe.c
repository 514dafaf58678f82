#include "probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"

struct probe {
    struct attachment attachment; /* first; of one service after the other */
    struct probe *next;
    struct link *link;
    struct connection *connection;
    struct accord_probe *handle;
    size_t service;
    struct accord_timer *timer;              /* for credit, or until the next service */
    bool waits;                              /* for credit */
    bool attached, told;                     /* told: the last step was */
    char step[64], words[ACCORD_REASON_MAX]; /* that failed; step "": none has */
    int result;
};

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list args;
    if (probe->told)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    probe->told = last;
    probe->link->host->probed(probe->handle, step, result, text, last);
}

static void end(struct probe *probe)
{
    struct probe **at = &probe->link->probes;
    while (*at != probe)
        at = &(*at)->next;
    *at = probe->next;
    if (probe->attached)
        attachment_fini(&probe->attachment);
    probe->link->host->timer_stop(probe->timer);
    connection_free(
        probe->link->spent); /* the channel that has just told us its end still reads the settings */
    probe->link->spent = probe->connection;
    free(probe);
}

/* ---- the connection ---- */

/* One that failed is told at the end, as the last. */
void probe_step(struct probe *probe, const char *step, int result, const char *text)
{
    if (result >= 0) {
        tell(probe, false, step, result, "%s", text);
        return;
    }
    snprintf(probe->step, sizeof probe->step, "%s", step);
    snprintf(probe->words, sizeof probe->words, "%s", text);
    probe->result = result;
}

void probe_closed(struct probe *probe, const struct meaning *meaning)
{
    if (probe->step[0])
        tell(probe, true, probe->step, probe->result, "%s", probe->words);
    else
        tell(probe, true, "connection", meaning->means == MEANS_PARK ? ACCORD_EDENIED : ACCORD_ENET, "%s",
             meaning->reason);
    end(probe);
}

static void finish(struct probe *probe)
{
    channel_close(probe->connection->channel, "the probe has ended"); /* probe_closed follows */
}

/* ---- services ---- */

static const char *step_of(const struct probe *probe)
{
    return probe->link->setup->services[probe->service]->name;
}

static bool is_last(const struct probe *probe)
{
    return probe->service + 1 >= probe->link->setup->service_count;
}

static void on_next(void *arg);

/* The next one begins later: this is called by what the attachment is still at work for. */
static void service_done(struct probe *probe, int result, const char *text)
{
    const struct link *link = probe->link;
    bool last = is_last(probe);
    char step[48];
    snprintf(step, sizeof step, "%.40s", step_of(probe));
    link->host->timer_stop(probe->timer);
    tell(probe, last, step, result, "%s", text);
    probe->waits = false;
    probe->timer = last ? NULL : link->host->timer(link->instance, 0, on_next, probe);
    if (!probe->timer)
        finish(probe);
}

static void on_no_credit(void *arg)
{
    struct probe *probe = arg;
    char text[ACCORD_REASON_MAX];
    probe->timer = NULL;
    snprintf(text, sizeof text, "%s is there, and the broker gives no credit: is it full?",
             probe->attachment.what);
    service_done(probe, ACCORD_ETIMEOUT, text);
}

static void on_credit(struct probe *probe)
{
    char text[ACCORD_REASON_MAX], most[60] = "";
    int credit = pn_link_credit(probe->attachment.link);
    uint64_t limit = pn_link_remote_max_message_size(probe->attachment.link);
    if (credit <= 0 || !probe->waits)
        return;
    if (limit)
        snprintf(most, sizeof most, ", messages of at most %llu bytes", (unsigned long long)limit);
    snprintf(text, sizeof text, "%s can be sent to; credit %d%s%s", probe->attachment.what, credit, most,
             probe->attachment.witness ? "; its witness is there" : "");
    service_done(probe, 0, text);
}

static void on_attached(struct attachment *attachment)
{
    struct probe *probe = (struct probe *)attachment;
    struct link *link = probe->link;
    char text[ACCORD_REASON_MAX];
    if (link->setup->services[probe->service]->direction == ACCORD_RECEIVE) {
        snprintf(text, sizeof text, "%s can be received from", attachment->what);
        service_done(probe, 0, text);
        return;
    }
    probe->timer = link->host->timer(link->instance, link->options->answer_timeout, on_no_credit, probe);
    probe->waits = probe->timer;
    if (!probe->timer)
        service_done(probe, ACCORD_ENOMEM, "out of memory");
    else
        on_credit(probe);
}

static void on_event(struct attachment *attachment, pn_event_type_t type, pn_event_t *event)
{
    (void)event;
    if (type == PN_LINK_FLOW)
        on_credit((struct probe *)attachment);
}

static int error_of(const struct meaning *meaning)
{
    return meaning->means == MEANS_PARK                      ? ACCORD_EDENIED
           : strcmp(meaning->rule, "mq.not-found") == 0      ? ACCORD_ENOENT
           : strcmp(meaning->rule, "mq.attach-timeout") == 0 ? ACCORD_ETIMEOUT
                                                             : ACCORD_EPROTO;
}

static void on_detached(struct attachment *attachment, const struct meaning *meaning)
{
    service_done((struct probe *)attachment, error_of(meaning), meaning->reason);
}

static void on_lost(struct attachment *attachment, const struct meaning *meaning)
{
    struct probe *probe = (struct probe *)attachment;
    if (!probe->step[0])
        probe_step(probe, step_of(probe), error_of(meaning), meaning->reason);
}

static bool wants(const struct attachment *attachment)
{
    (void)attachment;
    return false;
}

static void next_service(struct probe *probe)
{
    if (probe->attached)
        attachment_fini(&probe->attachment);
    probe->attachment = (struct attachment){
        .wants = wants, .attached = on_attached, .detached = on_detached, .lost = on_lost, .event = on_event};
    attachment_init(&probe->attachment, probe->connection, probe->service);
    probe->attached = true;
    attachment_begin(&probe->attachment);
}

static void on_next(void *arg)
{
    struct probe *probe = arg;
    probe->timer = NULL;
    attachment_end(&probe->attachment);
    probe->service++;
    next_service(probe);
}

void probe_opened(struct probe *probe)
{
    const char *broker = probe->connection->broker;
    bool last = probe->link->setup->service_count == 0;
    tell(probe, last, "broker", 0, "%s; addressed as profile = %s",
         broker[0] ? broker : "it does not say what it is", probe->link->profile->name);
    if (last)
        finish(probe);
    else
        next_service(probe);
}

/* ---- life ---- */

void mq_probe(void *state, struct accord_probe *handle)
{
    struct link *link = state;
    struct probe *probe = calloc(1, sizeof *probe);
    struct connection *connection = probe ? connection_new(link, 0) : NULL;
    if (!connection) {
        free(probe);
        link->host->probed(handle, "connection", ACCORD_ENOMEM, "out of memory", true);
        return;
    }
    probe->link = link;
    probe->handle = handle;
    probe->connection = connection;
    connection->probe = probe;
    probe->next = link->probes;
    link->probes = probe;
    connection_want(connection); /* which may end it */
}

void probe_close(struct link *link)
{
    while (link->probes)
        end(link->probes);
    connection_free(link->spent);
    link->spent = NULL;
}
