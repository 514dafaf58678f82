/* The contract suite on the policy services. */
#include <accord/testkit/suite.h>

#include <stdlib.h>

int main(void)
{
    static const struct accord_policy_link far = {.name = "sftp", .connector = "sftp", .tunnel = "none"};
    static const struct accord_policy_link *const links[] = {&far};
    static const struct accord_policy_service plans = {.name = "plans",
                                                       .type = "stow-plan",
                                                       .link = "sftp",
                                                       .direction = ACCORD_SEND,
                                                       .max_size = 1000,
                                                       .names = "*.edi"};
    static const struct accord_policy_service *const services[] = {&plans};
    static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                     .module = "services",
                                                     .in_force_from = 1735000000000000,
                                                     .in_force_until = 1767000000000000,
                                                     .links = links,
                                                     .link_count = 1,
                                                     .services = services,
                                                     .service_count = 1};
    static const struct accord_envelope good = {.id = "m1",
                                                .type = "stow-plan",
                                                .name = "a.edi",
                                                .origin = "s/p",
                                                .source_id = "",
                                                .size = 9,
                                                .sha256 = ""};
    static const struct accord_envelope large = {.id = "m2",
                                                 .type = "stow-plan",
                                                 .name = "a.edi",
                                                 .origin = "s/p",
                                                 .source_id = "",
                                                 .size = 1001,
                                                 .sha256 = ""};
    static const struct accord_envelope other = {.id = "m3",
                                                 .type = "opaque",
                                                 .name = "a.edi",
                                                 .origin = "s/p",
                                                 .source_id = "",
                                                 .size = 9,
                                                 .sha256 = ""};
    static const struct accord_envelope named = {.id = "m4",
                                                 .type = "stow-plan",
                                                 .name = "a.exe",
                                                 .origin = "s/p",
                                                 .source_id = "",
                                                 .size = 9,
                                                 .sha256 = ""};
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
