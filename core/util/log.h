/* The operator's log: one line to standard error, as text or as JSON. Whoever owns an activity logs its
 * failure once. Never a secret, never payload. */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <accord/base.h>
#include <stdint.h>

/* What a line is about; NULL members are left out. */
struct log_about {
    const char *agreement;
    const char *link;
    const char *message;
};

/* Nobody who logs waits for the reader of standard error: what it does not take at once is kept, up to LOG_KEEP bytes;
 * lines beyond are lost, counted, and their number is the next line. Any thread. A regular file is written to directly.
 */
#define LOG_KEEP 65536

/* Before privileges are dropped, and before children are started: makes writing to standard error never wait, without
 * changing it for other processes that have it. Without this call a reader that sleeps can hold the writer up. */
void log_open(void);
/* What children get as their standard error; call log_spawned() after each start, for libuv makes it wait again. */
int log_descriptor(void);
void log_spawned(void);
/* Writes what is kept, as far as it is taken now. Call now and then. */
void log_flush(void);
uint64_t log_lost(void); /* lines, since the start */

/* `role` names this process in each line: "hub", "link cbp-isa". It must outlive the process. */
void log_setup(const char *role, enum accord_level least, bool json);
void log_event(enum accord_level, const char *event, const struct log_about *, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
