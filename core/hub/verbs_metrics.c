/* metrics: how everything stands, as numbers with names (wire/metrics.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "hub/session.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "hub/verbs.h"
#include "util/clock.h"
#include "util/log.h"
#include "wire/metrics.h"

#define LABELS_MAX 3
#define LABELS(...)                                                                                          \
    (const struct accord_pair[LABELS_MAX])                                                                   \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define NO_LABELS ((const struct accord_pair[LABELS_MAX]){{0}})
#define DAY_US    86400000000.0

struct metrics {
    struct answer *answer;
    struct store_counts counts;
};

/* ---- one sample ---- */

static void put_text(struct answer *answer, enum metric metric, const struct accord_pair *labels,
                     const char *value)
{
    struct accord_pair cells[2 + LABELS_MAX] = {{"metric", metric_row(metric)->name}, {"value", value}};
    size_t count = 2;
    for (size_t i = 0; i < LABELS_MAX && labels[i].name; i++)
        cells[count++] = labels[i];
    answer_row(answer, "metrics", cells, count);
}

static void put(struct answer *answer, enum metric metric, const struct accord_pair *labels, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put_text(answer, metric, labels, text);
}

static void put_signed(struct answer *answer, enum metric metric, const struct accord_pair *labels,
                       int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put_text(answer, metric, labels, text);
}

static void put_real(struct answer *answer, enum metric metric, const struct accord_pair *labels,
                     double value)
{
    char text[48];
    snprintf(text, sizeof text, "%.6f", value);
    put_text(answer, metric, labels, text);
}

/* ---- the agent and its store ---- */

static void put_agent(struct answer *answer)
{
    const struct hub *hub = answer->hub;
    put(answer, METRIC_INFO, LABELS({"version", ACCORD_VERSION}), 1);
    put_real(answer, METRIC_UPTIME, NO_LABELS, (double)(clock_ticks() - hub->started_ticks) / 1e3);
    put_real(answer, METRIC_LOOP_LAG, NO_LABELS, (double)hub->lag / 1e3);
    put_real(answer, METRIC_LOOP_LATE, NO_LABELS, (double)hub->late / 1e3);
    put(answer, METRIC_INCIDENTS, NO_LABELS, trail_incident_count(hub));
    put(answer, METRIC_LOG_LOST, NO_LABELS, log_lost());
    put(answer, METRIC_CONF_ERRORS, NO_LABELS, conf_report_count(&hub->problems, CONF_ERROR, NULL));
}

static void put_store(struct answer *answer, const struct store_counts *counts)
{
    struct store_stats stats = store_stats(answer->hub->store);
    struct statvfs disk;
    put(answer, METRIC_MESSAGES, NO_LABELS, counts->messages);
    put(answer, METRIC_QUARANTINED, NO_LABELS, counts->quarantined);
    put(answer, METRIC_STORE_BYTES, NO_LABELS, counts->bytes);
    if (statvfs(answer->hub->conf->conf->agent.state, &disk) == 0)
        put(answer, METRIC_STORE_FREE, NO_LABELS, (uint64_t)disk.f_bavail * disk.f_frsize);
    put(answer, METRIC_STORE_ROOMY, NO_LABELS, store_roomy(answer->hub->store));
    put(answer, METRIC_COMMITS, NO_LABELS, stats.commits);
    put_real(answer, METRIC_COMMIT_SECONDS, NO_LABELS, (double)stats.ns / 1e9);
    put_real(answer, METRIC_COMMIT_LONGEST, NO_LABELS, (double)stats.longest_ns / 1e9);
}

static void put_queue(struct answer *answer, const struct store_count *count)
{
    struct accord_pair labels[LABELS_MAX] = {{"agreement", count->agreement}, {"service", count->service}};
    double age = count->oldest ? (double)(clock_wall() - count->oldest) / 1e6 : 0;
    put_real(answer, METRIC_OLDEST, labels, age > 0 ? age : 0);
    for (int state = STORE_WAITING; state <= STORE_DISCARDED; state++) {
        labels[2] = (struct accord_pair){"state", store_state_name((enum store_state)state)};
        put(answer, METRIC_DELIVERIES, labels, count->states[state]);
    }
}

/* ---- agreements ---- */

static void put_count(void *arg, const char *agreement, const char *service, const struct bus_count *count)
{
    static const char *const admissions[] = {"accepted", "quarantined", "deferred", "rejected"};
    static const enum store_state states[] = {STORE_DELIVERED, STORE_WAITING, STORE_HELD, STORE_DEAD};
    struct answer *answer = arg;
    struct accord_pair labels[LABELS_MAX] = {{"agreement", agreement}, {"service", service}};
    uint64_t offers = 0, attempts = 0;
    for (int i = 0; i <= ACCORD_REJECTED; i++)
        offers += count->offers[i];
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        attempts += count->deliveries[states[i]];
    if (offers)
        put(answer, METRIC_OFFER_BYTES, labels, count->bytes_in);
    if (attempts)
        put(answer, METRIC_DELIVERED_BYTES, labels, count->bytes_out);
    for (int i = 0; offers && i <= ACCORD_REJECTED; i++) {
        labels[2] = (struct accord_pair){"outcome", admissions[i]};
        put(answer, METRIC_OFFERS, labels, count->offers[i]);
    }
    for (size_t i = 0; attempts && i < sizeof states / sizeof *states; i++) {
        labels[2] = (struct accord_pair){"outcome", store_state_name(states[i])};
        put(answer, METRIC_ATTEMPTS, labels, count->deliveries[states[i]]);
    }
}

static void put_links(struct answer *answer, struct unit *unit)
{
    for (size_t i = 0; i < unit->agreement->link_count; i++) {
        const struct conf_link *link = &unit->agreement->links[i];
        struct accord_pair labels[LABELS_MAX] = {{"agreement", unit->name}, {"link", link->name}};
        const struct child *child = unit_child(unit, CHILD_LINK, link);
        put(answer, METRIC_LINK_UP, labels,
            unit->state == UNIT_UP && child_ready(child) && !unit->parked[i].is);
        put(answer, METRIC_LINK_PARKED, labels, unit->parked[i].is);
        put(answer, METRIC_SESSIONS, labels, child ? sessions_count(child, link) : 0);
    }
}

static void put_processes(struct answer *answer, const struct unit *unit)
{
    for (size_t i = 0; i < unit->child_count; i++) {
        const struct child *child = &unit->children[i];
        struct accord_pair labels[LABELS_MAX] = {{"agreement", unit->name}, {"process", child->name}};
        put(answer, METRIC_PROCESS_UP, labels, child_ready(child));
        put(answer, METRIC_PROCESS_STARTS, labels, child->life.starts);
        put(answer, METRIC_PROCESS_FAILURES, labels, child->life.crashes);
    }
}

static void put_own(struct answer *answer, const struct unit *unit)
{
    for (size_t i = 0; i < unit->counts.count; i++) {
        const struct plugin_metric *metric = &unit->counts.items[i];
        put_signed(answer, METRIC_PLUGIN,
                   LABELS({"agreement", unit->name}, {"instance", metric->instance}, {"name", metric->name}),
                   metric->value);
    }
    if (unit->counts.left_out)
        put(answer, METRIC_PLUGIN_LEFT_OUT, LABELS({"agreement", unit->name}), unit->counts.left_out);
}

static bool sources_stopped(const struct unit *unit, const struct store_usage *usage)
{
    const struct conf_agreement *agreement = unit->agreement;
    return !store_roomy(unit->hub->store) ||
           (agreement->store_limit && usage->open_bytes >= (uint64_t)agreement->store_limit) ||
           (agreement->quarantine_limit && usage->quarantine_bytes >= (uint64_t)agreement->quarantine_limit);
}

static void put_agreement(struct answer *answer, struct unit *unit)
{
    const struct accord_pair *labels = LABELS({"agreement", unit->name});
    const char *state = unit_state_text(unit);
    struct store_usage usage = store_usage(answer->hub->store, unit->name);
    put(answer, METRIC_AGREEMENT_UP, labels, strcmp(state, "up") == 0);
    put(answer, METRIC_AGREEMENT_STATE, LABELS({"agreement", unit->name}, {"state", state}), 1);
    put(answer, METRIC_AGREEMENT_SUSPENDED, labels, unit_suspended(unit) != NULL);
    if (!unit->agreement->is_site)
        put_real(answer, METRIC_AGREEMENT_EXPIRES, labels,
                 (double)(unit->agreement->in_force_until - clock_wall()) / DAY_US);
    put(answer, METRIC_SOURCES_STOPPED, labels, sources_stopped(unit, &usage));
    put(answer, METRIC_OPEN_BYTES, labels, usage.open_bytes);
    put(answer, METRIC_QUARANTINE_BYTES, labels, usage.quarantine_bytes);
    put_links(answer, unit);
    put_processes(answer, unit);
    put_own(answer, unit);
    bus_party_counts(unit->party, put_count, answer);
}

static void counted(void *arg, int result)
{
    struct metrics *metrics = arg;
    struct answer *answer = metrics->answer;
    put_agent(answer);
    for (struct unit *unit = answer->hub->units; unit; unit = unit->next)
        put_agreement(answer, unit);
    if (!result)
        put_store(answer, &metrics->counts);
    for (size_t i = 0; !result && i < metrics->counts.count; i++)
        put_queue(answer, &metrics->counts.rows[i]);
    free(metrics->counts.rows);
    answer_end(answer, result ? ANSWER_NO : ANSWER_OK, "%s", result ? "the store could not be read" : "");
    free(metrics);
}

void verb_metrics(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    metrics->answer = answer;
    store_counts(answer->hub->store, &metrics->counts, counted, metrics);
}
