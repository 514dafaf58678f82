/* The operator's log: one line to standard error, as text or as JSON. Whoever owns an activity logs its
 * failure once. Never a secret, never payload. */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <accord/base.h>

/* What a line is about; NULL members are left out. */
struct log_about {
    const char *agreement;
    const char *link;
    const char *message;
};

/* `role` names this process in each line: "hub", "link cbp-isa". It must outlive the process. */
void log_setup(const char *role, enum accord_level least, bool json);
void log_event(enum accord_level, const char *event, const struct log_about *, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
