/* The cursor of a folder whose files stay where they are (after = keep): the time of the newest file that was taken, and
 * names for the last of those that were. What lies further back than `look-back` before the mark counts as taken; what is
 * newer and not named is offered again after a restart, and the hub knows it as a repeat. */
#ifndef SFTP_MARK_H
#define SFTP_MARK_H

#include <accord/message.h>

#include "found.h"

#define MARK_IDS 40

struct mark {
    bool any;
    uint32_t modified;
    size_t count, next;
    char ids[MARK_IDS][FOUND_ID];
};

/* False: it is not one of ours; `mark` is empty then. "" is an empty one. */
bool mark_read(struct mark *, const char *text);
void mark_write(const struct mark *, char text[ACCORD_CURSOR_MAX]);
void mark_add(struct mark *, const struct found *);
void mark_remove(struct mark *, const struct found *);
/* It was taken before, as far as the mark knows. `look_back`: ms. */
bool mark_has(const struct mark *, const struct found *, int64_t look_back);

#endif
