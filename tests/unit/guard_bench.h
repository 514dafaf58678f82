/* The guard and inspect roles without their sandbox, with two modules of guard_modules.h: the test is the
 * hub.
 */
#ifndef TEST_GUARD_BENCH_H
#define TEST_GUARD_BENCH_H

#include "fake_hub.h"

/* The options of a module; NULL for the default. */
struct module {
    const char *does, *pull, *profile;
};
/* Sends everything up to START: two links, a service on each, two modules. */
void put_modules(struct fake_hub *, bool inspect, const struct module *modules);
/* The same, and the role is ready. */
void hub_begin(struct fake_hub *, bool inspect, struct module first, struct module second);
/* Nothing was left unsaid, and the role ends as it should. */
void hub_end(struct fake_hub *);

void put_judge(struct fake_hub *, uint64_t stream, enum accord_question, int64_t size);
/* The next log line is that of the module of this name, which is asked. */
void expect_judge(struct fake_hub *, const char *which, enum accord_question);
const struct wire_VERDICT *expect_verdict(struct fake_hub *, uint64_t stream, enum accord_answer,
                                          const char *module);

#endif
