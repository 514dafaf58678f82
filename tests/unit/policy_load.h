/* The policies as they are built, in the fake host. */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include <accord/testkit/policy.h>

struct testpolicy *policy_of(const char *module);
/* Closes it; the test fails when the host has complaints. */
void policy_end(struct testpolicy *);

#endif
