#include "hub/stream.h"

#include <stdlib.h>

#include "util/pool.h"

#define AHEAD (1 << 20) /* bytes on their way from the store to one child, read or not */

#define GATHERED (32 << 10) /* bytes: a piece that is no longer leaves together with others */

/* Memory that is new each time costs more than what is read into it. */
static struct pool buffers[] = {
    {.size = 4 << 10, .head = sizeof(void *), .most = 128},
    {.size = GATHERED, .head = sizeof(void *), .most = 16},
    {.size = ACCORD_PIECE_MAX, .head = sizeof(void *), .most = AHEAD / ACCORD_PIECE_MAX},
};

/* Of those whose buffers have room for this. */
static struct pool *pool_for(int64_t size)
{
    struct pool *pool = buffers;
    while ((int64_t)pool->size < size)
        pool++;
    return pool;
}

/* ---- waiting for the child ---- */

static void wait_at(struct stream *stream, struct stream **at)
{
    stream->waiting = true;
    stream->next = *at;
    *at = stream;
}

static void wait_in_line(struct stream *stream)
{
    struct stream **at = &stream->child->waiting;
    while (*at)
        at = &(*at)->next;
    wait_at(stream, at);
}

static void leave_line(struct stream *stream)
{
    struct stream **at = &stream->child->waiting;
    if (!stream->waiting)
        return;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    stream->waiting = false;
}

/* When it is false, a read that ends or the channel's `room` makes it true again. */
static bool has_room(const struct child *child)
{
    return !channel_full(child->channel) &&
           (!child->reading || (int64_t)channel_backlog(child->channel) + child->reading < AHEAD);
}

/* ---- pieces ---- */

static void count_piece(struct stream *stream, size_t size)
{
    stream->offset += (int64_t)size;
    stream->credit -= (int64_t)size;
    stream->ended = stream->offset == bus_source_size(stream->source);
}

static void put_piece(struct stream *stream, const uint8_t *bytes, size_t size)
{
    count_piece(stream, size);
    wire_put_PIECE(channel_out(stream->child->channel),
                   &(struct wire_PIECE){.stream = stream->id, .last = stream->ended, .data = {bytes, size}});
}

/* Of a piece whose bytes follow it from elsewhere; good until the next. */
static struct buf *head_of(struct stream *stream, size_t size)
{
    static struct buf head;
    count_piece(stream, size);
    buf_clear(&head);
    wire_put_PIECE(&head, &(struct wire_PIECE){.stream = stream->id, .last = stream->ended});
    wire_put_rest(&head, size);
    return &head;
}

static void buffer_give(void *buffer) /* a long one */
{
    pool_give(pool_for(ACCORD_PIECE_MAX), buffer);
}

/* The buffer itself goes to the channel. */
static void put_buffer(struct stream *stream, uint8_t *buffer, size_t size)
{
    channel_put_frame(stream->child->channel, head_of(stream, size), buffer, size, buffer_give);
}

static void put_read(struct stream *stream, uint8_t *buffer, size_t size)
{
    struct pool *pool = pool_for(stream->reading);
    if (pool->size > GATHERED) {
        put_buffer(stream, buffer, size);
        return;
    }
    put_piece(stream, buffer, size);
    pool_give(pool, buffer);
}

static void pump(struct stream *);

static void read_done(void *arg, int result, size_t got)
{
    struct stream *stream = arg;
    struct child *child = stream->child;
    uint8_t *buffer = stream->buffer;
    stream->buffer = NULL;
    stream->busy = false;
    if (stream->freed) { /* perhaps with its child */
        pool_give(pool_for(stream->reading), buffer);
        stream->freed(stream);
        return;
    }
    child->reading -= stream->reading;
    if (result || !got) {
        pool_give(pool_for(stream->reading), buffer);
        stream->broken = true;
        stream->unreadable(stream);
    } else {
        put_read(stream, buffer, got);
        pump(stream);
    }
    streams_go_on(child);
}

static bool read_piece(struct stream *stream, int64_t size)
{
    stream->buffer = pool_take(pool_for(size));
    if (!stream->buffer)
        return false;
    stream->busy = true;
    stream->reading = size;
    stream->child->reading += size;
    bus_source_read(stream->source, stream->offset, stream->buffer, (size_t)size, read_done, stream);
    return true;
}

static bool wants(const struct stream *stream)
{
    return !stream->busy && !stream->ended && !stream->broken && stream->credit > 0 && stream->child->channel;
}

/* A piece that fills most of a datagram leaves from where it is. */
static void put_in_place(struct stream *stream, const uint8_t *bytes, size_t size)
{
    channel_put_bytes(stream->child->channel, head_of(stream, size), bytes, size);
}

/* One that is the whole payload takes it along, and leaves with others. */
static bool put_whole(struct stream *stream, size_t size)
{
    bool whole = (int64_t)size == bus_source_size(stream->source);
    uint8_t *bytes = whole && size > GATHERED / 2 ? bus_source_take(stream->source) : NULL;
    if (!bytes)
        return false;
    channel_put_frame(stream->child->channel, head_of(stream, size), bytes, size, free);
    return true;
}

/* What is in memory goes at once, as far as the credit does. */
static void put_from_memory(struct stream *stream, const uint8_t *payload)
{
    int64_t left = bus_source_size(stream->source) - stream->offset;
    int64_t most = left < ACCORD_PIECE_MAX ? left : ACCORD_PIECE_MAX;
    size_t size = (size_t)(most < stream->credit ? most : stream->credit);
    if (put_whole(stream, size))
        return;
    (size > GATHERED / 2 ? put_in_place : put_piece)(stream, payload + stream->offset, size);
}

/* One piece. False: not now, for want of room or memory. */
static bool step(struct stream *stream)
{
    int64_t size = bus_source_size(stream->source) - stream->offset;
    const uint8_t *payload = bus_source_memory(stream->source);
    if (!has_room(stream->child))
        return false;
    if (payload) {
        put_from_memory(stream, payload);
        return true;
    }
    size = size < ACCORD_PIECE_MAX ? size : ACCORD_PIECE_MAX;
    size = size < stream->credit ? size : stream->credit;
    if (size)
        return read_piece(stream, size);
    put_piece(stream, NULL, 0);
    return true;
}

static void pump(struct stream *stream)
{
    while (wants(stream) && !stream->waiting)
        if (stream->child->waiting || !step(stream))
            wait_in_line(stream);
}

void streams_go_on(struct child *child)
{
    struct stream *first;
    while (child->channel && (first = child->waiting)) {
        leave_line(first);
        if (wants(first) && !step(first)) {
            wait_at(first, &child->waiting);
            return;
        }
        if (wants(first))
            wait_in_line(first);
    }
}

void stream_pull(struct stream *stream, int64_t bytes)
{
    stream->credit = bytes > INT64_MAX - stream->credit ? INT64_MAX : stream->credit + bytes;
    pump(stream);
}

void stream_close(struct stream *stream, void (*freed)(struct stream *))
{
    leave_line(stream);
    if (!stream->busy) {
        freed(stream);
        return;
    }
    stream->child->reading -= stream->reading;
    stream->freed = freed;
}
