#include "stix_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stix_compile.h"

#define NAMES_MAX (1 << 20) /* bytes of distinct names in one package */
#define DEPTH_MAX 256       /* libxml2's own limit (xml.h) */

struct stix_schema {
    struct stix_schema *next;
    int users;
    char *folder, *driver; /* as given */
    xmlSchemaPtr compiled;
};

struct stix_check {
    const struct stix_schema *schema;
    xmlSchemaValidCtxtPtr context;
    xmlSchemaSAXPlugPtr plug;
    xmlSAXHandlerPtr sax;
    void *sax_arg;
    xmlDictPtr names; /* the validator keeps pointers to names while their element is open */
    struct {
        const xmlChar *local, *space;
    } open[DEPTH_MAX];
    size_t depth;
    struct stix_spot spot;
    struct stix_fault *fault;
    bool failed;
    const xmlChar **pointers; /* of one start tag */
    size_t room;
};

static struct stix_schema *opened; /* all that this process has compiled */

int stix_schema_open(const char *folder, const char *driver, struct stix_schema **to, char *why,
                     size_t why_size)
{
    for (struct stix_schema *s = opened; s; s = s->next)
        if (!strcmp(s->folder, folder) && !strcmp(s->driver, driver)) {
            s->users++;
            *to = s;
            return 0;
        }
    struct stix_schema *schema = calloc(1, sizeof *schema);
    int result = ACCORD_ENOMEM;
    snprintf(why, why_size, "out of memory");
    if (!schema || !(schema->folder = strdup(folder)) || !(schema->driver = strdup(driver)))
        goto out;
    result = ACCORD_EINVAL;
    schema->compiled = stix_compile(folder, driver, why, why_size);
    if (!schema->compiled)
        goto out;
    schema->users = 1;
    schema->next = opened;
    opened = *to = schema;
    schema = NULL;
    result = 0;
out:
    if (schema) {
        free(schema->folder);
        free(schema->driver);
    }
    free(schema);
    return result;
}

void stix_schema_close(struct stix_schema *schema)
{
    if (!schema || --schema->users)
        return;
    struct stix_schema **at = &opened;
    while (*at != schema)
        at = &(*at)->next;
    *at = schema->next;
    xmlSchemaFree(schema->compiled);
    free(schema->folder);
    free(schema->driver);
    free(schema);
}

/* ---- checking ---- */

/* "Element '{http://...}Indicator': ..." without the namespaces, which make it unreadable. */
static void shorten(char *to, size_t room, const char *message)
{
    size_t used = 0;
    for (; *message && *message != '\n' && used + 1 < room; message++) {
        const char *end = *message == '{' && used && to[used - 1] == '\'' ? strchr(message, '}') : NULL;
        if (end)
            message = end;
        else
            to[used++] = *message >= 0x20 && *message < 0x7f ? *message : '?';
    }
    to[used] = 0;
}

static void check_error(void *arg, xmlErrorPtr error)
{
    struct stix_check *check = arg;
    char says[280];
    if (check->failed || error->level < XML_ERR_ERROR)
        return;
    check->failed = true;
    shorten(says, sizeof says, error->message ? error->message : "");
    stix_refuse(check->fault, &check->spot, "schema", "%s says: %s", check->schema->driver, says);
}

static void end_open(struct stix_check *check)
{
    check->depth--;
    check->sax->endElementNs(check->sax_arg, check->open[check->depth].local, NULL,
                             check->open[check->depth].space);
}

struct stix_check *stix_check_new(const struct stix_schema *schema)
{
    struct stix_check *check = calloc(1, sizeof *check);
    if (!check)
        return NULL;
    check->schema = schema;
    check->names = xmlDictCreate();
    check->context = xmlSchemaNewValidCtxt(schema->compiled);
    if (check->names && check->context) {
        xmlDictSetLimit(check->names, NAMES_MAX);
        xmlSchemaSetValidStructuredErrors(check->context, check_error, check);
        check->plug = xmlSchemaSAXPlug(check->context, &check->sax, &check->sax_arg);
    }
    if (check->plug)
        return check;
    stix_check_free(check);
    return NULL;
}

void stix_check_free(struct stix_check *check)
{
    if (!check)
        return;
    /* Given up in mid-package: libxml2 2.9.14 loses what it holds for elements that were not ended. */
    check->failed = true;
    while (check->plug && check->depth)
        end_open(check);
    if (check->plug)
        xmlSchemaSAXUnplug(check->plug);
    if (check->context)
        xmlSchemaFreeValidCtxt(check->context);
    if (check->names)
        xmlDictFree(check->names);
    free(check->pointers);
    free(check);
}

static bool make_room(struct stix_check *check, size_t count)
{
    if (count <= check->room)
        return true;
    const xmlChar **larger = realloc(check->pointers, count * sizeof *larger);
    if (!larger)
        return false;
    check->pointers = larger;
    check->room = count;
    return true;
}

/* NULL for "", as libxml2 has it. */
static const xmlChar *keep(struct stix_check *check, const char *name, bool *full)
{
    const xmlChar *kept = *name ? xmlDictLookup(check->names, BAD_CAST name, -1) : NULL;
    *full = *full || (*name && !kept);
    return kept;
}

static int answer(const struct stix_check *check)
{
    return check->failed ? ACCORD_EFORMAT : 0;
}

int stix_check_start(struct stix_check *check, const struct xml_element *e, struct stix_fault *fault)
{
    size_t spaces = 2 * e->declared_count, attributes = 5 * e->attribute_count;
    bool full = false;
    check->fault = fault;
    check->spot = stix_spot(e);
    if (!make_room(check, spaces + attributes + 1))
        return ACCORD_ENOMEM;
    const xmlChar **space = check->pointers, **attribute = space + spaces;
    for (size_t i = 0; i < e->declared_count; i++) {
        space[2 * i] = keep(check, e->declared[i].prefix, &full);
        space[2 * i + 1] = keep(check, e->declared[i].name, &full);
        if (!space[2 * i + 1])
            space[2 * i + 1] = BAD_CAST "";
    }
    for (size_t i = 0; i < e->attribute_count; i++) {
        const struct xml_attribute *from = &e->attributes[i];
        const xmlChar **to = attribute + 5 * i;
        to[0] = keep(check, from->name.local, &full);
        to[1] = keep(check, from->name.prefix, &full);
        to[2] = keep(check, from->name.space, &full);
        to[3] = BAD_CAST from->value;
        to[4] = to[3] + strlen(from->value);
    }
    const xmlChar *local = keep(check, e->name.local, &full);
    const xmlChar *prefix = keep(check, e->name.prefix, &full), *uri = keep(check, e->name.space, &full);
    if (full || check->depth == DEPTH_MAX)
        return stix_refuse(fault, &check->spot, "limit",
                           full ? "more than 1 MiB of different names" : "too deep for the schemas");
    check->open[check->depth].local = local;
    check->open[check->depth++].space = uri;
    check->sax->startElementNs(check->sax_arg, local, prefix, uri, (int)e->declared_count, space,
                               (int)e->attribute_count, 0, attribute);
    return answer(check);
}

int stix_check_text(struct stix_check *check, const char *text, size_t size, struct stix_fault *fault)
{
    check->fault = fault;
    if (size)
        check->sax->characters(check->sax_arg, BAD_CAST text, (int)size);
    return answer(check);
}

int stix_check_end(struct stix_check *check, const struct xml_name *name, int64_t line,
                   struct stix_fault *fault)
{
    check->fault = fault;
    check->spot = stix_spot(&(struct xml_element){.name = *name, .line = line});
    end_open(check);
    return answer(check);
}
