/* What stands before the payload of a message that we send (AMQP 1.0, 3.2): header (durable, nothing else), properties,
 * application-properties, and the beginning of the one data section. Never annotations: IBM MQ refuses them. */
#ifndef MQ_HEAD_H
#define MQ_HEAD_H

#include <accord/base.h>

struct head {
    uint8_t *bytes; /* kept from message to message */
    size_t size, room;
    bool failed; /* out of memory; until the next one is written */
};

struct head_fields {
    const char *message_id, *correlation_id; /* NULL or "": none, here and below */
    bool binary_ids;
    const char *subject, *reply_to, *content_type;
    const struct accord_pair *properties;
    size_t property_count;
    size_t payload; /* bytes of it that follow */
};

void head_write(struct head *, const struct head_fields *); /* in place of what was in it */
void head_fini(struct head *);

#endif
