/* What we say in TAXII 1.1 against the official schema, kept outside of the project; not run (77) where it is absent. Content
 * is a matter of its own schemas, so in the envelope it is passed over. */
#include "connectors/taxii/dialect.h"

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[600];
static xmlSchemaPtr schema;

/* Every `from` becomes `to`; there is room. */
static void replace(char *text, const char *from, const char *to)
{
    for (char *at = text; (at = strstr(at, from)); at += strlen(to)) {
        memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
        memcpy(at, to, strlen(to));
    }
}

static char *read_schema(void)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 20) - 4096, file) > 0);
    fclose(file);
    replace(text, "processContents=\"lax\"", "processContents=\"skip\"");
    replace(text, "http://www.w3.org/TR/xmldsig-core/", ""); /* it stands beside */
    return text;
}

static int load(void **state)
{
    char *text = read_schema();
    xmlSetExternalEntityLoader(xmlNoNetExternalEntityLoader);
    (void)state;
    xmlDocPtr document = xmlReadMemory(text, (int)strlen(text), path, NULL, XML_PARSE_NONET);
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewDocParserCtxt(document);
    schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    xmlFreeDoc(document);
    free(text);
    return schema ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    xmlSchemaFree(schema);
    xmlCleanupParser();
    return 0;
}

static void is_valid(struct draft *draft, bool expected)
{
    xmlDocPtr document = xmlReadMemory(draft->bytes, (int)draft->size, "message", NULL, XML_PARSE_NONET);
    assert_non_null(document);
    xmlSchemaValidCtxtPtr validator = xmlSchemaNewValidCtxt(schema);
    int result = xmlSchemaValidateDoc(validator, document);
    if ((result == 0) != expected)
        fail_msg("%svalid: %s", expected ? "not " : "", draft->bytes);
    xmlSchemaFreeValidCtxt(validator);
    xmlFreeDoc(document);
    draft_fini(draft);
}

static void questions_are_valid(void **state)
{
    struct draft draft = {0};
    (void)state;
    taxii11.discovery(&draft, "urn:uuid:5a0b2f5e-6f2f-4c77-8a5f-3d1c9a4b7e10");
    is_valid(&draft, true);
    taxii11.collections(&draft, "urn:accord:x");
    is_valid(&draft, true);
}

static void polls_are_valid(void **state)
{
    static const char *const bindings[] = {"urn:stix.mitre.org:xml:1.1.1", "urn:stix.mitre.org:xml:1.2"};
    struct dialect_poll poll = {.collection = "AIS",
                                .begin = "2026-01-01T00:00:00.000000Z",
                                .end = "2026-01-02T00:00:00.000000Z",
                                .bindings = bindings,
                                .binding_count = 2};
    struct draft draft = {0};
    (void)state;
    for (size_t count = 0; count <= 2; count++) {
        poll.binding_count = count;
        taxii11.poll(&draft, "urn:accord:x", &poll);
        is_valid(&draft, true);
    }
    poll.subscription = "s-1";
    taxii11.poll(&draft, "urn:accord:x", &poll);
    is_valid(&draft, true);
    poll.begin = poll.end = NULL;
    taxii11.poll(&draft, "urn:accord:x", &poll);
    is_valid(&draft, true);
    taxii11.part(&draft, "urn:accord:x", &(struct dialect_part){"AIS", "urn:uuid:9", 7});
    is_valid(&draft, true);
}

static void inbox(struct draft *draft, const char *collection, const char *subtype, const char *content)
{
    taxii11.inbox(draft, "urn:accord:x", &(struct dialect_inbox){collection, 2});
    for (int i = 0; i < 2; i++) {
        taxii11.block(draft, &(struct dialect_block){"urn:stix.mitre.org:xml:1.1.1", subtype});
        draft_put(draft, content);
        taxii11.block_end(draft);
    }
    taxii11.inbox_end(draft);
}

static void inbox_messages_are_valid_whatever_their_content(void **state)
{
    struct draft draft = {0};
    (void)state;
    inbox(&draft, "AIS_INGEST", NULL,
          "<stix:STIX_Package xmlns:stix='http://stix.mitre.org/stix-1' "
          "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='stix:X'/>");
    is_valid(&draft, true);
    inbox(&draft, NULL, "urn:sub", "                    <a/>");
    is_valid(&draft, true);
    inbox(&draft, "AIS_INGEST", NULL, "&lt;a/&gt;");
    is_valid(&draft, true);
    inbox(&draft, "AIS_INGEST", NULL, "");
    is_valid(&draft, true);
}

/* So that it is seen that this test can fail. */
static void what_is_wrong_is_not_valid(void **state)
{
    struct draft draft = {0};
    (void)state;
    draft_put(
        &draft,
        "<t:Poll_Request xmlns:t='http://taxii.mitre.org/messages/taxii_xml_binding-1.1' message_id='x' "
        "collection_name='AIS'><t:Poll_Parameters/><t:Inclusive_End_Timestamp>2026-01-02T00:00:00Z"
        "</t:Inclusive_End_Timestamp></t:Poll_Request>");
    is_valid(&draft, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_valid),
        cmocka_unit_test(polls_are_valid),
        cmocka_unit_test(inbox_messages_are_valid_whatever_their_content),
        cmocka_unit_test(what_is_wrong_is_not_valid),
    };
    const char *source = getenv("ACCORD_SOURCE"), *shared = getenv("ACCORD_SHARED");
    snprintf(path, sizeof path, "%s%s/data/xsd/TAXII_XMLMessageBinding_Schema_1.1_final.xsd",
             shared   ? shared
             : source ? source
                      : ".",
             shared ? "" : "/../shared");
    if (access(path, R_OK) < 0) {
        printf("not run: %s is absent\n", path);
        return 77;
    }
    return cmocka_run_group_tests(tests, load, unload);
}
