/* Whether two versions of an agreement run alike. */
#include <string.h>

#include "conf/conf.h"

static bool same_text(const char *a, const char *b)
{
    return !strcmp(a, b);
}

static bool same_pairs(const struct accord_pair *a, size_t a_count, const struct accord_pair *b,
                       size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!same_text(a[i].name, b[i].name) || !same_text(a[i].value, b[i].value))
            return false;
    return true;
}

static bool same_routes(const struct conf_route *a, size_t a_count, const struct conf_route *b,
                        size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!same_text(a[i].agreement, b[i].agreement) || !same_text(a[i].service, b[i].service))
            return false;
    return true;
}

/* Their options come from the file and the plugin's table, which are the same. */
static bool same_links(const struct conf_agreement *a, const struct conf_agreement *b)
{
    if (a->link_count != b->link_count)
        return false;
    for (size_t i = 0; i < a->link_count; i++)
        if (!same_text(a->links[i].connector->sha256, b->links[i].connector->sha256))
            return false;
    return true;
}

static bool same_policies(const struct conf_agreement *a, const struct conf_agreement *b)
{
    if (a->policy_count != b->policy_count)
        return false;
    for (size_t i = 0; i < a->policy_count; i++) {
        const struct conf_policy *left = &a->policies[i], *right = &b->policies[i];
        if (!same_text(left->module->sha256, right->module->sha256) ||
            !same_pairs(left->options, left->option_count, right->options, right->option_count))
            return false;
    }
    return true;
}

/* What agent.conf and the other files have a say in. */
static bool same_services(const struct conf_agreement *a, const struct conf_agreement *b)
{
    if (a->service_count != b->service_count)
        return false;
    for (size_t i = 0; i < a->service_count; i++) {
        const struct conf_service *left = &a->services[i], *right = &b->services[i];
        if (left->max_size != right->max_size || !same_text(left->type->name, right->type->name) ||
            !same_text(left->type->media, right->type->media) ||
            !same_routes(left->from, left->from_count, right->from, right->from_count) ||
            !same_routes(left->to, left->to_count, right->to, right->to_count))
            return false;
    }
    return true;
}

bool conf_same(const struct conf_agreement *a, const struct conf_agreement *b)
{
    return same_text(a->sha256, b->sha256) && a->online_retention == b->online_retention &&
           a->archive_retention == b->archive_retention && same_links(a, b) && same_policies(a, b) &&
           same_services(a, b);
}
