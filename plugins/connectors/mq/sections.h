/* The bytes of a message that a broker gives us (AMQP 1.0, 3.2), in pieces of any size: what stands before the body is
 * kept, the body is handed on, and never held. The body is one or more data sections, one after the other, or one
 * amqp-value that holds a string, a symbol, binary or null (IBM MQ makes such of its text messages). A sequence, and
 * values of other kinds, have no bytes that a partner could have meant: they are refused.
 *
 * Limits: SECTIONS_EACH bytes of one section before the body, 4 of these altogether; texts as their fields have room,
 * ids that do not fit count as none. */
#ifndef MQ_SECTIONS_H
#define MQ_SECTIONS_H

#include <accord/message.h>

#define SECTIONS_EACH       (64 << 10)
#define SECTIONS_PROPERTIES 17 /* application properties that can be asked for */
#define SECTIONS_VALUE      1024

struct sections_property {
    const char *name; /* that is asked for */
    bool found;
    char value[SECTIONS_VALUE]; /* as text */
};

struct sections {
    /* What was read. Ids of every kind as text: uuid as usual, binary as it is when it is printable, else in hex. */
    char message_id[ACCORD_SOURCE_ID_MAX], correlation_id[ACCORD_SOURCE_ID_MAX];
    char subject[SECTIONS_VALUE], reply_to[SECTIONS_VALUE], content_type[256];
    struct sections_property properties[SECTIONS_PROPERTIES];
    size_t property_count;
    char wrong[160]; /* what cannot be; "": nothing until now */
    bool has_body;   /* all before it has been read */

    /* ---- its own ---- */
    uint8_t start[64]; /* of a section: its descriptor, constructor and size */
    size_t started;
    int section, last; /* codes; 0: none */
    uint8_t *bytes;    /* of the section that is kept */
    size_t have, want; /* of the section that is read */
    int64_t before;    /* bytes that are no body */
    size_t bodies;
};

/* Begins a new message; asks for these properties (their names live as long). Zeroed the first time. */
void sections_begin(struct sections *, const char *const *properties, size_t count);
/* Takes some of `bytes`, returns how many (0: failed, see `wrong`); those of them that are payload are told. */
size_t sections_take(struct sections *, const uint8_t *bytes, size_t size, const uint8_t **body, size_t *body_size);
/* All bytes were given. 0, or ACCORD_EFORMAT: it ends too early. */
int sections_end(struct sections *);
void sections_fini(struct sections *);

#endif
