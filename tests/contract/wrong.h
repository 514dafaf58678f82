/* Runs a suite on a plugin that is wrong on purpose, and says whether it was found out for its reason. */
#ifndef TESTS_WRONG_H
#define TESTS_WRONG_H

#include <accord/testkit/suite.h>

struct wrong {
    const char *name;  /* of the fault */
    const char *found; /* part of the case's name that must fail */
    const char *text;  /* and of what it says */
};

/* All cases must pass or be not run. How many did not. */
int wrong_none(struct testsuite_results *);
/* 0: found out. */
int wrong_found(const struct wrong *, struct testsuite_results *);

#endif
