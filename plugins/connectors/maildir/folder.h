/* One Maildir (tmp, new, cur) on disk. Blocking: on a thread only, one call at a time for a folder or a
 * mail.
 *
 * Names come from whoever may write there: nothing is opened that is no regular file, no symbolic link is
 * followed below the link's folder, and nothing is overwritten. */
#ifndef MAILDIR_FOLDER_H
#define MAILDIR_FOLDER_H

#include <accord/message.h>
#include <sys/stat.h>

#define NAME_ROOM 256 /* a file's name with its NUL */
#define WHY_ROOM  400

struct folder {
    char *root,
        *mailbox; /* of its own: a thread may still be at it when the host has taken the options away */
    mode_t mode;  /* of files; folders get the matching x bits */
};

int folder_init(struct folder *, const char *root, const char *mailbox, mode_t mode);
void folder_fini(struct folder *);

/* Names in new/, at most `max` of them, sorted; negative: `why` says what. Hidden ones do not count. */
int folder_list(const struct folder *, char (*names)[NAME_ROOM], size_t max, char why[WHY_ROOM]);

enum mail_result {
    MAIL_DONE,
    MAIL_GONE,    /* it is not there any more */
    MAIL_STRANGE, /* not a regular file */
    MAIL_FAILED,  /* `why` says what the system said, or that the file changed */
};

/* A mail that is read. */
struct mail {
    char name[NAME_ROOM]; /* in new/ */
    int fd;
    int64_t size;
    char why[WHY_ROOM];
};

enum mail_result mail_open(const struct folder *, struct mail *);
/* Exactly `size` bytes: a mail that became shorter has failed. */
enum mail_result mail_read(struct mail *, int64_t offset, void *to, size_t size);
/* The host holds it: to cur/, marked as seen. */
enum mail_result mail_keep(const struct folder *, struct mail *);
enum mail_result mail_delete(const struct folder *, struct mail *);
/* To the Maildir `.Rejected` below the link's folder, with a text file beside it that says why. */
enum mail_result mail_reject(const struct folder *, struct mail *, const char *reason);
void mail_close(struct mail *);

/* A mail that is written: in tmp/, then whole and durable in new/. */
struct draft {
    char name[NAME_ROOM];
    bool repeat; /* there may be one of this name from an earlier attempt */
    int fd;
    int64_t size;
    bool was_there; /* it was, complete: nothing was written */
    char why[WHY_ROOM];
};

enum mail_result draft_open(const struct folder *, struct draft *);
enum mail_result draft_write(struct draft *, const void *bytes, size_t size);
enum mail_result draft_publish(const struct folder *, struct draft *);
/* Removes it from tmp/ unless it was published. */
void draft_close(const struct folder *, struct draft *);

#endif
