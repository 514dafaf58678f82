/* The checking child: fills the options of links, services and policies, and asks the plugins' `check` slots. */
#include <stdlib.h>
#include <string.h>

#include "conf/arena.h"
#include "conf/value.h"
#include "plugin/check.h"
#include "plugin/child.h"
#include "plugin/loader.h"

#define ITEMS_MAX 4096 /* links, services or modules */

/* Everything lives until the process ends: it does this once. */
struct service {
    struct accord_policy_service told;
    uint32_t link;
    struct accord_pair *options;
    size_t option_count;
};
struct module {
    const char *name;
    int64_t from, until;
    struct accord_pair *options;
    size_t option_count;
};

struct checks {
    struct child *child;
    struct arena arena;
    const struct accord_plugin *plugins[64];
    size_t plugin_count;
    struct accord_policy_link **links;
    struct service *services;
    struct module *modules;
    size_t link_count, service_count, module_count;
};

static int no_memory(struct reason *why)
{
    return fail(why, ACCORD_ENOMEM, "out of memory");
}

/* ---- what is configured ---- */

static struct accord_pair *keep_pairs(struct checks *c, const struct wire_pairs *from, size_t *count)
{
    struct accord_pair *pairs = arena_array(&c->arena, from->count + 1, sizeof *pairs), pair;
    *count = 0;
    for (size_t at = 0; pairs && wire_pairs_next(from, &at, &pair);)
        pairs[(*count)++] =
            (struct accord_pair){arena_text(&c->arena, pair.name), arena_text(&c->arena, pair.value)};
    return pairs;
}

static void *slot(struct checks *c, void *items, size_t *count, size_t size)
{
    if (*count >= ITEMS_MAX)
        return NULL;
    /* By doubling; the old piece stays in the arena. */
    if (*count == 0 || (*count & (*count - 1)) == 0) {
        void *bigger = arena_array(&c->arena, *count ? 2 * *count : 1, size);
        if (bigger && *count)
            memcpy(bigger, *(void **)items, *count * size);
        *(void **)items = bigger;
    }
    void *base = *(void **)items;
    return base ? (char *)base + (*count)++ * size : NULL;
}

static int take_load(struct checks *c, const struct wire_LOAD *m, char rule[ACCORD_RULE_MAX],
                     struct reason *why)
{
    char path[512], sha256[DIGEST_HEX];
    if (c->plugin_count == sizeof c->plugins / sizeof *c->plugins)
        return fail(why, ACCORD_ELIMIT, "too many plugins for one agreement");
    int result = child_plugin_path(c->child, m->plugin, path, sizeof path, why);
    if (!result)
        result = plugin_load(path, m->sha256, &c->plugins[c->plugin_count], sha256, rule, why);
    c->plugin_count += !result;
    return result;
}

static int take_link(struct checks *c, const struct wire_LINK *m, struct reason *why)
{
    struct accord_policy_link **place = slot(c, &c->links, &c->link_count, sizeof *place);
    struct accord_policy_link *link = arena_array(&c->arena, 1, sizeof *link);
    if (!place || !link)
        return no_memory(why);
    *(*place = link) = (struct accord_policy_link){.name = arena_text(&c->arena, m->name),
                                                   .connector = arena_text(&c->arena, m->connector),
                                                   .endpoint_host = arena_text(&c->arena, m->host),
                                                   .endpoint_port = m->port,
                                                   .tunnel = arena_text(&c->arena, m->tunnel)};
    link->options = keep_pairs(c, &m->options, &link->option_count);
    return c->arena.failed ? no_memory(why) : 0;
}

static int take_service(struct checks *c, const struct wire_SERVICE *m, struct reason *why)
{
    struct service *service = slot(c, &c->services, &c->service_count, sizeof *service);
    if (!service)
        return no_memory(why);
    if (m->link >= c->link_count)
        return fail(why, ACCORD_EPROTO, "service %s is over a link that there is not", m->name);
    service->link = m->link;
    service->told = (struct accord_policy_service){.name = arena_text(&c->arena, m->name),
                                                   .type = arena_text(&c->arena, m->type),
                                                   .link = c->links[m->link]->name,
                                                   .direction = m->direction,
                                                   .max_size = m->max_size,
                                                   .names = arena_text(&c->arena, m->names),
                                                   .rate = m->rate};
    service->options = keep_pairs(c, &m->options, &service->option_count);
    return c->arena.failed ? no_memory(why) : 0;
}

static int take_module(struct checks *c, const struct wire_MODULE *m, struct reason *why)
{
    struct module *module = slot(c, &c->modules, &c->module_count, sizeof *module);
    if (!module)
        return no_memory(why);
    *module = (struct module){.name = arena_text(&c->arena, m->name), .from = m->from, .until = m->until};
    module->options = keep_pairs(c, &m->options, &module->option_count);
    return c->arena.failed ? no_memory(why) : 0;
}

/* ---- asking ---- */

static const struct accord_plugin *find_plugin(const struct checks *c, enum accord_plugin_kind kind,
                                               const char *name)
{
    for (size_t i = 0; i < c->plugin_count; i++)
        if (c->plugins[i]->kind == kind && !strcmp(c->plugins[i]->name, name))
            return c->plugins[i];
    return NULL;
}

/* An older plugin's table ends before what it did not know. */
static void copy_table(void *to, size_t room, const void *from)
{
    uint32_t size;
    memcpy(&size, from, sizeof size);
    memset(to, 0, room);
    memcpy(to, from, size < room ? size : room);
}

/* NULL, also without options; an error is in *result. */
static const void *fill(const struct accord_options *table, const struct accord_pair *pairs, size_t count,
                        int *result, struct reason *why)
{
    struct conf_options *options;
    if (*result || !table->table)
        return NULL;
    *result = conf_options_fill(table, pairs, count, &options, why);
    return *result ? NULL : conf_options_struct(options);
}

static int check_link(struct checks *c, uint32_t number, struct reason *why)
{
    struct accord_connector connector;
    const struct accord_policy_link *link = c->links[number];
    const struct accord_plugin *plugin = find_plugin(c, ACCORD_CONNECTOR, link->connector);
    struct accord_service *services = arena_array(&c->arena, c->service_count + 1, sizeof *services);
    const struct accord_service **told = arena_array(&c->arena, c->service_count + 1, sizeof *told);
    if (!plugin || !services || !told)
        return plugin ? no_memory(why)
                      : fail(why, ACCORD_ENOENT, "connector %s was not loaded", link->connector);
    copy_table(&connector, sizeof connector, plugin->connector);
    struct accord_link_setup setup = {.agreement = c->child->agreement,
                                      .name = link->name,
                                      .services = told,
                                      .endpoint_host = link->endpoint_host[0] ? link->endpoint_host : NULL,
                                      .endpoint_port = link->endpoint_port};
    int result = 0;
    setup.options = fill(&connector.link_options, link->options, link->option_count, &result, why);
    for (size_t i = 0; i < c->service_count; i++) {
        const struct service *service = &c->services[i];
        if (service->link != number)
            continue;
        services[i] = (struct accord_service){.cursor = "",
                                              .name = service->told.name,
                                              .type = service->told.type,
                                              .direction = service->told.direction,
                                              .options = fill(&connector.service_options, service->options,
                                                              service->option_count, &result, why),
                                              .max_size = service->told.max_size};
        told[setup.service_count++] = &services[i];
    }
    return result || !connector.check ? result : connector.check(&setup, why->text, sizeof why->text);
}

static int check_module(struct checks *c, uint32_t number, struct reason *why)
{
    struct accord_policy policy;
    const struct module *module = &c->modules[number];
    const struct accord_plugin *plugin = find_plugin(c, ACCORD_POLICY, module->name);
    const struct accord_policy_service **services =
        arena_array(&c->arena, c->service_count + 1, sizeof *services);
    if (!plugin || !services)
        return plugin ? no_memory(why) : fail(why, ACCORD_ENOENT, "policy %s was not loaded", module->name);
    for (size_t i = 0; i < c->service_count; i++)
        services[i] = &c->services[i].told;
    copy_table(&policy, sizeof policy, plugin->policy);
    int result = 0;
    const struct accord_policy_setup setup = {
        .agreement = c->child->agreement,
        .module = module->name,
        .options = fill(&policy.options, module->options, module->option_count, &result, why),
        .in_force_from = module->from,
        .in_force_until = module->until,
        .links = (const struct accord_policy_link *const *)c->links,
        .link_count = c->link_count,
        .services = services,
        .service_count = c->service_count};
    return result || !policy.check ? result : policy.check(&setup, why->text, sizeof why->text);
}

static int take_check(struct checks *c, const struct wire_CHECK *m, struct reason *why)
{
    struct reason objection = {""};
    if (m->subject > 1 || m->number >= (m->subject ? c->module_count : c->link_count))
        return fail(why, ACCORD_EPROTO, "the hub asks about something that it has not told");
    int result = m->subject ? check_module(c, m->number, &objection) : check_link(c, m->number, &objection);
    objection.text[sizeof objection.text - 1] = 0;
    struct buf out = {0};
    wire_put_CHECKED(&out, &(struct wire_CHECKED){m->subject, m->number, result >= 0, objection.text});
    result = child_send(&out, why);
    buf_fini(&out);
    return result;
}

static int take(struct checks *c, const struct wire_message *m, char rule[ACCORD_RULE_MAX],
                struct reason *why)
{
    switch (m->type) {
    case WIRE_LOAD:
        return take_load(c, &m->LOAD, rule, why);
    case WIRE_LINK:
        return take_link(c, &m->LINK, why);
    case WIRE_SERVICE:
        return take_service(c, &m->SERVICE, why);
    case WIRE_MODULE:
        return take_module(c, &m->MODULE, why);
    case WIRE_CHECK:
        return take_check(c, &m->CHECK, why);
    default:
        return fail(why, ACCORD_EPROTO, "the hub sent %s, which has no place here", wire_type_name(m->type));
    }
}

int check_child(struct child *child, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    struct checks checks = {.child = child};
    int result = 0;
    while (!result) {
        struct wire_message message;
        if (!child->rest.size) {
            result = child_receive(&child->datagram, why);
            child->rest = (struct wire_bytes){child->datagram.data, child->datagram.size};
            if (result)
                break;
        }
        result = wire_decode(&child->rest, WIRE_H, &message, why);
        if (!result)
            result = take(&checks, &message, rule, why);
    }
    arena_fini(&checks.arena);
    return result == ACCORD_ECANCELED ? 0 : result; /* the hub has heard enough */
}
