#include "wire/codec.h"

#include <endian.h>
#include <string.h>

#include "util/text.h"

/* ---- encoding ---- */

/* Constant sizes: a compiler makes one store of each. */
static inline void store_le(uint8_t *to, uint64_t value, size_t size)
{
    uint64_t little = htole64(value);
    memcpy(to, &little, size);
}

static inline void put_le(struct buf *buf, uint64_t value, size_t size)
{
    uint8_t *to = buf_reserve(buf, size);
    if (!to)
        return;
    store_le(to, value, size);
    buf->size += size;
}

static void put_u8(struct buf *buf, uint8_t value)
{
    put_le(buf, value, 1);
}

static void put_u32(struct buf *buf, uint32_t value)
{
    put_le(buf, value, 4);
}

static void put_u64(struct buf *buf, uint64_t value)
{
    put_le(buf, value, 8);
}

static void put_i64(struct buf *buf, int64_t value)
{
    put_le(buf, (uint64_t)value, 8);
}

/* Longer text is cut and bytes that are not UTF-8 (a partner's words, a sentence cut in mid-character) become
 * '?', never refused: the words that a sender passes on must not be able to end the channel. */
static size_t make_fit(char fit[WIRE_TEXT_MAX], const char *text)
{
    text_copy(fit, WIRE_TEXT_MAX, text);
    size_t size = strlen(fit);
    bool valid = text_utf8(fit, size, true);
    for (size_t i = 0; i < size && !valid; i++)
        fit[i] = (char)(fit[i] & 0x80 ? '?' : fit[i]);
    return size;
}

static void put_sized(struct buf *buf, const char *text, size_t size)
{
    uint8_t *to = buf_reserve(buf, 4 + size + 1);
    if (!to)
        return;
    store_le(to, size + 1, 4);
    memcpy(to + 4, text, size + 1);
    buf->size += 4 + size + 1;
}

static __attribute__((noinline)) void put_unfit(struct buf *buf, const char *text)
{
    char fit[WIRE_TEXT_MAX];
    put_sized(buf, fit, make_fit(fit, text));
}

static void put_nonempty(struct buf *buf, const char *text)
{
    size_t size = strlen(text);
    if (size >= WIRE_TEXT_MAX || !text_utf8(text, size, true))
        put_unfit(buf, text);
    else
        put_sized(buf, text, size);
}

/* Most say nothing. */
static inline void put_text(struct buf *buf, const char *text)
{
    if (text && *text) {
        put_nonempty(buf, text);
        return;
    }
    uint8_t *to = buf_reserve(buf, 5);
    if (!to)
        return;
    store_le(to, 1, 5);
    buf->size += 5;
}

static void put_bytes(struct buf *buf, struct wire_bytes bytes)
{
    put_u32(buf, (uint32_t)bytes.size);
    buf_put(buf, bytes.data, bytes.size);
}

static void put_pairs(struct buf *buf, struct wire_pairs pairs)
{
    put_u32(buf, (uint32_t)pairs.count);
    if (!pairs.items) {
        buf_put(buf, pairs.raw.data, pairs.raw.size);
        return;
    }
    for (size_t i = 0; i < pairs.count; i++) {
        put_text(buf, pairs.items[i].name);
        put_text(buf, pairs.items[i].value);
    }
}

static void put_envelope_at(struct buf *buf, const struct wire_envelope *e)
{
    if (e->encoded.size) {
        buf_put(buf, e->encoded.data, e->encoded.size);
        return;
    }
    put_text(buf, e->id);
    put_text(buf, e->type);
    put_text(buf, e->name);
    put_text(buf, e->origin);
    put_text(buf, e->source_id);
    put_i64(buf, e->time);
    put_i64(buf, e->size);
    put_text(buf, e->sha256);
    put_pairs(buf, e->headers);
}
#define put_envelope(buf, e) put_envelope_at(buf, &(e)) /* it is large */

struct wire_envelope wire_envelope_of(const struct accord_envelope *e, struct buf *kept)
{
    static const struct accord_pair none;
    if (kept && kept->size)
        return (struct wire_envelope){.encoded = {kept->data, kept->size}};
    struct wire_envelope envelope = {
        .id = e->id,
        .type = e->type,
        .name = e->name,
        .origin = e->origin,
        .source_id = e->source_id,
        .time = e->time,
        .size = e->size,
        .sha256 = e->sha256,
        .headers = WIRE_PAIRS(e->header_count ? e->headers : &none, e->header_count),
    };
    if (kept)
        put_envelope(kept, envelope);
    if (kept && !kept->failed)
        envelope.encoded = (struct wire_bytes){kept->data, kept->size};
    return envelope;
}

static size_t frame_begin(struct buf *buf, enum wire_type type)
{
    size_t at = buf->size;
    put_u32(buf, 0);
    put_le(buf, type, 2);
    return at;
}

static void frame_end(struct buf *buf, size_t at)
{
    if (buf->failed) {
        buf->size = at;
        return;
    }
    store_le(buf->data + at, buf->size - at - 4, 4);
}

#define F(kind, name) put_##kind(buf, m->name);
#define M(NAME, senders, fields)                                                                             \
    void wire_put_##NAME(struct buf *buf, const struct wire_##NAME *m)                                       \
    {                                                                                                        \
        size_t at = frame_begin(buf, WIRE_##NAME);                                                           \
        fields frame_end(buf, at);                                                                           \
    }
WIRE_MESSAGES(M)
#undef M
#undef F

void wire_put_rest(struct buf *buf, size_t size)
{
    if (buf->failed)
        return;
    store_le(buf->data, buf->size + size - 4, 4);
    store_le(buf->data + buf->size - 4, size, 4);
}

/* ---- decoding ---- */

struct reader {
    const uint8_t *at, *end; /* the same once there is a fault: nothing more can be read */
    const char *fault;       /* first thing that was wrong */
};

static __attribute__((noinline, cold)) void set_fault(struct reader *r, const char *fault)
{
    r->fault = r->fault ? r->fault : fault;
    r->at = r->end;
}

static inline uint64_t get_le(struct reader *r, size_t size)
{
    if ((size_t)(r->end - r->at) < size) {
        set_fault(r, "ends in mid-field");
        return 0;
    }
    uint64_t value = 0;
    memcpy(&value, r->at, size);
    r->at += size;
    return le64toh(value);
}

static inline uint8_t get_u8(struct reader *r)
{
    return (uint8_t)get_le(r, 1);
}

static inline uint32_t get_u32(struct reader *r)
{
    return (uint32_t)get_le(r, 4);
}

static inline uint64_t get_u64(struct reader *r)
{
    return get_le(r, 8);
}

static inline int64_t get_i64(struct reader *r)
{
    return (int64_t)get_le(r, 8);
}

static struct wire_bytes get_bytes(struct reader *r)
{
    uint32_t size = get_u32(r);
    if (size > ACCORD_PIECE_MAX || size > (size_t)(r->end - r->at))
        set_fault(r, "holds bytes longer than allowed");
    if (r->fault)
        return (struct wire_bytes){0};
    struct wire_bytes bytes = {r->at, size};
    r->at += size;
    return bytes;
}

static const char *get_nonempty(struct reader *r)
{
    struct wire_bytes bytes = get_bytes(r);
    if (r->fault)
        return "";
    if (!bytes.size || bytes.size > WIRE_TEXT_MAX || bytes.data[bytes.size - 1] ||
        !text_utf8((const char *)bytes.data, bytes.size - 1, true)) {
        set_fault(r, "holds text that is too long, not UTF-8 or not ended");
        return "";
    }
    return (const char *)bytes.data;
}

/* Most say nothing. */
static inline const char *get_text(struct reader *r)
{
    static const uint8_t nothing[5] = {1};
    if ((size_t)(r->end - r->at) < sizeof nothing || memcmp(r->at, nothing, sizeof nothing) != 0)
        return get_nonempty(r);
    r->at += sizeof nothing;
    return (const char *)r->at - 1;
}

static struct wire_pairs get_pairs(struct reader *r)
{
    struct wire_pairs pairs = {.count = get_u32(r)};
    if (pairs.count > WIRE_PAIRS_MAX)
        set_fault(r, "holds too many pairs");
    pairs.raw.data = r->at;
    for (size_t i = 0; i < 2 * pairs.count && !r->fault; i++)
        get_text(r);
    pairs.raw.size = (size_t)(r->at - pairs.raw.data);
    return r->fault ? (struct wire_pairs){0} : pairs;
}

static struct wire_envelope get_envelope(struct reader *r)
{
    const uint8_t *begin = r->at;
    struct wire_envelope e = {0};
    e.id = get_text(r);
    e.type = get_text(r);
    e.name = get_text(r);
    e.origin = get_text(r);
    e.source_id = get_text(r);
    e.time = get_i64(r);
    e.size = get_i64(r);
    e.sha256 = get_text(r);
    e.headers = get_pairs(r);
    e.encoded = (struct wire_bytes){begin, (size_t)(r->at - begin)};
    return e;
}

bool wire_pairs_next(const struct wire_pairs *pairs, size_t *at, struct accord_pair *pair)
{
    if (pairs->items) {
        if (*at >= pairs->count)
            return false;
        *pair = pairs->items[(*at)++];
        return true;
    }
    if (*at >= pairs->raw.size)
        return false;
    struct reader r = {pairs->raw.data + *at, pairs->raw.data + pairs->raw.size, NULL};
    pair->name = get_text(&r);
    pair->value = get_text(&r);
    *at = (size_t)(r.at - pairs->raw.data);
    return true;
}

const char *wire_pairs_get(const struct wire_pairs *pairs, const char *name)
{
    struct accord_pair pair;
    for (size_t at = 0; wire_pairs_next(pairs, &at, &pair);)
        if (strcmp(pair.name, name) == 0)
            return pair.value;
    return NULL;
}

size_t wire_pairs_copy(const struct wire_pairs *pairs, struct accord_pair *items)
{
    size_t count = 0;
    for (size_t at = 0; count < WIRE_PAIRS_MAX && wire_pairs_next(pairs, &at, &items[count]);)
        count++;
    return count;
}

#define F(kind, name) m->name = get_##kind(r);
#define M(NAME, senders, fields)                                                                             \
    static void decode_##NAME(struct reader *r, struct wire_##NAME *m)                                       \
    {                                                                                                        \
        fields                                                                                               \
    }
WIRE_MESSAGES(M)
#undef M
#undef F

static void decode_fields(struct reader *r, struct wire_message *m)
{
    switch (m->type) {
#define M(NAME, senders, fields)                                                                             \
    case WIRE_##NAME:                                                                                        \
        decode_##NAME(r, &m->NAME);                                                                          \
        break;
        WIRE_MESSAGES(M)
#undef M
    default:
        break;
    }
}

static unsigned senders_of(unsigned type)
{
    static const unsigned senders[] = {0,
#define M(NAME, who, fields) who,
                                       WIRE_MESSAGES(M)
#undef M
    };
    return type < WIRE_TYPE_END ? senders[type] : 0;
}

int wire_decode(struct wire_bytes *bytes, unsigned sender, struct wire_message *m, struct reason *why)
{
    struct reader r = {bytes->data, bytes->data + bytes->size, NULL};
    uint32_t size = get_u32(&r);
    if (r.fault || size < 2 || size > WIRE_FRAME_MAX || size > (size_t)(r.end - r.at))
        return fail(why, ACCORD_EPROTO, "frame size %u is not possible here", size);
    r.end = r.at + size;
    uint16_t type = (uint16_t)get_le(&r, 2);
    if (!(senders_of(type) & sender))
        return fail(why, ACCORD_EPROTO, "message type %u (%s) may not come from here", type,
                    wire_type_name(type));
    m->type = (enum wire_type)type;
    decode_fields(&r, m);
    if (r.at != r.end)
        set_fault(&r, "has bytes behind its last field");
    if (r.fault)
        return fail(why, ACCORD_EPROTO, "message %s %s", wire_type_name(type), r.fault);
    bytes->size -= (size_t)(r.end - bytes->data);
    bytes->data = r.end;
    return 0;
}

const char *wire_type_name(enum wire_type type)
{
    static const char *const names[] = {"none",
#define M(NAME, senders, fields) #NAME,
                                        WIRE_MESSAGES(M)
#undef M
    };
    return type < WIRE_TYPE_END ? names[type] : "unknown";
}
