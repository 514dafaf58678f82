/* For the tests of the EDIFACT validator: a file's verdict, the same however it is cut into pieces. */
#ifndef TESTS_EDIFACT_VERDICT_H
#define TESTS_EDIFACT_VERDICT_H

#include "policies/content/validator.h"

struct verdict {
    bool allowed;
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
    char key[ACCORD_KEY_MAX];
};

/* The option table's defaults, to be changed by a test. */
struct validator_options verdict_options(void);
/* Feeds the stow plan whole, byte by byte, and in pieces of 7 and 4096; fails the test when the verdicts
 * differ. `options` NULL: the defaults. */
struct verdict verdict_of(const void *bytes, size_t size, const struct validator_options *options);
struct verdict verdict_of_text(const char *text, const struct validator_options *options);
/* Fails the test, showing the verdict, unless it is this. */
void expect_allowed(const char *text);
void expect_denied(const char *rule, const char *reason_part, const char *text);

/* A whole file; heap. NULL: not there. */
char *verdict_read(const char *path, size_t *size);

#endif
