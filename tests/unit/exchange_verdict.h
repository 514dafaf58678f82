/* For the tests of validators of business messages: a file's verdict, the same however it is cut into pieces. */
#ifndef TESTS_EXCHANGE_VERDICT_H
#define TESTS_EXCHANGE_VERDICT_H

#include "policies/content/validator.h"

struct verdict {
    bool allowed;
    int result; /* of feeding and finishing: 0 when it is allowed */
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
    char key[ACCORD_KEY_MAX];
};

/* The option table's defaults, to be changed by a test. */
struct validator_options verdict_options(void);
/* Options as a file writes them; they live until the next are written. */
const struct validator_options *verdict_written(const struct accord_pair *, size_t count);
/* Feeds the file whole, byte by byte, and in pieces of 7 and 4096; fails the test when the verdicts differ.
 * `options` NULL: the defaults. */
struct verdict verdict_of_case(const struct validator_case *, const void *bytes, size_t size,
                               const struct validator_options *options);
/* The same of a file that may pass a limit, too; without the pieces of fewer than `least` bytes. */
struct verdict verdict_in_pieces(const struct validator_case *, const void *bytes, size_t size,
                                 const struct validator_options *options, size_t least);
/* A stow plan that goes out. */
struct verdict verdict_of(const void *bytes, size_t size, const struct validator_options *options);
struct verdict verdict_of_text(const char *text, const struct validator_options *options);
struct verdict verdict_as(const char *type, const char *text, const struct validator_options *options);
/* Fails the test, showing the verdict, unless it is this. A denial's rule begins with the type. */
void expect_allowed(const char *text);
void expect_allowed_as(const char *type, const char *text);
void expect_denied(const char *rule, const char *reason_part, const char *text);
void expect_denied_with(const struct validator_options *, const char *rule, const char *reason_part,
                        const char *text);

/* A whole file; heap. NULL: not there. */
char *verdict_read(const char *path, size_t *size);

#endif
