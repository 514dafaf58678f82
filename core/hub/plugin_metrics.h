/* What the plugins of one agreement count themselves. Names come from untrusted processes: they are checked, and there
 * are only so many. Numbers outlive the processes.
 */
#ifndef HUB_PLUGIN_METRICS_H
#define HUB_PLUGIN_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_METRICS_EACH 64  /* names of one instance */
#define PLUGIN_METRICS_ALL  512 /* of one agreement */

struct plugin_metric {
    char instance[64], name[64];
    int64_t value;
};

struct plugin_metrics {
    struct plugin_metric *items;
    size_t count;
    uint64_t left_out; /* bad names, and those beyond what is kept */
};

/* What a link says with it is shown in status too: whole days until its certificate ends, negative once it has. */
#define PLUGIN_METRIC_CERTIFICATE "certificate_days_left"

/* Adds the value, or sets it. */
void plugin_metric_put(struct plugin_metrics *, const char *instance, const char *name, bool set, int64_t value);
const int64_t *plugin_metric_of(const struct plugin_metrics *, const char *instance, const char *name); /* NULL: none */
void plugin_metrics_free(struct plugin_metrics *);

#endif
