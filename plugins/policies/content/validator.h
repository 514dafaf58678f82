/* From a message type to its validator. Feed bytes, finish, read the verdict: no host, no thread.
 * The content policy, the tests and the fuzz targets call it alike.
 */
#ifndef CONTENT_VALIDATOR_H
#define CONTENT_VALIDATOR_H

#include <accord/policy.h>

#include "stix.h"

enum validator_unvalidated { VALIDATOR_DENY, VALIDATOR_ALLOW };

/* Of one type of message: what its files may hold, from whom to whom. */
struct exchange_options {
    struct accord_list versions, senders, recipients;
};

/* Filled from the option table of options.c. */
struct validator_options {
    int64_t unvalidated; /* types of the registry that have no validator yet */
    struct exchange_options stow_plan;
    bool allow_test_indicator, allow_bom;
    int64_t max_segments;
    struct stix_options stix;
};
extern const struct accord_option validator_option_table[];

/* One message to judge. */
struct validator_case {
    const char *type;
    bool incoming;                    /* it comes from the partner */
    int64_t now;                      /* microseconds since 1970 */
    const struct stix_schema *schema; /* of the options' folder; NULL: packages are not held against one */
};

enum validator_kind {
    VALIDATOR_CHECKS, /* validator_new() makes one */
    VALIDATOR_OPAQUE, /* nothing is promised of its bytes, so nothing is checked */
    VALIDATOR_NONE,   /* `unvalidated` decides */
};
enum validator_kind validator_kind(const char *type);

struct validator;
/* Options and schema must outlive it. NULL: out of memory, or not of kind VALIDATOR_CHECKS. */
struct validator *validator_new(const struct validator_case *, const struct validator_options *);
/* 0, or an error once the verdict stands: a denial, or a deferral for want of memory. Nothing more may be fed then. */
int validator_feed(struct validator *, const uint8_t *, size_t);
int validator_finish(struct validator *);
/* After a failed feed, or after finish. Belongs to the validator. */
const struct accord_verdict *validator_verdict(const struct validator *);
void validator_free(struct validator *);

#endif
