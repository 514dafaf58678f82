/* An index on its own, and messages that are only admissions' records. */
#ifndef TESTS_INDEX_WORLD_H
#define TESTS_INDEX_WORLD_H

#include "store/index.h"

#define NOW 1000000

struct world {
    struct index index;
    char folder[128];
    uint64_t next; /* number of the next message */
};

struct synthetic {
    char id[ACCORD_ID_MAX], source_id[32];
    uint8_t sha256[DIGEST_SIZE];
    struct record_delivery delivery;
    struct record_admission record;
};

int make_world(void **state);
int drop_world(void **state);
void reopen_index(struct world *); /* one that is closed; its filter knows all */

uint64_t position_of(uint64_t number);
void describe(struct synthetic *, uint64_t number);
uint64_t add(struct world *); /* the number of the message and of its delivery */
void settle_to(struct world *, uint64_t number, enum store_state, int64_t not_before);
void flush(struct world *);
size_t found(struct world *, uint64_t number, uint64_t *position); /* among the seen */
enum store_state state_in(struct world *, uint64_t number);
uint64_t next_due(struct world *, uint64_t after, int64_t now);
uint64_t claim_next(struct world *, int64_t now);

#endif
