/* The metrics that `accord metrics` shows: one table makes the names that the hub sends, the text that the command
 * prints (Prometheus text format 0.0.4) and docs/reference/metrics.md.
 */
#ifndef WIRE_METRICS_H
#define WIRE_METRICS_H

#include <stdbool.h>

#include "util/buf.h"
#include "wire/codec.h"

#define METRIC_NAME_MAX 64 /* of a plugin's own, with NUL */

/* M(ID, name, type, labels, help). Names never change their meaning; counters begin at 0 when the agent does. */
#define METRICS(M)                                                                                                   \
    M(INFO, "accord_info", "gauge", "version", "1, with the agent's version")                                        \
    M(UPTIME, "accord_uptime_seconds", "gauge", "", "since the agent started")                                       \
    M(LOOP_LAG, "accord_loop_lag_seconds", "gauge", "", "by how much the hub's last tick was late")                  \
    M(LOOP_LATE, "accord_loop_late_seconds_total", "counter", "", "by how much all of the hub's ticks were late")    \
    M(INCIDENTS, "accord_incidents_total", "counter", "", "incidents opened")                                        \
    M(LOG_LOST, "accord_log_lines_lost_total", "counter", "", "lines that standard error had no room for")           \
    M(CONF_ERRORS, "accord_configuration_errors", "gauge", "", "errors that the last load of conf.d found")          \
    M(AGREEMENT_UP, "accord_agreement_up", "gauge", "agreement", "1: the agreement is up and none of its processes fails") \
    M(AGREEMENT_STATE, "accord_agreement_state", "gauge", "agreement, state", "1, with the state that `accord agreements` shows") \
    M(AGREEMENT_SUSPENDED, "accord_agreement_suspended", "gauge", "agreement", "1: a person has cut it off")         \
    M(AGREEMENT_EXPIRES, "accord_agreement_expires_days", "gauge", "agreement", "days until the agreement expires; below 0: since") \
    M(SOURCES_STOPPED, "accord_sources_stopped", "gauge", "agreement", "1: a limit of the store keeps its sources waiting") \
    M(LINK_UP, "accord_link_up", "gauge", "agreement, link", "1: the link's process is ready, and the link is not parked") \
    M(LINK_PARKED, "accord_link_parked", "gauge", "agreement, link", "1: the other side refuses the session")        \
    M(SESSIONS, "accord_sessions", "gauge", "agreement, link", "sessions that are open or being opened")             \
    M(PROCESS_UP, "accord_process_up", "gauge", "agreement, process", "1: the process is ready")                     \
    M(PROCESS_STARTS, "accord_process_starts_total", "counter", "agreement, process", "how often it was started")    \
    M(PROCESS_FAILURES, "accord_process_failures_total", "counter", "agreement, process", "how often it died, hung or broke a promise") \
    M(OFFERS, "accord_offers_total", "counter", "agreement, service, outcome", "offers of a receiving service: accepted, quarantined, deferred, rejected") \
    M(OFFER_BYTES, "accord_accepted_bytes_total", "counter", "agreement, service", "payload of accepted offers")     \
    M(ATTEMPTS, "accord_attempts_total", "counter", "agreement, service, outcome", "deliveries of a sending service that were settled: delivered, waiting (for another attempt), held, dead") \
    M(DELIVERED_BYTES, "accord_delivered_bytes_total", "counter", "agreement, service", "payload of what was delivered") \
    M(DELIVERIES, "accord_deliveries", "gauge", "agreement, service, state", "deliveries that the store knows, by state") \
    M(OLDEST, "accord_oldest_open_seconds", "gauge", "agreement, service", "age of the oldest delivery that is open") \
    M(OPEN_BYTES, "accord_open_bytes", "gauge", "agreement", "payload of open deliveries to the agreement")          \
    M(QUARANTINE_BYTES, "accord_quarantine_bytes", "gauge", "agreement", "payload of quarantined messages that came from it") \
    M(MESSAGES, "accord_messages", "gauge", "", "messages in the store")                                             \
    M(QUARANTINED, "accord_quarantined_messages", "gauge", "", "messages in quarantine")                             \
    M(STORE_BYTES, "accord_store_bytes", "gauge", "", "payload in the store")                                        \
    M(STORE_FREE, "accord_store_free_bytes", "gauge", "", "room on the disk of the state folder")                    \
    M(STORE_ROOMY, "accord_store_roomy", "gauge", "", "1: the store takes messages; 0: the disk is too full")        \
    M(COMMITS, "accord_commits_total", "counter", "", "commits of the store, each one write to the disk for all that came meanwhile") \
    M(COMMIT_SECONDS, "accord_commit_seconds_total", "counter", "", "time that the commits took")                    \
    M(COMMIT_LONGEST, "accord_commit_seconds_max", "gauge", "", "the longest of them")                               \
    M(PLUGIN, "accord_plugin_metric", "gauge", "agreement, instance, name", "what a connector or policy has counted itself, by its own name") \
    M(PLUGIN_LEFT_OUT, "accord_plugin_metrics_left_out_total", "counter", "agreement", "counts of plugins that were not kept: a bad name, or too many names")

enum metric {
#define M(ID, name, type, labels, help) METRIC_##ID,
    METRICS(M)
#undef M
    METRIC_END,
};

struct metric_row {
    const char *name, *type, *labels, *help;
};
const struct metric_row *metric_row(enum metric);
/* METRIC_END: there is none of that name. */
enum metric metric_find(const char *name);
/* A plugin's own: a lower-case letter, then letters, digits and "_". */
bool metric_own_name(const char *name);

/* `# HELP` and `# TYPE`. */
void metric_head(struct buf *, enum metric);
/* One line; `cells` begins with "metric" and "value", the labels follow. */
void metric_line(struct buf *, const struct wire_pairs *cells);
/* Appends docs/reference/metrics.md. */
void metrics_page(struct buf *);

#endif
