/* A right broker with queues in memory, over TLS, for the `serve` function of a web_server.h: SASL by amqp_broker.h, all
 * else by proton's driver. Every queue that is asked for is there. May be called on any thread. */
#ifndef TESTS_AMQP_QUEUES_H
#define TESTS_AMQP_QUEUES_H

#include <stdbool.h>
#include <stddef.h>

struct web_connection;

void queues_serve(struct web_connection *);
/* Has a message with this payload been sent to the queue? */
bool queues_got(const char *queue, const void *bytes, size_t size);
/* Puts one in, with this message-id and subject. */
bool queues_put(const char *queue, const char *id, const void *bytes, size_t size);
/* Nobody has accepted it yet. */
bool queues_hold(const char *queue, const char *id);
void queues_empty(void);

#endif
