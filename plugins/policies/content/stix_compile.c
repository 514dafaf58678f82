#include "stix_compile.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parserInternals.h>

#define SCHEMA_MAX (16 << 20) /* bytes of one file */
#define XS         "http://www.w3.org/2001/XMLSchema"

struct compiling {
    char folder[PATH_MAX]; /* real path */
    char *why;
    size_t why_size;
    bool failed;
};
static struct compiling *compiling; /* libxml2 asks for files without saying for whom */

static void take_error(void *arg, xmlErrorPtr error)
{
    struct compiling *c = arg;
    /* libxml2 goes on without an import that it cannot find; then packages would be refused for want of it. */
    bool lost = error->code == XML_SCHEMAP_WARN_UNLOCATED_SCHEMA;
    if (c->failed || (error->level < XML_ERR_ERROR && !lost))
        return;
    c->failed = true;
    const char *file = error->file ? strrchr(error->file, '/') : NULL;
    snprintf(c->why, c->why_size, "the schemas in %.200s do not compile: %s line %d: %.*s", c->folder,
             file ? file + 1 : "", error->line, (int)strcspn(error->message ? error->message : "", "\n"),
             error->message ? error->message : "");
}

static bool is_constraint(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && node->ns && xmlStrEqual(node->ns->href, BAD_CAST XS) &&
           (xmlStrEqual(node->name, BAD_CAST "unique") || xmlStrEqual(node->name, BAD_CAST "key") ||
            xmlStrEqual(node->name, BAD_CAST "keyref"));
}

/* In document order; returns whether there were any. */
static bool drop_constraints(xmlNodePtr root)
{
    bool dropped = false;
    for (xmlNodePtr node = root, next; node; node = next) {
        bool drop = is_constraint(node);
        next = !drop && node->children && node->type == XML_ELEMENT_NODE ? node->children : NULL;
        for (xmlNodePtr up = node; !next && up && up != root; up = up->parent)
            next = up->next;
        if (drop) {
            xmlUnlinkNode(node);
            xmlFreeNode(node);
            dropped = true;
        }
    }
    return dropped;
}

static xmlParserInputPtr input_of(xmlParserCtxtPtr context, const char *path, const char *bytes, int size)
{
    xmlParserInputBufferPtr buffer = xmlParserInputBufferCreateMem(bytes, size, XML_CHAR_ENCODING_NONE);
    xmlParserInputPtr input = buffer ? xmlNewIOInputStream(context, buffer, XML_CHAR_ENCODING_NONE) : NULL;
    if (input)
        input->filename = (char *)xmlStrdup(BAD_CAST path);
    else if (buffer)
        xmlFreeParserInputBuffer(buffer);
    return input;
}

/* A file that has constraints is handed over without them; one that is no XML as it is, so that its fault is told. */
static xmlParserInputPtr without_constraints(xmlParserCtxtPtr context, const char *path, const char *bytes,
                                             int size)
{
    xmlDocPtr doc =
        xmlReadMemory(bytes, size, path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlParserInputPtr input = NULL;
    xmlChar *text = NULL;
    int length = 0;
    if (doc && drop_constraints(xmlDocGetRootElement(doc)))
        xmlDocDumpMemory(doc, &text, &length);
    input = text ? input_of(context, path, (char *)text, length) : input_of(context, path, bytes, size);
    xmlFree(text);
    xmlFreeDoc(doc);
    return input;
}

/* Files below the folder; nothing else, no network. */
static xmlParserInputPtr load(const char *url, const char *id, xmlParserCtxtPtr context)
{
    char path[PATH_MAX];
    (void)id;
    size_t size = compiling ? strlen(compiling->folder) : 0;
    if (!size || !url || !realpath(url, path) || strncmp(path, compiling->folder, size) || path[size] != '/')
        return NULL;
    FILE *file = fopen(path, "rbe");
    char *bytes = file ? malloc(SCHEMA_MAX) : NULL;
    size_t got = bytes ? fread(bytes, 1, SCHEMA_MAX, file) : 0;
    xmlParserInputPtr input =
        got && got < SCHEMA_MAX ? without_constraints(context, path, bytes, (int)got) : NULL;
    free(bytes);
    if (file)
        fclose(file);
    return input;
}

static xmlSchemaPtr compile(struct compiling *c, const char *driver)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.3800s/%.255s", c->folder, driver);
    xmlExternalEntityLoader before = xmlGetExternalEntityLoader();
    xmlStructuredErrorFunc errors_before = xmlStructuredError;
    void *errors_arg = xmlStructuredErrorContext;
    xmlSchemaPtr compiled = NULL;
    compiling = c;
    xmlSetExternalEntityLoader(load);
    xmlSetStructuredErrorFunc(c, take_error); /* of the XML; the next is of the schema */
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(path);
    if (parser) {
        xmlSchemaSetParserStructuredErrors(parser, take_error, c);
        compiled = xmlSchemaParse(parser);
        xmlSchemaFreeParserCtxt(parser);
    }
    xmlSetStructuredErrorFunc(errors_arg, errors_before);
    xmlSetExternalEntityLoader(before);
    compiling = NULL;
    if (compiled && c->failed) {
        xmlSchemaFree(compiled);
        compiled = NULL;
    }
    if (!compiled && !c->failed)
        snprintf(c->why, c->why_size, "the schemas cannot be read: %.300s", path);
    return compiled;
}

xmlSchemaPtr stix_compile(const char *folder, const char *driver, char *why, size_t why_size)
{
    struct compiling *c = calloc(1, sizeof *c);
    xmlSchemaPtr compiled = NULL;
    if (!c) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    c->why = why;
    c->why_size = why_size;
    if (realpath(folder, c->folder))
        compiled = compile(c, driver);
    else
        snprintf(why, why_size, "there is no folder of schemas %.300s", folder);
    free(c);
    return compiled;
}
