#include "hub/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/trail.h"
#include "hub/unit.h"
#include "plugin/describe.h"
#include "util/log.h"

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

struct hub_conf *hub_conf_load(const struct hub_options *options, struct conf_report *report,
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

void hub_report_log(const struct conf_report *report)
{
    static const enum accord_level levels[] = {ACCORD_ERROR, ACCORD_WARNING, ACCORD_NOTICE};
    for (size_t i = 0; i < report->count; i++) {
        const struct conf_problem *p = &report->items[i];
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

#define FILES_TOLD 128

struct telling {
    struct accord_pair details[FILES_TOLD];
    char names[FILES_TOLD][CONF_NAME_MAX + 32];
    size_t count;
};

static void tell(struct telling *telling, const char *what, const char *file, const char *value)
{
    size_t i = telling->count;
    if (i == FILES_TOLD)
        return;
    snprintf(telling->names[i], sizeof telling->names[i], "%s%s", what, file);
    telling->details[i] = (struct accord_pair){telling->names[i], value};
    telling->count++;
}

/* The first mistake of each file. */
static void tell_refused(struct telling *telling, const struct conf_report *report)
{
    const char *last = "";
    for (size_t i = 0; i < report->count; i++) {
        const struct conf_problem *p = &report->items[i];
        if (p->severity != CONF_ERROR || strcmp(p->file, last) == 0)
            continue;
        last = p->file;
        tell(telling, "refused.", p->file, p->text);
    }
}

void hub_conf_record(struct hub *hub, const char *user, const struct conf_report *report)
{
    const struct conf *conf = hub->conf->conf;
    size_t errors = conf_report_count(report, CONF_ERROR, NULL);
    struct telling *telling = calloc(1, sizeof *telling);
    if (telling) {
        tell_refused(telling, report);
        tell(telling, "sha256.", "agent.conf", conf->agent.sha256);
        for (size_t i = 0; i < conf->agreement_count; i++)
            tell(telling, "sha256.", conf->agreements[i]->name, conf->agreements[i]->sha256);
    }
    struct audit_event event = {.action = errors ? AUDIT_CONFIG_REFUSED : AUDIT_CONFIG_LOADED,
                                .outcome = errors ? AUDIT_FAILURE : AUDIT_SUCCESS,
                                .user = user,
                                .reason = errors ? "files with mistakes keep their running version" : "",
                                .details = telling ? telling->details : NULL,
                                .detail_count = telling ? telling->count : 0};
    trail_event(hub, &event);
    free(telling);
}

static void apply(struct hub *hub, struct hub_conf *conf, const char *user, const struct conf_report *report)
{
    struct hub_conf *old = hub->conf;
    hub->conf = conf;
    hub_conf_record(hub, user, report);
    bus_duplicate_horizon_set(hub->bus, conf->conf->agent.duplicate_horizon * 1000);
    mark_absent(hub, conf->conf, report);
    units_apply(hub, conf);
    hub_conf_unref(old);
}

size_t hub_reload(struct hub *hub, const char *user, struct conf_report *given)
{
    struct conf_report own = {0}, *report = given ? given : &own;
    struct reason why;
    struct hub_conf *conf = hub_conf_load(&hub->options, report, &why);
    conf_report_sort(report);
    hub_report_log(report);
    size_t errors = conf_report_count(report, CONF_ERROR, NULL);
    if (conf) {
        apply(hub, conf, user, report);
    } else {
        log_event(ACCORD_ERROR, "conf.refused", NULL, "%s; everything keeps running as it was", why.text);
        struct audit_event event = {
            .action = AUDIT_CONFIG_REFUSED, .outcome = AUDIT_FAILURE, .user = user, .reason = why.text};
        trail_event(hub, &event);
        errors = errors ? errors : 1;
    }
    conf_report_fini(&own);
    return errors;
}
