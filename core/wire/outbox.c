#include "wire/outbox.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/codec.h"

#define KEEP_ROOM  (512 << 10) /* a larger buffer is given back once it is empty */
#define FRAME_HEAD 4

static size_t frame_size(const struct outbox *box, size_t at)
{
    const uint8_t *p = box->out.data + at;
    return FRAME_HEAD + ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24);
}

static bool is_secret(const struct outbox *box, size_t at)
{
    return box->out.data[at + FRAME_HEAD] == (WIRE_SECRET_GIVEN & 0xff) &&
           box->out.data[at + FRAME_HEAD + 1] == WIRE_SECRET_GIVEN >> 8;
}

size_t outbox_first_size(const struct outbox *box)
{
    return frame_size(box, box->sent);
}

/* ---- what goes with a frame ---- */

void outbox_release(const struct outbox_passing *passing)
{
    if (passing->fd >= 0)
        close(passing->fd);
    if (passing->release)
        passing->release(passing->bytes);
}

static void passing_fini(struct outbox *box, const struct outbox_passing *passing)
{
    box->passing_bytes -= passing->size;
    outbox_release(passing);
}

static bool passing_reserve(struct outbox *box)
{
    if (box->passing_count < box->passing_room)
        return true;
    size_t room = box->passing_room ? 2 * box->passing_room : 4;
    struct outbox_passing *passing = realloc(box->passing, room * sizeof *passing);
    if (!passing)
        return false;
    box->passing = passing;
    box->passing_room = room;
    return true;
}

bool outbox_pass(struct outbox *box, const struct buf *frame, struct outbox_passing passing)
{
    if (frame->failed || !passing_reserve(box)) {
        outbox_release(&passing);
        return false;
    }
    box->passing_bytes += passing.size;
    passing.at = box->out.size;
    box->passing[box->passing_count++] = passing;
    buf_put(&box->out, frame->data, frame->size);
    return true;
}

/* ---- datagrams ---- */

/* The part of a frame that is in `out`: often behind that of the frame before. */
static void add_own(struct datagram *datagram, uint8_t *bytes, size_t size)
{
    struct iovec *last = datagram->count ? &datagram->parts[datagram->count - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == bytes)
        last->iov_len += size;
    else
        datagram->parts[datagram->count++] = (struct iovec){bytes, size};
    datagram->size += size;
}

static bool fits(const struct datagram *datagram, const struct outbox_passing *passing, size_t size)
{
    /* Bytes elsewhere are there already: their reader need not wait while they are made. */
    size_t most = passing ? WIRE_DATAGRAM_MAX : DATAGRAM_USUAL;
    return !datagram->count ||
           (datagram->fd < 0 && !(passing && passing->fd >= 0) && datagram->count + 2 <= DATAGRAM_PARTS &&
            datagram->size + datagram->elsewhere + size <= most);
}

struct datagram outbox_next(const struct outbox *box)
{
    struct datagram datagram = {.fd = -1};
    for (size_t at = box->sent; at < box->out.size; at = box->sent + datagram.size) {
        const struct outbox_passing *passing = box->passing + datagram.passing;
        if (datagram.passing == box->passing_count || passing->at != at)
            passing = NULL;
        size_t size = frame_size(box, at), elsewhere = passing ? passing->size : 0;
        if (size > FRAME_HEAD + WIRE_FRAME_MAX || !fits(&datagram, passing, size))
            break;
        datagram.secret = datagram.secret || is_secret(box, at);
        add_own(&datagram, box->out.data + at, size - elsewhere);
        if (elsewhere)
            datagram.parts[datagram.count++] = (struct iovec){passing->bytes, elsewhere};
        datagram.elsewhere += elsewhere;
        datagram.fd = passing ? passing->fd : datagram.fd;
        datagram.passing += passing != NULL;
    }
    return datagram;
}

void outbox_left(struct outbox *box, const struct datagram *datagram)
{
    if (datagram->secret)
        explicit_bzero(box->out.data + box->sent, datagram->size);
    for (size_t i = 0; i < datagram->passing; i++)
        passing_fini(box, &box->passing[i]);
    box->passing_count -= datagram->passing;
    if (datagram->passing)
        memmove(box->passing, box->passing + datagram->passing, box->passing_count * sizeof *box->passing);
    box->sent += datagram->size;
}

void outbox_compact(struct outbox *box)
{
    if (box->sent == box->out.size) {
        box->sent = 0;
        buf_clear(&box->out);
        if (box->out.room > KEEP_ROOM)
            buf_fini(&box->out);
    } else if (box->sent > box->out.size / 2) {
        for (size_t i = 0; i < box->passing_count; i++)
            box->passing[i].at -= box->sent;
        buf_drop(&box->out, box->sent);
        box->sent = 0;
    }
}

/* ---- the end ---- */

void outbox_drop(struct outbox *box)
{
    for (size_t i = 0; i < box->passing_count; i++)
        passing_fini(box, &box->passing[i]);
    box->passing_count = 0;
    box->sent = 0;
    buf_clear(&box->out);
}

void outbox_fini(struct outbox *box)
{
    outbox_drop(box);
    buf_fini(&box->out);
    free(box->passing);
    *box = (struct outbox){0};
}
