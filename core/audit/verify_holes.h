/* Which sequences of a chain have not been seen yet. A chain starts as one hole from 1 to the end of numbers;
 * each record fills its place, whatever the order of the files (a clock set back puts later records into an
 * earlier file), and proves its links to its neighbours as they become known. */
#ifndef AUDIT_VERIFY_HOLES_H
#define AUDIT_VERIFY_HOLES_H

#include "audit/chain.h"

#define HOLES_MAX 65536

struct hole {
    uint64_t from, to; /* UINT64_MAX: to the end */
    bool after_known;
    uint8_t before[DIGEST_SIZE]; /* hash of record from - 1 */
    uint8_t after[DIGEST_SIZE];  /* what record to + 1 says came before it */
    /* Where the record after the hole stands, and how many unreadable lines stand before it. */
    size_t file;
    uint64_t line, unreadable;
};

struct holes {
    struct hole *holes; /* ascending */
    size_t count, room;
};

enum holes_result {
    HOLES_FILLED,
    HOLES_BEFORE, /* filled, but it does not follow the record before it */
    HOLES_AFTER,  /* filled, but the record after it does not follow it */
    HOLES_TWICE,  /* was there already */
    HOLES_FULL,   /* more than HOLES_MAX, or out of memory */
};

int holes_init(struct holes *);
void holes_fini(struct holes *);
enum holes_result holes_fill(struct holes *, const struct audit_seal_facts *, size_t file, uint64_t line,
                             uint64_t unreadable);
/* The highest sequence seen; 0: none. */
uint64_t holes_last(const struct holes *);

#endif
