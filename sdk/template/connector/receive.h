/* Messages in: asks for one after the other, and tells the partner that it may forget a message only once
 * the host holds it. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include "sample.h"

struct receiver *receiver_new(struct self *);
void receiver_free(struct receiver *);
/* Asks the partner now, and then every `poll`. */
void receiver_look(struct receiver *);
void receiver_stop(struct receiver *);
void receiver_pull(struct receiver *, int64_t bytes);
void receiver_admitted(struct receiver *, const struct accord_admitted *);

#endif
