/* How links of mq and smtp log in: SASL inside TLS (RFC 4422), and mail without a login. */
#ifndef ENCRYPTION_SASL_H
#define ENCRYPTION_SASL_H

#include "judging.h"

#define SASL_NONE                                                                                            \
    "none" /* in sasl-mechanisms, and as sasl.mechanism of a session in which nobody logged in */
#define SASL_TEXT_MAX 128 /* every mechanism that may be used, with commas */

/* Does the connector log in by SASL? Its sessions must say how. */
bool sasl_logs_in(const struct accord_policy_link *);
/* What this link may use, comma-separated, the preferred one first; may be "". */
void sasl_compile(const struct encryption_options *, const struct accord_policy_link *,
                  char to[SASL_TEXT_MAX]);
/* The link can log in as its section says. Otherwise ACCORD_EINVAL and `why`. */
int sasl_check(const struct encryption_options *, const struct accord_policy_link *, char *why,
               size_t why_size);
/* Every item of the list may be used, and some link can. Otherwise ACCORD_EINVAL and `why`. */
int sasl_check_list(const struct encryption_options *, const struct accord_policy_setup *, char *why,
                    size_t why_size);
bool sasl_authenticated(const struct judging *);

#endif
