/* `accord probe`: the connection's steps, then, for each service, whether its queue can be attached, and whether the broker
 * gives credit for sending. No message moves, for no credit is given and nothing is sent. */
#ifndef MQ_PROBE_H
#define MQ_PROBE_H

#include <accord/connector.h>

struct link;
struct meaning;
struct probe;

void mq_probe(void *state, struct accord_probe *);
void probe_close(struct link *); /* forgets those under way */

/* ---- for connection.c: what its own connection tells ---- */

void probe_step(struct probe *, const char *step, int result, const char *text);
void probe_opened(struct probe *);
void probe_closed(struct probe *, const struct meaning *); /* it is over: the probe may go */

#endif
