/* What a configuration check found: every problem, not the first one, each with file and line. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum conf_severity {
    CONF_ERROR,
    CONF_UNCHECKED, /* cannot be checked where this runs: a secret that this user may not read */
    CONF_NOTE,      /* worth knowing: placeholders, a date that is near */
    CONF_RESTART,   /* sound, and counts only after a restart of the agent */
};

struct conf_problem {
    enum conf_severity severity;
    char file[256]; /* base name */
    int line;       /* 0: the whole file */
    char text[512]; /* what is wrong, the offending text, what is allowed, the nearest known name */
};

struct conf_report {
    struct conf_problem *items;
    size_t count;
    bool lost;   /* there was more than fits: every file with an error still has one in the list */
    bool failed; /* out of memory: a problem could not be listed, and nothing may be taken for faultless */
};

/* "error", "not checked", "note", "after a restart" */
const char *conf_severity_name(enum conf_severity);

void conf_report_add(struct conf_report *, enum conf_severity, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Number of problems of this severity; in this file unless NULL. */
size_t conf_report_count(const struct conf_report *, enum conf_severity, const char *file);
/* By file, then line. */
void conf_report_sort(struct conf_report *);
void conf_report_fini(struct conf_report *);

#endif
