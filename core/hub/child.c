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
#include "hub/policy_side.h"
#include "hub/session.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define START_TIME    20000 /* ms from spawn to READY */
#define PING_EVERY    5000
#define PONG_TIME     15000
#define END_TIME      2000 /* ms from closing its channel to SIGKILL */
#define BACKOFF_LEAST 100
#define BACKOFF_MOST  30000
#define CALM_TIME     60000 /* ready for this long: the next failure is the first again */

const char *child_role_name(enum child_role role)
{
    static const char *const names[] = {"link", "guard", "inspect"};
    return names[role];
}

static unsigned wire_side(const struct child *child)
{
    return child->role == CHILD_LINK ? WIRE_L : WIRE_P;
}

/* ---- ending ---- */

static void let_go(struct child *child)
{
    if (child->role == CHILD_LINK) {
        sessions_gone(child);
        link_side_gone(child);
    } else {
        policy_side_gone(child);
    }
}

/* The channel is closed: nothing that the process says or holds counts any more. */
static void disconnect(struct child *child)
{
    if (!child->channel)
        return;
    channel_close(child->channel);
    child->channel = NULL;
    let_go(child);
}

static void back_off(struct child *child)
{
    int64_t pause = BACKOFF_LEAST;
    for (unsigned i = 1; i < child->failures && pause < BACKOFF_MOST; i++)
        pause *= 2;
    child->retry_at = clock_ticks() + (pause < BACKOFF_MOST ? pause : BACKOFF_MOST);
}

/* The process is reaped and its handle free to be used again. */
static void reaped(uv_handle_t *handle)
{
    struct child *child = handle->data;
    bool expected = child->state == CHILD_ENDING && !child->why[0];
    child->running = false;
    if (!expected && !child->why[0])
        text_copy(child->why, sizeof child->why, child->exit);
    disconnect(child);
    child->state = CHILD_DOWN;
    child->deadline = 0;
    if (!expected) {
        if (child->ready_since && clock_ticks() - child->ready_since > CALM_TIME)
            child->failures = 0;
        child->failures++;
        struct audit_event event = {.action = AUDIT_CHILD_FAILED,
                                    .outcome = AUDIT_FAILURE,
                                    .agreement = child->unit->name,
                                    .module = child->name,
                                    .reason = child->why};
        trail_event(child->unit->hub, &event);
        struct log_about about = {.agreement = child->unit->name};
        back_off(child);
        log_event(ACCORD_ERROR, "hub.child-failed", &about,
                  "%s failed: %s; starting it again in %" PRId64 " ms", child->name, child->why,
                  child->retry_at - clock_ticks());
    }
    child->ready_since = 0;
    unit_update(child->unit);
}

static void exited(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    snprintf(child->exit, sizeof child->exit, signal ? "ended by signal %d" : "ended with status %d",
             signal ? signal : (int)status);
    uv_close((uv_handle_t *)process, reaped);
}

void child_stop(struct child *child)
{
    child->retry_at = 0;
    if (!child->running || child->state == CHILD_ENDING)
        return;
    child->state = CHILD_ENDING;
    child->why[0] = 0;
    child->deadline = clock_ticks() + END_TIME;
    sessions_revoke(child, "the agreement was switched off");
    disconnect(child);
}

void child_fail(struct child *child, const char *rule, const char *format, ...)
{
    if (!child->running || child->state == CHILD_ENDING)
        return;
    char text[ACCORD_REASON_MAX - ACCORD_RULE_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    snprintf(child->why, sizeof child->why, "%s: %s", rule, text);
    child->state = CHILD_ENDING;
    uv_process_kill(&child->process, SIGKILL);
    disconnect(child);
    unit_update(child->unit);
}

/* ---- messages that every child sends ---- */

static void put_wall(struct child *child, const struct accord_pair *wall)
{
    if (child->wall_count < 3)
        snprintf(child->walls[child->wall_count++], sizeof child->walls[0], "%s %s", wall->name, wall->value);
}

static void sandboxed(struct child *child, const struct wire_SANDBOXED *m)
{
    struct accord_pair wall;
    child->wall_count = 0;
    for (size_t at = 0; wire_pairs_next(&m->walls, &at, &wall);)
        put_wall(child, &wall);
}

static void ready(struct child *child)
{
    struct accord_pair walls[3];
    for (size_t i = 0; i < child->wall_count; i++)
        walls[i] = (struct accord_pair){i == 0 ? "wall.1" : i == 1 ? "wall.2" : "wall.3", child->walls[i]};
    child->state = CHILD_READY;
    child->why[0] = 0;
    child->ready_since = child->pinged = clock_ticks();
    child->deadline = 0;
    struct audit_event event = {.action = AUDIT_CHILD_STARTED,
                                .agreement = child->unit->name,
                                .module = child->name,
                                .details = walls,
                                .detail_count = child->wall_count};
    trail_event(child->unit->hub, &event);
    unit_update(child->unit);
}

static void said(struct child *child, const struct wire_LOG *m)
{
    struct log_about about = {.agreement = child->unit->name, .link = m->instance};
    enum accord_level level = m->level <= ACCORD_ERROR ? (enum accord_level)m->level : ACCORD_ERROR;
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

static bool pong(struct child *child, const struct wire_PONG *m)
{
    if (m->token == child->ping)
        child->deadline = 0;
    return true;
}

/* Messages of every role; false: not one of them. */
static bool common_message(struct child *child, const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_SANDBOXED:
        sandboxed(child, &m->SANDBOXED);
        return true;
    case WIRE_READY:
        if (child->state == CHILD_STARTING)
            ready(child);
        return true;
    case WIRE_FAILED:
        failed(child, &m->FAILED);
        return true;
    case WIRE_LOG:
        said(child, &m->LOG);
        return true;
    case WIRE_METRIC:
        return true; /* counted per instance once `accord metrics` shows them */
    case WIRE_PONG:
        return pong(child, &m->PONG);
    default:
        return false;
    }
}

static void message(void *arg, const struct wire_message *m, int fd)
{
    struct child *child = arg;
    if (fd >= 0) {
        close(fd);
        child_fail(child, "hub.protocol", "it passed a descriptor that nobody asked for");
        return;
    }
    if (common_message(child, m))
        return;
    if (child->state != CHILD_READY)
        child_fail(child, "hub.protocol", "%s came before READY", wire_type_name(m->type));
    else if (child->role == CHILD_LINK)
        link_side_message(child, m);
    else
        policy_side_message(child, m);
}

static void gone(void *arg, const struct reason *why)
{
    struct child *child = arg;
    if (why->text[0])
        child_fail(child, "hub.protocol", "%s", why->text);
    else
        disconnect(child); /* the process is ending; its exit status says how */
}

static void room(void *arg)
{
    struct child *child = arg;
    if (child->role == CHILD_LINK)
        link_side_room(child);
    else
        policy_side_room(child);
}

static const struct channel_events events = {.message = message, .gone = gone, .room = room};

/* ---- starting ---- */

static int spawn(struct child *child, int theirs)
{
    char role[32], name[2 * CONF_NAME_MAX + 16], parent[32];
    snprintf(role, sizeof role, "--role=%s", child_role_name(child->role));
    snprintf(name, sizeof name, "--name=%s", child->name);
    snprintf(parent, sizeof parent, "--parent=%d", (int)getpid());
    char *const arguments[] = {(char *)"accordd", role, name, parent, NULL};
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
                                    {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
                                    {.flags = UV_INHERIT_FD, .data.fd = theirs}};
    uv_process_options_t options = {.exit_cb = exited,
                                    .file = child->unit->hub->options.executable,
                                    .args = (char **)arguments,
                                    .stdio = stdio,
                                    .stdio_count = 4};
    int result = uv_spawn(&child->unit->hub->loop, &child->process, &options);
    child->process.data = child;
    if (result < 0)
        uv_close((uv_handle_t *)&child->process, NULL);
    return result;
}

static void start_failed(struct child *child, const char *what)
{
    struct log_about about = {.agreement = child->unit->name};
    child->failures++;
    snprintf(child->why, sizeof child->why, "cannot be started: %s", what);
    back_off(child);
    log_event(ACCORD_ERROR, "hub.spawn-failed", &about, "%s %s", child->name, child->why);
}

void child_start(struct child *child)
{
    int ends[2];
    if (child->running)
        return;
    child->retry_at = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        start_failed(child, strerror(errno));
        return;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    int result = spawn(child, ends[1]);
    close(ends[1]);
    if (result < 0) {
        close(ends[0]);
        start_failed(child, uv_strerror(result));
        return;
    }
    child->running = true;
    child->incarnation++;
    child->state = CHILD_STARTING;
    child->why[0] = 0;
    child->deadline = clock_ticks() + START_TIME;
    if (channel_open(&child->channel, &child->unit->hub->loop, ends[0], wire_side(child), &events, child) <
            0 ||
        !child_configure(child))
        child_fail(child, "hub.no-memory", "out of memory while starting it");
}

void child_tick(struct child *child, int64_t ticks)
{
    if (child->retry_at && ticks >= child->retry_at && child->unit->wanted) {
        child_start(child);
        return;
    }
    if (!child->running)
        return;
    if (child->deadline && ticks >= child->deadline) {
        if (child->state == CHILD_ENDING)
            uv_process_kill(&child->process, SIGKILL);
        else if (child->state == CHILD_STARTING)
            child_fail(child, "hub.start-timeout", "it was not ready within %d s", START_TIME / 1000);
        else
            child_fail(child, "hub.hung", "it did not answer for %d s", PONG_TIME / 1000);
        return;
    }
    if (child->state != CHILD_READY)
        return;
    if (!child->deadline && ticks - child->pinged >= PING_EVERY) {
        child->pinged = ticks;
        child->deadline = ticks + PONG_TIME;
        wire_put_PING(channel_out(child->channel), &(struct wire_PING){.token = ++child->ping});
    }
    if (child->role == CHILD_LINK)
        link_side_tick(child, ticks);
    else
        policy_side_tick(child, ticks);
}
