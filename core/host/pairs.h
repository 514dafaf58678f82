/* Received pairs and envelopes, copied out of their datagram into room that the caller has made: an object
 * and all its texts are one allocation. */
#ifndef HOST_PAIRS_H
#define HOST_PAIRS_H

#include <accord/message.h>

#include "wire/codec.h"

/* Bytes that pairs_copy() needs; a multiple of a pointer's size. */
size_t pairs_room(const struct wire_pairs *);
/* Returns the array, at the start of `room`, which must be aligned for pointers. */
const struct accord_pair *pairs_copy(const struct wire_pairs *, void *room);
/* The same in an allocation of its own: free() it. NULL: out of memory. */
struct accord_pair *pairs_keep(const struct wire_pairs *);

/* Likewise for a received envelope. */
size_t envelope_room(const struct wire_envelope *);
void envelope_copy(struct accord_envelope *to, const struct wire_envelope *from, void *room);

#endif
