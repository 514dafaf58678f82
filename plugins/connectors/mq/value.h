/* Values in AMQP's encoding (AMQP 1.0, part 1), one after the other in bytes that are all there. */
#ifndef MQ_VALUE_H
#define MQ_VALUE_H

#include <accord/base.h>

struct value {
    uint8_t code; /* its constructor; of a described one: 0 */
    const uint8_t *bytes;
    size_t size;
};

struct value_reader {
    const uint8_t *at, *end;
    size_t count; /* values that it says it has */
};

/* Into a list or map whose constructor is `code` and whose bytes, behind the size, are these. */
bool value_open(struct value_reader *, uint8_t code, const uint8_t *bytes, size_t size, bool map);
bool value_read(struct value_reader *, struct value *); /* false: it is not whole */
bool value_skip_all(struct value_reader *);

bool value_is(const struct value *, const char *text); /* a string or symbol */
/* As text for people and headers, without control characters; cut at `size`. False (and ""): null, or it has no text. */
bool value_text(const struct value *, char *to, size_t size);
/* As the name of something: "" when it would have to be cut. */
void value_id(const struct value *, char *to, size_t size);

#endif
