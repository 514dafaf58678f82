/* A journal of small segments with traffic of every fate, for tests of retention. */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include "store_calls.h"

#define SEGMENT  (64 << 10)
#define MESSAGES 300
#define HORIZON  INT64_C(3600000000)

enum fate { DELIVERED, WAITING, DEAD, QUARANTINED, RELEASED, EXPECTED, FATES };

struct sent {
    char id[ACCORD_ID_MAX];
    uint64_t number;
    enum fate fate;
    size_t size;
};

struct world {
    struct bench bench;
    struct sent sent[MESSAGES];
    size_t count;
    uint64_t position; /* of the trail: read up to here */
    uint64_t bytes;    /* written, about */
    uint8_t *payload;
    size_t most; /* segments that there were at once */
};

size_t world_segments(const char *folder); /* how many files */
void send_one(struct world *);
void read_trail(struct world *);
/* Asks to forget all that is settled, and nothing else. */
struct store_retention everything(const struct world *);
/* Until nothing more is to be done; how many segments were deleted. */
uint64_t keep(struct world *);
void expect_everything(struct world *);
void reopen_whole(struct world *);
void expect_the_same_from_a_new_index(struct world *);
/* The unique key of every third message. */
const char *key_of(size_t i, char text[32]);
int make_world(void **state);
int drop_world(void **state);

#define world_test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

#endif
