/* status and agreements: what runs, what is parked, what waits. */
#include "hub/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/trail.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/text.h"

struct status {
    struct answer *answer;
    struct store_counts counts;
};

static const char *reason_of(const struct unit *unit)
{
    const struct child *failing = unit_failing(unit);
    if (failing)
        return failing->why;
    return unit->state == UNIT_UP ? "" : unit->why;
}

static void row_agreement(struct answer *answer, const struct unit *unit)
{
    const struct conf_agreement *agreement = unit->agreement;
    char from[32] = "", until[32] = "", left[64] = "", kept[ACCORD_REASON_MAX];
    reload_explain(unit, kept, sizeof kept);
    if (!agreement->is_site) {
        text_time(from, sizeof from, agreement->in_force_from);
        text_time(until, sizeof until, agreement->in_force_until - 1); /* its last day */
        from[10] = until[10] = 0;
        int64_t ms = (agreement->in_force_until - clock_wall()) / 1000;
        text_duration(left, sizeof left, ms > 0 ? ms : 0);
    }
    answer_row(answer, "agreements",
               CELLS({"agreement", unit->name}, {"state", unit_state_text(unit)},
                     {"partner", agreement->partner}, {"from", from}, {"until", until}, {"left", left},
                     {"reason", *kept ? kept : reason_of(unit)}));
}

/* Suspended, and there is nothing else of it: its file had mistakes when the agent started. */
static void row_suspended(void *arg, const char *name, const struct suspension *suspension)
{
    struct answer *answer = arg;
    char why[ACCORD_REASON_MAX];
    if (!suspension_holds(suspension) || unit_find(answer->hub, name))
        return;
    suspension_text(suspension, why, sizeof why);
    answer_row(answer, "agreements",
               CELLS({"agreement", name}, {"state", "suspended"}, {"partner", ""}, {"from", ""},
                     {"until", ""}, {"left", ""}, {"reason", why}));
}

static void rows_agreements(struct answer *answer)
{
    for (const struct unit *unit = answer->hub->units; unit; unit = unit->next)
        if (unit->state != UNIT_DOWN ||
            !unit_taken_over(unit)) /* otherwise there is nothing of it any more */
            row_agreement(answer, unit);
    suspensions_each(answer->hub, row_suspended, answer);
}

static void in_future(char *to, size_t room, int64_t ticks)
{
    char left[48];
    int64_t ms = ticks - clock_ticks();
    text_duration(left, sizeof left, ms > 0 ? ms : 0);
    snprintf(to, room, "in %s", left);
}

static void certificate_left(char *to, size_t room, const struct unit *unit, const char *link)
{
    const int64_t *days = plugin_metric_of(&unit->counts, link, PLUGIN_METRIC_CERTIFICATE);
    if (days && *days >= 0)
        snprintf(to, room, "%" PRId64 " days left", *days);
    else
        text_copy(to, room, days ? "expired" : "");
}

static void rows_links(struct answer *answer, const struct unit *unit)
{
    for (size_t i = 0; i < unit->agreement->link_count; i++) {
        const struct conf_link *link = &unit->agreement->links[i];
        const struct parked *parked = &unit->parked[i];
        char endpoint[300] = "", since[32] = "", next[64] = "", certificate[48];
        if (link->endpoint)
            snprintf(endpoint, sizeof endpoint, "%s:%" PRId64, link->endpoint->host, link->endpoint->port);
        if (parked->is)
            text_time(since, sizeof since, parked->since);
        if (parked->is && parked->retry_at)
            in_future(next, sizeof next, parked->retry_at);
        certificate_left(certificate, sizeof certificate, unit, link->name);
        answer_row(answer, "links",
                   CELLS({"agreement", unit->name}, {"link", link->name},
                         {"connector", link->connector->name}, {"endpoint", endpoint},
                         {"state", parked->is ? "parked" : "open"}, {"rule", parked->is ? parked->rule : ""},
                         {"reason", parked->is ? parked->reason : ""}, {"since", since}, {"next-try", next},
                         {"certificate", certificate}));
    }
}

static void rows_children(struct answer *answer, const struct unit *unit)
{
    static const char *const states[] = {"down", "starting", "ready", "ending"};
    for (size_t i = 0; i < unit->child_count; i++) {
        const struct child *child = &unit->children[i];
        char walls[400] = "", pid[16] = "", failures[16];
        for (size_t j = 0; child->life.alive && j < child->wall_count; j++)
            snprintf(walls + strlen(walls), sizeof walls - strlen(walls), "%s%s %s", j ? ", " : "",
                     child->walls[j].name, child->walls[j].state);
        if (child->life.alive)
            snprintf(pid, sizeof pid, "%d", (int)child->process.pid);
        snprintf(failures, sizeof failures, "%u", child->life.failures);
        answer_row(answer, "processes",
                   CELLS({"process", child->name}, {"pid", pid}, {"state", states[child->life.state]},
                         {"failures", failures}, {"walls", walls}, {"reason", child->why}));
    }
}

static void row_queue(struct answer *answer, const struct store_count *count)
{
    char n[STORE_DISCARDED + 1][24], oldest[64] = "";
    for (int i = 0; i <= STORE_DISCARDED; i++)
        snprintf(n[i], sizeof n[i], "%" PRIu64, count->states[i]);
    if (count->oldest)
        text_duration(oldest, sizeof oldest, (clock_wall() - count->oldest) / 1000);
    answer_row(answer, "queues",
               CELLS({"agreement", count->agreement}, {"service", count->service},
                     {"waiting", n[STORE_WAITING]}, {"held", n[STORE_HELD]}, {"sending", n[STORE_SENDING]},
                     {"delivered", n[STORE_DELIVERED]}, {"dead", n[STORE_DEAD]}, {"oldest", oldest}));
}

/* As `accord check` has them. */
void answer_problems(struct answer *answer, bool notes)
{
    const struct conf_report *report = &answer->hub->problems;
    for (size_t i = 0; i < report->count; i++) {
        const struct conf_problem *p = &report->items[i];
        char line[16];
        snprintf(line, sizeof line, "%d", p->line);
        if (notes || p->severity == CONF_ERROR || p->severity == CONF_RESTART)
            answer_row(answer, "problems",
                       CELLS({"severity", conf_severity_name(p->severity)}, {"file", p->file}, {"line", line},
                             {"text", p->text}));
    }
}

static void counted(void *arg, int result)
{
    struct status *status = arg;
    struct hub *hub = status->answer->hub;
    char messages[24], quarantined[24], bytes[32], up[64], incidents[24];
    snprintf(messages, sizeof messages, "%" PRIu64, status->counts.messages);
    snprintf(quarantined, sizeof quarantined, "%" PRIu64, status->counts.quarantined);
    snprintf(incidents, sizeof incidents, "%" PRIu64, trail_incident_count(hub));
    text_size(bytes, sizeof bytes, (int64_t)status->counts.bytes);
    text_duration(up, sizeof up, (clock_wall() - hub->started) / 1000);
    answer_row(status->answer, "agent",
               CELLS({"version", ACCORD_VERSION}, {"running", up}, {"messages", messages},
                     {"quarantined", quarantined}, {"stored", bytes}, {"incidents", incidents}));
    rows_agreements(status->answer);
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        rows_links(status->answer, unit);
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        rows_children(status->answer, unit);
    for (size_t i = 0; i < status->counts.count; i++)
        row_queue(status->answer, &status->counts.rows[i]);
    answer_services(status->answer);
    free(status->counts.rows);
    answer_problems(status->answer, false);
    answer_end(status->answer, result ? ANSWER_NO : ANSWER_OK, "%s",
               result ? "the store could not be read" : "");
    free(status);
}

void verb_status(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    struct status *status = calloc(1, sizeof *status);
    if (!status) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    status->answer = answer;
    store_counts(answer->hub->store, &status->counts, counted, status);
}

void verb_agreements(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    rows_agreements(answer);
    answer_end(answer, ANSWER_OK, "%s", "");
}
