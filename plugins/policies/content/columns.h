/* Columns of 80-column records as options name them: "A:23-25", "B:11-12", "Z:40". From 1, the last included.
 * "none" alone is none. */
#ifndef CONTENT_COLUMNS_H
#define CONTENT_COLUMNS_H

#include <accord/option.h>

#define COLUMNS_MAX       32
#define COLUMNS_OF_RECORD 80

struct columns {
    char record; /* A, B, Y or Z */
    uint8_t first, last;
};

struct columns_list {
    struct columns items[COLUMNS_MAX];
    size_t count;
};

/* `records`: which there may be. False: `why` says what is wrong with which item. */
bool columns_read(const struct accord_list *, const char *records, struct columns_list *, char *why,
                  size_t why_size);
/* Columns 9 to 14 of an A record hold a password: may not be compared, kept or shown. */
bool columns_secret(const struct columns *);

#endif
