/* What waits to leave one end of a channel: whole frames, some of them with a descriptor, or with bytes that are somewhere
 * else and are not copied. Cuts it into datagrams; the channel sends them. */
#ifndef WIRE_OUTBOX_H
#define WIRE_OUTBOX_H

#include <sys/uio.h>

#include "util/buf.h"

/* Frames leave in datagrams of about this size. A larger frame leaves alone. */
#define DATAGRAM_USUAL (32 << 10)
#define DATAGRAM_PARTS 16

/* What goes with the frame that starts at this offset of `out`. */
struct outbox_passing {
    size_t at;
    int fd; /* -1: none; otherwise the frame leaves alone */
    void *bytes;
    size_t size;
    void (*release)(void *bytes); /* NULL: no bytes */
};

struct outbox {
    struct buf out; /* the first `sent` bytes have left */
    size_t sent;
    struct outbox_passing *passing;
    size_t passing_count, passing_room;
    size_t passing_bytes; /* that wait to leave */
};

/* The next to leave. Empty when the first frame is longer than any may be. */
struct datagram {
    struct iovec parts[DATAGRAM_PARTS];
    size_t count;
    size_t size; /* of it, in `out` */
    size_t elsewhere;
    size_t passing; /* how many frames that something goes with */
    int fd;         /* -1: none */
    bool secret;
};

void outbox_fini(struct outbox *);
/* Drops what has not left. */
void outbox_drop(struct outbox *);
/* False, and what goes with it is released: out of memory. */
bool outbox_pass(struct outbox *, const struct buf *frame, struct outbox_passing);
/* What goes with a frame that will never leave. */
void outbox_release(const struct outbox_passing *);
struct datagram outbox_next(const struct outbox *);
void outbox_left(struct outbox *, const struct datagram *);
/* After some have left: gives room back. */
void outbox_compact(struct outbox *);
size_t outbox_first_size(const struct outbox *);

static inline size_t outbox_size(const struct outbox *box)
{
    return box->out.size - box->sent + box->passing_bytes;
}

#endif
