/* What the parts of the connector share. Everything here runs on the loop, but for the functions of scan.h,
 * claim.h and place.h, which the parts hand to accord_host.work: a slow disk must not stop the link. */
#ifndef DIR_DIR_H
#define DIR_DIR_H

#include <accord/plugin.h>

struct link_options {
    const char *path;
};

enum { AFTER_DELETE, AFTER_KEEP };
enum { EXISTS_RENAME, EXISTS_FAIL };

struct service_options {
    const char *folder;
    const char *pattern;
    int64_t settle, rescan;
    int64_t after; /* AFTER_ */
    const char *keep_in;
    int64_t mode;      /* index into dir_modes */
    int64_t if_exists; /* EXISTS_ */
};

struct dir {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    struct intake **intakes; /* by service; NULL where the service sends */
    struct drop **drops;     /* by service; NULL where it receives */
    bool started;
};

/* One line for the operator. */
void dir_log(const struct dir *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
