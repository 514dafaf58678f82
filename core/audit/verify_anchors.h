/* What the anchors of the host chain promise about all chains. */
#ifndef AUDIT_VERIFY_ANCHORS_H
#define AUDIT_VERIFY_ANCHORS_H

#include "audit/anchor.h"

/* A head that an anchor names. */
struct promise {
    uint64_t sequence;
    uint8_t hash[DIGEST_SIZE];
    uint32_t chain; /* index into promises.chains */
    uint32_t file;  /* of the host chain: index into its files */
    uint64_t line;
};

struct promises {
    char (*chains)[64];
    size_t chain_count, chain_room;
    struct promise *promises;
    size_t count, room;
};

/* Notes what a checked anchor names. A head that an earlier anchor named too is noted once. */
int promises_add(struct promises *, const struct line *, uint32_t file, uint64_t line);
/* Once, after the last: from here on promises_of() may be asked. */
void promises_sort(struct promises *);
/* The promises about one chain, ascending by sequence. */
const struct promise *promises_of(const struct promises *, const char *chain, size_t *count);
void promises_fini(struct promises *);

#endif
