/* One question while it is judged. Every rule answers: does the session pass? */
#ifndef ENCRYPTION_JUDGING_H
#define ENCRYPTION_JUDGING_H

#include "session.h"

struct judging {
    const struct encryption_options *options;
    const struct accord_inquiry *inquiry;
    int64_t now; /* s since 1970 */
    struct session_ruling *ruling;
};

/* False. */
__attribute__((format(printf, 3, 4))) bool judging_deny(const struct judging *, const char *rule,
                                                        const char *format, ...);
/* NULL: not there, or empty. */
const char *judging_find(const struct accord_pair *, size_t count, const char *name);
/* NULL, and the denial made, when the session does not say it. */
const char *judging_fact(const struct judging *, const char *name);
/* The session says it, though it may be empty. False, and the denial made, when it does not. */
bool judging_reports(const struct judging *, const char *name);
/* The fact `name` is in the list, and approved where that is demanded. */
bool judging_in_list(const struct judging *, const char *name, enum algorithm_kind, const char *rule,
                     const char *option, const struct accord_list *);
/* Is `value` one of the comma-separated `list`? */
bool judging_one_of(const char *list, const char *value);

bool ssh_handshake(const struct judging *);
bool ssh_authenticated(const struct judging *);
bool tls_handshake(const struct judging *);
bool tls_authenticated(const struct judging *);

#endif
