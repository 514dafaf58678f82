/* From a message type to its validator. Feed bytes, finish, read the verdict: no host, no thread.
 * The content policy, the tests and the fuzz targets call it alike.
 */
#ifndef CONTENT_VALIDATOR_H
#define CONTENT_VALIDATOR_H

#include <accord/policy.h>

#include "stix.h"

enum validator_unvalidated { VALIDATOR_DENY, VALIDATOR_ALLOW };

/* Of one type of message: what its files may hold, from whom to whom. A type uses those that it has options for. */
struct exchange_options {
    struct accord_list messages, versions, senders, recipients;
    struct accord_list applications, answers; /* of 80-column records; answers: of those that come in */
    struct accord_list application_columns, filler, repeat;
    bool opaque;
};

/* Filled from the option table of options.c. */
struct validator_options {
    int64_t unvalidated; /* types of the registry that have no validator */
    struct exchange_options stow_plan, container_status, ace_transaction, aes_commodity, cbp_response;
    struct accord_list x12_groups, batch_key, detail_records, unique_references;
    bool allow_test_indicator, allow_bom, allow_indent;
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
    VALIDATOR_OPAQUE, /* nothing is promised of its bytes, or the agreement takes any: nothing is checked */
    VALIDATOR_NONE,   /* `unvalidated` decides */
};
enum validator_kind validator_kind(const char *type, const struct validator_options *);
/* What the option table cannot see. 0, or ACCORD_EINVAL with a sentence in `why`. */
int validator_check(const struct validator_options *, char *why, size_t why_size);

struct validator;
/* Options and schema must outlive it. NULL: out of memory, or not of kind VALIDATOR_CHECKS; options that
 * validator_check() refuses. */
struct validator *validator_new(const struct validator_case *, const struct validator_options *);
/* 0, or an error once the verdict stands: a denial, or a deferral for want of memory. Nothing more may be fed then. */
int validator_feed(struct validator *, const uint8_t *, size_t);
int validator_finish(struct validator *);
/* After a failed feed, or after finish. Belongs to the validator. */
const struct accord_verdict *validator_verdict(const struct validator *);
void validator_free(struct validator *);

#endif
