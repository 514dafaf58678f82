/* Numbers and texts in the bodies of journal records. Only record*.c and seal*.c include this. */
#ifndef STORE_RECORD_BYTES_H
#define STORE_RECORD_BYTES_H

#include "store/record.h"

void bytes_put32(uint8_t *to, uint32_t);
void bytes_put64(uint8_t *to, uint64_t);
uint32_t bytes_get32(const uint8_t *);
uint64_t bytes_get64(const uint8_t *);

void add8(struct buf *, unsigned);
void add32(struct buf *, uint32_t);
void add64(struct buf *, uint64_t);
void add_text(struct buf *, const char *);

/* The first mistake sets `bad`, and everything read after it is empty. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};
const uint8_t *take(struct reader *, size_t size);
unsigned take8(struct reader *);
uint32_t take32(struct reader *);
uint64_t take64(struct reader *);
size_t take_count(struct reader *, size_t limit);
bool take_bool(struct reader *);
enum store_state take_state(struct reader *);
const char *take_text(struct reader *, size_t room); /* `room` counts the NUL */
int take_end(const struct reader *);                 /* ACCORD_EFORMAT: bad, or something is left */

/* Of admissions and releases. */
void add_deliveries(struct buf *, uint64_t first, const struct record_delivery *, size_t count);
size_t take_deliveries(struct reader *, uint64_t *first, struct record_delivery[RECORD_DELIVERIES_MAX]);

#endif
