/* A sending service: each message becomes one mail in new/, whole and durable before the delivery is
 * settled. */
#ifndef MAILDIR_OUTBOX_H
#define MAILDIR_OUTBOX_H

#include "maildir.h"

struct outbox *outbox_new(struct maildir *, size_t service);
/* Finishes every delivery; what a thread is at ends by itself. NULL is fine. */
void outbox_close(struct outbox *);
void outbox_deliver(struct outbox *, const struct accord_outgoing *);
/* false: not one of this service's. */
bool outbox_payload(struct outbox *, const struct accord_delivery *, const uint8_t *bytes, size_t size,
                    bool last);
bool outbox_cancel(struct outbox *, const struct accord_delivery *);

#endif
