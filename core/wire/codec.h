/* Encodes and strictly decodes the messages of messages.h.
 *
 * A frame is u32 size (of all that follows), u16 type, then the fields, little-endian; text and bytes are a
 * u32 size and the bytes (text with its NUL, which is counted); pairs are a u32 count and the texts. A
 * datagram is one or more whole frames. A frame that is too long, too short, of unknown type, with text that
 * is not UTF-8 or bytes behind the last field is refused: whoever sent it is not to be trusted further.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include <accord/base.h>
#include <accord/message.h>

#include "util/buf.h"
#include "util/error.h"
#include "wire/messages.h"

struct wire_bytes {
    const uint8_t *data;
    size_t size;
};

/* To send: items and count. Received: `raw` until wire_pairs_next has been through it. */
struct wire_pairs {
    const struct accord_pair *items;
    size_t count;
    struct wire_bytes raw; /* received only */
};

struct wire_envelope {
    const char *id, *type, *name, *origin, *source_id;
    int64_t time, size;
    const char *sha256;
    struct wire_pairs headers;
    /* All of them as they are in a frame. To send: instead of them, unless it is empty. */
    struct wire_bytes encoded;
};

/* To send this envelope. `kept` holds it encoded from the first time on, for the next; NULL: nothing is kept. */
struct wire_envelope wire_envelope_of(const struct accord_envelope *, struct buf *kept);

/* Steps through received pairs: false at the end. Start with *at = 0. */
bool wire_pairs_next(const struct wire_pairs *, size_t *at, struct accord_pair *);
/* The value of a name in received or sent pairs, or NULL. */
const char *wire_pairs_get(const struct wire_pairs *, const char *name);
/* Copies received pairs into `items` (room for WIRE_PAIRS_MAX); returns how many. Texts stay in the datagram. */
size_t wire_pairs_copy(const struct wire_pairs *, struct accord_pair *items);

typedef uint8_t wire_u8;
typedef uint32_t wire_u32;
typedef uint64_t wire_u64;
typedef int64_t wire_i64;
typedef const char *wire_text;

enum wire_type {
    WIRE_TYPE_NONE,
#define M(NAME, senders, fields) WIRE_##NAME,
    WIRE_MESSAGES(M)
#undef M
    WIRE_TYPE_END,
};

#define F(kind, name) wire_##kind name;
typedef struct wire_bytes wire_bytes;
typedef struct wire_pairs wire_pairs;
typedef struct wire_envelope wire_envelope;
#define M(NAME, senders, fields)                                                                                     \
    struct wire_##NAME {                                                                                             \
        fields                                                                                                       \
    };
WIRE_MESSAGES(M)
#undef M
#undef F

/* wire_put_NAME(buf, &message): appends one frame. */
#define M(NAME, senders, fields) void wire_put_##NAME(struct buf *, const struct wire_##NAME *);
WIRE_MESSAGES(M)
#undef M

/* Makes the empty bytes at the end of the frame in `buf`, which is the only one there, `size` ones that follow it. */
void wire_put_rest(struct buf *, size_t size);

struct wire_message {
    enum wire_type type;
    union {
#define M(NAME, senders, fields) struct wire_##NAME NAME;
        WIRE_MESSAGES(M)
#undef M
    };
};

/* Decodes the frame at the front of `bytes` and moves past it. `sender` is one WIRE_x bit: the only messages
 * accepted are those that this sender may send. 0, or ACCORD_EPROTO with the reason. */
int wire_decode(struct wire_bytes *bytes, unsigned sender, struct wire_message *, struct reason *why);

const char *wire_type_name(enum wire_type);

/* An empty text for fields that have nothing to say. */
#define WIRE_PAIRS(array, n) ((struct wire_pairs){.items = (array), .count = (n)})

#endif
