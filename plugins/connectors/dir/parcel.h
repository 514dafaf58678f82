/* A file being written: what is done to it on disk. Blocking: each function runs on a thread, one at a time for
 * a file. */
#ifndef DIR_PARCEL_H
#define DIR_PARCEL_H

#include "place.h"

#define PARCEL_PREFIX ".accord-drop-"

struct parcel_place {
    const char *root, *below;
    char prefix[NAME_ROOM]; /* of this service's temporary names: PARCEL_PREFIX and whose they are */
    mode_t mode;
    bool rename_existing; /* otherwise: fail */
};

struct parcel_file {
    char temporary[NAME_ROOM];
    char name[NAME_ROOM]; /* in: wanted; out: got */
    int64_t size;
    bool repeat; /* it may have been delivered before: a file of this name and content is it */
    int folder, fd;
    bool taken;   /* failed because the name is taken */
    bool was_there;
    char why[WHY_ROOM];
};

/* Removes what a crash left: temporary files of this service. Call while none is being written. */
void parcel_sweep(const struct parcel_place *);
/* 0, or -1 with `why`. A temporary file of this name from before is replaced. */
int parcel_open(const struct parcel_place *, struct parcel_file *);
int parcel_write(struct parcel_file *, const void *, size_t);
/* Makes it durable and gives it its name. */
int parcel_publish(const struct parcel_place *, struct parcel_file *);
/* Removes the temporary file, when there is one, and closes. */
void parcel_close(struct parcel_file *);

#endif
