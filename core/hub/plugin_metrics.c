#include "hub/plugin_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "util/text.h"
#include "wire/metrics.h"

static struct plugin_metric *metric_new(struct plugin_metrics *metrics, const char *instance,
                                        const char *name)
{
    size_t same = 0;
    for (size_t i = 0; i < metrics->count; i++)
        same += strcmp(metrics->items[i].instance, instance) == 0;
    if (!metric_own_name(name) || !*instance || strlen(instance) >= sizeof metrics->items->instance ||
        !text_utf8(instance, strlen(instance), false) || same >= PLUGIN_METRICS_EACH ||
        metrics->count >= PLUGIN_METRICS_ALL)
        return NULL;
    struct plugin_metric *items = realloc(metrics->items, (metrics->count + 1) * sizeof *items);
    if (!items)
        return NULL;
    metrics->items = items;
    struct plugin_metric *metric = &items[metrics->count++];
    *metric = (struct plugin_metric){0};
    text_copy(metric->instance, sizeof metric->instance, instance);
    text_copy(metric->name, sizeof metric->name, name);
    return metric;
}

static struct plugin_metric *find(const struct plugin_metrics *metrics, const char *instance,
                                  const char *name)
{
    for (size_t i = 0; i < metrics->count; i++)
        if (strcmp(metrics->items[i].instance, instance) == 0 && strcmp(metrics->items[i].name, name) == 0)
            return &metrics->items[i];
    return NULL;
}

const int64_t *plugin_metric_of(const struct plugin_metrics *metrics, const char *instance, const char *name)
{
    const struct plugin_metric *metric = find(metrics, instance, name);
    return metric ? &metric->value : NULL;
}

void plugin_metric_put(struct plugin_metrics *metrics, const char *instance, const char *name, bool set,
                       int64_t value)
{
    struct plugin_metric *metric = find(metrics, instance, name);
    if (!metric)
        metric = metric_new(metrics, instance, name);
    if (metric && set)
        metric->value = value;
    else if (!metric || __builtin_add_overflow(metric->value, value, &metric->value))
        metrics->left_out++;
}

void plugin_metrics_free(struct plugin_metrics *metrics)
{
    free(metrics->items);
    *metrics = (struct plugin_metrics){0};
}
