/* What the fake host writes down: log, counters, incidents, parking, probes, complaints. */
#include "host_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names and values ---- */

struct testhost_entry *testhost_find(struct testhost_entry *list, const char *name)
{
    while (list && strcmp(list->name, name) != 0)
        list = list->next;
    return list;
}

struct testhost_entry *testhost_put(struct testhost_entry **list, const char *name, const void *value,
                                    size_t size)
{
    struct testhost_entry *entry = testhost_find(*list, name);
    if (!entry) {
        entry = testkit_alloc(sizeof *entry);
        entry->name = testkit_copy(name);
        entry->next = *list;
        *list = entry;
    }
    free(entry->value);
    entry->value = value ? testkit_alloc(size + 1) : NULL;
    if (value && size)
        memcpy(entry->value, value, size);
    entry->size = size;
    return entry;
}

static void free_entry(struct testhost_entry *entry)
{
    free(entry->name);
    free(entry->value);
    free(entry);
}

void testhost_remove(struct testhost_entry **list, const char *name)
{
    while (*list && strcmp((*list)->name, name) != 0)
        list = &(*list)->next;
    struct testhost_entry *entry = *list;
    if (entry) {
        *list = entry->next;
        free_entry(entry);
    }
}

void testhost_free_entries(struct testhost_entry *list)
{
    while (list) {
        struct testhost_entry *next = list->next;
        free_entry(list);
        list = next;
    }
}

/* ---- complaints ---- */

void testhost_complain(struct testhost *host, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (host->complaints < COMPLAINTS_KEPT)
        host->complaint[host->complaints] = testkit_copy(text);
    host->complaints++;
    if (testkit_complained)
        testkit_complained(text);
    else
        fprintf(stderr, "contract broken: %s\n", text);
}

size_t testhost_complaints(const struct testhost *host)
{
    return host->complaints;
}

const char *testhost_complaint(const struct testhost *host, size_t index)
{
    return index < COMPLAINTS_KEPT ? host->complaint[index] : NULL;
}

/* ---- log and counters ---- */

void testhost_do_log(struct accord_instance *instance, enum accord_level level, const char *event,
                     const char *text)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "log", true);
    if (!event || !text || level < ACCORD_DEBUG || level > ACCORD_ERROR) {
        testhost_complain(host, "log of level %d without an event or a text", (int)level);
        return;
    }
    testhost_put(&host->logs, event, text, strlen(text))->number++;
    if (getenv("TESTHOST_LOG"))
        fprintf(stderr, "[%d] %s: %s\n", (int)level, event, text);
}

unsigned testhost_logged(const struct testhost *host, const char *event)
{
    const struct testhost_entry *entry = testhost_find(host->logs, event);
    return entry ? (unsigned)entry->number : 0;
}

const char *testhost_last_log(const struct testhost *host, const char *event)
{
    const struct testhost_entry *entry = testhost_find(host->logs, event);
    return entry ? entry->value : NULL;
}

static size_t count(const struct testhost_entry *list)
{
    size_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

/* NULL: not a name that `accord metrics` can show. */
static struct testhost_entry *counter(struct testhost *host, struct testhost_entry **list, const char *name)
{
    struct testhost_entry *entry = name ? testhost_find(*list, name) : NULL;
    if (entry)
        return entry;
    size_t size = name ? strlen(name) : 0;
    if (!size || size > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != size ||
        name[0] < 'a') {
        testhost_complain(host,
                          "\"%s\" is no name for a metric: lower case, digits and underscores, at most 64",
                          name ? name : "");
        return NULL;
    }
    if (count(host->metrics) + count(host->gauges) == METRICS_MAX)
        testhost_complain(host, "more than %d metrics: %s is left out", METRICS_MAX, name);
    return testhost_put(list, name, NULL, 0);
}

void testhost_do_metric(struct accord_instance *instance, const char *name, int64_t add)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "metric", true);
    struct testhost_entry *entry = counter(host, &host->metrics, name);
    if (entry)
        entry->number += add;
}

void testhost_do_gauge(struct accord_instance *instance, const char *name, int64_t value)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "gauge", true);
    struct testhost_entry *entry = counter(host, &host->gauges, name);
    if (entry)
        entry->number = value;
}

int64_t testhost_metric(const struct testhost *host, const char *name)
{
    const struct testhost_entry *entry = testhost_find(host->metrics, name);
    return entry ? entry->number : 0;
}

int64_t testhost_gauge(const struct testhost *host, const char *name)
{
    const struct testhost_entry *entry = testhost_find(host->gauges, name);
    return entry ? entry->number : 0;
}

/* ---- what a person must see ---- */

static bool has_words(struct testhost *host, const char *call, const char *rule, const char *reason)
{
    bool good = rule && *rule && reason && *reason;
    if (!good)
        testhost_complain(host, "%s without a rule or a reason", call);
    else if (strlen(rule) >= ACCORD_RULE_MAX || strlen(reason) >= ACCORD_REASON_MAX)
        testhost_complain(host, "%s: the rule or the reason is too long: %.80s", call, rule);
    return good;
}

void testhost_do_incident(struct accord_instance *instance, const char *rule, const char *reason)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "incident", true);
    if (has_words(host, "incident", rule, reason))
        testhost_put(&host->incidents, rule, reason, strlen(reason))->number++;
}

const char *testhost_incident(const struct testhost *host, const char *rule)
{
    const struct testhost_entry *entry = testhost_find(host->incidents, rule);
    return entry ? entry->value : NULL;
}

void testhost_do_park(struct accord_instance *instance, const char *rule, const char *reason)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "park", true);
    if (!has_words(host, "park", rule, reason))
        return;
    host->parked = true;
    snprintf(host->park.rule, sizeof host->park.rule, "%s", rule);
    snprintf(host->park.reason, sizeof host->park.reason, "%s", reason);
}

const char *testhost_parked(const struct testhost *host)
{
    return host->parked ? host->park.rule : NULL;
}

const char *testhost_park_reason(const struct testhost *host)
{
    return host->parked ? host->park.reason : NULL;
}

/* ---- probes ---- */

bool testhost_probe(struct testhost *host)
{
    if (!host->connector->probe)
        return false;
    host->probe = (struct accord_probe){.host = host, .running = true};
    host->step_count = 0;
    INTO_PLUGIN(host, "probe", host->connector->probe(host->state, &host->probe));
    return true;
}

void testhost_do_probed(struct accord_probe *probe, const char *step, int result, const char *text, bool last)
{
    struct testhost *host = probe->host;
    testhost_callable(host, "probed", true);
    if (!probe->running) {
        testhost_complain(host, "probed after the last step of a probe");
        return;
    }
    if (!step || !*step || !text || !*text || result > 0)
        testhost_complain(host, "probed without a step or a text, or with result %d", result);
    host->steps = testkit_grow(host->steps, (host->step_count + 1) * sizeof *host->steps);
    struct testhost_step *to = &host->steps[host->step_count++];
    snprintf(to->step, sizeof to->step, "%s", step ? step : "");
    snprintf(to->text, sizeof to->text, "%s", text ? text : "");
    to->result = result;
    probe->running = !last;
}

size_t testhost_steps(const struct testhost *host)
{
    return host->step_count;
}

const struct testhost_step *testhost_step(const struct testhost *host, size_t index)
{
    return index < host->step_count ? &host->steps[index] : NULL;
}

bool testhost_probed(void *arg)
{
    const struct testhost *host = arg;
    return host->step_count && !host->probe.running;
}

void testhost_free_records(struct testhost *host)
{
    struct testhost_entry *lists[] = {host->logs, host->metrics, host->gauges, host->incidents};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        testhost_free_entries(lists[i]);
    for (size_t i = 0; i < COMPLAINTS_KEPT; i++)
        free(host->complaint[i]);
    free(host->steps);
}
