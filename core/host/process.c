#include "host/process.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/instance.h"
#include "util/log.h"

#define LAST_WORDS_MS 1000

/* ---- giving up ---- */

static _Noreturn void die(struct process *p, const char *rule, const char *text)
{
    log_event(ACCORD_ERROR, rule, &(struct log_about){.agreement = p->setup->agreement}, "%s", text);
    wire_put_FAILED(process_out(p), &(struct wire_FAILED){.rule = rule, .reason = text});
    channel_flush(p->channel, LAST_WORDS_MS);
    _exit(1);
}

void process_die(struct process *p, const char *rule, const char *format, ...)
{
    struct reason why;
    va_list list;
    va_start(list, format);
    vsnprintf(why.text, sizeof why.text, format, list);
    va_end(list);
    die(p, rule, why.text);
}

void process_blame(struct process *p, const char *rule, const char *format, ...)
{
    struct reason what, why;
    va_list list;
    va_start(list, format);
    vsnprintf(what.text, sizeof what.text, format, list);
    va_end(list);
    fail(&why, 0, "plugin error in %.64s: %.400s", p->inside ? p->inside->name : "a plugin", what.text);
    die(p, rule, why.text);
}

void process_refuse(struct process *p, const struct wire_message *m, const char *format, ...)
{
    struct reason what, why;
    va_list list;
    va_start(list, format);
    vsnprintf(what.text, sizeof what.text, format, list);
    va_end(list);
    fail(&why, 0, "the hub's message %s was refused: %.400s", wire_type_name(m->type), what.text);
    die(p, "hub.protocol", why.text);
}

void process_expect_configuring(struct process *p, const struct wire_message *m)
{
    if (p->phase != PROCESS_CONFIGURING)
        process_refuse(p, m, "it may not come after START");
}

/* ---- the frame's own messages ---- */

static void load(struct process *p, const struct wire_message *m)
{
    process_expect_configuring(p, m);
    if (p->plugin_count == PROCESS_PLUGINS_MAX)
        process_refuse(p, m, "there are %d plugins already", PROCESS_PLUGINS_MAX);
    char rule[ACCORD_RULE_MAX] = "plugin.missing";
    struct reason why = {""};
    const struct accord_plugin *plugin;
    const struct process_setup *setup = p->setup;
    if (setup->load(setup->load_arg, m->LOAD.plugin, m->LOAD.sha256, &plugin, rule, &why) < 0)
        process_die(p, rule, "%s", why.text);
    p->plugins[p->plugin_count++] = plugin;
}

static void start(struct process *p, const struct wire_message *m)
{
    if (p->phase == PROCESS_RUNNING)
        process_refuse(p, m, "this process runs already");
    if (p->phase == PROCESS_CONFIGURING)
        p->role->open(p);
    p->phase = PROCESS_RUNNING;
    wire_put_READY(process_out(p), &(struct wire_READY){.reason = ""});
    if (p->role->start)
        p->role->start(p);
}

static void drain(struct process *p, const struct wire_message *m)
{
    if (p->phase == PROCESS_CONFIGURING)
        process_refuse(p, m, "it may not come before START");
    if (p->phase != PROCESS_RUNNING)
        return;
    p->phase = PROCESS_DRAINING;
    if (p->role->drain)
        p->role->drain(p);
}

static void on_message(void *arg, const struct wire_message *m, int fd)
{
    struct process *p = arg;
    if (fd >= 0 && m->type != WIRE_DIALED) {
        close(fd);
        process_refuse(p, m, "a descriptor came with it");
    }
    switch (m->type) {
    case WIRE_LOAD:
        load(p, m);
        break;
    case WIRE_START:
        start(p, m);
        break;
    case WIRE_DRAIN:
        drain(p, m);
        break;
    case WIRE_PING:
        wire_put_PONG(process_out(p), &(struct wire_PONG){m->PING.token});
        break;
    default:
        p->role->message(p, m, fd);
    }
}

/* The orderly end: the hub closed the channel or died. */
static void on_gone(void *arg, const struct reason *why)
{
    struct process *p = arg;
    if (why->text[0]) {
        log_event(ACCORD_ERROR, "hub.protocol", &(struct log_about){.agreement = p->setup->agreement},
                  "the channel to the hub broke, this process ends: %s", why->text);
        p->status = 1;
    }
    p->phase = PROCESS_ENDING;
    grace_fini(&p->grace);
    p->role->close(p);
}

static void on_room(void *arg)
{
    struct process *p = arg;
    if (p->role->room)
        p->role->room(p);
}

/* ---- life ---- */

static void handle_rest(struct process *p)
{
    struct wire_bytes rest = p->setup->rest;
    while (rest.size) {
        struct wire_message m;
        struct reason why;
        if (wire_decode(&rest, WIRE_H, &m, &why) < 0)
            process_die(p, "hub.protocol", "%s", why.text);
        on_message(p, &m, -1);
    }
}

int process_run(struct process *p, const struct process_role *role, const struct process_setup *setup)
{
    static const struct channel_events events = {on_message, on_gone, on_room};
    p->role = role;
    p->setup = setup;
    if (uv_loop_init(&p->loop) < 0) {
        close(setup->fd);
        return 1;
    }
    if (channel_open(&p->channel, &p->loop, setup->fd, WIRE_H, &events, p) < 0) {
        uv_loop_close(&p->loop);
        return 1;
    }
    grace_init(&p->grace, p);
    handle_rest(p);
    /* After the hub has gone this returns when the last function on a thread has. */
    uv_run(&p->loop, UV_RUN_DEFAULT);
    channel_close(p->channel);
    role->fini(p);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    return p->status;
}

struct buf *process_out(struct process *p)
{
    return channel_out(p->channel);
}

const struct accord_plugin *process_plugin(const struct process *p, enum accord_plugin_kind kind,
                                           const char *name)
{
    for (size_t i = 0; i < p->plugin_count; i++)
        if (p->plugins[i]->kind == kind && strcmp(p->plugins[i]->name, name) == 0)
            return p->plugins[i];
    return NULL;
}
