/* Payload from the store to a child, in pieces, as far as its credit goes and no faster than it reads. */
#ifndef HUB_STREAM_H
#define HUB_STREAM_H

#include "bus/bus.h"
#include "hub/child.h"

struct stream {
    struct child *child;
    struct bus_source *source;
    uint64_t id;
    /* The payload cannot be read, and nothing more will come: ends what it is for, perhaps the stream too. */
    void (*unreadable)(struct stream *);
    int64_t offset, credit, reading; /* reading: bytes asked of the store */
    uint8_t *buffer;
    bool busy, ended; /* a read is under way; the last piece has been sent */
    bool broken;
    bool waiting;                   /* for the child to read what was sent, in child->waiting */
    struct stream *next;            /* there */
    void (*freed)(struct stream *); /* set by stream_close when a read is under way */
};

/* The child wants `bytes` more. */
void stream_pull(struct stream *, int64_t bytes);
/* Calls `freed` now or when the running read is over. */
void stream_close(struct stream *, void (*freed)(struct stream *));
/* The child may have room: those that wait go on, in turn. */
void streams_go_on(struct child *);

#endif
