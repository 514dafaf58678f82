/* A file that lines are only ever added to, read by whoever counts. Lines are kept until tally_write(), which
 * hands all of them to the kernel at once: what was written then outlives the process. */
#ifndef TESTKIT_LOAD_TALLY_H
#define TESTKIT_LOAD_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally {
    int fd;
    bool sync; /* to the disk as well: outlives a power cut */
    char *lines;
    size_t size, room;
    size_t begin; /* of the line that is being made */
};

/* FOLDER/NAME.SUFFIX */
int tally_open(struct tally *, const char *folder, const char *name, const char *suffix, char *why, size_t room);
/* Calls for every line that is there, from the first on (no newline at its end); `line` may be NULL.
 * Takes off a last line that was cut in its middle. */
int tally_each(struct tally *, void (*line)(void *arg, const char *), void *arg);
/* A line: its begin, words and numbers, which get spaces between them, and its end. What makes it longer than a
 * kilobyte is left out. */
void tally_begin(struct tally *);
void tally_word(struct tally *, const char *);
void tally_number(struct tally *, int64_t);
void tally_end(struct tally *);
/* False: not all of it could be written; see errno. */
bool tally_write(struct tally *);
void tally_close(struct tally *);

#endif
