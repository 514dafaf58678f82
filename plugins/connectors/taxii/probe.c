/* The steps are those of a session (http.h tells them), then the partner's catalogue, asked anew, then each service's
 * collection. Nothing is submitted and nothing is polled. Where no catalogue is configured, one of the service's
 * addresses is asked a discovery question: whatever status it answers with, it speaks TAXII and knows us. */
#include "probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "taxii.h"

struct probe {
    struct exchange exchange; /* first; without a catalogue */
    struct catalogue_wait wait;
    struct probe *next;
    struct link *link;
    struct accord_probe *handle;
    char step[32], words[ACCORD_REASON_MAX]; /* that failed; step "": none has */
    int result;
};

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    probe->link->host->probed(probe->handle, step, result, text, last);
}

static void end(struct probe *probe)
{
    struct probe **at = &probe->link->probes;
    while (*at != probe)
        at = &(*at)->next;
    *at = probe->next;
    exchange_fini(&probe->exchange);
    free(probe);
}

/* A failed one is told at the end, as the last. */
static void on_step(void *arg, const char *step, int result, const char *text)
{
    struct probe *probe = arg;
    if (result >= 0) {
        tell(probe, false, step, result, "%s", text);
        return;
    }
    snprintf(probe->step, sizeof probe->step, "%s", step);
    snprintf(probe->words, sizeof probe->words, "%s", text);
    probe->result = result;
}

static int error_of(const struct outcome *outcome)
{
    return outcome->means == MEANS_PARK ? ACCORD_EDENIED : outcome->broken ? ACCORD_EPROTO : ACCORD_ENET;
}

static void failed(struct probe *probe, const char *step, const struct outcome *outcome)
{
    if (probe->step[0])
        tell(probe, true, probe->step, probe->result, "%s", probe->words);
    else
        tell(probe, true, step, error_of(outcome), "%s", outcome->reason);
    end(probe);
}

/* ---- what the catalogue says ---- */

static void tell_service(struct probe *probe, size_t index, bool last)
{
    const struct link *link = probe->link;
    const struct accord_service *service = link->setup->services[index];
    const struct service_options *options = service->options;
    bool sends = service->direction == ACCORD_SEND;
    struct outcome why;
    char step[48];
    snprintf(step, sizeof step, "%.40s", service->name);
    const char *path = sends ? catalogue_inbox_path(link, options->collection, options->binding, &why)
                             : catalogue_poll_path(link, options->collection, &why);
    if (!path)
        tell(probe, last, step, ACCORD_ENOENT, "%s", why.reason);
    else if (sends)
        tell(probe, last, step, 0, "%.100s takes %.120s at %.200s", options->collection, options->binding,
             path);
    else
        tell(probe, last, step, 0, "%.100s, a %s, is polled at %.200s", options->collection,
             catalogue_is_set(link, options->collection) ? "data set" : "data feed", path);
}

static void on_catalogue(struct catalogue_wait *wait, const struct outcome *outcome)
{
    struct probe *probe = (struct probe *)((char *)wait - offsetof(struct probe, wait));
    const struct link *link = probe->link;
    const struct catalogue *catalogue = &link->catalogue;
    size_t services = link->setup->service_count;
    if (outcome) {
        failed(probe, "catalogue", outcome);
        return;
    }
    tell(probe, services == 0, "catalogue", 0, "%zu services and %zu collections%s%.200s",
         catalogue->service_count, catalogue->collection_count,
         catalogue->foreign[0] ? "; not used, for it is elsewhere: " : "", catalogue->foreign);
    for (size_t i = 0; i < services; i++)
        tell_service(probe, i, i + 1 == services);
    end(probe);
}

/* ---- without one ---- */

static void on_asked(struct exchange *exchange, const struct outcome *outcome)
{
    struct probe *probe = (struct probe *)exchange;
    bool spoke = exchange->judged && !outcome->broken && outcome->means != MEANS_PARK &&
                 outcome->means != MEANS_CANCELED;
    if (outcome->means != MEANS_DONE && !spoke) {
        failed(probe, "service", outcome);
        return;
    }
    tell(probe, true, "service", 0,
         "%.200s speaks TAXII %s and knows us; collections are not checked without `discovery`",
         exchange->path, probe->link->dialect->version);
    end(probe);
}

static const struct answer_events no_events;

static bool ask_service(struct probe *probe)
{
    const struct link_options *options = probe->link->options;
    exchange_init(&probe->exchange, probe->link, ASKED_CATALOGUE, &no_events, on_asked);
    probe->link->dialect->discovery(&probe->exchange.draft, probe->exchange.id);
    if (!exchange_begin(&probe->exchange, options->inbox ? options->inbox : options->poll))
        return false;
    http_tell_steps(probe->exchange.call, on_step, probe);
    return true;
}

static bool begin(struct probe *probe)
{
    struct link *link = probe->link;
    const struct link_options *options = link->options;
    if (!options->discovery && !options->collections)
        return (options->inbox || options->poll) && ask_service(probe);
    link->catalogue.stale = true;
    if (catalogue_want(link, &probe->wait) != CATALOGUE_WAIT)
        return false;
    http_tell_steps(catalogue_call(link), on_step, probe);
    return true;
}

void taxii_probe(void *state, struct accord_probe *handle)
{
    struct link *link = state;
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe) {
        link->host->probed(handle, "session", ACCORD_ENOMEM, "out of memory", true);
        return;
    }
    probe->link = link;
    probe->handle = handle;
    probe->wait.run = on_catalogue;
    probe->next = link->probes;
    link->probes = probe;
    if (begin(probe))
        return;
    tell(probe, true, "session", ACCORD_ENOMEM, "out of memory, or there is no address to ask");
    end(probe);
}

void probe_close(struct link *link)
{
    while (link->probes) {
        catalogue_leave(link, &link->probes->wait);
        end(link->probes);
    }
}
