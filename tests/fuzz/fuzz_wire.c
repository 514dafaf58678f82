/* A datagram from any sender: the first byte says which. What is decoded must encode to the bytes it came
 * from. */
#include <stdlib.h>
#include <string.h>

#include "wire/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct buf *out, const struct wire_message *m)
{
    switch (m->type) {
#define M(NAME, senders, fields)                                                                             \
    case WIRE_##NAME:                                                                                        \
        wire_put_##NAME(out, &m->NAME);                                                                      \
        break;
        WIRE_MESSAGES(M)
#undef M
    default:
        abort();
    }
}

static void walk(const struct wire_pairs *pairs)
{
    struct accord_pair copy[WIRE_PAIRS_MAX];
    size_t count = wire_pairs_copy(pairs, copy);
    if (count != pairs->count)
        abort();
    for (size_t i = 0; i < count; i++)
        if (!wire_pairs_get(pairs, copy[i].name))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct wire_bytes bytes = {data + 1, size - 1};
    struct wire_message message;
    struct reason why;
    for (;;) {
        const uint8_t *frame = bytes.data;
        if (wire_decode(&bytes, 1u << (data[0] % 5), &message, &why) < 0)
            break;
        struct buf again = {0};
        encode(&again, &message);
        if (!again.failed &&
            (again.size != (size_t)(bytes.data - frame) || memcmp(again.data, frame, again.size) != 0))
            abort();
        buf_fini(&again);
        if (message.type == WIRE_SETUP)
            walk(&message.SETUP.folders);
        else if (message.type == WIRE_VERDICT)
            walk(&message.VERDICT.keys);
    }
    return 0;
}
