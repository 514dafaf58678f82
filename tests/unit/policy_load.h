/* The policies as they are built, in the fake host. */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include <accord/testkit/policy.h>

struct testpolicy *policy_of(const char *module);
/* The same, open with these options; NULL: the defaults. */
struct testpolicy *policy_opened(const char *module, const struct accord_pair *options);
/* Closes it; the test fails when the host has complaints. */
void policy_end(struct testpolicy *);

/* Answered once, and so; `part`: of the reason. */
void expect_answer(const struct accord_case *, enum accord_answer, const char *rule, const char *part);
/* The verdict on a session with these facts, but for those that are changed (to NULL: left out). Both end with a NULL
 * name. */
struct accord_case policy_session(struct testpolicy *, enum accord_question, const struct accord_policy_link *,
                                  const struct accord_pair *facts, const struct accord_pair *changes);
/* Its check refuses these options, and says so; `part`: of what it says. */
void policy_refuses(struct testpolicy *, const struct accord_pair *options, const char *part);
/* What a check of the options says of an agreement with this link alone; NULL: nothing. */
void policy_checks(const char *module, const struct accord_policy_link *, const struct accord_pair *options,
                   const char *part);

#endif
