#include "reader.h"

#include <libxml/xmlerror.h>
#include <libxml/SAX2.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const xmlChar *text)
{
    return text ? (const char *)text : "";
}

/* libxml2, told not to replace entities, leaves every '&' of a value as "&#38;" and resolves all else. */
static char *copy_value(char *to, const xmlChar *from, const xmlChar *end)
{
    while (from < end) {
        const xmlChar *stop = memchr(from, '&', (size_t)(end - from));
        size_t size = (size_t)((stop ? stop + 1 : end) - from);
        memcpy(to, from, size);
        to += size;
        from += size;
        if (stop && end - from >= 4 && !memcmp(from, "#38;", 4))
            from += 4;
    }
    *to++ = 0;
    return to;
}

/* A namespace's name. libxml2 leaves '&' in it as "&#38;", as in values; the names must live as long as its own. */
static const char *space_of(struct xml_reader *r, const xmlChar *name)
{
    if (!name || !strchr((const char *)name, '&'))
        return text_of(name);
    size_t size = strlen((const char *)name);
    char *plain = malloc(size + 1);
    const xmlChar *kept = NULL;
    if (plain) {
        copy_value(plain, name, name + size);
        kept = xmlDictLookup(r->sax->dict, (const xmlChar *)plain, -1);
        free(plain);
    }
    if (!kept)
        xml_refuse(r, ACCORD_ENOMEM, "out of memory");
    return text_of(kept);
}

/* --- libxml2's complaints --- */

/* Whatever it calls an error ends the reading, also where it would go on. A namespace name that is no URI is common
 * in real STIX and changes nothing. */
static void complain(void *arg, xmlErrorPtr error)
{
    struct xml_reader *r = arg;
    if (r->error || error->level < XML_ERR_ERROR || error->code == XML_WAR_NS_URI)
        return;
    const char *message = error->message ? error->message : "malformed";
    int size = (int)strcspn(message, "\r\n");
    if (error->code == XML_ERR_NO_MEMORY)
        xml_refuse(r, ACCORD_ENOMEM, "out of memory");
    else
        xml_refuse(r, ACCORD_EFORMAT, "%.*s", size < 160 ? size : 160, message);
}

static void refuse_doctype(void *arg, const xmlChar *name, const xmlChar *public, const xmlChar *system)
{
    (void)name, (void)public, (void)system;
    struct xml_reader *r = arg;
    xml_refuse(r, ACCORD_EFORMAT, "DOCTYPE is not allowed");
    xmlStopParser(r->sax);
}

/* --- elements --- */

/* Places of r->scratch, for names whose words are not kept: one for each attribute, and the element's. */
static struct xml_name name_of(struct xml_reader *r, const xmlChar *space, const xmlChar *local,
                               const xmlChar *prefix, size_t place)
{
    struct xml_name name = {space_of(r, space), text_of(local), text_of(prefix), NULL};
    name.word = words_of(&r->words, name.space, name.local, place == r->limits.attributes);
    if (!name.word) {
        name.word = &r->scratch[place];
        *name.word = 0;
    }
    return name;
}

static int declare(struct xml_reader *r, int count, const xmlChar **declared)
{
    r->scope_at[r->depth] = r->scope_count;
    if ((size_t)count > READER_SCOPE - r->scope_count)
        return xml_refuse(r, ACCORD_ELIMIT, "more than %d namespace declarations are in scope", READER_SCOPE);
    for (int i = 0; i < count; i++)
        r->scope[r->scope_count++] =
            (struct xml_namespace){text_of(declared[2 * i]), space_of(r, declared[2 * i + 1])};
    return 0;
}

static int copy_attributes(struct xml_reader *r, int count, const xmlChar **given)
{
    size_t need = 0;
    for (int i = 0; i < count; i++)
        need += (size_t)(given[5 * i + 4] - given[5 * i + 3]) + 1;
    if (need > r->values_room) {
        free(r->values);
        r->values_room = 2 * need;
        if (!(r->values = malloc(r->values_room))) {
            r->values_room = 0;
            return xml_refuse(r, ACCORD_ENOMEM, "out of memory");
        }
    }
    char *to = r->values;
    for (int i = 0; i < count; i++, given += 5) {
        r->attributes[i] = (struct xml_attribute){name_of(r, given[2], given[0], given[1], (size_t)i), to};
        to = copy_value(to, given[3], given[4]);
    }
    return 0;
}

static void start(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *space,
                  int declared_count, const xmlChar **declared, int attribute_count, int defaulted,
                  const xmlChar **attributes)
{
    struct xml_reader *r = arg;
    r->starts++;
    if (r->error || declare(r, declared_count, declared))
        return;
    if (defaulted || (size_t)attribute_count > r->limits.attributes) {
        xml_refuse(r, ACCORD_EFORMAT, "attributes that the document does not hold");
        return;
    }
    if (!r->events.start || copy_attributes(r, attribute_count, attributes))
        return;
    const struct xml_element element = {
        .name = name_of(r, space, local, prefix, r->limits.attributes),
        .attributes = r->attributes,
        .attribute_count = (size_t)attribute_count,
        .declared = r->scope + r->scope_at[r->depth],
        .declared_count = (size_t)declared_count,
        .depth = r->depth,
        .line = r->line,
    };
    int error = r->events.start(r->arg, r, &element);
    if (error)
        xml_refuse(r, error, "refused");
}

static void end(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *space)
{
    struct xml_reader *r = arg;
    r->ends++;
    if (r->error)
        return;
    const struct xml_name name = name_of(r, space, local, prefix, r->limits.attributes);
    int error = r->events.end ? r->events.end(r->arg, r, &name, r->depth) : 0;
    if (error)
        xml_refuse(r, error, "refused");
    r->scope_count = r->scope_at[r->depth];
}

static void text(void *arg, const xmlChar *bytes, int size)
{
    struct xml_reader *r = arg;
    int error = 0;
    if (!r->error && r->events.text && size > 0)
        error = r->events.text(r->arg, r, (const char *)bytes, (size_t)size);
    if (error)
        xml_refuse(r, error, "refused");
}

const char *xml_namespace_of(const struct xml_reader *r, const char *prefix)
{
    for (size_t i = r->scope_count; i-- > 0;)
        if (!strcmp(r->scope[i].prefix, prefix))
            return *r->scope[i].name ? r->scope[i].name : NULL;
    return strcmp(prefix, "xml") ? NULL : (const char *)XML_XML_NAMESPACE;
}

size_t xml_in_scope(struct xml_reader *r, const struct xml_namespace **all)
{
    size_t count = 0;
    for (size_t i = r->scope_count; i-- > 0;) {
        size_t nearer = r->scope_count - 1;
        while (nearer > i && strcmp(r->scope[nearer].prefix, r->scope[i].prefix))
            nearer--;
        if (nearer == i && *r->scope[i].name)
            r->visible[count++] = r->scope[i];
    }
    *all = r->visible;
    return count;
}

/* --- the parser --- */

static int make_parser(struct xml_reader *r)
{
    xmlSAXHandler handler = {
        .internalSubset = refuse_doctype,
        .externalSubset = refuse_doctype,
        .startElementNs = start,
        .endElementNs = end,
        .characters = text,
        .ignorableWhitespace = text,
        .cdataBlock = text,
        .serror = complain,
        .initialized = XML_SAX2_MAGIC,
    };
    r->attributes_room = r->limits.attributes;
    r->attributes = calloc(r->limits.attributes + 1, sizeof *r->attributes);
    r->scratch = calloc(r->limits.attributes + 1, sizeof *r->scratch);
    r->sax = xmlCreatePushParserCtxt(&handler, r, NULL, 0, NULL);
    if (!r->attributes || !r->scratch || !r->sax)
        return ACCORD_ENOMEM;
    /* Nothing else, ever: not NOENT, DTDLOAD, DTDATTR, XINCLUDE, nor HUGE, which lifts libxml2's own limits. */
    xmlCtxtUseOptions(r->sax, XML_PARSE_NONET);
    return 0;
}

/* Options, callbacks and the dictionary of names stay. */
static int reset_parser(struct xml_reader *r)
{
    if (xmlCtxtResetPush(r->sax, NULL, 0, NULL, NULL))
        return ACCORD_ENOMEM;
    r->sax->nsNr = 0;
    return 0;
}

int sax_open(struct xml_reader *r)
{
    static const char declaration[] = "<?xml version=\"1.0\"?>";
    int error = r->sax ? reset_parser(r) : make_parser(r);
    return error ? error : sax_feed(r, declaration, sizeof declaration - 1);
}

void sax_close(struct xml_reader *r)
{
    xmlFreeParserCtxt(r->sax);
    free(r->attributes);
    free(r->scratch);
    free(r->values);
}

static int judge(struct xml_reader *r, int code)
{
    if (r->error)
        return r->error;
    if ((code && code != XML_WAR_NS_URI && code != XML_WAR_NS_URI_RELATIVE) || !r->sax->wellFormed)
        return xml_refuse(r, ACCORD_EFORMAT, "malformed (libxml2 error %d)", code);
    return 0;
}

int sax_feed(struct xml_reader *r, const void *bytes, size_t size)
{
    return judge(r, xmlParseChunk(r->sax, bytes, (int)size, 0));
}

int sax_finish(struct xml_reader *r)
{
    return judge(r, xmlParseChunk(r->sax, NULL, 0, 1));
}
