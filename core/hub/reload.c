#include "hub/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/trail.h"
#include "hub/unit.h"
#include "plugin/describe.h"
#include "util/log.h"

#define RECORD_PROBLEMS   16 /* that one audit record names */
#define RECORD_AGREEMENTS 64

struct hub_conf *hub_conf_ref(struct hub_conf *conf)
{
    conf->refs++;
    return conf;
}

void hub_conf_unref(struct hub_conf *conf)
{
    if (--conf->refs)
        return;
    conf_free(conf->conf);
    conf_plugins_free(&conf->plugins);
    free(conf);
}

/* ../lib/accord/plugins from the folder of the executable. */
static void default_plugins(const char *executable, char *to, size_t room)
{
    snprintf(to, room, "%s", executable);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(to, '/');
        if (slash)
            *slash = 0;
    }
    size_t used = strlen(to);
    snprintf(to + used, room - used, "/lib/accord/plugins");
}

static struct hub_conf *load(const struct hub_options *options, struct conf_report *report,
                             struct reason *why)
{
    struct conf_agent agent = {0};
    if (conf_load_agent(options->folder, options->state, &agent, report) < 0) {
        fail(why, ACCORD_EINVAL, "agent.conf has mistakes");
        conf_agent_fini(&agent);
        return NULL;
    }
    if (!agent.plugins[0])
        default_plugins(options->executable, agent.plugins, sizeof agent.plugins);
    struct hub_conf *conf = calloc(1, sizeof *conf);
    if (!conf) {
        fail(why, ACCORD_ENOMEM, "out of memory");
        conf_agent_fini(&agent);
        return NULL;
    }
    conf->refs = 1;
    int result = plugin_describe_all(options->executable, agent.plugins, agent.pins, agent.pin_count,
                                     &conf->plugins, report);
    if (!result)
        result = conf_load(options->folder, &agent, &conf->plugins, &conf->conf, report);
    if (result) {
        fail(why, result, "the configuration could not be loaded (%s)", error_name(result));
        conf_plugins_free(&conf->plugins);
        free(conf);
        return NULL;
    }
    return conf;
}

struct hub_conf *hub_conf_load(struct hub *hub, struct reason *why)
{
    conf_report_fini(&hub->problems);
    struct hub_conf *conf = load(&hub->options, &hub->problems, why);
    conf_report_sort(&hub->problems);
    return conf;
}

void hub_problems_log(const struct hub *hub)
{
    static const enum accord_level levels[] = {ACCORD_ERROR, ACCORD_WARNING, ACCORD_NOTICE, ACCORD_WARNING};
    for (size_t i = 0; i < hub->problems.count; i++) {
        const struct conf_problem *p = &hub->problems.items[i];
        log_event(levels[p->severity], "conf.problem", NULL, "%s:%d: %s", p->file, p->line, p->text);
    }
}

/* Files that were there before and are not any more; one that has mistakes is still there. */
static void mark_absent(struct hub *hub, const struct conf *conf, const struct conf_report *report)
{
    for (struct unit *unit = hub->units; unit; unit = unit->next) {
        char file[CONF_NAME_MAX + 8];
        snprintf(file, sizeof file, "%s.conf", unit->name);
        unit->absent = !conf_agreement_find(conf, unit->name) && !conf_report_count(report, CONF_ERROR, file);
    }
}

/* The first errors, as "problem.1" and so on. */
static size_t add_problems(const struct conf_report *report, struct accord_pair *details,
                           char names[RECORD_PROBLEMS][16], char texts[RECORD_PROBLEMS][400])
{
    size_t count = 0;
    for (size_t i = 0; i < report->count && count < RECORD_PROBLEMS; i++) {
        const struct conf_problem *p = &report->items[i];
        if (p->severity != CONF_ERROR)
            continue;
        snprintf(names[count], sizeof names[count], "problem.%zu", count + 1);
        snprintf(texts[count], sizeof texts[count], "%.64s:%d: %.300s", p->file, p->line, p->text);
        details[count] = (struct accord_pair){names[count], texts[count]};
        count++;
    }
    return count;
}

/* `conf` NULL: nothing of it was taken on. */
static void record(struct hub *hub, const char *user, const struct conf *conf, const char *reason)
{
    struct accord_pair details[RECORD_PROBLEMS + RECORD_AGREEMENTS + 1];
    char names[RECORD_PROBLEMS][16], texts[RECORD_PROBLEMS][400];
    size_t count = add_problems(&hub->problems, details, names, texts);
    bool good = !count && conf;
    if (conf)
        details[count++] = (struct accord_pair){"agent.conf", conf->agent.sha256};
    for (size_t i = 0; conf && i < conf->agreement_count && i < RECORD_AGREEMENTS; i++)
        details[count++] = (struct accord_pair){conf->agreements[i]->name, conf->agreements[i]->sha256};
    struct audit_event event = {.action = good ? AUDIT_CONFIG_LOADED : AUDIT_CONFIG_REFUSED,
                                .outcome = good ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .user = user,
                                .reason = good ? "" : reason,
                                .details = details,
                                .detail_count = count};
    trail_event(hub, &event);
}

void hub_conf_record(struct hub *hub, const char *user)
{
    record(hub, user, hub->conf->conf,
           user ? "files with mistakes keep their running version" : "files with mistakes are left out");
}

static void apply(struct hub *hub, struct hub_conf *conf)
{
    bus_duplicate_horizon_set(hub->bus, conf->conf->agent.duplicate_horizon * 1000);
    mark_absent(hub, conf->conf, &hub->problems);
    units_apply(hub, conf);
}

static size_t reload(struct hub *hub, const char *user)
{
    struct reason why;
    struct hub_conf *old = hub->conf, *conf = hub_conf_load(hub, &why);
    hub_problems_log(hub);
    size_t errors = conf_report_count(&hub->problems, CONF_ERROR, NULL);
    if (!conf) {
        log_event(ACCORD_ERROR, "conf.refused", NULL, "%s; everything keeps running as it was", why.text);
        record(hub, user, NULL, why.text);
        return errors ? errors : 1;
    }
    hub->conf = conf;
    hub_conf_record(hub, user);
    apply(hub, conf);
    hub_conf_unref(old);
    return errors;
}

size_t hub_reload(struct hub *hub, const char *user)
{
    notify_reloading(&hub->notify);
    size_t errors = reload(hub, user);
    notify_ready(&hub->notify);
    return errors;
}
