/* Payload from the store to a child, in pieces, as far as its credit goes. */
#ifndef HUB_STREAM_H
#define HUB_STREAM_H

#include "bus/bus.h"
#include "hub/child.h"

struct stream {
    struct child *child;
    struct bus_source *source;
    uint64_t id;
    int64_t offset, credit, reading; /* reading: bytes asked of the store */
    uint8_t *buffer;
    bool busy, ended; /* a read is under way; the last piece has been sent */
    void (*unreadable)(struct stream *); /* the payload cannot be read: end what it is for, perhaps the stream too */
    void (*freed)(struct stream *);      /* set by stream_close when a read is under way */
};
void stream_pull(struct stream *, int64_t bytes);
void stream_pump(struct stream *);
/* Calls `freed` now or when the running read is over. */
void stream_close(struct stream *, void (*freed)(struct stream *));

#endif
