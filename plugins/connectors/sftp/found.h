/* A file that a listing found and that may be fetched, and the oldest of them in their order: by time, then by path. */
#ifndef SFTP_FOUND_H
#define SFTP_FOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_MOST  8192      /* files */
#define QUEUE_BYTES (4 << 20) /* of their paths */
#define FOUND_ID    12        /* characters of found_id(), with NUL */

struct found {
    uint64_t key; /* of its path */
    uint64_t size;
    uint32_t modified;
    bool typed; /* the listing says that it is a regular file */
    size_t name; /* where the last component of the path begins */
    char path[]; /* below the service's directory; the partner's bytes, any but NUL */
};

struct found *found_new(const char *path, uint64_t size, uint32_t modified, bool typed);
uint64_t found_key(const char *path);
/* Of this path with this size and time: base64, the same in each process. */
void found_id(const struct found *, char id[FOUND_ID]);
/* A path or name for people and for the hub: UTF-8 in one line, what is not that is replaced; cut at its front. */
void found_text(const char *path, char *to, size_t room);

struct queue {
    struct found **items;
    size_t count, at, bytes;
    bool more; /* some had no room */
};

void queue_fini(struct queue *);
/* Takes it over; when there is no room for all, those that would come last are freed. */
void queue_add(struct queue *, struct found *);
/* Everything is there: from now on queue_next(). */
void queue_sort(struct queue *);
/* The caller's to free; NULL: no more, and the queue is empty. */
struct found *queue_next(struct queue *);

#endif
