#include "hub/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub/link_side.h"
#include "hub/load.h"
#include "hub/plugin_metrics.h"
#include "hub/policy_side.h"
#include "hub/session.h"
#include "hub/spawn.h"
#include "hub/stream.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define BACKLOG_MOST (16 << 20) /* bytes that it has not read */

const char *child_role_name(enum child_role role)
{
    static const char *const names[] = {"link", "guard", "inspect"};
    return names[role];
}

static unsigned wire_side(const struct child *child)
{
    return child->role == CHILD_LINK ? WIRE_L : WIRE_P;
}

bool child_running(const struct child *child)
{
    return child_life_running(&child->life) || child->acting;
}

bool child_ready(const struct child *child)
{
    return child && child->life.state == CHILD_READY && child->channel;
}

uint32_t child_service_index(const struct child *child, const struct conf_service *service)
{
    for (size_t i = 0; i < child->service_count; i++)
        if (child->services[i] == service || strcmp(child->services[i]->name, service->name) == 0)
            return (uint32_t)i;
    return WIRE_NONE;
}

/* ---- what its life asks for (child_life.h) ---- */

static void spawn(struct child *child);
static void step(struct child *child, enum child_event event);

static void record_failed(struct child *child)
{
    if (!child->why[0])
        text_copy(child->why, sizeof child->why, child->exit);
    struct audit_event event = {.action = AUDIT_CHILD_FAILED,
                                .outcome = AUDIT_FAILURE,
                                .agreement = child->unit->name,
                                .module = child->name,
                                .reason = child->why};
    trail_event(child->unit->hub, &event);
    struct log_about about = {.agreement = child->unit->name};
    log_event(ACCORD_ERROR, "hub.child-failed", &about, "%s failed: %s; starting it again in %" PRId64 " ms",
              child->name, child->why, child->life.retry_at - clock_ticks());
}

static void record_ready(const struct child *child)
{
    struct accord_pair walls[3];
    char names[3][48];
    for (size_t i = 0; i < child->wall_count; i++) {
        snprintf(names[i], sizeof names[i], "wall.%s", child->walls[i].name);
        walls[i] = (struct accord_pair){names[i], child->walls[i].state};
    }
    struct audit_event event = {.action = AUDIT_CHILD_STARTED,
                                .agreement = child->unit->name,
                                .module = child->name,
                                .details = walls,
                                .detail_count = child->wall_count};
    trail_event(child->unit->hub, &event);
    child_record_plugins(child);
}

static void disconnect(struct child *child)
{
    if (!child->channel)
        return;
    channel_close(child->channel);
    child->channel = NULL;
    if (child->role == CHILD_LINK) {
        sessions_gone(child);
        link_side_gone(child);
    } else {
        policy_side_gone(child);
    }
}

static void serve(struct child *child)
{
    streams_go_on(child);
    if (!child_ready(child))
        return;
    if (child->role == CHILD_LINK) {
        sessions_tick(child, clock_ticks());
        link_side_tick(child, clock_ticks());
    } else {
        policy_side_tick(child, clock_ticks());
    }
}

static void handle_closed(uv_handle_t *handle)
{
    step(handle->data, CHILD_REAPED);
}

static void ending(struct child *child, unsigned actions)
{
    if (actions & CHILD_DO_REVOKE && child->role == CHILD_LINK)
        sessions_revoke(child, child->why_stop);
    if (actions & CHILD_DO_KILL && child->life.alive)
        uv_process_kill(&child->process, SIGKILL);
    if (actions & CHILD_DO_CLOSE_HANDLE)
        uv_close((uv_handle_t *)&child->process, handle_closed);
    if (actions & CHILD_DO_NOTE_STUCK && !child->why[0])
        text_copy(child->why, sizeof child->why, "it closed its channel and did not end");
    if (actions & CHILD_DO_DISCONNECT)
        disconnect(child);
}

static void going_on(struct child *child, unsigned actions, int64_t patience)
{
    if (actions & CHILD_DO_BLAME_SLOW)
        child_fail(child, "hub.start-timeout", "it was not ready within %d s", CHILD_START_TIME / 1000);
    if (actions & CHILD_DO_BLAME_HUNG)
        child_fail(child, "hub.hung", "it did not answer for %" PRId64 " ms", patience);
    if (actions & CHILD_DO_PING)
        wire_put_PING(channel_out(child->channel), &(struct wire_PING){.token = ++child->ping});
    if (actions & CHILD_DO_SERVE)
        serve(child);
    if (actions & CHILD_DO_RECORD_READY)
        record_ready(child);
    if (actions & CHILD_DO_RECORD_FAILED)
        record_failed(child);
}

static void step(struct child *child, enum child_event event)
{
    struct unit *unit = child->unit;
    struct child_clock clock = {.ticks = clock_ticks(),
                                .answer_within = unit->hub->conf->conf->agent.answer_within,
                                .wanted = unit->wanted};
    unsigned actions = child_life_step(&child->life, event, &clock);
    child->acting++;
    if (actions & CHILD_DO_SPAWN)
        spawn(child);
    ending(child, actions);
    going_on(child, actions, clock.answer_within);
    child->acting--;
    if (actions & CHILD_DO_TELL)
        unit_update(unit); /* last: it may free the child */
}

/* ---- ending ---- */

/* What it said last may still wait in the channel, whose end comes behind it. */
static void exited(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    snprintf(child->exit, sizeof child->exit, signal ? "ended by signal %d" : "ended with status %d",
             signal ? signal : (int)status);
    step(child, CHILD_EXITED);
}

static void end_for(struct child *child, enum child_event event, const char *why)
{
    if (child_life_running(&child->life) && child->life.state != CHILD_ENDING)
        child->why[0] = 0;
    child->why_stop = why;
    step(child, event);
    child->why_stop = NULL;
}

void child_stop(struct child *child, const char *why)
{
    end_for(child, CHILD_STOP, why);
}

void child_cut(struct child *child, const char *why)
{
    end_for(child, CHILD_CUT, why);
}

void child_fail(struct child *child, const char *rule, const char *format, ...)
{
    char text[ACCORD_REASON_MAX - ACCORD_RULE_MAX - 2];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (!child_life_running(&child->life))
        return;
    if (!child->life.stopping && !child->why[0])
        snprintf(child->why, sizeof child->why, "%.63s: %s", rule, text);
    step(child, CHILD_FAILED);
}

bool child_spend(struct child *child)
{
    if (allowance_spend(&child->records, clock_ticks()))
        return true;
    child_fail(child, "hub.flood", "it dials, asks for secrets or makes offers that are refused without end");
    return false;
}

/* ---- messages that every child sends ---- */

/* Once, before any plugin is loaded: nothing that comes later can be believed about it. */
static void sandboxed(struct child *child, const struct wire_SANDBOXED *m)
{
    struct accord_pair wall;
    if (child->life.state != CHILD_STARTING || child->wall_count) {
        child_fail(child, "hub.protocol", "it reported its sandbox twice");
        return;
    }
    for (size_t at = 0; child->wall_count < 3 && wire_pairs_next(&m->walls, &at, &wall);) {
        struct child_wall *to = &child->walls[child->wall_count++];
        text_copy(to->name, sizeof to->name, wall.name);
        text_copy(to->state, sizeof to->state, wall.value);
    }
}

static bool behind_seccomp(const struct child *child)
{
    for (size_t i = 0; i < child->wall_count; i++)
        if (strcmp(child->walls[i].name, "seccomp") == 0 && strcmp(child->walls[i].state, "yes") == 0)
            return true;
    return false;
}

static void ready(struct child *child)
{
    if (!behind_seccomp(child)) {
        child_fail(child, "hub.sandbox", "it is not confined by seccomp");
        return;
    }
    child->why[0] = 0;
    step(child, CHILD_SAID_READY);
}

static void said(struct child *child, const struct wire_LOG *m)
{
    struct log_about about = {.agreement = child->unit->name, .link = m->instance};
    enum accord_level level = m->level <= ACCORD_ERROR ? (enum accord_level)m->level : ACCORD_ERROR;
    if (!allowance_spend(&child->lines, clock_ticks())) {
        child->lines_left_out++;
        return;
    }
    if (child->lines_left_out)
        log_event(ACCORD_WARNING, "hub.log-flood", &about,
                  "%" PRIu64 " lines of %s were left out: too many at once", child->lines_left_out,
                  child->name);
    child->lines_left_out = 0;
    log_event(level, m->event, &about, "%s", m->line);
}

static void failed(struct child *child, const struct wire_FAILED *m)
{
    if (strncmp(m->rule, "plugin.", 7) == 0) {
        struct audit_event event = {.action = AUDIT_PLUGIN_REFUSED,
                                    .outcome = AUDIT_FAILURE,
                                    .agreement = child->unit->name,
                                    .module = child->name,
                                    .rule = m->rule,
                                    .reason = m->reason};
        trail_event(child->unit->hub, &event);
    }
    child_fail(child, m->rule, "%s", m->reason);
}

static void pong(struct child *child, const struct wire_PONG *m)
{
    if (m->token == child->ping)
        step(child, CHILD_PONGED);
}

/* Messages of every role; false: not one of them. */
static bool common_message(struct child *child, const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_SANDBOXED:
        sandboxed(child, &m->SANDBOXED);
        return true;
    case WIRE_READY:
        if (child->life.state == CHILD_STARTING)
            ready(child);
        return true;
    case WIRE_FAILED:
        failed(child, &m->FAILED);
        return true;
    case WIRE_LOG:
        said(child, &m->LOG);
        return true;
    case WIRE_METRIC:
        plugin_metric_put(&child->unit->counts, m->METRIC.instance, m->METRIC.name, m->METRIC.set,
                          m->METRIC.value);
        return true;
    case WIRE_INCIDENT:
        unit_incident(child->unit, child, m->INCIDENT.instance, m->INCIDENT.rule, m->INCIDENT.reason);
        return true;
    case WIRE_PONG:
        pong(child, &m->PONG);
        return true;
    default:
        return false;
    }
}

static void role_message(struct child *child, const struct wire_message *m)
{
    if (!child->life.ready_since)
        child_fail(child, "hub.protocol", "%s came before READY", wire_type_name(m->type));
    else if (child->role == CHILD_LINK)
        link_side_message(child, m);
    else
        policy_side_message(child, m);
}

/* The process has ended: what it still reports counts, what it asks for does not. */
static void last_words(struct child *child, const struct wire_message *m)
{
    if (m->type == WIRE_FAILED || m->type == WIRE_LOG)
        common_message(child, m);
    else if (m->type == WIRE_FINISH || m->type == WIRE_VERDICT || m->type == WIRE_PARK)
        role_message(child, m);
}

static void message(void *arg, const struct wire_message *m, int fd)
{
    struct child *child = arg;
    if (fd >= 0) {
        close(fd);
        child_fail(child, "hub.protocol", "it passed a descriptor that nobody asked for");
    } else if (child->life.state == CHILD_ENDING) {
        last_words(child, m);
    } else if (channel_backlog(child->channel) > BACKLOG_MOST) {
        child_fail(child, "hub.flood", "it says much and does not read what it is sent");
    } else if (!common_message(child, m)) {
        role_message(child, m);
    }
}

/* A child that closes its channel without having ended is as good as gone, and is helped along. */
static void gone(void *arg, const struct reason *why)
{
    struct child *child = arg;
    if (why->text[0]) {
        child_fail(child, "hub.protocol", "%s", why->text);
        return;
    }
    step(child, CHILD_HUNG_UP);
}

static void room(void *arg)
{
    streams_go_on(arg);
}

static const struct channel_events events = {.message = message, .gone = gone, .room = room};

/* ---- starting ---- */

static void not_started(struct child *child, const char *what, enum child_event event)
{
    snprintf(child->why, sizeof child->why, "cannot be started: %s", what);
    step(child, event);
}

static void connect_child(struct child *child, int ours)
{
    struct hub *hub = child->unit->hub;
    fcntl(ours, F_SETFL, O_NONBLOCK);
    if (channel_open(&child->channel, &hub->loop, ours, wire_side(child), &events, child) < 0 ||
        !child_configure(child))
        child_fail(child, "hub.no-memory", "out of memory while starting it");
}

static void begin_anew(struct child *child)
{
    child->why[0] = child->exit[0] = 0;
    child->wall_count = 0;
    child->incarnation++;
    child->records = (struct allowance){.most = 1000, .each_second = 50};
    child->lines = (struct allowance){.most = 200, .each_second = 20};
}

static void spawn(struct child *child)
{
    int ends[2];
    begin_anew(child);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        not_started(child, strerror(errno), CHILD_NOT_SPAWNED);
        return;
    }
    int result = child_spawn(child, ends[1], exited);
    close(ends[1]);
    if (result < 0) {
        close(ends[0]);
        not_started(child, uv_strerror(result), CHILD_HALF_SPAWNED);
        return;
    }
    step(child, CHILD_SPAWNED);
    connect_child(child, ends[0]);
}

void child_start(struct child *child)
{
    step(child, CHILD_WANTED);
}

void child_tick(struct child *child)
{
    step(child, CHILD_TICK);
}
