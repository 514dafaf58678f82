/* probe: an agreement's endpoints, one after the other, as a link would dial them: the name is looked up, and each
 * address connected to and let go without a byte; then each link that uses the endpoint makes its connector's own steps
 * (probing.h). Nothing that a link may not dial is dialled here.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hub/dialer.h"
#include "hub/probing.h"
#include "hub/reload.h"
#include "hub/session.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "hub/verbs.h"
#include "util/clock.h"
#include "util/text.h"

#define PROBE_MOST 300000 /* ms for all endpoints; each has its connect-timeout as well */
#define LOOK_EVERY 200    /* ms: may it still be dialled? */
#define SIGN_EVERY 5000   /* ms: a sign of life for the client, which is not patient for ever */
#define ADDRESSES  512    /* characters of the addresses of one name */

struct probe {
    struct answer *answer;
    struct unit *unit;
    struct hub_conf *conf; /* holds the agreement */
    const struct conf_agreement *agreement;
    size_t at, end; /* endpoints */
    struct dial *dial;
    size_t link;             /* of the agreement, that makes its steps */
    struct probing *probing; /* they are under way */
    size_t told;             /* steps of links, in all */
    uv_timer_t timer;
    int64_t since, sign_at, deadline; /* ticks */
    bool found;                       /* the name of this endpoint */
    size_t reached, skipped;          /* addresses of this endpoint */
    size_t failed;                    /* steps in all */
    char first[768];                  /* failure, and what to do */
};

static const struct conf_endpoint *endpoint_of(const struct probe *probe)
{
    return &probe->agreement->endpoints[probe->at];
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Ends it; the answer has been ended, or is by the caller. */
static struct answer *release(struct probe *probe)
{
    struct answer *answer = probe->answer;
    if (probe->dial)
        dial_cancel(probe->dial);
    probe->dial = NULL;
    if (probe->probing)
        probing_stop(probe->probing);
    probe->probing = NULL;
    answer->client->probe = NULL;
    hub_conf_unref(probe->conf);
    uv_close((uv_handle_t *)&probe->timer, timer_closed);
    return answer;
}

void probe_stop(struct control_client *client, const char *why)
{
    if (client->probe)
        answer_end(release(client->probe), ANSWER_NO, "%s", why);
}

/* ---- what is told and recorded ---- */

struct step {
    const char *name;
    const char *address; /* that was tried, or those that were found */
    const char *source;  /* of this host, as the partner sees it */
    const char *reason, *advice;
    const char *link; /* whose connector made it; NULL: the hub */
    const char *found;
    bool skipped;
};

static void tell(struct probe *probe, const struct step *step)
{
    const char *endpoint = endpoint_of(probe)->name;
    char ms[TEXT_DECIMAL];
    text_decimal(ms, clock_ticks() - probe->since);
    probe->since = clock_ticks();
    const char *result = !step->reason ? "ok" : step->skipped ? "skipped" : "failed";
    struct accord_pair cells[9] = {{"endpoint", endpoint}, {"step", step->name}, {"result", result}};
    size_t count = 3;
    if (step->link) {
        cells[count++] = (struct accord_pair){"link", step->link};
        cells[count++] = (struct accord_pair){"found", step->found ? step->found : ""};
    } else {
        cells[count++] = (struct accord_pair){"address", step->address};
        cells[count++] = (struct accord_pair){"source", step->reason ? "" : step->source};
    }
    cells[count++] = (struct accord_pair){"ms", ms};
    if (step->reason) {
        cells[count++] = (struct accord_pair){"reason", step->reason};
        cells[count++] = (struct accord_pair){"advice", step->advice};
    }
    answer_row(probe->answer, "steps", cells, count);
    if (!step->reason)
        return;
    if (step->skipped)
        return;
    if (!probe->failed++)
        snprintf(probe->first, sizeof probe->first, "%s, %s: %.500s%s%s", endpoint, step->name, step->reason,
                 *step->advice ? "; " : "", step->advice);
}

static void record(struct probe *probe, const struct step *step, const char *rule)
{
    struct accord_pair details[] = {{"endpoint", endpoint_of(probe)->name}, {"purpose", "probe"}};
    struct audit_event event = {.action = AUDIT_CONNECT,
                                .outcome = step->reason ? AUDIT_FAILURE : AUDIT_SUCCESS,
                                .agreement = probe->unit->name,
                                .user = probe->answer->client->user,
                                .rule = step->reason ? rule : NULL,
                                .reason = step->reason,
                                .source_address = step->source,
                                .destination_address = step->address,
                                .details = details,
                                .detail_count = 2};
    trail_event(probe->answer->hub, &event);
}

static const char *advice_for(int number)
{
    switch (number) {
    case ECONNREFUSED:
        return "nothing listens there, or a firewall refuses: check the endpoint's port, and ask the partner";
    case ETIMEDOUT:
        return "nothing answers: ask the partner whether its firewall admits this host's source address";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "there is no way there: check the routes and the firewall of this host";
    case EACCES:
    case EPERM:
        return "this host forbids it: check its firewall";
    case EADDRNOTAVAIL:
        return "this host does not have the endpoint's source-address: correct one of them";
    case EAFNOSUPPORT:
        return "its family is not that of source-address, or not known to this host";
    default:
        return "check the network of this host";
    }
}

/* ---- steps ---- */

/* Whether the endpoint may be dialled, still; NULL: yes. */
static const char *objection(const struct probe *probe, const char **rule)
{
    *rule = "hub.not-enabled";
    if (probe->unit->agreement != probe->agreement)
        return "the agreement's file has changed";
    return sessions_objection(probe->unit, endpoint_of(probe), rule);
}

static bool may_go_on(const struct probe *probe)
{
    const char *rule;
    return !objection(probe, &rule);
}

static bool found(void *arg, const struct addrinfo *addresses)
{
    struct probe *probe = arg;
    char list[ADDRESSES] = "";
    for (const struct addrinfo *at = addresses; at; at = at->ai_next) {
        char host[INET6_ADDRSTRLEN] = "?";
        size_t used = strlen(list);
        uv_ip_name(at->ai_addr, host, sizeof host);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", host);
    }
    probe->found = true;
    tell(probe, &(struct step){.name = "dns", .address = list, .source = ""});
    return may_go_on(probe);
}

static void source_of(int fd, char *to, size_t room)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    char host[INET6_ADDRSTRLEN] = "?";
    *to = 0;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&from, &size) < 0)
        return;
    bool six = from.ss_family == AF_INET6;
    uv_ip_name((struct sockaddr *)&from, host, sizeof host);
    snprintf(
        to, room, six ? "[%s]:%d" : "%s:%d", host,
        ntohs(six ? ((struct sockaddr_in6 *)&from)->sin6_port : ((struct sockaddr_in *)&from)->sin_port));
}

static bool tried(void *arg, const char *address, int fd, int number)
{
    struct probe *probe = arg;
    char source[80];
    source_of(fd, source, sizeof source);
    struct step step = {.name = "tcp", .address = address, .source = source};
    if (number) {
        step.reason = strerror(number);
        step.advice = advice_for(number);
        step.skipped = number == EAFNOSUPPORT;
    }
    probe->skipped += step.skipped;
    probe->reached += !number;
    record(probe, &step, "hub.connect-failed");
    tell(probe, &step);
    return may_go_on(probe);
}

static void next_endpoint(struct probe *probe);
static void next_link(struct probe *probe);

/* Every address had its row; a name that was not found, and one without any address to try, have it here. */
static void dialled(void *arg, int fd, const char *address, const char *reason)
{
    static const char *const none = "none of its addresses can be connected to from here";
    struct probe *probe = arg;
    const struct conf_endpoint *endpoint = endpoint_of(probe);
    struct step step = {.name = "dns", .address = endpoint->host, .source = ""};
    (void)fd, (void)address;
    probe->dial = NULL;
    if (!probe->found) {
        step.reason = reason;
        step.advice = "check the endpoint's host for a slip, and DNS on this host";
        record(probe, &step, "hub.connect-failed");
        tell(probe, &step);
    } else if (!probe->reached && probe->skipped && may_go_on(probe)) {
        step.name = "tcp";
        step.reason = none;
        step.advice = "give the endpoint a source-address of the partner's family, or none";
        tell(probe, &step);
    }
    probe->link = probe->reached && may_go_on(probe) ? 0 : probe->agreement->link_count;
    next_link(probe);
}

/* ---- the links of an endpoint ---- */

static const char *link_name(const struct probe *probe)
{
    return probe->agreement->links[probe->link].name;
}

static void link_step(void *arg, const char *name, int result, const char *text)
{
    struct probe *probe = arg;
    probe->told++;
    tell(probe, &(struct step){.name = name,
                               .address = "",
                               .source = "",
                               .link = link_name(probe),
                               .found = result ? NULL : text,
                               .reason = result ? text : NULL,
                               .advice = ""});
}

static void link_skipped(struct probe *probe, const char *why, const char *advice)
{
    tell(probe, &(struct step){.name = "session",
                               .address = "",
                               .source = "",
                               .link = link_name(probe),
                               .reason = why,
                               .advice = advice,
                               .skipped = true});
}

static void link_over(void *arg, const char *why)
{
    struct probe *probe = arg;
    probe->probing = NULL;
    if (why)
        link_skipped(probe, why, "");
    probe->link++;
    next_link(probe);
}

static const struct probing_events link_events = {link_step, link_over};

/* After the last one the next endpoint's turn comes. */
static void next_link(struct probe *probe)
{
    const struct conf_agreement *agreement = probe->agreement;
    for (; probe->link < agreement->link_count; probe->link++) {
        const struct conf_link *link = &agreement->links[probe->link];
        if (link->endpoint != endpoint_of(probe))
            continue;
        struct child *child = unit_child(probe->unit, CHILD_LINK, link);
        if (may_go_on(probe) && child_ready(child))
            probe->probing = probing_start(child, link, &link_events, probe);
        if (probe->probing)
            return;
        link_skipped(probe, "the link's process is not ready", "see accord status");
    }
    if (may_go_on(probe))
        probe->at++;
    next_endpoint(probe);
}

static const struct dial_watch watch = {found, tried};

static void finish(struct probe *probe)
{
    char first[sizeof probe->first];
    size_t failed = probe->failed, told = probe->told;
    text_copy(first, sizeof first, probe->first);
    struct answer *answer = release(probe);
    if (failed)
        answer_end(answer, ANSWER_NO, "%zu step%s failed: %s%s", failed, failed == 1 ? "" : "s",
                   failed == 1 ? "" : "first ", first);
    else
        answer_end(answer, ANSWER_OK, "%s",
                   told ? "name, TCP and the links' own steps are sound"
                        : "name and TCP are sound; no link has gone further");
}

/* A row in place of the steps that are not made. */
static void refuse(struct probe *probe, const char *rule, const char *why)
{
    struct step step = {.name = "tunnel", .address = endpoint_of(probe)->host, .source = "", .reason = why};
    step.advice = "until it can be proven, no link of this endpoint connects";
    record(probe, &step, rule);
    tell(probe, &step);
}

static void next_endpoint(struct probe *probe)
{
    for (; probe->at < probe->end; probe->at++) {
        const char *rule, *why = objection(probe, &rule);
        bool tunnel = why && strcmp(rule, "hub.tunnel-not-provable") == 0;
        probe->since = clock_ticks();
        probe->found = false;
        probe->reached = probe->skipped = 0;
        if (why && !tunnel) {
            probe_stop(probe->answer->client, why);
            return;
        }
        if (!why)
            probe->dial = dial_start(&probe->answer->hub->loop, endpoint_of(probe), dialled, probe);
        if (probe->dial) {
            dial_watch(probe->dial, &watch);
            return;
        }
        if (!why) {
            probe_stop(probe->answer->client, "out of memory");
            return;
        }
        refuse(probe, rule, why);
    }
    finish(probe);
}

static void look(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    const char *rule, *why = objection(probe, &rule);
    int64_t now = clock_ticks();
    if (now >= probe->deadline)
        why = "the probe was given up: it took more than 5 minutes; probe one endpoint: AGREEMENT/ENDPOINT";
    if (why) {
        probe_stop(probe->answer->client, why);
        return;
    }
    if (now < probe->sign_at)
        return;
    char done[TEXT_DECIMAL], of[TEXT_DECIMAL];
    probe->sign_at = now + SIGN_EVERY;
    text_decimal(done, (int64_t)probe->at);
    text_decimal(of, (int64_t)probe->agreement->endpoint_count);
    answer_row(probe->answer, "progress", CELLS({"done", done}, {"of", of}, {"unit", "endpoints"}));
}

/* ---- the verb ---- */

static void begin(struct answer *answer, struct unit *unit, size_t from, size_t end)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    int64_t now = clock_ticks();
    *probe = (struct probe){.answer = answer,
                            .unit = unit,
                            .conf = hub_conf_ref(unit->conf),
                            .agreement = unit->agreement,
                            .at = from,
                            .end = end,
                            .sign_at = now + SIGN_EVERY,
                            .deadline = now + PROBE_MOST};
    uv_timer_init(&answer->hub->loop, &probe->timer);
    probe->timer.data = probe;
    uv_timer_start(&probe->timer, look, LOOK_EVERY, LOOK_EVERY);
    answer->client->probe = probe;
    next_endpoint(probe);
}

/* Of the endpoints that are asked for: from, end. A text when there is nothing to probe, or it may not be. */
static const char *choose(const struct unit *unit, const char *endpoint, size_t *from, size_t *end)
{
    const char *rule, *why;
    *from = 0;
    *end = unit->agreement->endpoint_count;
    if (!*end)
        return "it has no endpoint";
    while (endpoint && *from < *end && strcmp(unit->agreement->endpoints[*from].name, endpoint) != 0)
        ++*from;
    if (*from == *end)
        return "it has no endpoint of that name";
    *end = endpoint ? *from + 1 : *end;
    why = sessions_objection(unit, &unit->agreement->endpoints[*from], &rule);
    return why && strcmp(rule, "hub.tunnel-not-provable") != 0 ? why : NULL;
}

static void record_command(struct answer *answer, const struct unit *unit, const char *target,
                           const char *why)
{
    struct accord_pair details[] = {{"name", target}, {"refused", why}};
    struct audit_event event = {.action = AUDIT_COMMAND,
                                .outcome = why ? AUDIT_FAILURE : AUDIT_SUCCESS,
                                .agreement = unit ? unit->name : NULL,
                                .user = answer->client->user,
                                .reason = "probe",
                                .details = details,
                                .detail_count = why ? 2 : 1};
    trail_event(answer->hub, &event);
}

void verb_probe(struct answer *answer, const struct wire_COMMAND *m)
{
    const char *target = wire_pairs_get(&m->arguments, "name"), *endpoint = NULL, *why;
    char name[CONF_NAME_MAX];
    size_t from = 0, end = 0;
    target = target ? target : "";
    struct unit *unit = verb_split(target, name, &endpoint) ? unit_find(answer->hub, name) : NULL;
    if (!unit)
        why = "there is no agreement of that name; see: accord agreements";
    else if (answer->client->probe)
        why = "another probe is under way; wait for it";
    else
        why = choose(unit, endpoint, &from, &end);
    record_command(answer, unit, target, why);
    if (!unit)
        answer_end(answer, ANSWER_NO, "%s", why);
    else if (why)
        answer_end(answer, ANSWER_NO, "%s is not probed: %s (state: %s)", name, why, unit_state_text(unit));
    else
        begin(answer, unit, from, end);
}
