#include "conf/draft.h"

#include <arpa/inet.h>
#include <string.h>

#include "conf/names.h"
#include "util/text.h"

static bool is_address(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int take_endpoint(struct drafting *drafting, struct draft *draft, const struct conf_section *section)
{
    struct checking check = draft_checking(drafting, draft);
    struct form_endpoint form = {0};
    struct conf_endpoint *endpoint = &draft->agreement->endpoints[draft->agreement->endpoint_count++];
    section_take(&check, schema_find("endpoint"), section, NULL, false, &form);
    if (form.source_address && !is_address(form.source_address))
        check_error(&check, conf_section_line(section, "source-address"),
                    "source-address: `%s` is not an IP address of this host", form.source_address);
    text_copy(endpoint->name, sizeof endpoint->name, section->name);
    text_copy(endpoint->host, sizeof endpoint->host, form.host ? form.host : "");
    text_copy(endpoint->source_address, sizeof endpoint->source_address,
              form.source_address ? form.source_address : "");
    endpoint->port = form.port;
    endpoint->tunnel = (enum conf_tunnel)form.tunnel; /* the choices stand in the enum's order */
    endpoint->connect_timeout = form.connect_timeout;
    return 0;
}

/* ---- [link X] ---- */

static const struct conf_plugin *find_connector(struct drafting *drafting, const struct checking *check,
                                                const struct conf_section *section)
{
    const struct conf_entry *entry = conf_section_entry(section, "connector");
    struct names names = {0};
    char hint[300];
    if (!entry) /* section_take() reports it */
        return NULL;
    const struct conf_plugin *plugin = conf_plugin_find(drafting->plugins, ACCORD_CONNECTOR, entry->value);
    for (size_t i = 0; i < drafting->plugins->count; i++)
        if (drafting->plugins->items[i].kind == ACCORD_CONNECTOR)
            names_add(&names, drafting->plugins->items[i].name);
    names_hint(&names, entry->value, hint, sizeof hint);
    if (!plugin && entry->value[0])
        check_error(check, entry->line, "connector: there is no connector `%.64s` in the plugin folder; %s",
                    entry->value, hint);
    return plugin;
}

static const struct conf_endpoint *find_endpoint(const struct conf_agreement *agreement, const char *name,
                                                 struct names *names)
{
    const struct conf_endpoint *found = NULL;
    for (size_t i = 0; i < agreement->endpoint_count; i++) {
        names_add(names, agreement->endpoints[i].name);
        if (!strcmp(agreement->endpoints[i].name, name))
            found = &agreement->endpoints[i];
    }
    return found;
}

static void set_endpoint(const struct checking *check, const struct conf_section *section,
                         const struct conf_agreement *agreement, const char *name, struct conf_link *link)
{
    struct names names = {0};
    char hint[300];
    if (name)
        link->endpoint = find_endpoint(agreement, name, &names);
    names_hint(&names, name ? name : "", hint, sizeof hint);
    if (name && !link->endpoint)
        check_error(check, conf_section_line(section, "endpoint"), "endpoint: there is no [endpoint %s]; %s",
                    name, hint);
    if (!link->connector)
        return;
    bool dials = link->connector->flags & ACCORD_DIALS;
    if (name && !dials)
        check_error(check, conf_section_line(section, "endpoint"),
                    "endpoint: the connector `%s` does not connect to anything, so this link cannot have an "
                    "endpoint; remove the line",
                    link->connector->name);
    if (dials && !conf_section_entry(section, "endpoint"))
        check_error(check, section->line,
                    "[link %s] lacks the key `endpoint`: the connector `%s` must be told which "
                    "[endpoint] to connect to",
                    section->name, link->connector->name);
}

static int take_link(struct drafting *drafting, struct draft *draft, const struct conf_section *section)
{
    struct checking check = draft_checking(drafting, draft);
    struct conf_link *link = &draft->agreement->links[draft->agreement->link_count++];
    struct form_link form = {0};
    text_copy(link->name, sizeof link->name, section->name);
    link->connector = find_connector(drafting, &check, section);
    const struct accord_option *table = link->connector ? link->connector->options : NULL;
    section_take(&check, schema_find("link"), section, table, !link->connector, &form);
    set_endpoint(&check, section, draft->agreement, form.endpoint, link);
    draft_check_secrets(drafting, draft, section, table);
    return section_pairs(drafting->arena, section, table, &link->options, &link->option_count);
}

/* ---- [service X] ---- */

static const struct conf_link *find_link(const struct checking *check, const struct conf_section *section,
                                         const struct conf_agreement *agreement)
{
    const struct conf_entry *entry = conf_section_entry(section, "link");
    struct names names = {0};
    char hint[300];
    for (size_t i = 0; entry && i < agreement->link_count; i++) {
        names_add(&names, agreement->links[i].name);
        if (!strcmp(agreement->links[i].name, entry->value))
            return &agreement->links[i];
    }
    names_hint(&names, entry ? entry->value : "", hint, sizeof hint);
    if (entry && entry->value[0])
        check_error(check, entry->line, "link: there is no [link %.64s]; %s", entry->value, hint);
    return NULL;
}

static const struct conf_type *find_type(const struct checking *check, const struct conf_section *section,
                                         const struct conf_agent *agent, const char *name)
{
    struct names names = {0};
    char hint[300];
    const struct conf_type *type = name ? conf_type_find(agent, name) : NULL;
    if (type || !name)
        return type;
    for (size_t i = 0; i < agent->type_count; i++)
        names_add(&names, agent->types[i].name);
    names_hint(&names, name, hint, sizeof hint);
    check_error(check, conf_section_line(section, "type"), "type: there is no message type `%s`; %s", name,
                hint);
    return NULL;
}

/* Keys of `table` that mean nothing in this direction. */
static void check_keys_of_direction(const struct checking *check, const struct conf_section *section,
                                    const struct accord_option *table, bool sends)
{
    for (; table && table->name; table++) {
        const struct conf_entry *entry = conf_section_entry(section, table->name);
        const char *instead = !strcmp(table->name, "from") ? "; where its messages go is written as `to`"
                              : !strcmp(table->name, "to")
                                  ? "; where its messages come from is written as `from`"
                                  : "";
        if (entry && (table->flags & (sends ? ACCORD_WHEN_RECEIVING : ACCORD_WHEN_SENDING)))
            check_error(check, entry->line, "`%s` belongs to %s services, and this one %s%s", table->name,
                        sends ? "receiving" : "sending", sends ? "sends" : "receives", instead);
    }
}

static void check_direction(const struct checking *check, const struct conf_section *section,
                            const struct conf_service *service)
{
    bool sends = service->direction == ACCORD_SEND;
    const struct conf_plugin *connector = service->link ? service->link->connector : NULL;
    if (connector && !(connector->flags & (sends ? ACCORD_CAN_SEND : ACCORD_CAN_RECEIVE)))
        check_error(check, conf_section_line(section, "direction"),
                    "direction: the connector `%s` of [link %s] cannot %s", connector->name,
                    service->link->name, sends ? "send" : "receive");
    check_keys_of_direction(check, section, schema_find("service")->table, sends);
    check_keys_of_direction(check, section, connector ? connector->service_options : NULL, sends);
}

/* "AGREEMENT/SERVICE" */
static bool parse_route(const char *text, struct conf_route *route)
{
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : 0;
    if (!slash || size >= sizeof route->agreement || strlen(slash + 1) >= sizeof route->service)
        return false;
    memcpy(route->agreement, text, size);
    route->agreement[size] = 0;
    text_copy(route->service, sizeof route->service, slash + 1);
    return text_is_name(route->agreement, CONF_NAME_MAX - 1) &&
           text_is_name(route->service, CONF_NAME_MAX - 1);
}

static int take_routes(struct drafting *drafting, const struct checking *check, int line, const char *key,
                       const struct accord_list *list, struct conf_route **routes, size_t *count)
{
    *routes = arena_array(drafting->arena, list->count, sizeof **routes);
    if (!*routes)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < list->count; i++) {
        if (parse_route(list->items[i], &(*routes)[*count]))
            (*count)++;
        else
            check_error(check, line, "%s: `%.128s` is not AGREEMENT/SERVICE, such as site/stow-plans", key,
                        list->items[i]);
    }
    return 0;
}

static void set_limits(const struct checking *check, const struct conf_section *section,
                       const struct form_service *form, struct conf_service *service)
{
    service->max_size = form->max_size ? form->max_size : service->type ? service->type->max_size : 0;
    text_copy(service->names, sizeof service->names, form->names ? form->names : "");
    service->rate = form->rate;
    service->retry_first = form->retry_first;
    service->retry_longest = form->retry_longest;
    service->retry_for = form->retry_for;
    service->delivery_timeout = form->delivery_timeout;
    service->retry_attempts = form->retry_attempts;
    service->resend_uncertain = form->on_uncertain == FORM_RESEND;
    service->ordered = form->ordered;
    service->skip_dead = form->on_dead == FORM_DEAD_IS_SKIPPED;
    service->expect_response = form->expect_response;
    if (conf_section_entry(section, "on-dead") && !form->ordered)
        check_error(check, conf_section_line(section, "on-dead"),
                    "on-dead belongs to ordered services; write ordered = yes, or leave it out");
    if (form->retry_longest && form->retry_longest < form->retry_first)
        check_error(check, conf_section_line(section, "retry-longest"),
                    "retry-longest is shorter than retry-first; waits grow from the first to the longest");
    if (form->names && strchr(form->names, '/'))
        check_error(check, conf_section_line(section, "names"),
                    "names: `%s` has a slash, and names of messages have none", form->names);
}

static int take_service(struct drafting *drafting, struct draft *draft, const struct conf_section *section)
{
    struct checking check = draft_checking(drafting, draft);
    struct conf_service *service = &draft->agreement->services[draft->agreement->service_count++];
    struct form_service form = {0};
    form.direction = -1;
    text_copy(service->name, sizeof service->name, section->name);
    service->link = find_link(&check, section, draft->agreement);
    bool known = service->link && service->link->connector;
    const struct accord_option *table = known ? service->link->connector->service_options : NULL;
    section_take(&check, schema_find("service"), section, table, !known, &form);
    service->type = find_type(&check, section, drafting->agent, form.type);
    if (form.direction >= 0) {
        service->direction = form.direction == FORM_SEND ? ACCORD_SEND : ACCORD_RECEIVE;
        check_direction(&check, section, service);
    }
    set_limits(&check, section, &form, service);
    draft_check_secrets(drafting, draft, section, table);
    int result = take_routes(drafting, &check, conf_section_line(section, "from"), "from", &form.from,
                             &service->from, &service->from_count);
    if (!result)
        result = take_routes(drafting, &check, conf_section_line(section, "to"), "to", &form.to, &service->to,
                             &service->to_count);
    return result ? result
                  : section_pairs(drafting->arena, section, table, &service->options, &service->option_count);
}

/* After all services are known: what each of them answers. */
static int take_correlation(struct drafting *drafting, struct draft *draft,
                            const struct conf_section *section)
{
    const struct checking check = draft_checking(drafting, draft);
    const struct conf_entry *entry = conf_section_entry(section, "correlates");
    struct conf_agreement *agreement = draft->agreement;
    struct names names = {0};
    char hint[300];
    struct conf_service *of = NULL, *answered = NULL;
    for (size_t i = 0; entry && i < agreement->service_count; i++) {
        struct conf_service *service = &agreement->services[i];
        if (!strcmp(service->name, section->name))
            of = service;
        if (service->direction != ACCORD_SEND)
            continue;
        names_add(&names, service->name);
        if (!strcmp(service->name, entry->value))
            answered = service;
    }
    if (!entry || !of)
        return 0;
    of->correlates = answered;
    names_hint(&names, entry->value, hint, sizeof hint);
    if (!answered)
        check_error(&check, entry->line, "correlates: there is no sending [service %.64s] in this file; %s",
                    entry->value, hint);
    return 0;
}

int draft_build_links(struct drafting *drafting, struct draft *draft)
{
    struct conf_agreement *agreement = draft->agreement;
    struct arena *arena = drafting->arena;
    agreement->endpoints = arena_array(arena, draft_count(draft, "endpoint"), sizeof *agreement->endpoints);
    agreement->links = arena_array(arena, draft_count(draft, "link"), sizeof *agreement->links);
    agreement->services = arena_array(arena, draft_count(draft, "service"), sizeof *agreement->services);
    if (!agreement->endpoints || !agreement->links || !agreement->services)
        return ACCORD_ENOMEM;
    int result = draft_each(drafting, draft, "endpoint", take_endpoint);
    if (!result)
        result = draft_each(drafting, draft, "link", take_link);
    if (!result)
        result = draft_each(drafting, draft, "service", take_service);
    return result ? result : draft_each(drafting, draft, "service", take_correlation);
}
