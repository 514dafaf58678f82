/* The TAXII connector's options, and the rules that no single one can state. */
#include <stdio.h>
#include <string.h>

#include "taxii.h"

#define FIELD(type, name) offsetof(struct type, name)
#define TEXT_MOST         400 /* bytes of a name that travels in a message */

static const char *const version_choices[] = {"1.1", NULL};

const struct accord_option taxii_link_table[] = {
    {.name = "version",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(link_options, version),
     .fallback = "1.1",
     .choices = version_choices,
     .help = "The version of TAXII that the partner speaks."},
    {.name = "discovery",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, discovery),
     .max = TAXII_PATH - 1,
     .help = "Path of the discovery service (TAXII 1.1, 4.4.3), as in /flare/taxii11/discovery. It is asked "
             "once a day for "
             "the paths that are not set here; addresses on other hosts or ports are refused."},
    {.name = "collections",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, collections),
     .max = TAXII_PATH - 1,
     .help = "Path of the collection management service (TAXII 1.1, 4.4.4). Not set: learnt from discovery."},
    {.name = "inbox",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, inbox),
     .max = TAXII_PATH - 1,
     .help = "Path of the inbox service (TAXII 1.1, 4.4.5). Not set: learnt from collection information or "
             "discovery."},
    {.name = "poll",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, poll),
     .max = TAXII_PATH - 1,
     .help = "Path of the poll service (TAXII 1.1, 4.4.6). Not set: learnt from collection information or "
             "discovery."},
    TLS_OPTIONS(FIELD(link_options, tls), ACCORD_REQUIRED, "the partner", " (AIS 3.4b: Federal Bridge)"),
    {.name = "connections",
     .kind = ACCORD_INTEGER,
     .offset = FIELD(link_options, connections),
     .fallback = "4",
     .min = 1,
     .max = 16,
     .help = "How many connections may be open at the same time; each carries one request at a time."},
    {.name = "connect-timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, connect_timeout),
     .fallback = "30 s",
     .min = 1000,
     .max = 600000,
     .help = "Longest that connecting and the TLS handshake may take."},
    {.name = "timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, timeout),
     .fallback = "2 min",
     .min = 1000,
     .max = 3600000,
     .help = "Longest silence of the partner while it has something to take or to answer."},
    {.name = "longest",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, longest),
     .fallback = "2 hours",
     .min = 1000,
     .max = INT64_C(7) * 86400000,
     .help = "Longest that one request and its answer may take together, however busily it drips."},
    {.name = "idle-close",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, idle_close),
     .fallback = "10 s",
     .min = 0,
     .max = 600000,
     .help = "How long a connection stays open when there is nothing to submit or to poll (AIS 3.5a: "
             "connected only while "
             "submitting or receiving)."},
    {.name = "answer-limit",
     .kind = ACCORD_SIZE,
     .offset = FIELD(link_options, answer_limit),
     .fallback = "4 GiB",
     .min = 64 * 1024,
     .max = INT64_C(1) << 40,
     .help = "Largest answer to a poll, unpacked. It is never held as a whole."},
    {0},
};

static const char *const form_choices[] = {"xml", "escaped", NULL};

const struct accord_option taxii_service_table[] = {
    {.name = "collection",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(service_options, collection),
     .max = TEXT_MOST,
     .help = "The partner's name for the collection that content goes to or comes from (AIS 3.4c: "
             "AIS_INGEST, AIS)."},
    {.name = "binding",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, binding),
     .fallback = "urn:stix.mitre.org:xml:1.1.1",
     .max = TEXT_MOST,
     .help = "The content binding of what is sent. What the partner says that it does not take is "
             "not sent, for "
             "servers drop such content without a word (AIS 3.4a: STIX XML)."},
    {.name = "subtype",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, subtype),
     .max = TEXT_MOST,
     .help = "The content binding's subtype, when the partner wants one."},
    {.name = "batch",
     .kind = ACCORD_INTEGER,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, batch),
     .fallback = "1",
     .min = 1,
     .max = 100,
     .help = "How many messages may go as content blocks of one inbox message. The partner takes or "
             "discards it as "
             "a whole; one that it refuses is sent again one by one."},
    {.name = "batch-size",
     .kind = ACCORD_SIZE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, batch_size),
     .fallback = "4 MiB",
     .min = 1024,
     .max = INT64_C(1) << 30,
     .help = "Most bytes of content in one inbox message with several blocks."},
    {.name = "form",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, form),
     .fallback = "xml",
     .choices = form_choices,
     .help = "Whether content stands in the message as XML, or as text with its markup escaped, as "
             "some servers want "
             "it (and as content that is not XML has to)."},
    {.name = "destination",
     .kind = ACCORD_BOOL,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, destination),
     .fallback = "yes",
     .help = "Whether the inbox message names the collection. Some inboxes forbid it and say "
             "DESTINATION_COLLECTION_ERROR."},
    {.name = "poll",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, poll),
     .fallback = "5 min",
     .min = 100,
     .max = INT64_C(7) * 86400000,
     .help = "How long after a poll that brought us up to date the next one comes (AIS-2: near "
             "real time)."},
    {.name = "window",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, window),
     .fallback = "6 hours",
     .min = 1000,
     .max = INT64_C(365) * 86400000,
     .help = "How much of a feed's time is asked for at once; what is further back comes window "
             "by window."},
    {.name = "start",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, start),
     .fallback = "1 day",
     .min = 0,
     .max = INT64_C(20) * 365 * 86400000,
     .help = "How far back the first poll of all begins."},
    {.name = "settle",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, settle),
     .fallback = "2 s",
     .min = 0,
     .max = 3600000,
     .help = "How far behind our clock a poll ends, so that what a partner with a slower clock "
             "files at this "
             "moment is not passed over."},
    {.name = "subscription",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, subscription),
     .max = TEXT_MOST,
     .help = "The subscription id that the partner gave for this collection. Not set: polls "
             "without one."},
    {.name = "bindings",
     .kind = ACCORD_LIST,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, bindings),
     .help = "Content bindings that are asked for. Not set: all. Not with subscription, whose "
             "parameters hold."},
    {.name = "silent-after",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, silent_after),
     .fallback = "1 day",
     .min = 0,
     .max = INT64_C(365) * 86400000,
     .help = "When nothing new has come for so long it is an incident (AIS 3.5b: deviations are "
             "reported in time). "
             "0: never."},
    {.name = "max-parts",
     .kind = ACCORD_INTEGER,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, max_parts),
     .fallback = "10000",
     .min = 1,
     .max = 1000000,
     .help = "Most parts of one result; a partner that goes on beyond is asked for smaller windows."},
    {0},
};

/* ---- rules ---- */

/* As it can stand in the first line of a request. */
static bool is_path(const char *path)
{
    if (path[0] != '/' || path[1] == '/' || strlen(path) >= TAXII_PATH)
        return false;
    for (const char *at = path; *at; at++)
        if (*at <= 0x20 || *at >= 0x7f || *at == '#' || *at == '\\')
            return false;
    return true;
}

static int check_paths(const struct link_options *options, char *why, size_t why_size)
{
    const struct {
        const char *name, *path;
    } paths[] = {{"discovery", options->discovery},
                 {"collections", options->collections},
                 {"inbox", options->inbox},
                 {"poll", options->poll}};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i].path && !is_path(paths[i].path)) {
            snprintf(why, why_size,
                     "%s = %.80s is not a path: it begins with one /, without host and port, which are the "
                     "endpoint's",
                     paths[i].name, paths[i].path);
            return ACCORD_EINVAL;
        }
    return ACCORD_OK;
}

static int check_times(const struct link_options *options, char *why, size_t why_size)
{
    if (options->longest >= options->timeout)
        return ACCORD_OK;
    snprintf(why, why_size, "longest must not be less than timeout");
    return ACCORD_EINVAL;
}

static int check_send(const struct link_options *link, const struct accord_service *service, char *why,
                      size_t why_size)
{
    const struct service_options *options = service->options;
    if (!link->inbox && !link->collections && !link->discovery)
        snprintf(why, why_size,
                 "service %s: where does it submit to? The link needs inbox, or discovery or collections to "
                 "learn it from",
                 service->name);
    else if (!options->binding[0])
        snprintf(why, why_size, "service %s: binding must name the content binding of what is sent",
                 service->name);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int check_receive(const struct link_options *link, const struct accord_service *service, char *why,
                         size_t why_size)
{
    const struct service_options *options = service->options;
    if (!link->poll && !link->collections && !link->discovery)
        snprintf(why, why_size,
                 "service %s: where does it poll? The link needs poll, or discovery or collections to learn "
                 "it from",
                 service->name);
    else if (options->subscription && options->bindings.count)
        snprintf(
            why, why_size,
            "service %s: bindings cannot be asked for with subscription, which has its own (TAXII 1.1, 5.6)",
            service->name);
    else if (options->silent_after && options->silent_after <= options->poll)
        snprintf(why, why_size,
                 "service %s: silent-after must be longer than poll, or every pause is an incident",
                 service->name);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int check_service(const struct link_options *link, const struct accord_service *service, char *why,
                         size_t why_size)
{
    const struct service_options *options = service->options;
    if (!options->collection[0]) {
        snprintf(why, why_size, "service %s: collection must not be empty", service->name);
        return ACCORD_EINVAL;
    }
    return service->direction == ACCORD_SEND ? check_send(link, service, why, why_size)
                                             : check_receive(link, service, why, why_size);
}

int taxii_check(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    const struct link_options *options = setup->options;
    int result = tls_check_options(&options->tls, why, why_size);
    if (result == ACCORD_OK)
        result = check_paths(options, why, why_size);
    if (result == ACCORD_OK)
        result = check_times(options, why, why_size);
    for (size_t i = 0; result == ACCORD_OK && i < setup->service_count; i++)
        result = check_service(options, setup->services[i], why, why_size);
    return result;
}
