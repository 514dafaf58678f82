#include "hub/stream.h"

#include <stdlib.h>

#define CREDIT_MOST (8 << 20)

static void piece(struct stream *stream, const uint8_t *bytes, size_t size)
{
    stream->offset += (int64_t)size;
    stream->credit -= (int64_t)size;
    stream->ended = stream->offset == bus_source_size(stream->source);
    wire_put_PIECE(channel_out(stream->child->channel),
                   &(struct wire_PIECE){.stream = stream->id, .last = stream->ended, .data = {bytes, size}});
}

static void read_done(void *arg, int result, size_t got)
{
    struct stream *stream = arg;
    uint8_t *buffer = stream->buffer;
    stream->buffer = NULL;
    stream->busy = false;
    if (stream->freed) {
        free(buffer);
        stream->freed(stream);
        return;
    }
    if (result || (!got && stream->reading)) {
        free(buffer);
        stream->ended = true;
        stream->unreadable(stream);
        return;
    }
    piece(stream, buffer, got);
    free(buffer);
    stream_pump(stream);
}

void stream_pump(struct stream *stream)
{
    if (stream->busy || stream->ended || stream->credit <= 0 || !stream->child->channel ||
        channel_full(stream->child->channel))
        return;
    int64_t left = bus_source_size(stream->source) - stream->offset;
    int64_t size = left < ACCORD_PIECE_MAX ? left : ACCORD_PIECE_MAX;
    if (size > stream->credit)
        size = stream->credit;
    if (!left) {
        piece(stream, NULL, 0);
        return;
    }
    stream->buffer = malloc((size_t)size);
    if (!stream->buffer)
        return; /* the next pull, or the watchdog, tries again */
    stream->busy = true;
    stream->reading = size;
    bus_source_read(stream->source, stream->offset, stream->buffer, (size_t)size, read_done, stream);
}

void stream_pull(struct stream *stream, int64_t bytes)
{
    stream->credit = stream->credit > CREDIT_MOST - bytes ? CREDIT_MOST : stream->credit + bytes;
    stream_pump(stream);
}

void stream_close(struct stream *stream, void (*freed)(struct stream *))
{
    if (stream->busy)
        stream->freed = freed;
    else
        freed(stream);
}
