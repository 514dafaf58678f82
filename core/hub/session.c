#include "hub/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub/dialer.h"
#include "hub/policy_side.h"
#include "hub/probing.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log.h"
#include "util/text.h"

#define SECRET_MAX 65536
#define FACTS_SIZE 65536 /* bytes of the facts of one stage on the wire */

/* Copies of what a link reported. */
struct facts {
    struct accord_pair *items;
    size_t count;
};

enum stage { CONNECTING, CONNECTED, HANDSHAKEN, AUTHENTICATED, DENIED };

struct session {
    struct child *child;
    uint64_t id;     /* the link's, which may use it again */
    uint64_t serial; /* never used again */
    const struct conf_link *link;
    struct dial *dial;
    int fd; /* duplicate, for revocation */
    enum stage stage;
    bool judging;
    struct facts allowed[ACCORD_AUTHENTICATED + 1]; /* by stage; none: not yet */
    int64_t good_until;                             /* ticks: then it is judged again; 0: it need not be */
    bool judging_again;
    bool revoked; /* it was not allowed again: nothing goes in it any more */
    char address[80];
};

static struct audit_event event_of(const struct session *session, enum audit_action action, bool good)
{
    return (struct audit_event){.action = action,
                                .outcome = good ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .agreement = session->child->unit->name,
                                .link = session->link->name,
                                .destination_address = session->address};
}

static void facts_free(struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        free((char *)facts->items[i].name);
        free((char *)facts->items[i].value);
    }
    free(facts->items);
    *facts = (struct facts){0};
}

static void session_free(struct session *session)
{
    table_take(&session->child->sessions, session->id);
    for (size_t i = 0; i <= ACCORD_AUTHENTICATED; i++)
        facts_free(&session->allowed[i]);
    if (session->dial)
        dial_cancel(session->dial);
    if (session->fd >= 0)
        close(session->fd);
    free(session);
}

static void cut(struct session *session, const char *rule, const char *why)
{
    if (session->fd >= 0)
        shutdown(session->fd, SHUT_RDWR);
    struct audit_event event = event_of(session, AUDIT_SESSION_REVOKED, true);
    event.rule = rule;
    event.reason = why;
    trail_event(session->child->unit->hub, &event);
}

/* ---- dialling ---- */

const char *sessions_objection(const struct unit *unit, const struct conf_endpoint *endpoint,
                               const char **rule)
{
    *rule = "hub.not-enabled";
    if (unit->state != UNIT_UP || !unit->wanted)
        return "the agreement is not up";
    *rule = "hub.not-in-force";
    if (!bus_in_force(unit->agreement, clock_wall()))
        return "the agreement is not in force";
    *rule = "hub.trail";
    if (trail_failing(unit->hub))
        return "the audit trail cannot be written";
    *rule = "hub.tunnel-not-provable";
    if (endpoint->tunnel != CONF_TUNNEL_NONE)
        return "the endpoint demands an IPsec tunnel, and this version cannot prove one: it does not connect "
               "(tunnel-not-provable)";
    return NULL;
}

/* Whether this link may dial now; NULL: yes. */
static const char *objection(const struct child *child, const struct conf_link *link, const char **rule)
{
    const struct unit *unit = child->unit;
    *rule = "hub.no-endpoint";
    if (!link->endpoint)
        return "this link has no endpoint";
    *rule = "hub.parked";
    if (unit->parked[unit_link_index(unit, link)].is && !probing_allows(child, link))
        return "the link is parked; see accord status";
    *rule = "hub.no-profile";
    if (!unit->agreement->is_site && !unit_profile(child->unit, link)->compiled)
        return "the guard process has yet to say what a session may negotiate";
    return sessions_objection(unit, link->endpoint, rule);
}

static void not_connected(struct session *session, int result, const char *rule, const char *reason)
{
    struct child *child = session->child;
    struct audit_event event = event_of(session, AUDIT_CONNECT, false);
    event.rule = rule;
    event.reason = reason;
    trail_event(child->unit->hub, &event);
    struct log_about about = {child->unit->name, session->link->name, NULL};
    log_event(ACCORD_WARNING, rule, &about, "did not connect: %s", reason);
    wire_put_DIALED(channel_out(child->channel),
                    &(struct wire_DIALED){.session = session->id, .result = result, .reason = reason});
    session_free(session);
}

static void pass_descriptor(struct session *session, int fd)
{
    static const struct accord_pair none;
    struct child *child = session->child;
    struct profile *profile = unit_profile(child->unit, session->link);
    struct buf frame = {0};
    wire_put_DIALED(&frame,
                    &(struct wire_DIALED){
                        .session = session->id,
                        .reason = "",
                        .profile = WIRE_PAIRS(profile->items ? profile->items : &none, profile->count)});
    channel_put_fd(child->channel, &frame, fd);
    buf_fini(&frame);
}

/* What failed on the way to a connection is recorded with it. */
static void connected(struct session *session, int fd, const char *reason)
{
    struct audit_event event = event_of(session, AUDIT_CONNECT, true);
    event.reason = reason;
    trail_event(session->child->unit->hub, &event);
    session->stage = CONNECTED;
    pass_descriptor(session, fd);
}

static void dialled(void *arg, int fd, const char *address, const char *reason)
{
    struct session *session = arg;
    const char *rule, *why = objection(session->child, session->link, &rule);
    session->dial = NULL;
    if (address[0])
        text_copy(session->address, sizeof session->address, address);
    session->fd = fd >= 0 && !why ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (session->fd >= 0) {
        connected(session, fd, reason);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (fd < 0)
        not_connected(session, ACCORD_ENET, "hub.connect-failed", reason);
    else if (why) /* it may not any more */
        not_connected(session, ACCORD_EDENIED, rule, why);
    else
        not_connected(session, ACCORD_ELIMIT, "hub.no-descriptor", "the agent has no descriptor left");
}

void sessions_dial(struct child *child, const struct wire_DIAL *m)
{
    static uint64_t serial;
    if (m->link >= child->link_count || child->sessions.count >= WIRE_SESSIONS_MAX * child->link_count) {
        child_fail(child, "hub.protocol", "it dialled for a link it does not have, or too often at once");
        return;
    }
    struct session *session = calloc(1, sizeof *session);
    if (!session || table_put(&child->sessions, m->session, session) < 0) {
        free(session);
        child_fail(child, "hub.protocol", "it used a session number twice, or memory ran out");
        return;
    }
    *session = (struct session){
        .child = child, .id = m->session, .serial = ++serial, .link = child->links[m->link], .fd = -1};
    if (session->link->endpoint)
        snprintf(session->address, sizeof session->address, "%.64s:%d", session->link->endpoint->host,
                 (int)session->link->endpoint->port);
    const char *rule, *why = objection(child, session->link, &rule);
    if (!why) {
        session->dial = dial_start(&child->unit->hub->loop, session->link->endpoint, dialled, session);
        rule = "hub.no-memory";
        why = session->dial ? NULL : "out of memory";
    }
    if (why)
        not_connected(session, ACCORD_EDENIED, rule, why);
}

/* ---- facts ---- */

/* What must still be there when the guard answers. */
struct question {
    struct child *child;
    uint64_t incarnation, session, serial;
    enum accord_stage stage;
    struct facts facts; /* none: it is the session that has them, and it is asked again */
};

static void question_free(struct question *question)
{
    facts_free(&question->facts);
    free(question);
}

/* NULL: it has ended. */
static struct session *session_of(const struct question *question)
{
    struct child *child = question->child;
    struct session *session =
        question->incarnation == child->incarnation ? table_get(&child->sessions, question->session) : NULL;
    return session && session->serial == question->serial && child->channel ? session : NULL;
}

static void note_allowed(struct session *session, const struct bus_verdict *verdict)
{
    if (verdict->good_until && (!session->good_until || verdict->good_until < session->good_until))
        session->good_until = verdict->good_until;
}

static void record_verdict(const struct session *session, const struct question *question,
                           const struct bus_verdict *verdict)
{
    bool allowed = verdict->answer == ACCORD_ALLOW;
    struct audit_event event =
        event_of(session, allowed ? AUDIT_SESSION_ALLOWED : AUDIT_SESSION_DENIED, allowed);
    const struct bus_words *words = bus_verdict_words(verdict);
    event.module = words->module;
    event.rule = words->rule;
    event.reason = words->reason;
    event.details = question->facts.items;
    event.detail_count = question->facts.count;
    trail_event(session->child->unit->hub, &event);
}

static void facts_judged(void *arg, const struct bus_verdict *verdict)
{
    struct question *question = arg;
    struct session *session = session_of(question);
    const struct bus_words *words = bus_verdict_words(verdict);
    if (session) {
        record_verdict(session, question, verdict);
        session->judging = false;
        if (verdict->answer == ACCORD_ALLOW) {
            session->stage = question->stage == ACCORD_HANDSHAKE ? HANDSHAKEN : AUTHENTICATED;
            session->allowed[question->stage] = question->facts;
            question->facts = (struct facts){0};
            note_allowed(session, verdict);
        }
        wire_put_FACTS_VERDICT(channel_out(session->child->channel),
                               &(struct wire_FACTS_VERDICT){.session = session->id,
                                                            .stage = (uint8_t)question->stage,
                                                            .answer = (uint8_t)verdict->answer,
                                                            .rule = words->rule,
                                                            .reason = words->reason});
        if (verdict->answer == ACCORD_DENY) {
            session->stage = DENIED;
            cut(session, words->rule, words->reason);
        }
    }
    question_free(question);
}

static struct question *question_new(const struct session *session, enum accord_stage stage)
{
    struct question *question = calloc(1, sizeof *question);
    if (question)
        *question = (struct question){.child = session->child,
                                      .incarnation = session->child->incarnation,
                                      .session = session->id,
                                      .serial = session->serial,
                                      .stage = stage};
    return question;
}

/* NULL: no memory. */
static struct question *question_of(const struct session *session, const struct wire_FACTS *m)
{
    struct question *question = question_new(session, (enum accord_stage)m->stage);
    if (!question)
        return NULL;
    struct facts *facts = &question->facts;
    facts->items = calloc(m->facts.count + 1, sizeof *facts->items);
    struct accord_pair fact;
    for (size_t at = 0; facts->items && wire_pairs_next(&m->facts, &at, &fact);) {
        struct accord_pair *copy = &facts->items[facts->count++];
        *copy = (struct accord_pair){strdup(fact.name), strdup(fact.value)};
        if (!copy->name || !copy->value) {
            question_free(question);
            return NULL;
        }
    }
    return question;
}

static void ask(struct question *question, const struct conf_link *link, const struct wire_pairs *facts,
                policy_answered answered)
{
    policy_side_ask_session(unit_child(question->child->unit, CHILD_GUARD, NULL),
                            question->stage == ACCORD_HANDSHAKE ? ACCORD_ASK_HANDSHAKE
                                                                : ACCORD_ASK_AUTHENTICATED,
                            link, facts, answered, question);
}

void sessions_facts(struct child *child, const struct wire_FACTS *m)
{
    struct session *session = table_get(&child->sessions, m->session);
    if (!session || session->revoked)
        return; /* it ended while these were on their way */
    enum stage due = m->stage == ACCORD_HANDSHAKE ? CONNECTED : HANDSHAKEN;
    if (m->stage > ACCORD_AUTHENTICATED || session->stage != due || session->judging ||
        m->facts.raw.size > FACTS_SIZE) {
        child_fail(child, "hub.protocol", "it reported session facts out of order, or too many");
        return;
    }
    struct question *question = question_of(session, m);
    if (!question) {
        child_fail(child, "hub.no-memory", "out of memory for session facts");
        return;
    }
    session->judging = true;
    if (child->unit->agreement->is_site) {
        struct bus_verdict allow = {.answer = ACCORD_ALLOW};
        facts_judged(question, &allow);
        return;
    }
    ask(question, session->link, &m->facts, facts_judged);
}

/* ---- judged again, when an allow was good for a time ---- */

static void ask_again(struct session *, enum accord_stage);

static void judged_again(void *arg, const struct bus_verdict *verdict)
{
    struct question *question = arg;
    struct session *session = session_of(question);
    enum accord_stage stage = question->stage;
    question_free(question);
    if (!session)
        return;
    session->judging_again = false;
    if (verdict->answer != ACCORD_ALLOW) {
        session->revoked = true;
        cut(session, bus_verdict_words(verdict)->rule, bus_verdict_words(verdict)->reason);
        return;
    }
    note_allowed(session, verdict);
    if (stage == ACCORD_HANDSHAKE && session->stage == AUTHENTICATED)
        ask_again(session, ACCORD_AUTHENTICATED);
}

/* Without memory for it the time that has run out stays noted, and the next tick asks. */
static void ask_again(struct session *session, enum accord_stage stage)
{
    const struct facts *facts = &session->allowed[stage];
    struct question *question = question_new(session, stage);
    if (!question) {
        session->good_until = clock_ticks();
        return;
    }
    session->judging_again = true;
    ask(question, session->link, &WIRE_PAIRS(facts->items, facts->count), judged_again);
}

void sessions_tick(struct child *child, int64_t ticks)
{
    struct session *session;
    for (size_t at = 0; (session = table_next(&child->sessions, &at));) {
        if (!session->good_until || ticks < session->good_until || session->judging_again || session->revoked)
            continue;
        session->good_until = 0;
        ask_again(session, ACCORD_HANDSHAKE);
    }
}

/* ---- secrets ---- */

static int read_secret(const struct session *session, const char *option, struct buf *out, struct reason *why)
{
    const struct unit *unit = session->child->unit;
    char path[1024];
    bool early = session->stage == CONNECTED && unit_secret_is_early(session->link, option);
    if ((!early && session->stage != HANDSHAKEN && session->stage != AUTHENTICATED) || session->revoked)
        return fail(why, ACCORD_ESTATE, "a secret was asked for before the handshake was allowed");
    if (trail_failing(unit->hub))
        return fail(why, ACCORD_ESTATE,
                    "the audit trail cannot be written, and secrets are not used unrecorded");
    int result = unit_secret_path(unit, session->link, option, path, sizeof path);
    if (result == ACCORD_EDENIED)
        return fail(why, result, "the link has no secret option '%.64s'", option);
    if (result)
        return fail(why, result, "the path of the secret is too long");
    return file_read_secret(path, SECRET_MAX, out, why);
}

void sessions_secret(struct child *child, const struct wire_SECRET *m)
{
    struct session *session = table_get(&child->sessions, m->session);
    if (!session)
        return;
    struct buf secret = {0};
    struct reason why = {""};
    int result = read_secret(session, m->option, &secret, &why);
    struct audit_event event = event_of(session, result ? AUDIT_SECRET_REFUSED : AUDIT_SECRET_USED, !result);
    struct accord_pair detail = {"option", m->option};
    event.reason = why.text;
    event.details = &detail;
    event.detail_count = 1;
    trail_event(child->unit->hub, &event);
    if (result) {
        struct log_about about = {child->unit->name, session->link->name, NULL};
        log_event(ACCORD_ERROR, "hub.secret", &about, "%s", why.text);
    }
    wire_put_SECRET_GIVEN(channel_out(child->channel),
                          &(struct wire_SECRET_GIVEN){.session = m->session,
                                                      .request = m->request,
                                                      .result = result,
                                                      .value = {secret.data, secret.size},
                                                      .reason = why.text});
    if (secret.data)
        explicit_bzero(secret.data, secret.room);
    buf_fini(&secret);
}

/* ---- ends ---- */

static void end_session(struct session *session, const char *reason)
{
    bool begun = session->stage != CONNECTING; /* otherwise the attempt to connect was given up */
    struct audit_event event = event_of(session, begun ? AUDIT_SESSION_ENDED : AUDIT_CONNECT, begun);
    event.reason = reason;
    trail_event(session->child->unit->hub, &event);
    session_free(session);
}

void sessions_end(struct child *child, const struct wire_SESSION_END *m)
{
    struct session *session = table_get(&child->sessions, m->session);
    if (session)
        end_session(session, m->reason);
}

bool sessions_carry(struct child *child, uint64_t id, const struct conf_link *link)
{
    const struct session *session = table_get(&child->sessions, id);
    return session && session->link == link && session->stage == AUTHENTICATED;
}

size_t sessions_count(const struct child *child, const struct conf_link *link)
{
    const struct session *session;
    size_t count = 0;
    for (size_t at = 0; (session = table_next(&child->sessions, &at));)
        count += session->link == link;
    return count;
}

void sessions_revoke(struct child *child, const char *why)
{
    struct session *session;
    for (size_t at = 0; (session = table_next(&child->sessions, &at));)
        if (session->stage != CONNECTING)
            cut(session, "hub.revoked", why);
}

void sessions_gone(struct child *child)
{
    struct session *session;
    while ((session = table_any(&child->sessions, NULL))) {
        if (session->fd >= 0)
            shutdown(session->fd, SHUT_RDWR);
        end_session(session, "its process has ended");
    }
    table_fini(&child->sessions);
}
