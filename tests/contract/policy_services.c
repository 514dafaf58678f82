/* The contract suite on the policy services. */
#include "plan.h"

int main(void)
{
    static const struct accord_policy_service bounded = {.name = "plans",
                                                         .type = "stow-plan",
                                                         .link = "sftp",
                                                         .direction = ACCORD_SEND,
                                                         .max_size = 1000,
                                                         .names = "*.edi"};
    static const struct accord_policy_service *const bounded_services[] = {&bounded};
    static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                     .module = "services",
                                                     .in_force_from = 1735000000000000,
                                                     .in_force_until = 1767000000000000,
                                                     .links = links,
                                                     .link_count = 1,
                                                     .services = bounded_services,
                                                     .service_count = 1};
    static const struct accord_envelope large = ENVELOPE("m2", "stow-plan", "a.edi", 1001);
    static const struct accord_envelope other = ENVELOPE("m3", "opaque", "a.edi", 9);
    static const struct accord_envelope named = ENVELOPE("m4", "stow-plan", "a.exe", 9);
    static const struct accord_pair none[] = {{NULL, NULL}};
    static const struct testsuite_question questions[] = {
        {.name = "good", .question = ACCORD_ASK_OUT, .envelope = &good},
        {.name = "wrong way",
         .question = ACCORD_ASK_IN,
         .envelope = &good,
         .answer = ACCORD_DENY,
         .rule = "services.direction"},
        {.name = "large",
         .question = ACCORD_ASK_OUT,
         .envelope = &large,
         .answer = ACCORD_DENY,
         .rule = "services.size"},
        {.name = "other type",
         .question = ACCORD_ASK_OUT,
         .envelope = &other,
         .answer = ACCORD_DENY,
         .rule = "services.type"},
        {.name = "other name",
         .question = ACCORD_ASK_OUT,
         .envelope = &named,
         .answer = ACCORD_DENY,
         .rule = "services.name"},
        {.name = "handshake", .question = ACCORD_ASK_HANDSHAKE, .facts = none},
        {.name = "user", .question = ACCORD_ASK_AUTHENTICATED, .facts = none},
    };
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .setup = &setup,
                                              .wall = 1736935200000000,
                                              .questions = questions,
                                              .question_count = sizeof questions / sizeof *questions};
    return accord_policy_suite(&suite) ? 1 : 0;
}
