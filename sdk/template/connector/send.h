/* Messages out: one after the other, over one session that ends when there is nothing more to send. */
#ifndef SEND_H
#define SEND_H

#include "sample.h"

struct sender *sender_new(struct self *);
void sender_free(struct sender *);
void sender_deliver(struct sender *, const struct accord_outgoing *);
void sender_payload(struct sender *, const uint8_t *bytes, size_t size, bool last);
void sender_cancel(struct sender *, const struct accord_delivery *);

#endif
