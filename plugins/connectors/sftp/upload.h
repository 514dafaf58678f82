/* One delivery, from the look at its final name to the rename that makes it visible there.
 *
 *   waiting -> opening -> (resuming) -> writing -> closing -> renaming -> delivered
 *                 |                                              |
 *                 +-> comparing <------- looking again <---------+   (something has that name)
 *
 *   upload.c  its beginning, its endings, and what is sent between them
 *   flow.c    payload: from the host, hashed, into writes, as much as the session's window takes
 *   place.c   the final name: what has it already, and the rename
 *   resume.c  going on where an interrupted attempt stopped
 *
 * Round trips of a small file, whatever its place in the crowd: open and look; write, fsync and close; rename.
 * The partner sees nothing under the final name before all of it is there. The temporary name holds the message
 * id, so that another attempt finds what an interrupted one left. */
#ifndef SFTP_UPLOAD_H
#define SFTP_UPLOAD_H

#include <openssl/evp.h>

#include "session.h"

enum upload_state {
    UPLOAD_BEHIND, /* another delivery with the same final name comes first */
    UPLOAD_WAITING,
    UPLOAD_OPENING,
    UPLOAD_RESUMING, /* what is there is read back, and our own bytes up to there are skipped */
    UPLOAD_WRITING,
    UPLOAD_CLOSING,
    UPLOAD_REMOVING, /* the file that is to be replaced, where there is no other way */
    UPLOAD_RENAMING, /* from here to the answer a cut leaves it uncertain */
    UPLOAD_LOOKING_AGAIN,
    UPLOAD_COMPARING,
};

/* What is asked between the last byte and the rename, in this order. */
enum upload_step { STEP_SYNC, STEP_SIZE, STEP_MODE, STEP_CLOSE, STEPS };

struct upload {
    struct use use; /* first: the pool's functions cast */
    struct link *link;
    struct upload *next, **at; /* in link->uploads */
    struct upload *same;       /* next of its bucket in link->table */
    struct upload *behind;     /* the next delivery with this final name */
    const struct accord_outgoing *out;
    const struct service_options *service;
    enum upload_state state;
    enum upload_step step; /* the next */
    unsigned due;          /* answers to writes and steps */
    unsigned writes;
    bool looked;   /* nothing has the final name, or that does not matter */
    bool taken; /* the final name, when the rename failed */
    bool open;     /* `handle` is */
    bool resumable; /* for reading too */
    bool asked;    /* the host, for anything */
    bool made;     /* the temporary file exists, as far as we know */
    bool complete; /* the host gave the last byte */
    struct sftp_handle handle;
    uint8_t *chunk; /* payload that no write has taken yet */
    size_t chunk_size, chunk_room;
    int64_t pulled, given; /* asked of the host, got from it */
    int64_t offset;        /* sent in writes, or there from before */
    int64_t acknowledged;
    EVP_MD_CTX *digest; /* of all that was given */
    struct compare *compare;
    struct resume *resume;
    int64_t resumed_at;
    char *final;   /* in `temporary`, behind it */
    char temporary[];
};

static inline struct client *upload_client(const struct upload *upload)
{
    return use_client(&upload->use);
}
static inline bool upload_is_ok(const struct sftp_reply *reply)
{
    return reply->type == SFTP_STATUS && reply->status == SFTP_OK;
}

/* ---- upload.c ---- */

/* Ends it while the session lives: closes and removes what it made on the partner's side. Frees it. */
void upload_give_up(struct upload *, enum accord_outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same after a status that says no; `what` tells a person which step it was. */
void upload_refused(struct upload *, const char *what, const char *path, const struct sftp_reply *);
/* `how`: more words for the receipt, with a space before them. Frees it. */
void upload_delivered(struct upload *, const char *how);
/* The temporary file is open and the final name free. */
void upload_opened(struct upload *);
/* Every byte has gone out in writes: sync and close. */
void upload_written(struct upload *);

/* ---- flow.c ---- */

/* Puts into writes what has come already, and lets the rest come. */
void flow_begin(struct upload *);
void flow_end(struct upload *); /* frees what it holds and gives its part of the window back */
/* A skipped or acknowledged part of the payload makes room for more. */
void flow_acknowledge(struct upload *, int64_t bytes);
/* Takes payload that the host gave. */
void flow_take(struct upload *, const uint8_t *, size_t, bool last);
/* Is what was given what the envelope says? Ends the upload when not. */
bool flow_verify(struct upload *);

/* ---- place.c ---- */

void place_look(struct upload *);   /* does anything have the final name? */
void place_rename(struct upload *); /* the temporary file is whole and closed */

/* ---- resume.c ---- */

/* Is it worth finding out how much of it the partner has? */
bool resume_wanted(const struct upload *);
/* With the temporary file open for reading and writing: ends in flow_begin() or upload_give_up(). */
void resume_begin(struct upload *);
/* Payload from the host while the state is UPLOAD_RESUMING. */
void resume_take(struct upload *, const uint8_t *, size_t);
void resume_free(struct resume *); /* NULL is fine */
/* How far the host may be asked for payload while the state is UPLOAD_RESUMING. */
int64_t resume_end(const struct resume *);

#endif
