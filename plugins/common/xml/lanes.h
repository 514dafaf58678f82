/* Sixteen bytes at a time, in whatever registers the machine has for it. */
#ifndef XML_LANES_H
#define XML_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LANES 16

typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef int8_t lanes_mask __attribute__((vector_size(LANES))); /* of a comparison: -1 where it holds */

static inline lanes lanes_load(const uint8_t *bytes)
{
    lanes loaded;
    memcpy(&loaded, bytes, sizeof loaded);
    return loaded;
}

static inline bool lanes_any(lanes_mask mask)
{
    uint64_t halves[2];
    memcpy(halves, &mask, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

#endif
