/* From a message type to its validator. Feed bytes, finish, read the verdict: no case, no host, no thread.
 * The content policy, the tests and the fuzz target call it alike.
 */
#ifndef CONTENT_VALIDATOR_H
#define CONTENT_VALIDATOR_H

#include <accord/policy.h>

enum validator_unvalidated { VALIDATOR_DENY, VALIDATOR_ALLOW };

/* Filled from the option table of content.c. */
struct validator_options {
    int64_t unvalidated; /* types of the registry that have no validator yet */
    struct accord_list stow_plan_versions, stow_plan_senders, stow_plan_recipients;
    bool allow_test_indicator, allow_bom;
    int64_t max_segments;
};

enum validator_kind {
    VALIDATOR_CHECKS, /* validator_new() makes one */
    VALIDATOR_OPAQUE, /* nothing is promised of its bytes, so nothing is checked */
    VALIDATOR_NONE,   /* `unvalidated` decides */
};
enum validator_kind validator_kind(const char *type);

struct validator;
/* The options must outlive it. NULL: out of memory, or not of kind VALIDATOR_CHECKS. */
struct validator *validator_new(const char *type, const struct validator_options *);
/* 0, or ACCORD_EFORMAT once the verdict is a denial; nothing more may be fed then. */
int validator_feed(struct validator *, const uint8_t *, size_t);
int validator_finish(struct validator *);
/* After a failed feed, or after finish. Belongs to the validator. */
const struct accord_verdict *validator_verdict(const struct validator *);
void validator_free(struct validator *);

#endif
