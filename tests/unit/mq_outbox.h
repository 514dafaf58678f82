/* A link with one service that sends to the queue "ace.requests" of the scripted broker. */
#ifndef MQ_OUTBOX_H
#define MQ_OUTBOX_H

#include "mq_partner.h"

extern struct mq_bench bench;
extern const struct accord_pair queue[]; /* the usual options of the service */

/* NULL: the usual options. */
void open_with(const struct accord_pair *link, const struct accord_pair *options);
struct accord_delivery *send_bytes(const char *id, const void *bytes, size_t size);
struct accord_delivery *send_one(const char *id); /* and runs until all is quiet */
/* It ended so, and said that. */
void ended(const struct accord_delivery *, enum accord_outcome, const char *words);

#endif
