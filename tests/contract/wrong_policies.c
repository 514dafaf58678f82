/* The policy suite passes the policy `gate`, and fails it for each of its faults by name. */
#include <stdlib.h>
#include <string.h>

#include "testkit/wrong/wrong.h"
#include "wrong.h"

#define GOOD "all is well, and every line of this is as it should be"
#define BAD  "all was well until this x came, after which nothing is"

int main(void)
{
#define AS_ROW(name, found, text) {#name, found, text},
    static const struct wrong wrongs[] = {WRONG_POLICIES(AS_ROW)};
    static const struct accord_policy_link far = {
        .name = "far", .connector = "depot", .endpoint_host = "depot.example", .tunnel = "none"};
    static const struct accord_policy_link *const links[] = {&far};
    static const struct accord_policy_service out = {
        .name = "out", .type = "opaque", .link = "far", .direction = ACCORD_SEND, .names = ""};
    static const struct accord_policy_service *const services[] = {&out};
    static const struct accord_policy_setup setup = {.agreement = "agreement",
                                                     .module = "gate",
                                                     .in_force_until = INT64_MAX,
                                                     .links = links,
                                                     .link_count = 1,
                                                     .services = services,
                                                     .service_count = 1};
    static const struct accord_envelope good = {.id = "m1",
                                                .type = "opaque",
                                                .name = "good",
                                                .origin = "a/b",
                                                .source_id = "",
                                                .size = sizeof GOOD - 1,
                                                .sha256 = ""};
    static const struct accord_envelope bad = {.id = "m2",
                                               .type = "opaque",
                                               .name = "bad",
                                               .origin = "a/b",
                                               .source_id = "",
                                               .size = sizeof BAD - 1,
                                               .sha256 = ""};
    static const struct accord_pair safe[] = {{"gate.mode", "safe"}, {NULL, NULL}};
    static const struct accord_pair unsafe[] = {{"gate.mode", "open"}, {NULL, NULL}};
    static const struct testsuite_question questions[] = {
        {.name = "good",
         .question = ACCORD_ASK_OUT,
         .envelope = &good,
         .payload = GOOD,
         .answer = ACCORD_ALLOW},
        {.name = "bad",
         .question = ACCORD_ASK_OUT,
         .envelope = &bad,
         .payload = BAD,
         .answer = ACCORD_DENY,
         .rule = "gate.forbidden"},
        {.name = "safe", .question = ACCORD_ASK_HANDSHAKE, .facts = safe, .answer = ACCORD_ALLOW},
        {.name = "unsafe",
         .question = ACCORD_ASK_HANDSHAKE,
         .facts = unsafe,
         .answer = ACCORD_DENY,
         .rule = "gate.mode"},
    };
    struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                        .setup = &setup,
                                        .questions = questions,
                                        .question_count = sizeof questions / sizeof *questions};
    const char *one = getenv("WRONG");
    int failed = one && *one ? 0 : wrong_none(accord_policy_suite_results(&suite));
    suite.loop_patience = 300;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        if (one && strcmp(one, wrongs[i].name) != 0)
            continue;
        gate_is = (enum gate_wrong)(i + 1);
        suite.case_patience = strcmp(wrongs[i].name, "HANGS") == 0 ? 3000 : 60000;
        setenv("TESTSUITE_CASE", wrongs[i].found, 1);
        failed += wrong_found(&wrongs[i], accord_policy_suite_results(&suite));
    }
    return failed ? 1 : 0;
}
