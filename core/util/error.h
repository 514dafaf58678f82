/* The table from result code to name, and reasons. */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <accord/base.h>

/* One line for a person: what happened and what to do. */
struct reason {
    char text[ACCORD_REASON_MAX];
};

const char *error_name(int code); /* "limit" */
/* The result code that stands for an errno. */
int error_from_errno(int number);
/* Writes the reason and returns `code`, so that a function can fail in one line. `why` may be NULL. */
int fail(struct reason *why, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
