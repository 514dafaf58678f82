/* A journal with a history: what was acknowledged, and where the journal stood then. Tests damage copies. */
#ifndef TEST_STORE_HISTORY_H
#define TEST_STORE_HISTORY_H

#include "store_calls.h"

#define STEPS 36

/* One acknowledged verb, alone in its group, and where the journal stood then. */
struct step {
    uint64_t start, end;
    char id[ACCORD_ID_MAX]; /* of the message that it admitted, or settled */
    size_t size;            /* of the payload; 0 for a settlement */
    bool settles;
};

struct history {
    struct bench bench;
    struct step steps[STEPS];
    uint8_t *payload;
    char copy[160];
};

/* For cmocka: every third step settles the message that the step before admitted. */
int make_history(void **state);
int drop_history(void **state);

/* A bench on a fresh copy of the history's folder; not open yet. */
struct bench copy_of(struct history *);
void reopen(struct bench *);

bool payload_intact(struct history *, struct bench *, const struct step *);
/* What the step did is there; is not there. */
void expect_done(struct history *, struct bench *, const struct step *);
void expect_not_done(struct bench *, const struct step *);
void expect_all(struct history *, struct bench *);
/* The store must be able to go on. */
void expect_usable(struct bench *);

#endif
