#include "channel_frames.h"

#include <string.h>

#define PROTOCOL_HEADER 8
#define FRAME_HEAD      8

enum { ATTACH = 0x12, TRANSFER = 0x14, DETACH = 0x16, END = 0x17 };

/* ---- values (1.6) ---- */

struct cursor {
    const uint8_t *at;
    size_t left;
    uint64_t fields; /* of the list that are still to come */
};

static bool skip(struct cursor *from, uint64_t size)
{
    bool enough = size <= from->left;
    size_t step = enough ? (size_t)size : from->left;
    from->at += step;
    from->left -= step;
    return enough;
}

static uint64_t number(struct cursor *from, size_t size)
{
    uint64_t value = 0;
    const uint8_t *at = from->at;
    if (!skip(from, size))
        return 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

struct value {
    uint8_t kind; /* its constructor; 0: absent, or of a described type */
    uint64_t number;
};

/* The next field; of what is no number only the kind. */
static struct value next(struct cursor *from)
{
    static const uint8_t widths[] = {[4] = 0, [5] = 1, [6] = 2, [7] = 4, [8] = 8, [9] = 16};
    struct value value = {0};
    if (!from->fields || !from->left) {
        from->fields = 0;
        return value;
    }
    from->fields--;
    value.kind = (uint8_t)number(from, 1);
    unsigned class = value.kind >> 4;
    if (class < 4)
        from->fields = 0; /* described: nothing behind it can be told */
    else if (class <= 8)
        value.number = number(from, widths[class]);
    else
        skip(from, class == 9 ? 16 : number(from, class % 2 ? 4 : 1));
    return value;
}

static bool is_uint(struct value value)
{
    return value.kind == 0x43 || value.kind == 0x52 || value.kind == 0x70;
}

static bool is_true(struct value value)
{
    return value.kind == 0x41 || (value.kind == 0x56 && value.number);
}

/* ---- deliveries on their way ---- */

static size_t find(const struct frames *frames, uint16_t channel, uint32_t handle)
{
    size_t i = 0;
    while (i < frames->count && (frames->midst[i].channel != channel || frames->midst[i].handle != handle))
        i++;
    return i;
}

static void drop(struct frames *frames, size_t index)
{
    if (index < frames->count)
        frames->midst[index] = frames->midst[--frames->count];
}

static void drop_channel(struct frames *frames, uint16_t channel)
{
    for (size_t i = frames->count; i-- > 0;)
        if (frames->midst[i].channel == channel)
            drop(frames, i);
}

static bool is_aborted(struct cursor *from)
{
    next(from); /* rcv-settle-mode */
    next(from); /* state */
    next(from); /* resume */
    return from->fields && is_true(next(from));
}

static bool transfer_passes(struct frames *frames, uint16_t channel, struct cursor *from)
{
    uint32_t handle = (uint32_t)next(from).number;
    bool named = is_uint(next(from));
    size_t at = find(frames, channel, handle);
    bool begins = at == frames->count;
    next(from); /* delivery-tag */
    next(from); /* message-format */
    next(from); /* settled */
    bool more = is_true(next(from));
    if (begins && more && (!named || frames->count == FRAMES_MIDST))
        return false;
    if (!more || is_aborted(from)) {
        drop(frames, at);
    } else if (begins) {
        frames->midst[frames->count].channel = channel;
        frames->midst[frames->count++].handle = handle;
    }
    return true;
}

/* ---- frames (2.3) ---- */

static uint64_t size_of(const uint8_t *head)
{
    return number(&(struct cursor){head, 4, 0}, 4);
}

/* The fields of a frame's performative, and its code; what is no performative is left to proton. */
static uint64_t performative(struct cursor *from)
{
    bool described = number(from, 1) == 0;
    uint64_t kind = number(from, 1);
    uint64_t code = kind == 0x53 ? number(from, 1) : kind == 0x80 ? number(from, 8) : 0;
    uint64_t list = number(from, 1);
    size_t width = list == 0xd0 ? 4 : 1;
    if (list == 0xc0 || list == 0xd0) {
        number(from, width);
        from->fields = number(from, width);
    }
    return described ? code : 0;
}

static bool frame_passes(struct frames *frames)
{
    size_t offset = 4 * (size_t)frames->head[4];
    uint16_t channel = (uint16_t)(frames->head[6] << 8 | frames->head[7]);
    if (offset > frames->have || frames->have == offset)
        return true;
    struct cursor body = {frames->head + offset, frames->have - offset, 0};
    uint64_t code = performative(&body);
    if (code == TRANSFER)
        return transfer_passes(frames, channel, &body);
    if (code == ATTACH)
        next(&body); /* the link's name */
    if (code == ATTACH || code == DETACH)
        drop(frames, find(frames, channel, (uint32_t)next(&body).number));
    if (code == END)
        drop_channel(frames, channel);
    return true;
}

void frames_init(struct frames *frames)
{
    *frames = (struct frames){.skip = PROTOCOL_HEADER};
}

static size_t wanted(const struct frames *frames)
{
    uint64_t size = frames->have < FRAME_HEAD ? FRAME_HEAD : size_of(frames->head);
    return size < FRAMES_HEAD ? (size_t)size : FRAMES_HEAD;
}

/* True when there is nothing more to collect of this frame. */
static bool collect(struct frames *frames, struct cursor *from)
{
    while (from->left && frames->have < wanted(frames)) {
        size_t step = wanted(frames) - frames->have;
        step = step < from->left ? step : from->left;
        memcpy(frames->head + frames->have, from->at, step);
        frames->have += step;
        skip(from, step);
    }
    return frames->have >= FRAME_HEAD && frames->have >= wanted(frames);
}

bool frames_pass(struct frames *frames, const uint8_t *bytes, size_t size)
{
    struct cursor from = {bytes, size, 0};
    while (from.left) {
        uint64_t step = frames->skip < from.left ? frames->skip : from.left;
        skip(&from, step);
        frames->skip -= step;
        if (!from.left || !collect(frames, &from))
            continue;
        if (!frame_passes(frames))
            return false;
        uint64_t whole = size_of(frames->head);
        frames->skip = whole < FRAME_HEAD ? UINT64_MAX : whole - frames->have; /* proton will see to it */
        frames->have = 0;
    }
    return true;
}
