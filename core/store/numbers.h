/* A set of delivery numbers. */
#ifndef STORE_NUMBERS_H
#define STORE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers {
    uint64_t *slots; /* 0: empty; open addressing */
    size_t room, count;
};

void numbers_fini(struct numbers *);
int numbers_add(struct numbers *, uint64_t number);
bool numbers_has(const struct numbers *, uint64_t number);
bool numbers_remove(struct numbers *, uint64_t number); /* false: was not there */

#endif
