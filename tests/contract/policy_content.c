/* The contract suite on the policy content. */
#include "plan.h"

#define PLAN                                                                                                 \
    "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'UNH+1+BAPLIE:D:95B:UN:SMDG20'"                                     \
    "TDT+20+601W+++XAR+++9999993'LOC+147+0010102::5'UNT+4+1'UNZ+1+C1'"
#define CUT "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'UNH+1+BAPLIE:D:95B:UN:SMDG20'TDT+20+601W+++XAR"
#define NOT "PK\x03\x04 this is an archive and no plan at all, as anyone can see"
#define SIZED(text)                                                                                          \
    .size = sizeof(text) - 1, .type = "stow-plan", .origin = "s/p", .source_id = "", .sha256 = ""

int main(void)
{
    static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                     .module = "content",
                                                     .in_force_until = INT64_MAX,
                                                     .services = services,
                                                     .service_count = 1};
    static const struct accord_envelope plan = {.id = "m1", .name = "a.edi", SIZED(PLAN)};
    static const struct accord_envelope cut = {.id = "m2", .name = "b.edi", SIZED(CUT)};
    static const struct accord_envelope archive = {.id = "m3", .name = "c.edi", SIZED(NOT)};
    static const struct accord_envelope unknown = ENVELOPE("m4", "aes-commodity", "d", 3);
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
        {.name = "unknown",
         .question = ACCORD_ASK_OUT,
         .envelope = &unknown,
         .payload = "AAA",
         .answer = ACCORD_DENY,
         .rule = "content.no-validator"},
    };
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .setup = &setup,
                                              .questions = questions,
                                              .question_count = sizeof questions / sizeof *questions};
    return accord_policy_suite(&suite) ? 1 : 0;
}
