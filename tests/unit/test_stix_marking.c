/* Markings of a STIX package (AIS-3.3, AIS-3.4a): every change here breaks one rule, and is refused by that rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policies/content/stix_marking.h"
#include "stix_package.h"

#define CHANGES(changes) stix_changes(changes, sizeof(changes) / sizeof *(changes))
#define CHOICE                                                                                               \
    "<AIS:Not_Proprietary CISA_Proprietary=\"false\">\n"                                                     \
    "            <AIS:AISConsent consent=\"USG\"/>\n"                                                        \
    "            <AIS:TLPMarking color=\"GREEN\"/>\n"                                                        \
    "          </AIS:Not_Proprietary>"
#define CONSENT  "<AIS:AISConsent consent=\"USG\"/>"
#define COLOR    "<AIS:TLPMarking color=\"GREEN\"/>"
#define PART     "xsi:type=\"tlp:TLPMarkingStructureType\" color=\"WHITE\""
#define SCOPE    "<marking:Controlled_Structure>//node() | //@*</marking:Controlled_Structure>"
#define HANDLING "    </stix:Handling>"
#define AIS_TYPE "xsi:type=\"AIS:AISMarkingStructure\""
#define AIS_OTHER                                                                                            \
    "<marking:Marking>" SCOPE "<marking:Marking_Structure " AIS_TYPE ">" CHOICE                              \
    "</marking:Marking_Structure></marking:Marking>"
#define TLP(scope, color)                                                                                    \
    "<marking:Marking><marking:Controlled_Structure>" scope                                                  \
    "</marking:Controlled_Structure><marking:Marking_Structure xsi:type=\"tlp:TLPMarkingStructureType\" "    \
    "color=\"" color "\"/></marking:Marking>"
#define ISA_NS "http://www.us-cert.gov/sites/default/files/STIX_Namespace/"
#define ISA(set)                                                                                             \
    "<marking:Marking><marking:Controlled_Structure>//node() | //@*</marking:Controlled_Structure>"          \
    "<marking:Marking_Structure xmlns:isa=\"" ISA_NS                                                         \
    "ISAMarkingsAssertionsType.v2.xsd\" xsi:type=\"isa:ISAMarkingsAssertionType\"><e:ControlSet "            \
    "xmlns:e=\"urn:edm:edh:cyber:v3\">" set                                                                  \
    "</e:ControlSet></marking:Marking_Structure></marking:Marking>" HANDLING

static void marked_packages_pass(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, NULL, NULL, "", NULL, NULL, NULL},
        {STIX_HANDLING, NULL, NULL, "", NULL, NULL, NULL},
        {STIX_MARKING, "consent=\"USG\"", "consent=\"NONE\"", "", NULL, NULL, NULL},
        {STIX_MARKING, "consent=\"USG\"", "consent=\"EVERYONE\"", "", NULL, NULL, NULL},
        {STIX_MARKING, COLOR, "<AIS:TLPMarking color=\"WHITE\"/>", "", NULL, NULL, NULL},
        {STIX_MARKING, COLOR, "<AIS:TLPMarking color=\"AMBER\"/>", "", NULL, NULL, NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"0\"", "", NULL, NULL, NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"&#9;false&#10;\"", "", NULL, NULL,
         NULL},
        {STIX_HANDLING, "CISA_Proprietary=\" 1 \"", "CISA_Proprietary=\"true\"", "", NULL, NULL, NULL},
        {STIX_MARKING, "//node() | //@*", "<![CDATA[//node() ]]>| //@*", "", NULL, NULL, NULL},
        {STIX_MARKING, "//node() | //@*", "//node()", "", NULL, NULL, NULL},
        {STIX_MARKING, "//node() | //@*",
         "../../../../descendant-or-self::node() | ../../../../descendant-or-self::node()/@*", "", NULL, NULL,
         NULL},
        {STIX_HANDLING, "//node() | //@*", "", "", NULL, NULL, NULL}, /* the schema fixes it */
        {STIX_MARKING, HANDLING, TLP("//node()", "GREEN") HANDLING, "", NULL, NULL, NULL},
        {STIX_MARKING, HANDLING, ISA("CLS:U FD:PUBREL"), "", NULL, NULL, NULL},
    };
    CHANGES(changes);
}

static void unmarked_packages_are_refused(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING,
         "<marking:Marking_Structure " AIS_TYPE ">\n          " CHOICE
         "\n        </marking:Marking_Structure>",
         "", "marking-missing", "line 22 (stix:STIX_Header): the package has no AIS marking", NULL, NULL},
        /* The type is a name in a namespace: another namespace with the same prefix is another type. */
        {STIX_MARKING, "xmlns:AIS=\"http://www.us-cert.gov/STIXMarkingStructure#AISConsentMarking-2\"",
         "xmlns:AIS=\"http://example.org/AIS\"", "marking-unknown", "unknown type \"AISMarkingStructure\"",
         NULL, NULL},
        {STIX_MARKING, AIS_TYPE, "xsi:type=\"nobody:AISMarkingStructure\"", "marking-unknown",
         "prefix is not declared", NULL, NULL},
        {STIX_MARKING, AIS_TYPE, "", "marking-unknown", NULL, NULL, NULL},
        {STIX_MARKING, AIS_TYPE, "type=\"AIS:AISMarkingStructure\"", "marking-unknown", NULL, NULL, NULL},
        {STIX_MARKING, "  <stix:Indicators>", "<!-- " SCOPE " --><stix:Indicators>", "", NULL, NULL, NULL},
        {STIX_HANDLING, "<Handling xsi:type=\"m:AISHandling\">", "<Handling>", "marking-form", "AISHandling",
         NULL, NULL},
        {STIX_HANDLING, "xsi:type=\"m:AISHandling\"", "xsi:type=\"m:Handling\"", "marking-unknown",
         "\"Handling\"", NULL, NULL},
    };
    CHANGES(changes);
}

/* The AIS marking taken off the header and put elsewhere, as a whole. */
static void a_marking_of_a_part_does_not_mark_the_package(void **state)
{
    (void)state;
    char *text = stix_fixture(STIX_MARKING), *bare, *moved;
    char *begin = strstr(text, "      <marking:Marking>"), *end = strstr(text, HANDLING);
    char marking[2048];
    snprintf(marking, sizeof marking, "%.*s", (int)(end - begin), begin);
    bare = stix_replace(text, marking, "");
    char with[4096];
    snprintf(with, sizeof with, "      <indicator:Handling>\n%s", marking);
    moved = stix_replace(bare, "      <indicator:Handling>\n", with);
    struct verdict verdict = stix_verdict(moved, strlen(moved), NULL);
    assert_string_equal(verdict.rule, "stix-1.marking-missing");
    assert_non_null(strstr(verdict.reason, "a marking of a part does not count"));
    free(moved);
    moved = stix_replace(text, "      <indicator:Handling>\n", with);
    assert_string_equal(stix_verdict(moved, strlen(moved), NULL).rule, "stix-1.marking-twice");
    free(moved);
    free(bare);
    free(text);
}

/* No header, and an indicator that is marked for everything there is. */
static void a_package_without_header_is_not_marked(void **state)
{
    (void)state;
    static const struct accord_pair options[] = {
        {"require-header", "no"}, {"require-intent", "no"}, {NULL, NULL}};
    char *text = stix_fixture(STIX_MARKING), header[4096], moved[4096];
    char *begin = strstr(text, "  <stix:STIX_Header>"), *end = strstr(text, "  <stix:Indicators>");
    char *marking = strstr(text, "      <marking:Marking>");
    snprintf(header, sizeof header, "%.*s", (int)(end - begin), begin);
    snprintf(moved, sizeof moved, "      <indicator:Handling>\n%.*s", (int)(strstr(text, HANDLING) - marking),
             marking);
    char *bare = stix_replace(text, header, ""),
         *changed = stix_replace(bare, "      <indicator:Handling>\n", moved);
    assert_string_equal(
        stix_verdict(changed, strlen(changed), &(struct stix_judged){.options = options}).rule,
        "stix-1.marking-missing");
    free(changed);
    free(bare);
    free(text);
}

static void each_rule_of_the_ais_marking_holds(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, CHOICE, "", "marking-form",
         "line 19 (marking:Marking_Structure): the AIS marking says neither", NULL, NULL},
        {STIX_MARKING, "</AIS:Not_Proprietary>",
         "</AIS:Not_Proprietary><AIS:Is_Proprietary CISA_Proprietary=\"true\"/>", "marking-form", "either",
         NULL, NULL},
        {STIX_MARKING, CHOICE, CONSENT, "marking-form", "expected Is_Proprietary or Not_Proprietary", NULL,
         NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"true\"", "proprietary",
         "CISA_Proprietary is \"true\", expected \"false\"", NULL, NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"1\"", "proprietary", NULL, NULL,
         NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"no\"", "proprietary", NULL, NULL,
         NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"FALSE\"", "proprietary", NULL, NULL,
         NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "CISA_Proprietary=\"0 0\"", "proprietary", NULL, NULL,
         NULL},
        {STIX_MARKING, "CISA_Proprietary=\"false\"", "", "proprietary", "missing", NULL, NULL},
        {STIX_HANDLING, "CISA_Proprietary=\" 1 \"", "CISA_Proprietary=\"0\"", "proprietary",
         "expected \"true\"", NULL, NULL},
        {STIX_HANDLING, "consent=\"EVERYONE\"", "consent=\"USG\"", "proprietary",
         "line 16 (m:AISConsent): proprietary information with consent USG", NULL, NULL},
        {STIX_HANDLING, "consent=\"EVERYONE\"", "consent=\"NONE\"", "proprietary", NULL, "allow-consent",
         "NONE"},
        {STIX_MARKING, "consent=\"USG\"", "consent=\"usg\"", "consent", "\"usg\"", NULL, NULL},
        {STIX_MARKING, "consent=\"USG\"", "", "consent", "missing", NULL, NULL},
        {STIX_MARKING, CONSENT, "", "consent", "has no AISConsent", NULL, NULL},
        {STIX_MARKING, CONSENT, CONSENT CONSENT, "consent", "second", NULL, NULL},
        {STIX_MARKING, NULL, NULL, "consent", "consent USG is not one", "allow-consent", "EVERYONE"},
        {STIX_MARKING, "color=\"GREEN\"", "color=\"RED\"", "tlp",
         "line 22 (AIS:TLPMarking): color is \"RED\", expected WHITE, GREEN or AMBER", NULL, NULL},
        {STIX_MARKING, "color=\"GREEN\"", "color=\"RED\"", "tlp", "AIS knows no other", "allow-tlp", "RED"},
        {STIX_MARKING, "color=\"GREEN\"", "color=\"CLEAR\"", "tlp", NULL, NULL, NULL},
        {STIX_MARKING, "color=\"GREEN\"", "colour=\"GREEN\"", "tlp", "missing", NULL, NULL},
        {STIX_MARKING, COLOR, "", "tlp", "has no TLPMarking", NULL, NULL},
        {STIX_MARKING, COLOR, COLOR COLOR, "tlp", "second", NULL, NULL},
        {STIX_MARKING, NULL, NULL, "tlp", "\"GREEN\" may not be shared", "allow-tlp", "WHITE"},
        {STIX_MARKING, COLOR, COLOR "<AIS:Note/>", "marking-form", "nothing but", NULL, NULL},
        {STIX_MARKING, COLOR, "<tlp:TLPMarking color=\"GREEN\"/>", "marking-form", NULL, NULL, NULL},
        {STIX_MARKING, HANDLING, AIS_OTHER HANDLING, "marking-twice", "the first is on line 19", NULL, NULL},
        {STIX_MARKING, "AISConsentMarking-2", "AISConsentMarking-1", "marking-superseded",
         "Share_Identity_With", NULL, NULL},
        {STIX_MARKING, CHOICE,
         "<o:Share_Identity_With xmlns:o=\"http://www.us-cert.gov/STIXMarkingStructure#"
         "AISConsentMarking-1\"/>",
         "marking-superseded", "line 20 (o:Share_Identity_With)", NULL, NULL},
        {STIX_MARKING, "</marking:Marking_Structure>\n      </marking:Marking>\n    </stix:Handling>",
         "</marking:Marking_Structure>\n      </marking:Marking>\n    </stix:Handling><stix:Handling/>",
         "structure", "a second Handling", NULL, NULL},
    };
    CHANGES(changes);
}

static void the_marking_covers_the_whole_package(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, "//node() | //@*", "../../../descendant-or-self::node()", "marking-scope",
         "line 18 (marking:Controlled_Structure): the AIS marking does not cover the whole package", NULL,
         NULL},
        {STIX_MARKING, "//node() | //@*", "//stix:Indicator//node()", "marking-scope", NULL, NULL, NULL},
        {STIX_MARKING, "//node() | //@*", "//@*", "marking-scope", NULL, NULL, NULL},
        {STIX_MARKING, "//node() | //@*", "//node() | count(//x)", "marking-scope", NULL, NULL, NULL},
        {STIX_MARKING, "//node() | //@*", "", "marking-scope", NULL, NULL, NULL},
        {STIX_MARKING, SCOPE, "", "marking-scope", "no Controlled_Structure", NULL, NULL},
        {STIX_MARKING, SCOPE, SCOPE SCOPE, "marking-form", "second Controlled_Structure", NULL, NULL},
        {STIX_MARKING, "//node() | //@*", "//node() | <x xmlns=\"http://stix.mitre.org/\">//@*</x>",
         "structure", "only text may stand", NULL, NULL},
        {STIX_HANDLING, "//node() | //@*", "//node()[1]", "marking-scope", NULL, NULL, NULL},
    };
    CHANGES(changes);
}

static void what_selects_everything_is_known_by_its_form(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "//node() | //@*",
        "//@*|//node()",
        " //node()\n|\t//@* ",
        "//node()",
        "/descendant-or-self::node() | /descendant-or-self::node()/@*",
        "../../../../descendant-or-self::node()",
        "./../../../../descendant-or-self::node()",
        "../../../../../descendant-or-self::node()",
    };
    static const char *const less[] = {
        "",
        "|",
        "//node() |",
        "//@*",
        "//node()[false()]",
        "../../../descendant-or-self::node()",
        "../../descendant-or-self::node()",
        "../../../../descendant-or-self::node()/@*",
        "../../../../../../descendant-or-self::node()",
        "../../../../child::node()",
        "ancestor-or-self::stix:Indicator//node()",
        "//node() and "
        "//this/is/not/so/and/goes/on/and/on/so/that/nobody/could/ever/say/what/it/selects/in/the/end",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (!stix_scope_is_whole(whole[i]))
            fail_msg("is the whole: %s", whole[i]);
    for (size_t i = 0; i < sizeof less / sizeof *less; i++)
        if (stix_scope_is_whole(less[i]))
            fail_msg("is not the whole: %s", less[i]);
}

static void colours_must_agree(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, HANDLING, TLP("//node()", "RED") HANDLING, "tlp", "\"RED\" may not be shared", NULL,
         NULL},
        {STIX_MARKING, HANDLING, TLP("//node()", "AMBER") HANDLING, "marking-conflict",
         "TLP AMBER for the package, but its AIS marking on line 19 says GREEN", NULL, NULL},
        {STIX_MARKING, HANDLING, TLP("//node()", "WHITE") HANDLING, "marking-conflict", NULL, NULL, NULL},
        {STIX_MARKING, HANDLING, TLP("//stix:TTP//node()", "WHITE") HANDLING, "", NULL, NULL, NULL},
        {STIX_MARKING, HANDLING, TLP("//stix:TTP//node()", "AMBER") HANDLING, "marking-conflict",
         "for a part", NULL, NULL},
        /* Whatever it selects, a marking of a part is one of a part. */
        {STIX_MARKING, "../../../descendant-or-self::node()", "//node()", "", NULL, NULL, NULL},
        {STIX_MARKING, PART, "xsi:type=\"tlp:TLPMarkingStructureType\" color=\"AMBER\"", "marking-conflict",
         "TLP AMBER for a part, but the marking of the package on line 19 says GREEN", NULL, NULL},
        {STIX_MARKING, PART, "xsi:type=\"tlp:TLPMarkingStructureType\" color=\"RED\"", "tlp",
         "line 42 (marking:Marking_Structure): TLP colour \"RED\" may not be shared", NULL, NULL},
        {STIX_MARKING, PART, "xsi:type=\"tlp:TLPMarkingStructureType\"", "tlp", "without color", NULL, NULL},
    };
    CHANGES(changes);
    static const char *const two = TLP("//node()", "WHITE") TLP("//node() | //@*", "GREEN") HANDLING;
    const struct stix_change differing[] = {
        {STIX_MARKING, HANDLING, two, "marking-conflict", NULL, "require-marking", "tlp"}};
    CHANGES(differing);
}

static void other_markings_are_known_or_refused(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, HANDLING, ISA("CLS:U"), "isa", "allow-isa", "allow-isa", "no"},
        {STIX_MARKING, HANDLING, ISA("CLS:S FD:NF"), "classified", "other than unclassified", NULL, NULL},
        {STIX_MARKING, HANDLING, ISA("FD:PUBREL\n CLS:TS"), "classified", NULL, NULL, NULL},
        {STIX_MARKING, HANDLING, ISA("CLS:UX"), "classified", NULL, NULL, NULL},
        {STIX_MARKING, PART,
         "xmlns:s=\"http://data-marking.mitre.org/extensions/MarkingStructure#Simple-1\" "
         "xsi:type=\"s:SimpleMarkingStructureType\"",
         "", NULL, NULL, NULL},
        {STIX_MARKING, PART, "xsi:type=\"stix:Secret\"", "marking-unknown", "\"Secret\"", NULL, NULL},
        {STIX_MARKING, "      <indicator:Title>", "<marking:Marking_Structure/><indicator:Title>",
         "marking-form", "stands in no Marking", NULL, NULL},
        {STIX_MARKING, "Seen every night", "<marking:Marking/>Seen every night", "marking-form",
         "in the midst of text", NULL, NULL},
        {STIX_MARKING, SCOPE, SCOPE "<marking:Marking/>", "marking-form", "inside of a Marking", NULL, NULL},
    };
    CHANGES(changes);
}

/* The header's Marking is TLP alone. */
static void other_agreements_may_ask_for_less(void **state)
{
    (void)state;
    static const struct {
        const char *require, *color, *rule;
    } rows[] = {
        {"ais", "GREEN", "stix-1.marking-missing"},
        {"tlp", "GREEN", ""},
        {"any", "GREEN", ""},
        {"none", "GREEN", ""},
        {"tlp", "RED", "stix-1.tlp"},
        {"none", "RED", "stix-1.tlp"},
    };
    char *text = stix_fixture(STIX_MARKING);
    char *begin = strstr(text, "      <marking:Marking>"), *end = strstr(text, HANDLING);
    char marking[2048], tlp[512];
    snprintf(marking, sizeof marking, "%.*s", (int)(end - begin), begin);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct accord_pair options[] = {{"require-marking", rows[i].require}, {NULL, NULL}};
        snprintf(tlp, sizeof tlp, "%.*s%s%s", (int)(strstr(TLP("//node()", "#"), "#") - TLP("//node()", "#")),
                 TLP("//node()", "#"), rows[i].color, "\"/></marking:Marking>");
        char *changed = stix_replace(text, marking, tlp);
        struct verdict verdict =
            stix_verdict(changed, strlen(changed), &(struct stix_judged){.options = options});
        if (strcmp(verdict.rule, rows[i].rule))
            fail_msg("%s, %s: %s: %s", rows[i].require, rows[i].color, verdict.rule, verdict.reason);
        free(changed);
    }
    char *bare = stix_replace(text, marking, "");
    static const char *const requires[] = {"ais", "tlp", "any"};
    for (size_t i = 0; i < 3; i++) {
        const struct accord_pair options[] = {{"require-marking", requires[i]}, {NULL, NULL}};
        assert_string_equal(stix_verdict(bare, strlen(bare), &(struct stix_judged){.options = options}).rule,
                            "stix-1.marking-missing");
    }
    free(bare);
    free(text);
}

/* Nothing unmarked comes in either; what only AIS asks of submissions is not asked of its feed. */
static void what_comes_in_is_held_to_its_marking(void **state)
{
    (void)state;
    char *text = stix_fixture(STIX_MARKING);
    char *changed = stix_replace(text, "stix:Indicators>\n</stix", "stix:Indicators><stix:Incidents/></stix");
    assert_string_equal(stix_verdict(changed, strlen(changed), NULL).rule, "stix-1.container");
    assert_true(stix_verdict(changed, strlen(changed), &(struct stix_judged){.incoming = true}).allowed);
    const struct accord_pair options[] = {{"stix-incoming", "profile"}, {NULL, NULL}};
    const struct stix_judged strict = {.incoming = true, .options = options};
    assert_string_equal(stix_verdict(changed, strlen(changed), &strict).rule, "stix-1.container");
    free(changed);
    changed = stix_replace(text, "color=\"GREEN\"", "color=\"RED\"");
    assert_string_equal(stix_verdict(changed, strlen(changed), &(struct stix_judged){.incoming = true}).rule,
                        "stix-1.tlp");
    free(changed);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marked_packages_pass),
        cmocka_unit_test(unmarked_packages_are_refused),
        cmocka_unit_test(a_marking_of_a_part_does_not_mark_the_package),
        cmocka_unit_test(a_package_without_header_is_not_marked),
        cmocka_unit_test(each_rule_of_the_ais_marking_holds),
        cmocka_unit_test(the_marking_covers_the_whole_package),
        cmocka_unit_test(what_selects_everything_is_known_by_its_form),
        cmocka_unit_test(colours_must_agree),
        cmocka_unit_test(other_markings_are_known_or_refused),
        cmocka_unit_test(other_agreements_may_ask_for_less),
        cmocka_unit_test(what_comes_in_is_held_to_its_marking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
