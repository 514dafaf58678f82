/* The contract suite on the policy content. */
#include "plan.h"

#define PLAN                                                                                                 \
    "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'UNH+1+BAPLIE:D:95B:UN:SMDG20'"                                     \
    "TDT+20+601W+++XAR+++9999993'LOC+147+0010102::5'UNT+4+1'UNZ+1+C1'"
#define CUT "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'UNH+1+BAPLIE:D:95B:UN:SMDG20'TDT+20+601W+++XAR"
#define NOT "PK\x03\x04 this is an archive and no plan at all, as anyone can see"
#define PACKAGE(header)                                                                                      \
    "<stix:STIX_Package xmlns:stix='http://stix.mitre.org/stix-1' xmlns:a='http://example.org/' "            \
    "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "                                                 \
    "xmlns:v='http://stix.mitre.org/default_vocabularies-1' "                                                \
    "xmlns:m='http://data-marking.mitre.org/Marking-1' "                                                     \
    "xmlns:ais='http://www.us-cert.gov/STIXMarkingStructure#AISConsentMarking-2' id='a:Package-1' "          \
    "timestamp='2020-01-15T12:00:00Z' version='1.1.1'><stix:STIX_Header>"                                    \
    "<stix:Package_Intent xsi:type='v:PackageIntentVocab-1.0'>Threat Report</stix:Package_Intent>" header    \
    "</stix:STIX_Header><stix:TTPs/></stix:STIX_Package>\n"
#define MARKED(color)                                                                                        \
    PACKAGE("<stix:Handling><m:Marking><m:Controlled_Structure>//node() | //@*</m:Controlled_Structure>"     \
            "<m:Marking_Structure xsi:type='ais:AISMarkingStructure'>"                                       \
            "<ais:Not_Proprietary CISA_Proprietary='false'><ais:AISConsent consent='NONE'/>"                 \
            "<ais:TLPMarking color='" color "'/></ais:Not_Proprietary></m:Marking_Structure></m:Marking>"    \
            "</stix:Handling>")
#define SIZED(text)                                                                                          \
    .size = sizeof(text) - 1, .type = "stow-plan", .origin = "s/p", .source_id = "", .sha256 = ""

#define OF(the_type, text)                                                                                   \
    .size = sizeof(text) - 1, .type = (the_type), .origin = "s/p", .source_id = "", .sha256 = ""
#define STATUS(count)                                                                                        \
    "ISA*00*          *00*          *ZZ*ACME           *ZZ*USCBP          "                                  \
    "*260115*1200*U*00401*000000007*0*P"                                                                     \
    "*>~GS*QO*ACME*USCBP*20260115*1200*1*X*004010~ST*315*0001~B4***VA*20260115***ABCU*123456~R4*L*UN*USNYC~" \
    "SE*" count "*0001~GE*1*1~IEA*1*000000007~"
#define BLANK20 "                    "
#define BATCH(filler)                                                                                        \
    "A9999XXXHUSHPW011526     FT" filler BLANK20 BLANK20 "            \n"                                    \
    "B  2704XXXFT" BLANK20 BLANK20 BLANK20 "        \n"                                                      \
    "Y  2704XXXFT" BLANK20 BLANK20 BLANK20 "        \n"                                                      \
    "Z9999XXX      011526" BLANK20 BLANK20 BLANK20 "\n"
#define CUSRES "UNB+UNOA:2+USCBP+ACME+260115:1200+B77'UNH+1+CUSRES:D:95B:UN'BGM+963+R1+11'UNT+3+1'UNZ+1+B77'"

#define STIX(text) .size = sizeof(text) - 1, .type = "stix-1", .origin = "s/p", .source_id = "", .sha256 = ""

static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                 .module = "content",
                                                 .in_force_until = INT64_MAX,
                                                 .services = services,
                                                 .service_count = 1};
static const struct accord_envelope plan = {.id = "m1", .name = "a.edi", SIZED(PLAN)};
static const struct accord_envelope cut = {.id = "m2", .name = "b.edi", SIZED(CUT)};
static const struct accord_envelope archive = {.id = "m3", .name = "c.edi", SIZED(NOT)};
static const struct accord_envelope status = {
    .id = "n1", .name = "a.x12", OF("container-status", STATUS("4"))};
static const struct accord_envelope batch = {.id = "n2", .name = "a.txt", OF("ace-transaction", BATCH(" "))};
static const struct accord_envelope response = {.id = "n3", .name = "r.edi", OF("cbp-response", CUSRES)};
static const struct accord_envelope export = {.id = "n4", .name = "e.txt", OF("aes-commodity", BATCH(" "))};
static const struct accord_envelope unknown = ENVELOPE("m4", "incident-report", "d", 3);
static const struct accord_envelope marked = {.id = "m5", .name = "a.xml", STIX(MARKED("AMBER"))};
static const struct accord_envelope red = {.id = "m6", .name = "b.xml", STIX(MARKED("RED"))};
static const struct accord_envelope unmarked = {.id = "m7", .name = "c.xml", STIX(PACKAGE(""))};
static const struct accord_envelope page = {.id = "m8", .name = "d.xml", STIX("<html/>")};
static const struct accord_envelope no_xml = {.id = "m9", .name = "e.xml", STIX(PLAN)};
static const struct testsuite_question questions[] = {
    {.name = "plan", .question = ACCORD_ASK_OUT, .envelope = &plan, .payload = PLAN},
    {.name = "plan in", .question = ACCORD_ASK_IN, .envelope = &plan, .payload = PLAN},
    {.name = "cut", .question = ACCORD_ASK_OUT, .envelope = &cut, .payload = CUT, .answer = ACCORD_DENY},
    {.name = "archive",
     .question = ACCORD_ASK_IN,
     .envelope = &archive,
     .payload = NOT,
     .answer = ACCORD_DENY,
     .rule = "stow-plan.start"},
    {.name = "status", .question = ACCORD_ASK_OUT, .envelope = &status, .payload = STATUS("4")},
    {.name = "miscounted status",
     .question = ACCORD_ASK_OUT,
     .envelope = &status,
     .payload = STATUS("5"),
     .answer = ACCORD_DENY,
     .rule = "container-status.se-count"},
    {.name = "batch", .question = ACCORD_ASK_OUT, .envelope = &batch, .payload = BATCH(" ")},
    {.name = "batch with data in filler",
     .question = ACCORD_ASK_OUT,
     .envelope = &batch,
     .payload = BATCH("X"),
     .answer = ACCORD_DENY,
     .rule = "ace-transaction.filler"},
    {.name = "export that is none",
     .question = ACCORD_ASK_OUT,
     .envelope = &export,
     .payload = BATCH(" "),
     .answer = ACCORD_DENY,
     .rule = "aes-commodity.application"},
    {.name = "response", .question = ACCORD_ASK_IN, .envelope = &response, .payload = CUSRES},
    {.name = "unknown",
     .question = ACCORD_ASK_OUT,
     .envelope = &unknown,
     .payload = "AAA",
     .answer = ACCORD_DENY,
     .rule = "content.no-validator"},
    {.name = "marked", .question = ACCORD_ASK_OUT, .envelope = &marked, .payload = MARKED("AMBER")},
    {.name = "marked in", .question = ACCORD_ASK_IN, .envelope = &marked, .payload = MARKED("AMBER")},
    {.name = "red",
     .question = ACCORD_ASK_OUT,
     .envelope = &red,
     .payload = MARKED("RED"),
     .answer = ACCORD_DENY,
     .rule = "stix-1.tlp"},
    {.name = "unmarked",
     .question = ACCORD_ASK_OUT,
     .envelope = &unmarked,
     .payload = PACKAGE(""),
     .answer = ACCORD_DENY,
     .rule = "stix-1.marking-missing"},
    {.name = "unmarked in",
     .question = ACCORD_ASK_IN,
     .envelope = &unmarked,
     .payload = PACKAGE(""),
     .answer = ACCORD_DENY,
     .rule = "stix-1.marking-missing"},
    {.name = "page",
     .question = ACCORD_ASK_IN,
     .envelope = &page,
     .payload = "<html/>",
     .answer = ACCORD_DENY,
     .rule = "stix-1.root"},
    {.name = "no xml",
     .question = ACCORD_ASK_OUT,
     .envelope = &no_xml,
     .payload = PLAN,
     .answer = ACCORD_DENY,
     .rule = "stix-1.xml"},
};

int main(void)
{
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .setup = &setup,
                                              .questions = questions,
                                              .question_count = sizeof questions / sizeof *questions};
    return accord_policy_suite(&suite) ? 1 : 0;
}
