/* The contract suite on the policy logging. */
#include "plan.h"

int main(void)
{
    static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                     .module = "logging",
                                                     .in_force_until = INT64_MAX,
                                                     .services = services,
                                                     .service_count = 1};
    static const struct testsuite_question questions[] = {
        {.name = "out", .question = ACCORD_ASK_OUT, .envelope = &good},
        {.name = "in", .question = ACCORD_ASK_IN, .envelope = &good},
    };
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .setup = &setup,
                                              .questions = questions,
                                              .question_count = sizeof questions / sizeof *questions};
    return accord_policy_suite(&suite) ? 1 : 0;
}
