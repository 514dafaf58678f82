/* The contract suite on this policy: each question is asked in every way: payload in any pieces, cancelled
 * and closed at every moment, with every allocation and host call failing in turn. */
#include <accord/plugin.h>
#include <accord/testkit/suite.h>

int main(void)
{
    static const struct accord_pair options[] = {{"words", "SECRET"}, {"headers", "subject"}, {NULL, NULL}};
    static const struct accord_policy_link link = {
        .name = "line", .connector = "sample", .endpoint_host = "p.example"};
    static const struct accord_policy_link *const links[] = {&link};
    static const struct accord_policy_service service = {.name = "orders",
                                                         .type = "opaque",
                                                         .link = "line",
                                                         .direction = ACCORD_SEND,
                                                         .max_size = 1 << 20,
                                                         .names = ""};
    static const struct accord_policy_service *const services[] = {&service};
    static const struct accord_policy_setup setup = {.agreement = "test",
                                                     .module = "sample",
                                                     .in_force_until = INT64_MAX,
                                                     .links = links,
                                                     .link_count = 1,
                                                     .services = services,
                                                     .service_count = 1};
    static const struct accord_pair subject[] = {{"subject", "orders"}};
    static const struct accord_envelope good = {.id = "id1",
                                                .type = "opaque",
                                                .name = "good.txt",
                                                .origin = "site/orders",
                                                .source_id = "",
                                                .sha256 = "",
                                                .size = 12,
                                                .headers = subject,
                                                .header_count = 1};
    static const struct accord_envelope bare = {.id = "id2",
                                                .type = "opaque",
                                                .name = "bare.txt",
                                                .origin = "site/orders",
                                                .source_id = "",
                                                .sha256 = "",
                                                .size = 12};
    static const struct testsuite_question questions[] = {
        {"an order", ACCORD_ASK_OUT, NULL, 0, 0, NULL, &good, "twelve boxes", ACCORD_ALLOW, NULL},
        {"a secret", ACCORD_ASK_OUT, NULL, 0, 0, NULL, &good, "SECRET boxes", ACCORD_DENY, "sample.word"},
        {"no subject", ACCORD_ASK_IN, NULL, 0, 0, NULL, &bare, "twelve boxes", ACCORD_DENY, "sample.header"},
    };
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .options = options,
                                              .setup = &setup,
                                              .questions = questions,
                                              .question_count = 3};
    return accord_policy_suite(&suite) ? 1 : 0;
}
