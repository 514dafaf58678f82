/* What the parts of the connector share. Everything here runs on the loop; folder.h is for threads. */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include <accord/plugin.h>

struct link_options {
    const char *folder;
};

enum { AFTER_KEEP, AFTER_DELETE };

struct service_options {
    const char *mailbox;
    int64_t after; /* AFTER_ */
    int64_t poll;  /* ms */
    int64_t mode;  /* index into modes */
};

struct maildir {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    struct inbox **inboxes;   /* by service; NULL where the service sends */
    struct outbox **outboxes; /* by service; NULL where it receives */
    bool started;
};

/* One line for the operator. */
void maildir_log(const struct maildir *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
