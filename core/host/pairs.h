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

/* The fields of DELIVER and JUDGE as an envelope whose texts are still in the datagram. */
#define ENVELOPE_OF(m)                                                                                       \
    ((struct accord_envelope){.id = (m)->id,                                                                 \
                              .type = (m)->type,                                                             \
                              .name = (m)->name,                                                             \
                              .origin = (m)->origin,                                                         \
                              .source_id = (m)->source_id,                                                   \
                              .time = (m)->time,                                                             \
                              .size = (m)->size,                                                             \
                              .sha256 = (m)->sha256})

size_t envelope_room(const struct accord_envelope *, const struct wire_pairs *headers);
void envelope_copy(struct accord_envelope *to, const struct accord_envelope *from,
                   const struct wire_pairs *headers, void *room);

#endif
