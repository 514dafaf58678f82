/* STIX packages held against schemas of an operator's folder. The schemas here are small ones of our own, for the same
 * namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policies/content/stix_schema.h"
#include "scratch.h"
#include "stix_package.h"

#define XS "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" elementFormDefault=\"qualified\" "
#define DRIVER                                                                                               \
    XS "><xs:import namespace=\"http://stix.mitre.org/stix-1\" schemaLocation=\"core.xsd\"/>"                \
       "<xs:import namespace=\"http://stix.mitre.org/Indicator-2\" "                                         \
       "schemaLocation=\"deeper/indicator.xsd\"/>"                                                           \
       "</xs:schema>"
#define ANYTHING                                                                                             \
    "<xs:any namespace=\"##any\" processContents=\"skip\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>"
#define CORE                                                                                                 \
    XS "targetNamespace=\"http://stix.mitre.org/stix-1\" xmlns:s=\"http://stix.mitre.org/stix-1\">"          \
       "<xs:element name=\"STIX_Package\"><xs:complexType><xs:sequence>"                                     \
       "<xs:element name=\"STIX_Header\" minOccurs=\"0\"><xs:complexType><xs:sequence>"                      \
       "<xs:element name=\"Title\" minOccurs=\"0\"><xs:simpleType><xs:restriction base=\"xs:string\">"       \
       "<xs:maxLength value=\"60\"/></xs:restriction></xs:simpleType></xs:element>" ANYTHING                 \
       "</xs:sequence></xs:complexType></xs:element>"                                                        \
       "<xs:element name=\"Indicators\"><xs:complexType><xs:sequence>"                                       \
       "<xs:element name=\"Indicator\" type=\"xs:anyType\" maxOccurs=\"unbounded\"/>"                        \
       "</xs:sequence></xs:complexType></xs:element></xs:sequence>"                                          \
       "<xs:attribute name=\"id\" type=\"xs:QName\"/><xs:attribute name=\"timestamp\" "                      \
       "type=\"xs:dateTime\"/>"                                                                              \
       "<xs:attribute name=\"version\"/></xs:complexType>"                                                   \
       "<xs:unique name=\"ids\"><xs:selector xpath=\".//s:*\"/><xs:field xpath=\"@id\"/></xs:unique>"        \
       "</xs:element></xs:schema>"
#define INDICATOR                                                                                            \
    XS "targetNamespace=\"http://stix.mitre.org/Indicator-2\">"                                              \
       "<xs:complexType name=\"IndicatorType\"><xs:sequence>" ANYTHING                                       \
       "</xs:sequence><xs:attribute name=\"id\" type=\"xs:string\"/><xs:attribute name=\"timestamp\" "       \
       "use=\"required\"/>"                                                                                  \
       "</xs:complexType></xs:schema>"

static char folder[64];
static struct stix_schema *schema;

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(scratch_write(path, 0600, text, strlen(text)));
}

static int set_up(void **state)
{
    char why[512], deeper[128];
    (void)state;
    strcpy(folder, "/tmp/accord-schemas-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(deeper, sizeof deeper, "%s/deeper", folder);
    assert_int_equal(mkdir(deeper, 0700), 0);
    write_file("driver.xsd", DRIVER);
    write_file("core.xsd", CORE);
    write_file("deeper/indicator.xsd", INDICATOR);
    if (stix_schema_open(folder, "driver.xsd", &schema, why, sizeof why))
        fail_msg("%s", why);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stix_schema_close(schema);
    scratch_remove(folder);
    return 0;
}

static void judged(const char *old, const char *new, const char *rule, const char *part)
{
    char *text = stix_fixture(STIX_MARKING), *changed = old ? stix_replace(text, old, new) : strdup(text);
    struct verdict verdict = stix_verdict(changed, strlen(changed), &(struct stix_judged){.schema = schema});
    if (strcmp(verdict.rule, rule) || !strstr(verdict.reason, part))
        fail_msg("expected %s ... %s\ngot %s: %s", rule, part, verdict.rule, verdict.reason);
    free(changed);
    free(text);
}

static void packages_are_held_against_it(void **state)
{
    (void)state;
    judged(NULL, NULL, "", "");
    judged("A scanner", "A scanner &amp; a &#65; &lt;", "", "");
    judged("A scanner", "A scanner, and &amp; on, and on, and on and on and on, and", "stix-1.schema",
           "line 14 (stix:Title): driver.xsd says: Element 'Title'");
    judged("version=\"1.1.1\"", "version=\"1.1.1\" edition=\"2\"", "stix-1.schema",
           "attribute 'edition': The attribute 'edition' is not allowed");
    judged("</stix:STIX_Header>", "<stix:Title/></stix:STIX_Header>", "", "");
    judged("2026-01-15T12:00:00Z", "2026-01-15T12:00:00+14:30", "stix-1.schema", "xs:dateTime");
    judged("timestamp=\"2026-01-15T11:59:00.5+01:00\"", "", "stix-1.schema",
           "(stix:Indicator): driver.xsd says: Element 'Indicator': The attribute 'timestamp' is required");
    /* Its xs:unique is left out: libxml2 takes quadratic time for it. Our own rule has said it before. */
    judged("id=\"example:Observable-6f1c9f0e-0003\"", "id=\"example:Indicator-6f1c9f0e-0002\"", "stix-1.id",
           "line 32 (indicator:Observable): a second element with the id");
}

/* Its own rules first: they say what to do. */
static void rules_speak_before_the_schema(void **state)
{
    (void)state;
    judged("consent=\"USG\"", "consent=\"US\"", "stix-1.consent", "expected EVERYONE, USG or NONE");
}

/* Where a package says its schemas are is no matter: nothing is opened for it. */
static void schema_locations_of_a_package_are_not_followed(void **state)
{
    (void)state;
    char location[256];
    write_file("forged.xsd", XS "targetNamespace=\"http://example.org/forged\"><xs:element name=\"x\" "
                                "type=\"xs:integer\"/></xs:schema>");
    snprintf(
        location, sizeof location,
        "version=\"1.1.1\" xsi:schemaLocation=\"http://stix.mitre.org/Indicator-2 file://%s/forged.xsd\"",
        folder);
    judged("version=\"1.1.1\"", location, "", "");
}

static void one_schema_is_compiled_once(void **state)
{
    (void)state;
    char why[512];
    struct stix_schema *again;
    assert_int_equal(stix_schema_open(folder, "driver.xsd", &again, why, sizeof why), 0);
    assert_ptr_equal(again, schema);
    stix_schema_close(again);
    judged(NULL, NULL, "", "");
}

static void refused(const char *driver, const char *part)
{
    char why[512] = "";
    struct stix_schema *none = NULL;
    assert_int_equal(stix_schema_open(folder, driver, &none, why, sizeof why), ACCORD_EINVAL);
    assert_null(none);
    if (!strstr(why, part))
        fail_msg("expected %s, got: %s", part, why);
}

static void schemas_that_cannot_be_used_are_named(void **state)
{
    (void)state;
    char why[512];
    struct stix_schema *none = NULL;
    refused("nothing.xsd", "nothing.xsd");
    write_file("broken.xsd", XS ">");
    refused("broken.xsd", "broken.xsd line 1");
    write_file("wrong.xsd", XS "><xs:element name=\"a\" type=\"nowhere\"/></xs:schema>");
    refused("wrong.xsd", "do not compile: wrong.xsd line 1");
    assert_int_equal(stix_schema_open("/nonexistent", "driver.xsd", &none, why, sizeof why), ACCORD_EINVAL);
    assert_non_null(strstr(why, "no folder of schemas /nonexistent"));
}

/* Neither a network nor what lies beside the folder is read for a schema. */
static void schemas_come_from_the_folder_alone(void **state)
{
    (void)state;
    char outside[] = "/tmp/accord-outside-XXXXXX", text[512];
    int fd = mkstemp(outside);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, INDICATOR, strlen(INDICATOR)), (ssize_t)strlen(INDICATOR));
    close(fd);
    static const char *const imports =
        XS "><xs:import namespace=\"http://stix.mitre.org/Indicator-2\" schemaLocation=\"%s\"/></xs:schema>";
    snprintf(text, sizeof text, imports, outside);
    write_file("outside.xsd", text);
    refused("outside.xsd", "do not compile: outside.xsd line 1: ");
    snprintf(text, sizeof text, imports, "http://127.0.0.1:9/x.xsd");
    write_file("network.xsd", text);
    refused("network.xsd", "do not compile: network.xsd line 1: ");
    snprintf(text, sizeof text, imports, "missing.xsd");
    write_file("incomplete.xsd", text);
    refused("incomplete.xsd", "do not compile: incomplete.xsd line 1: ");
    refused("../../../etc/hostname", "do not compile");
    unlink(outside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_are_held_against_it),
        cmocka_unit_test(rules_speak_before_the_schema),
        cmocka_unit_test(schema_locations_of_a_package_are_not_followed),
        cmocka_unit_test(one_schema_is_compiled_once),
        cmocka_unit_test(schemas_that_cannot_be_used_are_named),
        cmocka_unit_test(schemas_come_from_the_folder_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
