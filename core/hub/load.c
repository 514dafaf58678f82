#include "hub/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "plugin/check.h"
#include "util/text.h"

static bool takes(const struct child *child, const struct conf_policy *policy)
{
    bool reads = policy->module->flags & ACCORD_READS_PAYLOAD;
    return child->role == (reads ? CHILD_INSPECT : CHILD_GUARD);
}

/* ---- folders that the sandbox leaves open ---- */

static size_t collect_folders(const struct child *child, struct accord_pair *folders)
{
    const struct conf_agreement *agreement = child->unit->agreement;
    size_t count = 0;
    for (size_t i = 0; child->role == CHILD_LINK && i < child->link_count; i++)
        count = conf_options_folders(child->links[i]->connector->options, child->links[i]->options,
                                     child->links[i]->option_count, folders, count, WIRE_PAIRS_MAX);
    for (size_t i = 0; i < agreement->policy_count; i++)
        if (takes(child, &agreement->policies[i]))
            count =
                conf_options_folders(agreement->policies[i].module->options, agreement->policies[i].options,
                                     agreement->policies[i].option_count, folders, count, WIRE_PAIRS_MAX);
    return count;
}

static void put_setup(struct child *child, struct buf *out)
{
    struct accord_pair folders[WIRE_PAIRS_MAX];
    const struct conf_agent *agent = &child->unit->hub->conf->conf->agent;
    size_t count = collect_folders(child, folders);
    char plugins[512] = "";
    if (child->unit->conf->plugins.count) {
        snprintf(plugins, sizeof plugins, "%s", child->unit->conf->plugins.items[0].path);
        *strrchr(plugins, '/') = 0;
    }
    wire_put_SETUP(out, &(struct wire_SETUP){.version = WIRE_VERSION,
                                             .role = child_role_name(child->role),
                                             .agreement = child->unit->name,
                                             .plugins = plugins,
                                             .folders = WIRE_PAIRS(folders, count),
                                             .log_level = (uint8_t)agent->log_level,
                                             .log_json = strcmp(agent->log_format, "json") == 0});
}

/* ---- plugins, each once ---- */

static void each_plugin(const struct child *child, void (*each)(void *arg, const struct conf_plugin *),
                        void *arg)
{
    const struct conf_agreement *agreement = child->unit->agreement;
    for (size_t i = 0; child->role == CHILD_LINK && i < child->link_count; i++) {
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again = again || child->links[j]->connector == child->links[i]->connector;
        if (!again)
            each(arg, child->links[i]->connector);
    }
    for (size_t i = 0; child->role != CHILD_LINK && i < agreement->policy_count; i++)
        if (takes(child, &agreement->policies[i]))
            each(arg, agreement->policies[i].module);
}

static void put_load(void *arg, const struct conf_plugin *plugin)
{
    struct buf *out = arg;
    wire_put_LOAD(out, &(struct wire_LOAD){.plugin = plugin->path, .sha256 = plugin->sha256});
}

static void record_plugin(void *arg, const struct conf_plugin *plugin)
{
    const struct child *child = arg;
    char file[ACCORD_NAME_MAX];
    struct accord_pair hash = {"sha256", plugin->sha256};
    snprintf(file, sizeof file, "%s", strrchr(plugin->path, '/') + 1);
    struct audit_event event = {.action = AUDIT_PLUGIN_LOADED,
                                .agreement = child->unit->name,
                                .module = child->name,
                                .name = file,
                                .details = &hash,
                                .detail_count = 1};
    trail_event(child->unit->hub, &event);
}

void child_record_plugins(const struct child *child)
{
    each_plugin(child, record_plugin, (void *)child);
}

/* ---- links, services, modules ---- */

static void put_links(const struct child *child, struct buf *out)
{
    for (size_t i = 0; i < child->link_count; i++)
        check_put_link(out, (uint32_t)i, child->links[i]);
}

static uint32_t link_index(const struct child *child, const struct conf_link *link)
{
    for (size_t i = 0; i < child->link_count; i++)
        if (child->links[i] == link)
            return (uint32_t)i;
    return WIRE_NONE;
}

static void put_services(const struct child *child, struct buf *out)
{
    for (size_t i = 0; i < child->service_count; i++)
        check_put_service(out, (uint32_t)i, link_index(child, child->services[i]->link), child->services[i]);
}

static void put_modules(const struct child *child, struct buf *out)
{
    const struct conf_agreement *agreement = child->unit->agreement;
    uint32_t number = 0;
    for (size_t i = 0; child->role != CHILD_LINK && i < agreement->policy_count; i++)
        if (takes(child, &agreement->policies[i]))
            check_put_module(out, number++, agreement, &agreement->policies[i]);
}

/* ---- START waits for the cursors ---- */

struct reading {
    struct child *child;
    uint64_t incarnation;
    size_t asked; /* and one more while they are being asked for */
    struct read {
        struct reading *of;
        uint32_t service;
        char route[STORE_ROUTE_MAX];
        struct store_cursor verb;
    } each[];
};

/* The last of them starts it, if it is still there. */
static bool reading_over(struct reading *reading)
{
    struct child *child = reading->child;
    bool there = child->channel && child->incarnation == reading->incarnation;
    if (--reading->asked)
        return false;
    if (there)
        wire_put_START(channel_out(child->channel), &(struct wire_START){0});
    free(reading);
    child->acting--;
    return true;
}

/* A cursor that cannot be read is none: what comes twice is found out by its source's name for it. */
static void was_read(void *arg, int result)
{
    struct read *read = arg;
    struct child *child = read->of->child;
    if (child->channel && child->incarnation == read->of->incarnation && !result && read->verb.value[0])
        wire_put_CURSOR(channel_out(child->channel),
                        &(struct wire_CURSOR){.service = read->service, .value = read->verb.value});
    if (reading_over(read->of) && !child_running(child))
        unit_update(child->unit); /* last: it may free the child */
}

static bool read_cursors(struct child *child)
{
    struct reading *reading = calloc(1, sizeof *reading + child->service_count * sizeof *reading->each);
    if (!reading)
        return false;
    *reading = (struct reading){.child = child, .incarnation = child->incarnation, .asked = 1};
    child->acting++;
    for (size_t i = 0; child->role == CHILD_LINK && i < child->service_count; i++) {
        struct read *read = &reading->each[i];
        if (child->services[i]->direction != ACCORD_RECEIVE)
            continue;
        *read = (struct read){.of = reading, .service = (uint32_t)i};
        text_copy(read->route, sizeof read->route, child->unit->name);
        size_t used = strlen(read->route);
        snprintf(read->route + used, sizeof read->route - used, "/%s", child->services[i]->name);
        read->verb.route = read->route;
        reading->asked++;
        store_cursor(child->unit->hub->store, &read->verb, was_read, read);
    }
    reading_over(reading);
    return true;
}

bool child_configure(struct child *child)
{
    struct buf *out = channel_out(child->channel);
    put_setup(child, out);
    each_plugin(child, put_load, out);
    put_links(child, out);
    put_services(child, out);
    put_modules(child, out);
    return read_cursors(child) && !out->failed;
}
