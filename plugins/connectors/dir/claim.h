/* A file that was taken out of its folder into .accord/claimed, where nobody else writes: what is done to it on
 * disk. Blocking: each function runs on a thread, one at a time for a file. */
#ifndef DIR_CLAIM_H
#define DIR_CLAIM_H

#include <accord/base.h>

#include "place.h"

#define REJECTED_FOLDER "rejected"

/* Where the files of a service are; the descriptors belong to its scan. */
struct claim_place {
    int folder, claimed;
    const char *root; /* for keep-in */
    const char *keep; /* below root; NULL: delete */
};

enum claim_result {
    CLAIM_DONE,
    CLAIM_GONE,    /* the file is not there any more */
    CLAIM_BUSY,    /* a file of this name is claimed already: later */
    CLAIM_KEPT,    /* it could not be put back (`why`): it stays claimed, to be looked at again */
    CLAIM_CHANGED, /* someone still writes to it: it is not what we read, or was not settled */
    CLAIM_REFUSED, /* not a regular file with one name */
    CLAIM_FAILED,  /* `why` says what the system said */
};

struct claim_file {
    char name[NAME_ROOM];
    struct facts facts;
    int fd;
    char why[WHY_ROOM];
};

/* Moves the file into the claimed folder and opens it. Otherwise it is back where it was, but for CLAIM_KEPT. */
enum claim_result claim_take(const struct claim_place *, struct claim_file *);
/* Opens a file that is claimed already, and takes its facts as they are now. */
enum claim_result claim_open(const struct claim_place *, struct claim_file *);
/* Reads up to `size` bytes; with the last of them, CLAIM_CHANGED when the file is not what it was. */
enum claim_result claim_read(struct claim_file *, int64_t offset, void *to, size_t size, size_t *got);
/* The hub has it: delete, or move to keep-in. CLAIM_CHANGED: it was written to since; nothing was done. */
enum claim_result claim_accept(const struct claim_place *, struct claim_file *);
/* The hub has it in quarantine: moves it to rejected/, with NAME.reason.txt. */
enum claim_result claim_reject(const struct claim_place *, struct claim_file *, const char *reason_text);
/* Back into the folder, unless there is another of its name by now (CLAIM_KEPT). */
enum claim_result claim_put_back(const struct claim_place *, struct claim_file *);
void claim_close(struct claim_file *);

#endif
