/* What `accord` can ask of the running hub. One table; each verb fills an answer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/control.h"
#include "util/clock.h"
#include "util/text.h"

#define CELLS(...)                                                                                           \
    (const struct accord_pair[]){__VA_ARGS__},                                                               \
        sizeof((struct accord_pair[]){__VA_ARGS__}) / sizeof(struct accord_pair)

/* ---- status, agreements ---- */

struct status {
    struct answer *answer;
    struct store_counts counts;
};

static void row_agreement(struct answer *answer, const struct unit *unit)
{
    const struct conf_agreement *agreement = unit->agreement;
    char from[32] = "", until[32] = "", left[64] = "";
    if (!agreement->is_site) {
        text_time(from, sizeof from, agreement->in_force_from);
        text_time(until, sizeof until, agreement->in_force_until);
        from[10] = until[10] = 0;
        int64_t ms = (agreement->in_force_until - clock_wall()) / 1000;
        text_duration(left, sizeof left, ms > 0 ? ms : 0);
    }
    answer_row(answer, "agreements",
               CELLS({"agreement", unit->name}, {"state", unit_state_text(unit)},
                     {"partner", agreement->partner}, {"from", from}, {"until", until}, {"left", left},
                     {"reason", unit->state == UNIT_UP ? "" : unit->why}));
}

static void rows_links(struct answer *answer, const struct unit *unit)
{
    for (size_t i = 0; i < unit->agreement->link_count; i++) {
        const struct conf_link *link = &unit->agreement->links[i];
        char endpoint[300] = "";
        if (link->endpoint)
            snprintf(endpoint, sizeof endpoint, "%s:%" PRId64, link->endpoint->host, link->endpoint->port);
        answer_row(answer, "links",
                   CELLS({"agreement", unit->name}, {"link", link->name},
                         {"connector", link->connector->name}, {"endpoint", endpoint},
                         {"state", unit->parked[i].is ? "parked" : "open"}, {"rule", unit->parked[i].rule},
                         {"reason", unit->parked[i].reason}));
    }
}

static void rows_children(struct answer *answer, const struct unit *unit)
{
    static const char *const states[] = {"down", "starting", "ready", "ending"};
    for (size_t i = 0; i < unit->child_count; i++) {
        const struct child *child = &unit->children[i];
        char walls[400] = "", pid[16] = "", failures[16];
        for (size_t j = 0; child->running && j < child->wall_count; j++)
            snprintf(walls + strlen(walls), sizeof walls - strlen(walls), "%s%s", j ? ", " : "",
                     child->walls[j]);
        if (child->running)
            snprintf(pid, sizeof pid, "%d", (int)child->process.pid);
        snprintf(failures, sizeof failures, "%u", child->failures);
        answer_row(answer, "processes",
                   CELLS({"process", child->name}, {"pid", pid}, {"state", states[child->state]},
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
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        row_agreement(status->answer, unit);
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        rows_links(status->answer, unit);
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        rows_children(status->answer, unit);
    for (size_t i = 0; i < status->counts.count; i++)
        row_queue(status->answer, &status->counts.rows[i]);
    free(status->counts.rows);
    answer_end(status->answer, result ? ANSWER_NO : ANSWER_OK, "%s",
               result ? "the store could not be read" : "");
    free(status);
}

static void verb_status(struct answer *answer, const struct wire_COMMAND *m)
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

static void verb_agreements(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    for (const struct unit *unit = answer->hub->units; unit; unit = unit->next)
        row_agreement(answer, unit);
    answer_end(answer, ANSWER_OK, "%s", "");
}

/* ---- reload, version ---- */

static void verb_reload(struct answer *answer, const struct wire_COMMAND *m)
{
    static const char *const severities[] = {"error", "unchecked", "note"};
    (void)m;
    struct conf_report report = {0};
    size_t errors = hub_reload(answer->hub, answer->client->user, &report);
    for (size_t i = 0; i < report.count; i++) {
        char line[16];
        snprintf(line, sizeof line, "%d", report.items[i].line);
        answer_row(answer, "problems",
                   CELLS({"file", report.items[i].file}, {"line", line},
                         {"severity", severities[report.items[i].severity]},
                         {"problem", report.items[i].text}));
    }
    conf_report_fini(&report);
    if (errors)
        answer_end(answer, ANSWER_CONF, "%zu errors: files with mistakes keep their running version", errors);
    else
        answer_end(answer, ANSWER_OK, "the configuration was loaded");
}

static void verb_version(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    char sdk[32];
    snprintf(sdk, sizeof sdk, "%d.%d", ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR);
    answer_row(answer, "version", CELLS({"program", "accordd"}, {"version", ACCORD_VERSION}, {"sdk", sdk}));
    answer_end(answer, ANSWER_OK, "%s", "");
}

/* ---- messages ---- */

struct listing {
    struct answer *answer;
    struct store_scan scan;
    char agreement[STORE_NAME_MAX], type[STORE_NAME_MAX];
    struct store_message *found[STORE_PAGE_MAX];
};

static const char *state_of(const struct store_message *message)
{
    if (message->flags & STORE_QUARANTINED)
        return "quarantined";
    if (!message->delivery_count)
        return "";
    enum store_state least = STORE_DISCARDED;
    for (size_t i = 0; i < message->delivery_count; i++)
        if (message->deliveries[i].state < least)
            least = message->deliveries[i].state;
    return store_state_name(least);
}

static void row_message(struct answer *answer, const struct store_message *message)
{
    char time[32], size[32];
    text_time(time, sizeof time, message->time);
    text_size(size, sizeof size, message->size);
    time[19] = 0;
    answer_row(answer, "messages",
               CELLS({"id", message->id}, {"time", time}, {"type", message->type}, {"name", message->name},
                     {"size", size}, {"origin", message->origin}, {"state", state_of(message)},
                     {"rule", message->rule}, {"reason", message->reason}));
}

static void listed(void *arg, int result)
{
    struct listing *listing = arg;
    for (size_t i = 0; !result && i < listing->scan.count; i++) {
        row_message(listing->answer, listing->found[i]);
        store_message_free(listing->found[i]);
    }
    if (result)
        answer_end(listing->answer, ANSWER_NO, "the store could not be read");
    else
        answer_end(listing->answer, ANSWER_OK, listing->scan.count ? "%s" : "no such messages%s", "");
    free(listing);
}

/* -1: quarantined; 0: any; -2: no such state */
static int state_named(const char *name)
{
    if (!name || !*name)
        return 0;
    if (strcmp(name, "quarantined") == 0)
        return -1;
    for (int state = STORE_WAITING; state <= STORE_DISCARDED; state++)
        if (strcmp(store_state_name((enum store_state)state), name) == 0)
            return state;
    return -2;
}

static void verb_messages(struct answer *answer, const struct wire_COMMAND *m)
{
    const char *agreement = wire_pairs_get(&m->arguments, "agreement"),
               *type = wire_pairs_get(&m->arguments, "type");
    const char *limit = wire_pairs_get(&m->arguments, "limit");
    int state = state_named(wire_pairs_get(&m->arguments, "state"));
    long most = limit ? strtol(limit, NULL, 10) : 50;
    if (state < -1 || most < 1 || most > STORE_PAGE_MAX) {
        answer_end(
            answer, ANSWER_USAGE,
            "states are waiting, held, sending, delivered, dead, discarded, quarantined; limit is 1 to %d",
            STORE_PAGE_MAX);
        return;
    }
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    listing->answer = answer;
    text_copy(listing->agreement, sizeof listing->agreement, agreement ? agreement : "");
    text_copy(listing->type, sizeof listing->type, type ? type : "");
    listing->scan = (struct store_scan){.agreement = agreement ? listing->agreement : NULL,
                                        .type = type ? listing->type : NULL,
                                        .state = state,
                                        .limit = (size_t)most,
                                        .found = listing->found};
    store_scan(answer->hub->store, &listing->scan, listed, listing);
}

/* ---- show, explain ---- */

struct look {
    struct answer *answer;
    char id[ACCORD_ID_MAX];
    bool explain;
    struct store_get get;
};

static void show_message(struct answer *answer, const struct store_message *message)
{
    char time[32], size[32], hash[DIGEST_HEX];
    text_time(time, sizeof time, message->time);
    snprintf(size, sizeof size, "%" PRId64, message->size);
    hex_encode(hash, message->sha256, DIGEST_SIZE);
    const char *flag = message->flags & STORE_CHANGED_REPEAT    ? "same source id as before, other content"
                       : message->flags & STORE_POSSIBLE_REPEAT ? "possible-repeat"
                                                                : "";
    answer_row(answer, "message",
               CELLS({"id", message->id}, {"type", message->type}, {"name", message->name},
                     {"origin", message->origin}, {"time", time}, {"size", size}, {"sha256", hash},
                     {"state", state_of(message)}, {"rule", message->rule}, {"reason", message->reason},
                     {"flags", flag}));
}

static void show_delivery(struct answer *answer, const struct store_delivery *delivery)
{
    char route[STORE_ROUTE_MAX + 1], attempts[24], changed[32], next[32] = "";
    snprintf(route, sizeof route, "%s/%s", delivery->agreement, delivery->service);
    snprintf(attempts, sizeof attempts, "%" PRId64, delivery->attempts);
    text_time(changed, sizeof changed, delivery->changed);
    if (delivery->state == STORE_WAITING && delivery->not_before > clock_wall())
        text_time(next, sizeof next, delivery->not_before);
    answer_row(answer, "deliveries",
               CELLS({"to", route}, {"state", store_state_name(delivery->state)}, {"attempts", attempts},
                     {"since", changed}, {"next", next}, {"rule", delivery->rule},
                     {"reason", delivery->reason}, {"receipt", delivery->receipt}));
}

static void explain_line(struct answer *answer, const char *what, const char *rule, const char *reason,
                         const char *advice)
{
    answer_row(answer, "explanation",
               CELLS({"step", what}, {"rule", rule}, {"reason", reason}, {"next", advice}));
}

static void explain_delivery(struct answer *answer, const struct store_delivery *d)
{
    static const char *const advice[] = {
        [STORE_WAITING] = "nothing: it is tried again by itself",
        [STORE_HELD] = "switch the agreement on, or bring it back into force",
        [STORE_SENDING] = "nothing: it is on its way",
        [STORE_DELIVERED] = "nothing: the partner has it",
        [STORE_DEAD] = "mend the cause, then submit the message again",
        [STORE_DISCARDED] = "nothing: it was discarded by command",
    };
    char step[STORE_ROUTE_MAX + 48];
    snprintf(step, sizeof step, "to %s/%s: %s", d->agreement, d->service, store_state_name(d->state));
    explain_line(answer, step, d->rule, d->state == STORE_DELIVERED ? d->receipt : d->reason,
                 advice[d->state]);
}

static void explain_message(struct answer *answer, const struct store_message *message)
{
    char step[STORE_ROUTE_MAX + 64];
    bool quarantined = message->flags & STORE_QUARANTINED;
    snprintf(step, sizeof step, "from %s: %s", message->origin, quarantined ? "quarantined" : "admitted");
    explain_line(answer, step, message->rule, message->reason,
                 quarantined ? "mend the message or the agreement, then send it again" : "");
    for (size_t i = 0; i < message->delivery_count; i++)
        explain_delivery(answer, &message->deliveries[i]);
}

static void looked(void *arg, int result)
{
    struct look *look = arg;
    struct store_message *message = look->get.found;
    if (result == ACCORD_ENOENT) {
        answer_end(look->answer, ANSWER_NO, "there is no message %s; see: accord messages", look->id);
    } else if (result) {
        answer_end(look->answer, ANSWER_NO, "the store could not be read");
    } else {
        if (look->explain)
            explain_message(look->answer, message);
        else
            show_message(look->answer, message);
        for (size_t i = 0; !look->explain && i < message->delivery_count; i++)
            show_delivery(look->answer, &message->deliveries[i]);
        answer_end(look->answer, ANSWER_OK, "%s", "");
        store_message_free(message);
    }
    free(look);
}

static void look_at(struct answer *answer, const struct wire_COMMAND *m, bool explain)
{
    const char *id = wire_pairs_get(&m->arguments, "id");
    struct look *look = id && id_valid(id) ? calloc(1, sizeof *look) : NULL;
    if (!look) {
        answer_end(answer, ANSWER_USAGE, "a message id has 24 characters; see: accord messages");
        return;
    }
    *look = (struct look){.answer = answer, .explain = explain, .get = {.message = look->id}};
    text_copy(look->id, sizeof look->id, id);
    store_get(answer->hub->store, &look->get, looked, look);
}

static void verb_show(struct answer *answer, const struct wire_COMMAND *m)
{
    look_at(answer, m, false);
}

static void verb_explain(struct answer *answer, const struct wire_COMMAND *m)
{
    look_at(answer, m, true);
}

/* ---- audit heads ---- */

struct heads {
    struct answer *answer;
    struct store_heads verb;
};

static void heads_exported(void *arg)
{
    struct heads *heads = arg;
    for (size_t i = 0; i < heads->verb.count; i++) {
        char sequence[24], hash[DIGEST_HEX];
        snprintf(sequence, sizeof sequence, "%" PRIu64, heads->verb.rows[i].head.sequence);
        hex_encode(hash, heads->verb.rows[i].head.hash, DIGEST_SIZE);
        answer_row(heads->answer, "heads",
                   CELLS({"chain", heads->verb.rows[i].chain}, {"sequence", sequence}, {"hash", hash}));
    }
    free(heads->verb.rows);
    answer_end(heads->answer, ANSWER_OK, "%s", "");
    free(heads);
}

/* The heads are told when the files have caught up with them. */
static void heads_read(void *arg, int result)
{
    struct heads *heads = arg;
    if (!result)
        result = trail_exported(heads->answer->hub, heads_exported, heads);
    if (!result)
        return;
    free(heads->verb.rows);
    answer_end(heads->answer, ANSWER_NO, "the store could not be read");
    free(heads);
}

static void verb_audit_heads(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    struct heads *heads = calloc(1, sizeof *heads);
    if (!heads) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    heads->answer = answer;
    store_heads(answer->hub->store, &heads->verb, heads_read, heads);
}

/* ---- the table ---- */

static const struct verb {
    const char *name;
    bool changes; /* audited */
    void (*run)(struct answer *, const struct wire_COMMAND *);
} verbs[] = {
    {"status", false, verb_status},   {"agreements", false, verb_agreements},
    {"reload", true, verb_reload},    {"messages", false, verb_messages},
    {"show", false, verb_show},       {"explain", false, verb_explain},
    {"version", false, verb_version}, {"audit-heads", false, verb_audit_heads},
};

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

void verb_run(struct control_client *client, const struct wire_COMMAND *m)
{
    struct answer *answer = answer_new(client);
    if (!answer)
        return;
    const struct verb *verb = verb_find(m->verb);
    if (answer->hub->stopping) {
        answer_end(answer, ANSWER_NO, "the agent is stopping");
        return;
    }
    if (m->version != WIRE_VERSION || !verb) {
        answer_end(answer, ANSWER_USAGE,
                   "the agent does not know '%.64s'; is this command of another version?", m->verb);
        return;
    }
    if (verb->changes) {
        struct audit_event event = {
            .action = AUDIT_COMMAND, .outcome = AUDIT_SUCCESS, .user = client->user, .reason = verb->name};
        trail_event(answer->hub, &event);
    }
    verb->run(answer, m);
}
