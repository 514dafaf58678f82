#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"
#include "host/loop.h"
#include "link/role.h"

#define LINKS_MAX    256
#define SERVICES_MAX 4096

/* ---- configuration, as the hub tells it ---- */

/* Copies texts into one allocation; the first is its start. */
static char *keep_texts(const char *const *texts, size_t count, const char **to)
{
    size_t room = 0;
    for (size_t i = 0; i < count; i++)
        room += strlen(texts[i]) + 1;
    char *all = malloc(room), *at = all;
    for (size_t i = 0; all && i < count; i++) {
        to[i] = strcpy(at, texts[i]);
        at += strlen(at) + 1;
    }
    return all;
}

static _Noreturn void no_memory(void)
{
    process_die(&link_role->process, "hub.memory", "out of memory while links are opened");
}

static void *grown(void *items, size_t count, size_t size)
{
    void *more = realloc(items, (count + 1) * size);
    if (!more)
        no_memory();
    return more;
}

void link_configure(const struct wire_message *m)
{
    const struct wire_LINK *from = &m->LINK;
    if (from->link != link_role->link_count || from->link >= LINKS_MAX || from->port > 65535)
        process_refuse(&link_role->process, m, "link %u has a number or port that cannot be", from->link);
    struct link *link = calloc(1, sizeof *link);
    const char *texts[] = {from->name, from->connector, from->host};
    const char *kept[3];
    if (!link || !(link->texts = keep_texts(texts, 3, kept)) || !(link->pairs = pairs_keep(&from->options)))
        no_memory();
    link->base = (struct accord_instance){.process = &link_role->process, .name = kept[0]};
    link->id = from->link;
    link->connector_name = kept[1];
    link->pair_count = from->options.count;
    link->setup.agreement = link_role->process.setup->agreement;
    link->setup.name = kept[0];
    link->setup.endpoint_host = kept[2][0] ? kept[2] : NULL;
    link->setup.endpoint_port = from->port;
    link_role->links = grown(link_role->links, link_role->link_count, sizeof *link_role->links);
    link_role->links[link_role->link_count++] = link;
}

void link_configure_service(const struct wire_message *m)
{
    const struct wire_SERVICE *from = &m->SERVICE;
    if (from->service != link_role->service_count || from->service >= SERVICES_MAX ||
        from->link >= link_role->link_count)
        process_refuse(&link_role->process, m, "service %u of link %u has a number that cannot be",
                       from->service, from->link);
    if (from->direction != ACCORD_SEND && from->direction != ACCORD_RECEIVE)
        process_refuse(&link_role->process, m, "service %s has direction %u", from->name, from->direction);
    struct link *link = link_role->links[from->link];
    const char *texts[] = {from->name, from->type};
    const char *kept[2];
    struct link_service service = {
        .link = link, .index = link->service_count, .pair_count = from->options.count};
    if (!(service.texts = keep_texts(texts, 2, kept)) || !(service.pairs = pairs_keep(&from->options)))
        no_memory();
    struct accord_service *told = malloc(sizeof *told);
    if (!told)
        no_memory();
    *told = (struct accord_service){.cursor = "",
                                    .name = kept[0],
                                    .type = kept[1],
                                    .direction = from->direction,
                                    .max_size = from->max_size};
    link->services = grown(link->services, link->service_count, sizeof *link->services);
    link->services[link->service_count++] = told;
    link_role->services = grown(link_role->services, link_role->service_count, sizeof *link_role->services);
    link_role->services[link_role->service_count++] = service;
}

void link_configure_cursor(const struct wire_message *m)
{
    const struct wire_CURSOR *from = &m->CURSOR;
    struct link_service *service =
        from->service < link_role->service_count ? &link_role->services[from->service] : NULL;
    if (!service || service->cursor)
        process_refuse(&link_role->process, m, "service %u is not there, or has a cursor", from->service);
    service->cursor = strdup(from->value);
    if (!service->cursor)
        no_memory();
    service->link->services[service->index]->cursor = service->cursor;
}

/* ---- opening ---- */

static const void *fill(const struct link *link, const char *what, const struct accord_options *table,
                        const struct accord_pair *pairs, size_t count, struct conf_options **out)
{
    struct reason why = {""};
    if (!table->table)
        return NULL;
    if (conf_options_fill(table, pairs, count, out, &why) < 0)
        process_die(&link_role->process, "plugin.options", "link %s: options of %s: %s", link->base.name,
                    what, why.text);
    return conf_options_struct(*out);
}

static void fill_all(struct link *link)
{
    link->setup.options =
        fill(link, "the link", &link->connector.link_options, link->pairs, link->pair_count, &link->options);
    for (size_t i = 0; i < link_role->service_count; i++) {
        struct link_service *service = &link_role->services[i];
        if (service->link != link)
            continue;
        struct accord_service *to = link->services[service->index];
        to->options = fill(link, to->name, &link->connector.service_options, service->pairs,
                           service->pair_count, &service->options);
    }
    link->setup.services = (const struct accord_service *const *)link->services;
    link->setup.service_count = link->service_count;
}

static void open_one(struct link *link)
{
    struct process *p = &link_role->process;
    const struct accord_plugin *plugin = process_plugin(p, ACCORD_CONNECTOR, link->connector_name);
    if (!plugin)
        process_die(p, "plugin.missing", "link %s: connector %s was not loaded", link->base.name,
                    link->connector_name);
    instance_vtable(&link->connector, sizeof link->connector, plugin->connector);
    fill_all(link);
    instance_enter(&link->base);
    struct reason why = {""};
    if (link->connector.check && link->connector.check(&link->setup, why.text, sizeof why.text) < 0)
        process_die(p, "plugin.check", "link %s: %s", link->base.name, why.text);
    link->state = calloc(1, link->connector.state_size + 1);
    if (!link->state)
        no_memory();
    int result = link->connector.open(link->state, &link->base, &link_role->host, &link->setup, why.text,
                                      sizeof why.text);
    if (result < 0)
        process_die(p, "plugin.open", "link %s cannot be opened: %s (%s)", link->base.name, why.text,
                    error_name(result));
    link->open = true;
}

void link_open_all(void)
{
    for (size_t i = 0; i < link_role->link_count; i++)
        open_one(link_role->links[i]);
}

/* ---- the end ---- */

void link_close_all(void)
{
    for (size_t i = 0; i < link_role->link_count; i++) {
        struct link *link = link_role->links[i];
        if (!link->open)
            continue;
        link->open = false;
        link->base.closing = true;
        instance_enter(&link->base);
        link->connector.close(link->state);
        loop_sweep(&link->base);
    }
}

void link_free_all(void)
{
    for (size_t i = 0; i < link_role->service_count; i++) {
        struct link_service *service = &link_role->services[i];
        conf_options_free(service->options);
        free(service->pairs);
        free(service->texts);
        free(service->cursor);
    }
    for (size_t i = 0; i < link_role->link_count; i++) {
        struct link *link = link_role->links[i];
        conf_options_free(link->options);
        for (size_t j = 0; j < link->service_count; j++)
            free(link->services[j]);
        free(link->services);
        free(link->pairs);
        free(link->texts);
        free(link->state);
        free(link);
    }
    free(link_role->services);
    free(link_role->links);
}
