/* A look at each frame before proton gets it: proton 0.37 asserts, and so ends the process, where a transfer begins a
 * delivery of several frames without a delivery-id (OASIS AMQP 1.0, 2.7.5, says that it MUST have one). */
#ifndef MQ_CHANNEL_FRAMES_H
#define MQ_CHANNEL_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_HEAD  96 /* of a frame: all that is looked at, ample for a transfer's fields */
#define FRAMES_MIDST 32 /* deliveries that may be on their way at a time, one of each link */

struct frames {
    uint64_t skip; /* bytes that are of no interest: at first the protocol's header */
    uint8_t head[FRAMES_HEAD];
    size_t have;
    struct {
        uint16_t channel;
        uint32_t handle;
    } midst[FRAMES_MIDST]; /* of whose delivery more frames come */
    size_t count;
};

void frames_init(struct frames *);
/* The next bytes of the stream, in pieces of any size. False: they must not go to proton. */
bool frames_pass(struct frames *, const uint8_t *, size_t);

#endif
