/* One end of a SEQPACKET pair on a libuv loop: batches frames into datagrams, passes descriptors, decodes.
 *
 * Frames leave together: when there are enough of them for a datagram of the usual size, when the datagram that they
 * answer has been handled, or before the loop waits. Loop thread only.
 */
#ifndef WIRE_CHANNEL_H
#define WIRE_CHANNEL_H

#include <uv.h>

#include "wire/codec.h"

struct channel;

struct channel_events {
    /* One decoded message; `fd` is the descriptor that came with its datagram (owned by the callee) or -1.
     * Its texts live until the callback returns. It may close the channel. */
    void (*message)(void *arg, const struct wire_message *, int fd);
    /* The peer is gone, or broke the protocol (why->text says how; "" for a plain end). Called once, and the
     * channel must be closed by the callee or later. */
    void (*gone)(void *arg, const struct reason *why);
    /* The backlog fell below half of what channel_full() reports. May be NULL. */
    void (*room)(void *arg);
};

/* Takes ownership of `fd`. `peer` is the WIRE_x bit of who is at the other end. */
int channel_open(struct channel **, uv_loop_t *, int fd, unsigned peer, const struct channel_events *, void *arg);
/* Where to put frames: wire_put_NAME(channel_out(ch), &message). What was put before may leave. */
struct buf *channel_out(struct channel *);
/* The same for frames that nobody waits for at once: they leave with the next that do, or about a millisecond later. */
struct buf *channel_out_later(struct channel *);
/* Sends what was put so far, then a frame with a descriptor, which is closed here once passed on. */
void channel_put_fd(struct channel *, const struct buf *frame, int fd);
/* Sends what was put so far, and a frame whose end, its last field's `size` bytes, is `bytes`: they are not copied.
 * `release` is called once, when they have left or never will; perhaps before this returns. What is answered to one
 * datagram leaves together, when that has been handled. */
void channel_put_frame(struct channel *, const struct buf *frame, void *bytes, size_t size, void (*release)(void *bytes));
/* The same for bytes that are the caller's again when this returns: they are copied only when they cannot leave now. */
void channel_put_bytes(struct channel *, const struct buf *frame, const void *bytes, size_t size);
/* More is waiting to leave than should be: stop producing until `room`. */
bool channel_full(const struct channel *);
/* Tries to send everything now, blocking for at most `ms`. For the last words of a process. */
void channel_flush(struct channel *, int ms);
/* Drops what was not sent and frees; no callback follows. */
void channel_close(struct channel *);
/* The number of bytes that wait to leave. */
size_t channel_backlog(const struct channel *);

#endif
