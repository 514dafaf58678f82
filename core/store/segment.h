/* The journal's files: FOLDER/journal-0000000001.seg and on, preallocated, written from front to end.
 *
 * A position is the segment's number and an offset in it. The first 4096 bytes of a file say what it is; the
 * records follow. A new file is written under another name, synced, renamed, and its folder synced, before
 * anything in it counts.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <sys/types.h>

#include "util/buf.h"
#include "util/error.h"

/* 1: payload was not sealed. 2: each piece has a key of its own. 3: a batch of pieces has one (seal.h). All are read, and
 * only the newest is written. */
#define SEGMENT_VERSION 3
#define SEGMENT_NAME    "journal-%010u.seg"
#define SEGMENT_DATA    4096 /* offset of the first record */

#define POSITION(segment, offset)  ((uint64_t)(segment) << 36 | (uint64_t)(offset))
#define POSITION_SEGMENT(position) ((uint32_t)((position) >> 36))
#define POSITION_OFFSET(position)  ((position) & (((uint64_t)1 << 36) - 1))

struct segment {
    uint32_t number;
    int fd; /* -1: not open at the moment */
    uint64_t size;
    uint32_t version; /* 0: its head is damaged */
};

struct segments {
    char *folder;
    int folder_fd;
    int lock_fd;
    struct segment *items; /* by number */
    size_t count, room;
    size_t open_count;
};

/* What the files are written with; tests put failing ones here. */
struct segment_io {
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    int (*fdatasync)(int);
    int (*fallocate)(int, int mode, off_t, off_t);
    int (*fadvise)(int, off_t, off_t, int advice);
    long (*sysconf)(int); /* how much memory there is */
};
extern struct segment_io segment_io;

/* Makes the folder, locks it, lists the files and checks their versions. */
int segments_open(struct segments *, const char *folder, struct reason *why);
void segments_close(struct segments *);

/* Adds a file for at least `need` bytes of records, `size` if there is room. ACCORD_ELIMIT when there is not.
 */
int segments_add(struct segments *, uint64_t size, uint64_t need);
struct segment *segments_find(struct segments *, uint32_t number);
/* The next one that exists after `number`, or NULL. */
struct segment *segments_after(struct segments *, uint32_t number);
int segment_fd(struct segments *, struct segment *);

/* Up to `size` bytes; how many in *got. Blocks that the disk cannot read come back as zeros. */
int segments_read(struct segments *, uint64_t position, void *to, size_t size, size_t *got);
int segments_write(struct segments *, uint64_t position, const void *bytes, size_t size);
int segments_sync(struct segments *, uint64_t position);
/* Writes zeros, up to the file's end at most: what is written there later needs no change of the file's own record, which
 * would be synced with it. Not durable, and no matter when it fails. */
int segments_prepare(struct segments *, uint64_t position, uint64_t size);
/* Lets go of what is cached from the position on, so that it is read from the disk: after a failed sync the
 * cache holds pages that never got there. */
void segments_forget(struct segments *, uint64_t position);
/* Lets go of cached bytes that are on the disk, in the file of the position; they are read again if need be. */
void segments_release(struct segments *, uint64_t position, uint64_t size);
/* Bytes that the machine has, for the cache too; 0: not known. */
uint64_t segments_memory(void);
/* They are likely to be read soon. */
void segments_prefetch(struct segments *, uint64_t position, uint64_t size);
/* Makes everything behind the position in its file zeros, durably. */
int segments_zero(struct segments *, uint64_t position);
/* Gives back what was preallocated behind the position. */
void segments_trim(struct segments *, uint64_t position);
/* Gives the file its size again. */
void segments_extend(struct segments *, uint32_t number, uint64_t size);
/* Deletes the file, durably. */
int segments_remove(struct segments *, uint32_t number);
/* Bytes that the file system has left for us. */
uint64_t segments_available(const struct segments *);

/* Copies bytes of the journal to FOLDER/damaged/; false when they were set aside before. */
bool segments_set_aside(struct segments *, uint64_t position, uint64_t size);
/* Notes there that a file is missing; false when that was noted before. */
bool segments_note_missing(struct segments *, uint32_t number);

#endif
