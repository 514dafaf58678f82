/* A receiving service: offers the mails in new/, and moves or deletes each only once the host holds it. */
#ifndef MAILDIR_INBOX_H
#define MAILDIR_INBOX_H

#include "maildir.h"

struct inbox *inbox_new(struct maildir *, size_t service);
void inbox_start(struct inbox *);
void inbox_stop(struct inbox *);
/* NULL is fine. */
void inbox_close(struct inbox *);
/* There is room for offers again. */
void inbox_ready(struct inbox *);

/* `arg` is what offer() was given. */
void inbox_pull(void *arg, int64_t bytes);
void inbox_admitted(void *arg, const struct accord_admitted *);

#endif
