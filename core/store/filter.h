/* Answers "certainly not there" for most keys that were never added, so that a question per message need not go to
 * the file. A blocked Bloom filter of about 12 bits a key, up to FILTER_MAX bytes; beyond, it answers "perhaps" more often.
 */
#ifndef STORE_FILTER_H
#define STORE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_MAX (8u << 20)

struct filter {
    uint64_t *bits; /* NULL: knows nothing, all may be there */
    size_t blocks;  /* of 64 bytes; a power of two */
    uint64_t count;
    bool complete;   /* holds all there is; until then `older` is asked */
    uint64_t *older; /* the one that it has outgrown, which still holds all; NULL: all may be there */
    size_t older_blocks;
    /* what has been read of the file: the seen and the echoes behind `number`, the unique keys behind `text` */
    enum filter_reading { FILTER_SEEN, FILTER_ECHOES, FILTER_KEYS } reading;
    int64_t number;
    char text[512]; /* RECORD_KEY_MAX */
};

/* Empties it, with room for `count` keys; without memory it knows nothing. */
void filter_reset(struct filter *, uint64_t count);
/* The same with the one before kept until filter_complete(): bits cannot be told apart again, so it learns anew. */
void filter_grow(struct filter *, uint64_t count);
void filter_complete(struct filter *);
void filter_add(struct filter *, uint64_t hash);
bool filter_may_have(const struct filter *, uint64_t hash);
/* More keys than it was made for, and a larger one is allowed. */
bool filter_crowded(const struct filter *);
void filter_fini(struct filter *);

#endif
