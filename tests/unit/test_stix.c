/* What the AIS Data Profile asks of a STIX package beside its marking, and input that is no package at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policies/content/stix_ids.h"
#include "policies/content/stix_time.h"
#include "stix_package.h"

#define CHANGES(changes) stix_changes(changes, sizeof(changes) / sizeof *(changes))
#define INTENT                                                                                               \
    "<stix:Package_Intent xsi:type=\"stixVocabs:PackageIntentVocab-1.0\">Indicators - "                      \
    "Watchlist</stix:Package_Intent>"
#define STAMP "timestamp=\"2026-01-15T12:00:00Z\""

static void denied(const char *rule, const char *part, const void *bytes, size_t size)
{
    struct verdict verdict = stix_verdict(bytes, size, NULL);
    if (verdict.allowed || strcmp(verdict.rule, rule) || !strstr(verdict.reason, part))
        fail_msg("expected %s ... %s, got %s: %s", rule, part, verdict.rule, verdict.reason);
}

static void denied_text(const char *rule, const char *part, const char *text)
{
    denied(rule, part, text, strlen(text));
}

static void the_root_is_a_package_of_stix_1(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, "xmlns:stix=\"http://stix.mitre.org/stix-1\"",
         "xmlns:stix=\"http://docs.oasis-open.org/cti/ns/stix/core-1\"", "root", "cti/ns/stix/core-1", NULL,
         NULL},
        {STIX_HANDLING, "<STIX_Package xmlns=\"http://stix.mitre.org/stix-1\"", "<STIX_Package", "root",
         "namespace \"\"", NULL, NULL},
        {STIX_MARKING, "version=\"1.1.1\"", "version=\"1.2\"", "version",
         "line 2 (stix:STIX_Package): STIX version \"1.2\", expected 1.1.1", NULL, NULL},
        {STIX_MARKING, "version=\"1.1.1\"", "version=\"1.2\"", "", NULL, "stix-versions", "1.1.1, 1.2"},
        {STIX_MARKING, "version=\"1.1.1\"", "", "version", "is missing", NULL, NULL},
    };
    CHANGES(changes);
    denied_text("stix-1.root", "the root element is \"html\", expected STIX_Package",
                "<html><body>502 Bad Gateway</body></html>");
}

static void a_package_has_an_id_of_its_own(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "", "id", "has no id", NULL, NULL},
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "", "", NULL, "require-id", "no"},
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "id=\"Package-1\"", "id", "PREFIX:TYPE-UNIQUE",
         NULL, NULL},
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "id=\"example:Package\"", "id", NULL, NULL,
         NULL},
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "id=\"example:-1\"", "id", NULL, NULL, NULL},
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "id=\"example:Package-1 2\"", "id", NULL, NULL,
         NULL},
        {STIX_MARKING, "id=\"example:Package-6f1c9f0e-0001\"", "id=\"acme:Package-1\"", "id",
         "is not declared", NULL, NULL},
        {STIX_MARKING, "id=\"example:Object-6f1c9f0e-0004\"", "id=\"example:Package-6f1c9f0e-0001\"", "id",
         "line 33 (cybox:Object): a second element with the id \"example:Package-6f1c9f0e-0001\"", NULL,
         NULL},
    };
    CHANGES(changes);
}

/* One million of them take a fraction of a second, also when they are alike. */
static void ids_are_kept_by_the_million(void **state)
{
    (void)state;
    struct stix_ids ids = {.seed = 7};
    char id[32];
    for (int i = 0; i < 1000000; i++) {
        snprintf(id, sizeof id, "example:Object-%d", i);
        assert_int_equal(stix_ids_add(&ids, id), 0);
    }
    assert_int_equal(stix_ids_add(&ids, "example:Object-77"), ACCORD_EEXIST);
    assert_int_equal(stix_ids_add(&ids, "example:Object-1000000"), 0);
    stix_ids_fini(&ids);
}

static void timestamps_are_there_and_not_ahead(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, STAMP, "", "timestamp", "has no timestamp", NULL, NULL},
        {STIX_MARKING, STAMP, "", "", NULL, "require-timestamp", "no"},
        {STIX_MARKING, STAMP, "timestamp=\"2026-01-15T12:00:00\"", "", NULL, NULL, NULL},
        {STIX_MARKING, STAMP, "timestamp=\"2026-01-15T12:00:00\"", "timestamp", "no time zone",
         "require-timestamp", "zone"},
        {STIX_MARKING, STAMP, "timestamp=\"yesterday\"", "timestamp", "\"yesterday\"", NULL, NULL},
        {STIX_MARKING, STAMP, "timestamp=\"2026-02-02T12:00:00Z\"", "", NULL, NULL, NULL},
        {STIX_MARKING, STAMP, "timestamp=\"2026-02-02T12:00:01Z\"", "timestamp", "lies in the future", NULL,
         NULL},
        {STIX_MARKING, STAMP, "timestamp=\"2026-02-02T12:00:01Z\"", "", NULL, "max-future", "2 days"},
        {STIX_MARKING, "2026-01-15T11:59:00.5+01:00", "2036-01-15T11:59:00.5+01:00", "timestamp",
         "line 29 (stix:Indicator): the timestamp", NULL, NULL},
    };
    CHANGES(changes);
}

static void times_are_read_as_rfc_3339_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at;
        bool zone;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0, true},
        {"1969-12-31T23:59:59Z", -1000000, true},
        {"2026-02-01T12:00:00Z", STIX_NOW, true},
        {"2026-02-01T12:00:00", STIX_NOW, false},
        {"2026-02-01T13:30:00+01:30", STIX_NOW, true},
        {"2026-02-01T05:00:00-07:00", STIX_NOW, true},
        {"2026-02-01T12:00:00.000001999Z", STIX_NOW + 1, true},
        {"2000-02-29T00:00:00Z", 951782400000000, true},
    };
    static const char *const bad[] = {
        "",
        "2026-02-01",
        "2026-02-01 12:00:00Z",
        "2026-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-02-01T24:00:00Z",
        "2026-02-01T12:60:00Z",
        "2026-02-01T12:00:61Z",
        "2026-02-01T12:00:00.Z",
        "2026-02-01T12:00:00z",
        "2026-02-01T12:00:00Z ",
        "2026-02-01T12:00:00+0100",
        "2026-02-01T12:00:00+15:00",
        "-026-02-01T12:00:00Z",
        "0000-02-01T12:00:00Z",
        "20260-2-01T12:00:00Z",
    };
    struct stix_time time;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!stix_time_parse(good[i].text, &time) || time.at != good[i].at || time.zone != good[i].zone)
            fail_msg("%s: %lld", good[i].text, (long long)time.at);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (stix_time_parse(bad[i], &time))
            fail_msg("taken for a time: %s", bad[i]);
}

static void the_header_stands_first_and_says_why(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, INTENT, "", "intent", "has no Package_Intent", NULL, NULL},
        {STIX_MARKING, INTENT, "", "", NULL, "require-intent", "no"},
        {STIX_MARKING, "Indicators - Watchlist", "Gossip", "intent", "\"Gossip\"", NULL, NULL},
        {STIX_MARKING, "Indicators - Watchlist", "\n  Indicators - Watchlist\n", "", NULL, NULL, NULL},
        {STIX_MARKING, "stixVocabs:PackageIntentVocab-1.0", "stixVocabs:OtherVocab-1.0", "intent",
         "PackageIntentVocab-1.0", NULL, NULL},
        {STIX_MARKING, "Indicators - Watchlist", "Gossip", "", NULL, "package-intents", "Gossip"},
        {STIX_MARKING, "  <stix:STIX_Header>", "  <stix:TTPs/><stix:STIX_Header>", "header",
         "no STIX_Header stands before", NULL, NULL},
        {STIX_MARKING, "  <stix:STIX_Header>", "  <stix:TTPs/><stix:STIX_Header>", "structure",
         "after other parts", "require-header", "no"},
        {STIX_MARKING, "</stix:STIX_Header>", "</stix:STIX_Header><stix:STIX_Header/>", "structure",
         "a second", NULL, NULL},
    };
    CHANGES(changes);
    static const char bare[] =
        "<s:STIX_Package xmlns:s=\"http://stix.mitre.org/stix-1\" xmlns:e=\"http://e.org\" "
        "id=\"e:Package-1\" timestamp=\"2026-01-15T12:00:00Z\" version=\"1.1.1\"/>";
    denied_text("stix-1.header", "has no STIX_Header", bare);
    const struct accord_pair options[] = {{"require-header", "no"}, {"require-intent", "no"}, {NULL, NULL}};
    assert_string_equal(stix_verdict(bare, sizeof bare - 1, &(struct stix_judged){.options = options}).rule,
                        "stix-1.marking-missing");
}

static void only_what_the_profile_has_may_stand_in_it(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, "  <stix:Indicators>", "<stix:Observables/><stix:Indicators>", "container",
         "put each observable into its indicator", NULL, NULL},
        {STIX_MARKING, "  <stix:Indicators>", "<stix:Incidents/><stix:Indicators>", "container",
         "\"Incidents\"", NULL, NULL},
        {STIX_MARKING, "  <stix:Indicators>", "<stix:Incidents/><stix:Indicators>", "", NULL,
         "stix-containers", "Indicators, Incidents"},
        {STIX_MARKING, "  <stix:Indicators>", "<cybox:Indicators/><stix:Indicators>", "container", NULL, NULL,
         NULL},
        {STIX_MARKING, "  <stix:Indicators>", "<cybox:Observables/><stix:Indicators>", "container", NULL,
         NULL, NULL},
        {STIX_MARKING, "AddressObj:AddressObjectType", "indicator:AddressObjectType", "object",
         "line 34 (cybox:Properties): an object of type \"AddressObjectType\"", NULL, NULL},
        {STIX_MARKING, "xsi:type=\"AddressObj:AddressObjectType\"", "", "object", "without xsi:type", NULL,
         NULL},
        {STIX_MARKING, "xmlns:AddressObj=\"http://cybox.mitre.org/objects#AddressObject-2\"",
         "xmlns:AddressObj=\"http://cybox.mitre.org/objects#UserAccountObject-2\"", "object",
         "\"UserAccount\"", NULL, NULL},
        {STIX_MARKING, "xmlns:AddressObj=\"http://cybox.mitre.org/objects#AddressObject-2\"",
         "xmlns:AddressObj=\"http://cybox.mitre.org/objects#AddressObject-2/more\"", "object", NULL, NULL,
         NULL},
        {STIX_MARKING, NULL, NULL, "object", "\"Address\"", "stix-objects", "File, Mutex"},
        {STIX_MARKING, "<indicator:Title>", "<x:Note xmlns:x=\"http://example.org/notes\"/><indicator:Title>",
         "namespace", "line 30 (x:Note): an element of namespace \"http://example.org/notes\"", NULL, NULL},
        {STIX_MARKING, "<indicator:Title>", "<Note/><indicator:Title>", "namespace", "namespace \"\"", NULL,
         NULL},
        {STIX_MARKING, "xsi:type=\"indicator:IndicatorType\"", "xsi:type=\"nobody:IndicatorType\"",
         "namespace", "is not declared", NULL, NULL},
    };
    CHANGES(changes);
}

static void who_submits_is_asked_for_on_request(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, NULL, NULL, "identity", "does not name the organisation", "require-identity", "yes"},
        {STIX_HANDLING, NULL, NULL, "", NULL, "require-identity", "yes"},
        {STIX_HANDLING, "Example Lines", " ", "identity", "name the organisation (", "require-identity",
         "yes"},
        {STIX_HANDLING, "xal:NameCode=\"US\"", "", "identity", "name its country (", "require-identity",
         "yes"},
        {STIX_HANDLING, "xal:NameCode=\"US-NJ\"", "xal:NameCode=\"\"", "identity",
         "name its administrative area (", "require-identity", "yes"},
        {STIX_HANDLING, "Sector|Other", "Sector|Shipping", "identity", "name its sector (",
         "require-identity", "yes"},
        {STIX_HANDLING, "Sector|Other", "Sector |\nEnergy Sector ", "", NULL, "require-identity", "yes"},
    };
    CHANGES(changes);
}

static void what_is_no_package_is_refused(void **state)
{
    (void)state;
    static const char utf16[] = "\xff\xfe<\0?\0x\0m\0l\0";
    char *text = stix_fixture(STIX_MARKING);
    denied_text("stix-1.xml", "", "");
    denied_text("stix-1.xml", "", "{\"type\": \"bundle\", \"spec_version\": \"2.0\"}");
    denied_text("stix-1.xml", "", "http://taxii.example.org/package.xml");
    denied_text("stix-1.xml", "DOCTYPE",
                "<!DOCTYPE s [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><s>&b;</s>");
    denied_text("stix-1.xml", "DOCTYPE", "<!DOCTYPE s SYSTEM \"file:///etc/passwd\"><s/>");
    denied_text("stix-1.xml", "", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><s/>");
    denied("stix-1.xml", "", utf16, sizeof utf16 - 1);
    denied("stix-1.xml", "", "PK\x03\x04 this is an archive", 22);
    for (size_t size = strlen(text) - 2; size > 100; size -= 97) /* cut short */
        denied("stix-1.xml", "", text, size);
    char *twice = stix_replace(text, "</stix:STIX_Package>", "</stix:STIX_Package><again/>");
    denied_text("stix-1.xml", "", twice);
    free(twice);
    free(text);
}

static void limits_hold(void **state)
{
    (void)state;
    char *text = stix_fixture(STIX_MARKING), deep[8192] = "";
    for (int i = 0; i < 200; i++)
        strcat(deep, "<indicator:Title>");
    char *changed = stix_replace(text, "Scanner", deep);
    denied_text("stix-1.limit", "", changed);
    free(changed);
    char attributes[16384] = "<cybox:Properties ";
    for (int i = 0; i < 400; i++)
        sprintf(attributes + strlen(attributes), "a%d=\"\" ", i);
    changed = stix_replace(text, "<cybox:Properties ", attributes);
    denied_text("stix-1.limit", "", changed);
    free(changed);
    const struct accord_pair options[] = {{"stix-max-size", "1 KiB"}, {NULL, NULL}};
    struct verdict verdict = stix_verdict(text, strlen(text), &(struct stix_judged){.options = options});
    assert_string_equal(verdict.rule, "stix-1.size");
    assert_non_null(strstr(verdict.reason, "larger than 1024 bytes"));
    free(text);
}

/* The example of the guide passes as it stands there. */
static void the_example_of_the_guide_passes(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/docs/AIS-MARKING.md", getenv("ACCORD_SOURCE"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *page = calloc(1, 1 << 16);
    assert_true(fread(page, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    char *begin = strstr(page, "```xml\n");
    assert_non_null(begin);
    char *end = strstr(begin + 7, "```");
    assert_non_null(end);
    struct verdict verdict = stix_verdict(begin + 7, (size_t)(end - begin - 7), NULL);
    assert_string_equal(verdict.reason, "");
    assert_true(verdict.allowed);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_is_a_package_of_stix_1),
        cmocka_unit_test(a_package_has_an_id_of_its_own),
        cmocka_unit_test(ids_are_kept_by_the_million),
        cmocka_unit_test(timestamps_are_there_and_not_ahead),
        cmocka_unit_test(times_are_read_as_rfc_3339_writes_them),
        cmocka_unit_test(the_header_stands_first_and_says_why),
        cmocka_unit_test(only_what_the_profile_has_may_stand_in_it),
        cmocka_unit_test(who_submits_is_asked_for_on_request),
        cmocka_unit_test(what_is_no_package_is_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(the_example_of_the_guide_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
