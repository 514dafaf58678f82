#include "stix_rules.h"

#include <stdio.h>
#include <string.h>

#include "stix_personal.h"
#include "stix_time.h"

#define REFUSE(r, spot, ...) stix_refuse((r)->fault, (spot), __VA_ARGS__)
#define BLANKS               " \t\r\n"

static bool listed(const struct accord_list *list, const char *value)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], value))
            return true;
    return false;
}

/* ---- the package ---- */

int stix_rule_root(const struct stix_rules *r, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    char quoted[STIX_QUOTE_MAX];
    if (strcmp(e->name.local, "STIX_Package"))
        return REFUSE(r, &spot, "root", "the root element is %s, expected STIX_Package",
                      stix_quote(quoted, e->name.local));
    if (strcmp(e->name.space, STIX_NS_CORE))
        return REFUSE(r, &spot, "root", "a STIX_Package of namespace %s, expected " STIX_NS_CORE,
                      stix_quote(quoted, e->name.space));
    return 0;
}

int stix_rule_version(const struct stix_rules *r, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    char quoted[STIX_QUOTE_MAX];
    const char *version = stix_attribute(e, "", "version");
    if (version && listed(&r->options->versions, version))
        return 0;
    return REFUSE(r, &spot, "version", "STIX version %s, expected %s%s (stix-versions)",
                  version ? stix_quote(quoted, version) : "is missing",
                  r->options->versions.count ? r->options->versions.items[0] : "none",
                  r->options->versions.count > 1 ? " or another one listed" : "");
}

/* PREFIX:TYPE-UNIQUE. True when TYPE and UNIQUE are there and of plain characters. */
static bool typed_id(const char *local)
{
    const char *dash = strchr(local, '-');
    size_t plain = strspn(local, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return dash && dash != local && dash[1] && !local[plain];
}

int stix_rule_id(const struct stix_rules *r, struct xml_reader *reader, const struct xml_element *e,
                 const char *id)
{
    struct stix_spot spot = stix_spot(e);
    char quoted[STIX_QUOTE_MAX], prefix[128] = "";
    if (!r->options->id)
        return 0;
    if (!id)
        return REFUSE(r, &spot, "id", "the package has no id; give it PREFIX:TYPE-UNIQUE, a new one each");
    id += strspn(id, BLANKS);
    size_t size = strcspn(id, ":");
    if (!id[size] || !size || size >= sizeof prefix || !typed_id(id + size + 1))
        return REFUSE(r, &spot, "id", "the id is %s, expected PREFIX:TYPE-UNIQUE", stix_quote(quoted, id));
    memcpy(prefix, id, size);
    if (!xml_namespace_of(reader, prefix))
        return REFUSE(r, &spot, "id", "the prefix of id %s is not declared; add xmlns for it",
                      stix_quote(quoted, id));
    return 0;
}

int stix_rule_package_time(const struct stix_rules *r, const struct xml_element *e, const char *text)
{
    struct stix_spot spot = stix_spot(e);
    struct stix_time time;
    if (r->options->timestamp == STIX_TIMESTAMP_NO)
        return 0;
    if (!text)
        return REFUSE(r, &spot, "timestamp", "the package has no timestamp");
    if (r->options->timestamp == STIX_TIMESTAMP_ZONE && stix_time_parse(text, &time) && !time.zone)
        return REFUSE(r, &spot, "timestamp", "the timestamp has no time zone; end it with Z or an offset");
    return 0;
}

int stix_rule_time(const struct stix_rules *r, const struct xml_element *e, const char *text)
{
    char quoted[STIX_QUOTE_MAX];
    struct stix_time time;
    if (!text)
        return 0;
    struct stix_spot spot = stix_spot(e);
    if (!stix_time_parse(text, &time))
        return REFUSE(r, &spot, "timestamp", "the timestamp is %s, expected one as 2026-01-31T23:59:59Z",
                      stix_quote(quoted, text));
    if (time.at > r->now + r->options->max_future * 1000)
        return REFUSE(r, &spot, "timestamp",
                      "the timestamp %s lies in the future; check the clock of who wrote it (max-future)",
                      stix_quote(quoted, text));
    return 0;
}

static bool is_allowed(const struct accord_list *list, const char *space)
{
    bool known = list->count == 0;
    for (size_t i = 0; !known && i < list->count; i++)
        known = !strncmp(space, list->items[i], strlen(list->items[i]));
    return known;
}

int stix_rule_namespace(const struct stix_rules *r, const struct xml_element *e)
{
    char quoted[STIX_QUOTE_MAX];
    if (stix_word(&e->name) & STIX_WORD_ALLOWED)
        return 0;
    if (is_allowed(&r->options->namespaces, e->name.space)) {
        *e->name.word |= STIX_WORD_ALLOWED;
        return 0;
    }
    struct stix_spot spot = stix_spot(e);
    return REFUSE(r, &spot, "namespace",
                  "an element of namespace %s, which is not of STIX 1 (stix-namespaces)",
                  stix_quote(quoted, e->name.space));
}

int stix_rule_type(const struct stix_rules *r, const struct xml_element *e, const char *value,
                   const struct stix_type *type)
{
    char quoted[STIX_QUOTE_MAX];
    if (!type->given || type->space)
        return 0;
    struct stix_spot spot = stix_spot(e);
    return REFUSE(r, &spot, "namespace", "the prefix of xsi:type %s is not declared",
                  stix_quote(quoted, value));
}

/* ---- what is in it ---- */

int stix_rule_container(const struct stix_rules *r, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    char quoted[STIX_QUOTE_MAX];
    if (!strcmp(e->name.space, STIX_NS_CORE) && listed(&r->options->containers, e->name.local))
        return 0;
    return REFUSE(r, &spot, "container", "%s may not stand in the package (stix-containers)%s",
                  stix_quote(quoted, e->name.local),
                  strcmp(e->name.local, "Observables") ? "" : "; put each observable into its indicator");
}

/* "http://cybox.mitre.org/objects#FileObject-2" and "FileObjectType": File. Empty: not such a name. */
static void object_name(const struct stix_type *type, char *to, size_t room)
{
    size_t before = strlen(STIX_NS_OBJECTS);
    to[0] = 0;
    if (!type->space || strncmp(type->space, STIX_NS_OBJECTS, before))
        return;
    const char *name = type->space + before, *end = strstr(name, "Object-");
    size_t local = strlen(type->local), suffix = strlen("ObjectType");
    if (!end || end == name || (size_t)(end - name) >= room || end[7 + strspn(end + 7, "0123456789.")] ||
        local <= suffix || strcmp(type->local + local - suffix, "ObjectType"))
        return;
    memcpy(to, name, (size_t)(end - name));
    to[end - name] = 0;
}

int stix_rule_object(const struct stix_rules *r, const struct xml_element *e, const struct stix_type *type)
{
    char name[64], quoted[STIX_QUOTE_MAX];
    if (!r->options->objects.count)
        return 0;
    object_name(type, name, sizeof name);
    if (*name && listed(&r->options->objects, name))
        return 0;
    struct stix_spot spot = stix_spot(e);
    if (!type->given)
        return REFUSE(r, &spot, "object", "an object without xsi:type, so nobody can say what it is");
    return REFUSE(r, &spot, "object",
                  "an object of type %s, which the agreement does not provide for (stix-objects)",
                  stix_quote(quoted, *name ? name : type->local));
}

int stix_rule_intent_type(const struct stix_rules *r, const struct xml_element *e,
                          const struct stix_type *type)
{
    struct stix_spot spot = stix_spot(e);
    if (!r->options->intents.count)
        return 0;
    if (stix_type_is(type, STIX_NS_VOCABS, "PackageIntentVocab-1.0"))
        return 0;
    return REFUSE(r, &spot, "intent",
                  "a Package_Intent without xsi:type PackageIntentVocab-1.0 of the default vocabularies");
}

int stix_rule_intent(const struct stix_rules *r, const struct stix_spot *spot, const char *text)
{
    char quoted[STIX_QUOTE_MAX], value[128];
    text += strspn(text, BLANKS);
    size_t size = strlen(text);
    while (size && strchr(BLANKS, text[size - 1]))
        size--;
    snprintf(value, sizeof value, "%.*s", (int)(size < sizeof value ? size : sizeof value - 1), text);
    if (!r->options->intents.count || listed(&r->options->intents, value))
        return 0;
    return REFUSE(r, spot, "intent", "the Package_Intent is %s, which is not on the list (package-intents)",
                  stix_quote(quoted, value));
}

int stix_rule_personal(const struct stix_rules *r, const struct stix_spot *spot, const char *text)
{
    size_t at;
    const char *found = r->options->personal == STIX_PERSONAL_DENY ? stix_personal_find(text, &at) : NULL;
    if (!found)
        return 0;
    return REFUSE(r, spot, "personal-data",
                  "%s stands in free text, at its byte %zu; take it out, or have an operator release the "
                  "message if it is needed to understand the threat",
                  found, at + 1);
}
