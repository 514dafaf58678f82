/* What is known of the files of one polled folder, from one listing to the next: a small record for each path, in
 * bounded memory. Paths are known by a part of their SHA-256. */
#ifndef SFTP_SEEN_H
#define SFTP_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEEN_MOST 131072 /* records of one folder */

enum seen_state {
    SEEN_NEW,      /* has to stay as it is for a while */
    SEEN_BUSY,     /* is being fetched, or put away */
    SEEN_HELD,     /* we have it: to be deleted or moved */
    SEEN_REJECTED, /* nobody wants it: to be moved */
    SEEN_LEFT,     /* is not looked at again until it changes */
};

struct seen {
    uint64_t key; /* 0: free */
    uint64_t size;
    int64_t since; /* ticks: so long as it is now */
    uint32_t modified;
    uint32_t pass; /* the last listing in which it was */
    uint8_t state; /* enum seen_state */
    bool told;     /* a person has been told what is wrong with it */
};

struct seen_table {
    struct seen *slots;
    size_t room, count;
};

void seen_fini(struct seen_table *);
struct seen *seen_find(const struct seen_table *, uint64_t key);
/* Zeroed but for the key, which is not there yet. NULL: there are too many. Others move. */
struct seen *seen_add(struct seen_table *, uint64_t key);
/* Forgets what was not in this listing and is not busy. */
void seen_sweep(struct seen_table *, uint32_t pass);

#endif
