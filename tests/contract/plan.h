/* What the policies' contract suites ask about: an agreement with one service over one link, and a stow plan for it. */
#ifndef TESTS_PLAN_H
#define TESTS_PLAN_H

#include <accord/testkit/suite.h>

#define ENVELOPE(the_id, the_type, the_name, the_size)                                                       \
    {                                                                                                        \
        .id = (the_id), .type = (the_type), .name = (the_name), .origin = "s/p", .source_id = "",            \
        .size = (the_size), .sha256 = ""                                                                     \
    }

static const struct accord_policy_link far = {.name = "sftp", .connector = "sftp", .tunnel = "none"};
static const struct accord_policy_link *const links[] = {&far};
static const struct accord_policy_service plans = {
    .name = "plans", .type = "stow-plan", .link = "sftp", .direction = ACCORD_SEND, .names = ""};
static const struct accord_policy_service *const services[] = {&plans};
static const struct accord_envelope good = ENVELOPE("m1", "stow-plan", "a.edi", 9);

#endif
