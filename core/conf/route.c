#include "conf/draft.h"

#include <string.h>

#include "conf/names.h"

/* Where a route is written. */
struct end {
    const struct draft *draft;
    const struct conf_service *service;
    const char *key; /* from, to */
    int line;
};

static void report_agreement(struct drafting *drafting, const struct checking *check, int line,
                             const char *key, const char *agreement)
{
    struct names names = {0};
    char hint[300];
    for (size_t i = 0; i < drafting->count; i++)
        if (drafting->drafts[i].agreement->name[0])
            names_add(&names, drafting->drafts[i].agreement->name);
    names_hint(&names, agreement, hint, sizeof hint);
    check_error(check, line, "%s: there is no file %s.conf; %s", key, agreement, hint);
}

static void report_service(const struct checking *check, const struct end *end, const struct draft *other,
                           const struct conf_agreement *agreement, const char *service)
{
    enum accord_direction direction = end->service->direction == ACCORD_SEND ? ACCORD_RECEIVE : ACCORD_SEND;
    const char *which = agreement == other->running ? " as it runs; that file has mistakes now" : "";
    struct names names = {0};
    char hint[300];
    for (size_t i = 0; i < agreement->service_count; i++)
        if (agreement->services[i].direction == direction)
            names_add(&names, agreement->services[i].name);
    names_hint(&names, service, hint, sizeof hint);
    check_error(check, end->line, "%s: there is no [service %s] in %s.conf%s; %s", end->key, service,
                agreement->name, which, hint);
}

static bool released(const struct conf_agreement *source, const char *type, const char *destination)
{
    for (size_t i = 0; i < source->release_count; i++)
        if (!strcmp(source->releases[i].service, type) && !strcmp(source->releases[i].agreement, destination))
            return true;
    return false;
}

/* Both ends are there and go the right ways. */
static void check_flow(const struct checking *check, const struct end *end,
                       const struct conf_agreement *source, const struct conf_service *from,
                       const struct conf_agreement *destination, const struct conf_service *to)
{
    if (from->type && to->type && strcmp(from->type->name, to->type->name) != 0)
        check_error(check, end->line,
                    "%s: %s/%s receives `%s`, and %s/%s sends `%s`; both ends of a route carry the "
                    "same type",
                    end->key, source->name, from->name, from->type->name, destination->name, to->name,
                    to->type->name);
    else if (from->type && source != destination && !source->is_site && !destination->is_site &&
             !released(source, from->type->name, destination->name))
        check_error(check, end->line,
                    "%s: `%s` received under %s may not go to %s: %s.conf does not release it "
                    "([release %s] with to = %s)",
                    end->key, from->type->name, source->name, destination->name, source->name,
                    from->type->name, destination->name);
}

static void check_route(struct drafting *drafting, const struct end *end, const struct conf_route *route)
{
    struct checking check = draft_checking(drafting, end->draft);
    const struct draft *other = draft_find(drafting, route->agreement);
    bool other_receives = end->service->direction == ACCORD_SEND;
    if (!other) {
        report_agreement(drafting, &check, end->line, end->key, route->agreement);
        return;
    }
    const struct conf_agreement *there = other == end->draft ? other->agreement : draft_version(other);
    const struct conf_service *service = conf_service_find(there, route->service);
    if (!service) {
        /* In a file with errors of its own the section may be one of them. */
        if (!other->damaged || other == end->draft || there == other->running)
            report_service(&check, end, other, there, route->service);
        return;
    }
    if (!service->direction || !end->service->direction)
        return;
    if ((service->direction == ACCORD_RECEIVE) != other_receives) {
        check_error(&check, end->line, "%s: %s/%s %s; `%s` names %s services", end->key, route->agreement,
                    route->service, other_receives ? "sends" : "receives", end->key,
                    other_receives ? "receiving" : "sending");
        return;
    }
    if (other_receives)
        check_flow(&check, end, there, service, end->draft->agreement, end->service);
    else
        check_flow(&check, end, end->draft->agreement, end->service, there, service);
}

static void check_releases(struct drafting *drafting, const struct draft *draft)
{
    struct checking check = draft_checking(drafting, draft);
    const struct conf_agreement *agreement = draft->agreement;
    for (size_t i = 0; i < agreement->release_count; i++) {
        const struct conf_route *release = &agreement->releases[i];
        const struct conf_section *section = conf_file_section(&draft->file, "release", release->service);
        if (!draft_find(drafting, release->agreement))
            report_agreement(drafting, &check, conf_section_line(section, "to"), "to", release->agreement);
    }
}

static struct end make_end(const struct draft *draft, const struct conf_service *service, const char *key)
{
    const struct conf_section *section = conf_file_section(&draft->file, "service", service->name);
    return (struct end){
        .draft = draft, .service = service, .key = key, .line = conf_section_line(section, key)};
}

void draft_check_routes(struct drafting *drafting, const struct draft *draft)
{
    for (size_t i = 0; i < draft->agreement->service_count; i++) {
        const struct conf_service *service = &draft->agreement->services[i];
        /* Routes in the wrong kind of service have been reported; what they name does not matter. */
        struct end from = make_end(draft, service, "from"), to = make_end(draft, service, "to");
        for (size_t j = 0; j < service->from_count && service->direction != ACCORD_RECEIVE; j++)
            check_route(drafting, &from, &service->from[j]);
        for (size_t j = 0; j < service->to_count && service->direction != ACCORD_SEND; j++)
            check_route(drafting, &to, &service->to[j]);
    }
    check_releases(drafting, draft);
}

/* ---- routes to agreements that are left out ---- */

static void prune(struct drafting *drafting, const struct end *end, struct conf_route *routes, size_t *count)
{
    struct checking check = draft_checking(drafting, end->draft);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        const struct draft *other = draft_find(drafting, routes[i].agreement);
        if (other && other->choice != DRAFT_OUT)
            routes[kept++] = routes[i];
        else
            check_note(&check, end->line, "%s: the route with %s/%s is out of use until %s.conf is corrected",
                       end->key, routes[i].agreement, routes[i].service, routes[i].agreement);
    }
    *count = kept;
}

void draft_prune_routes(struct drafting *drafting, const struct draft *draft)
{
    for (size_t i = 0; i < draft->agreement->service_count; i++) {
        struct conf_service *service = &draft->agreement->services[i];
        struct end from = make_end(draft, service, "from"), to = make_end(draft, service, "to");
        prune(drafting, &from, service->from, &service->from_count);
        prune(drafting, &to, service->to, &service->to_count);
    }
}

/* ---- the result ---- */

static bool lists(const struct conf_route *routes, size_t count, const char *agreement, const char *service)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(routes[i].agreement, agreement) && !strcmp(routes[i].service, service))
            return true;
    return false;
}

void conf_routes(const struct conf *conf, const struct conf_agreement *source,
                 const struct conf_service *from,
                 void (*each)(void *arg, const struct conf_agreement *, const struct conf_service *),
                 void *arg)
{
    if (from->direction != ACCORD_RECEIVE)
        return;
    for (size_t i = 0; i < conf->agreement_count; i++) {
        const struct conf_agreement *agreement = conf->agreements[i];
        for (size_t j = 0; j < agreement->service_count; j++) {
            const struct conf_service *service = &agreement->services[j];
            if (service->direction == ACCORD_SEND &&
                (lists(from->to, from->to_count, agreement->name, service->name) ||
                 lists(service->from, service->from_count, source->name, from->name)))
                each(arg, agreement, service);
        }
    }
}
