#include <stdlib.h>
#include <string.h>

#include "conf/value.h"
#include "guard/role.h"
#include "host/loop.h"

#define LINKS_MAX    256
#define SERVICES_MAX 4096
#define MODULES_MAX  64

/* ---- configuration, as the hub tells it ---- */

static _Noreturn void no_memory(void)
{
    process_die(&guard_role->process, "hub.memory", "out of memory while policy modules are opened");
}

static void *grown(void *items, size_t count, size_t size)
{
    void *more = realloc(items, (count + 1) * size);
    if (!more)
        no_memory();
    return more;
}

static void *keep(void *allocated)
{
    if (!allocated)
        no_memory();
    guard_role->kept = grown(guard_role->kept, guard_role->kept_count, sizeof *guard_role->kept);
    guard_role->kept[guard_role->kept_count++] = allocated;
    return allocated;
}

static const char *keep_text(const char *text)
{
    return keep(strdup(text));
}

void module_configure_link(const struct wire_message *m)
{
    const struct wire_LINK *from = &m->LINK;
    if (from->link != guard_role->link_count || from->link >= LINKS_MAX || from->port > 65535)
        process_refuse(&guard_role->process, m, "link %u has a number or port that cannot be", from->link);
    guard_role->links = grown(guard_role->links, guard_role->link_count, sizeof *guard_role->links);
    struct accord_policy_link *link = keep(malloc(sizeof *link));
    *link = (struct accord_policy_link){.name = keep_text(from->name),
                                        .connector = keep_text(from->connector),
                                        .endpoint_host = keep_text(from->host),
                                        .endpoint_port = from->port,
                                        .tunnel = keep_text(from->tunnel),
                                        .options = keep(pairs_keep(&from->options)),
                                        .option_count = from->options.count};
    guard_role->links[guard_role->link_count++] = link;
}

void module_configure_service(const struct wire_message *m)
{
    const struct wire_SERVICE *from = &m->SERVICE;
    size_t count = guard_role->service_count;
    if (from->service != count || from->service >= SERVICES_MAX || from->link >= guard_role->link_count ||
        (from->direction != ACCORD_SEND && from->direction != ACCORD_RECEIVE))
        process_refuse(&guard_role->process, m, "service %u has a number, link or direction that cannot be",
                       from->service);
    guard_role->services = grown(guard_role->services, count, sizeof *guard_role->services);
    guard_role->service_links = grown(guard_role->service_links, count, sizeof *guard_role->service_links);
    guard_role->service_links[count] = from->link;
    struct accord_policy_service *service = keep(malloc(sizeof *service));
    *service = (struct accord_policy_service){.name = keep_text(from->name),
                                              .type = keep_text(from->type),
                                              .link = guard_role->links[from->link]->name,
                                              .direction = from->direction,
                                              .max_size = from->max_size,
                                              .names = keep_text(from->names),
                                              .rate = from->rate};
    guard_role->services[guard_role->service_count++] = service;
}

void module_configure(const struct wire_message *m)
{
    const struct wire_MODULE *from = &m->MODULE;
    if (from->module != guard_role->module_count || from->module >= MODULES_MAX)
        process_refuse(&guard_role->process, m, "module %u has a number that cannot be", from->module);
    struct module *module = calloc(1, sizeof *module);
    if (!module || !(module->name = strdup(from->name)) || !(module->pairs = pairs_keep(&from->options)))
        no_memory();
    module->base = (struct accord_instance){.process = &guard_role->process, .name = module->name};
    module->pair_count = from->options.count;
    module->from = from->from;
    module->until = from->until;
    guard_role->modules = grown(guard_role->modules, guard_role->module_count, sizeof(struct module *));
    guard_role->modules[guard_role->module_count++] = module;
}

/* ---- opening ---- */

static void fill(struct module *module)
{
    struct reason why = {""};
    if (!module->policy.options.table)
        return;
    if (conf_options_fill(&module->policy.options, module->pairs, module->pair_count, &module->options,
                          &why) < 0)
        process_die(&guard_role->process, "plugin.options", "policy %s: %s", module->name, why.text);
    module->setup.options = conf_options_struct(module->options);
}

static void find_policy(struct module *module)
{
    struct process *p = &guard_role->process;
    const struct accord_plugin *plugin = process_plugin(p, ACCORD_POLICY, module->name);
    if (!plugin)
        process_die(p, "plugin.missing", "policy module %s was not loaded", module->name);
    instance_vtable(&module->policy, sizeof module->policy, plugin->policy);
    if (!(module->policy.flags & ACCORD_READS_PAYLOAD) == guard_role->inspect)
        process_die(p, "plugin.missing", "policy module %s does not belong into this process", module->name);
}

static void open_one(struct module *module)
{
    struct process *p = &guard_role->process;
    struct reason why = {""};
    find_policy(module);
    module->setup = (struct accord_policy_setup){
        .agreement = p->setup->agreement,
        .module = module->name,
        .in_force_from = module->from,
        .in_force_until = module->until,
        .links = (const struct accord_policy_link *const *)guard_role->links,
        .link_count = guard_role->link_count,
        .services = (const struct accord_policy_service *const *)guard_role->services,
        .service_count = guard_role->service_count};
    fill(module);
    instance_enter(&module->base);
    if (module->policy.check && module->policy.check(&module->setup, why.text, sizeof why.text) < 0)
        process_die(p, "plugin.check", "policy %s: %s", module->name, why.text);
    module->state = calloc(1, module->policy.state_size + 1);
    if (!module->state)
        no_memory();
    int result = module->policy.open(module->state, &module->base, &guard_role->host, &module->setup,
                                     why.text, sizeof why.text);
    if (result < 0)
        process_die(p, "plugin.open", "policy %s cannot be opened: %s (%s)", module->name, why.text,
                    error_name(result));
    module->open = true;
}

void module_open_all(void)
{
    for (size_t i = 0; i < guard_role->module_count; i++)
        open_one(guard_role->modules[i]);
}

/* ---- the end ---- */

void module_close_all(void)
{
    for (size_t i = 0; i < guard_role->module_count; i++) {
        struct module *module = guard_role->modules[i];
        if (!module->open)
            continue;
        module->open = false;
        module->base.closing = true;
        instance_enter(&module->base);
        module->policy.close(module->state);
        loop_sweep(&module->base);
    }
}

void module_free_all(void)
{
    for (size_t i = 0; i < guard_role->module_count; i++) {
        struct module *module = guard_role->modules[i];
        conf_options_free(module->options);
        free(module->pairs);
        free(module->name);
        free(module->state);
        free(module);
    }
    for (size_t i = 0; i < guard_role->kept_count; i++)
        free(guard_role->kept[i]);
    free(guard_role->kept);
    free(guard_role->modules);
    free(guard_role->links);
    free(guard_role->services);
    free(guard_role->service_links);
}
