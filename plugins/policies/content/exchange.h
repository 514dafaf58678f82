/* The options of the types that are files of business messages: stow-plan, container-status, ace-transaction,
 * aes-commodity, cbp-response.
 */
#ifndef CONTENT_EXCHANGE_H
#define CONTENT_EXCHANGE_H

#include "validator.h"

/* NULL: another type. */
const struct exchange_options *exchange_options(const struct validator_options *, const char *type);
/* What the option table cannot see: columns, groups. 0, or ACCORD_EINVAL with a sentence in `why`. */
int exchange_check(const struct validator_options *, char *why, size_t why_size);

#endif
