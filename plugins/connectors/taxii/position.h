/* Where a feed is read: the window of time that was asked for, and the part of its result that comes next; its text,
 * which is the cursor of the service; and the rules by which it moves on (TAXII 1.1, 4.4.6 and 5.6). Pure. */
#ifndef TAXII_POSITION_H
#define TAXII_POSITION_H

#include <accord/message.h>

#include "stamp.h"

#define POSITION_RESULT 384 /* of a result id, with NUL: so that a cursor holds it however it is written */

struct position {
    int64_t begin; /* exclusive; STAMP_NONE: a data set, which has no times, or a feed from its very beginning */
    int64_t end;   /* inclusive, of the window under way; STAMP_NONE: none is */
    int64_t part;  /* to be asked for next; 1: the window from its beginning */
    char result[POSITION_RESULT]; /* "" with part 1 */
};

/* "1 BEGIN END PART RESULT". False: the result id is too long to be kept; then it is the window's beginning. */
bool position_write(const struct position *, char cursor[ACCORD_CURSOR_MAX]);
/* Strictly, for a cursor comes from outside: false when it is not exactly what position_write() writes. */
bool position_read(struct position *, const char *cursor);
bool position_same(const struct position *, const struct position *);

/* The window that begins at `begin`: at most `window` ms long, and never beyond `now`. False: there is none yet. */
bool position_window(struct position *, int64_t window, int64_t now);
/* All parts of the window were taken; `answered` is the answer's Inclusive_End ("" when it has none): the next window
 * begins there, unless that is above what was asked for, below its beginning or in the future: then where this one
 * ended. */
void position_next_window(struct position *, const char *answered, int64_t now);
/* `part` of `result` was taken, and there is more. False: the result id cannot be kept. */
bool position_next_part(struct position *, const char *result, int64_t part);
/* The result is gone: the window once more. */
void position_again(struct position *);

#endif
