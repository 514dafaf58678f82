/* A link with one service that receives from the queue "answers" of the scripted broker. */
#ifndef MQ_INBOX_H
#define MQ_INBOX_H

#include "mq_partner.h"

extern struct mq_bench bench;
extern const struct accord_pair queue[]; /* the usual options of the service */

/* NULL: the usual options. */
void open_with(const struct accord_pair *link, const struct accord_pair *options);
void close_bench(void);
void put_bytes(const void *, size_t);                       /* a whole message into the queue */
void put(const char *id, const void *payload, size_t size); /* one around that payload */
struct accord_offer *offer(size_t index);                   /* that was made, or the test fails */
/* It is complete, and this. */
void has(size_t index, const char *id, const void *bytes, size_t size);

#endif
