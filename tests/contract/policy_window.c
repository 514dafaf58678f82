/* The contract suite on the policy window. */
#include "plan.h"

int main(void)
{
    static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                     .module = "window",
                                                     .in_force_until = INT64_MAX,
                                                     .links = links,
                                                     .link_count = 1,
                                                     .services = services,
                                                     .service_count = 1};
    static const struct accord_pair open[] = {
        {"closed", "Sun 02:00-06:00"}, {"time-zone", "UTC"}, {NULL, NULL}};
    static const struct accord_pair closed[] = {
        {"closed", "09:00-11:00"}, {"time-zone", "UTC"}, {NULL, NULL}};
    static const struct accord_pair none[] = {{NULL, NULL}};
    static const struct testsuite_question questions[] = {
        {.name = "open", .question = ACCORD_ASK_OUT, .envelope = &good},
        {.name = "in", .question = ACCORD_ASK_IN, .envelope = &good},
        {.name = "session", .question = ACCORD_ASK_HANDSHAKE, .facts = none},
        {.name = "closed",
         .question = ACCORD_ASK_OUT,
         .options = closed,
         .envelope = &good,
         .answer = ACCORD_DEFER},
    };
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .options = open,
                                              .setup = &setup,
                                              .wall = 1736935200000000, /* a Wednesday, 10:00 */
                                              .questions = questions,
                                              .question_count = sizeof questions / sizeof *questions};
    return accord_policy_suite(&suite) ? 1 : 0;
}
