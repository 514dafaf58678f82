/* Personal data in free text (AIS-2: sensitive information is filtered; AIS-3.3: only what is needed to understand a
 * threat). Patterns, so neither complete nor always right: what they find goes to quarantine, where a person decides.
 */
#ifndef CONTENT_STIX_PERSONAL_H
#define CONTENT_STIX_PERSONAL_H

#include <stddef.h>

/* What was found first, as words for a reason ("an e-mail address"), and at which byte; NULL: nothing. Never the data
 * itself: reasons go to logs. */
const char *stix_personal_find(const char *text, size_t *at);

#endif
