#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names.h"

#define TRIES     1000
#define REJECTED  ".Rejected"
#define NEW_FLAGS (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* "cannot WHAT NAME: ERROR", the name made fit to be shown; errno is kept. */
static enum mail_result failed(char why[WHY_ROOM], const char *what, const char *name)
{
    char text[200];
    int number = errno;
    name_text(text, sizeof text, name);
    snprintf(why, WHY_ROOM, "cannot %s %s: %s", what, text, strerror(number));
    errno = number;
    return MAIL_FAILED;
}

/* ---- folders ---- */

int folder_init(struct folder *folder, const char *root, const char *mailbox, mode_t mode)
{
    *folder = (struct folder){strdup(root), strdup(mailbox), mode};
    return folder->root && folder->mailbox ? ACCORD_OK : ACCORD_ENOMEM;
}

void folder_fini(struct folder *folder)
{
    free(folder->root);
    free(folder->mailbox);
}

/* One component after the other: O_NOFOLLOW looks at the last one only. Makes what is missing. -1 with
 * errno. */
static int walk(int at, const char *path, mode_t mode)
{
    char part[NAME_ROOM];
    while (at >= 0 && *path) {
        size_t size = strcspn(path, "/");
        snprintf(part, sizeof part, "%.*s", (int)size, path);
        if (mkdirat(at, part, mode | (mode & 0444) >> 2) == 0)
            fsync(at);
        int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), number = errno;
        close(at);
        errno = number;
        at = next;
        path += size + (path[size] == '/');
    }
    return at;
}

/* The folder `below` ("new") of a Maildir. */
static int open_below(const struct folder *folder, const char *mailbox, const char *below)
{
    int root = open(folder->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return walk(walk(root, strcmp(mailbox, ".") ? mailbox : "", folder->mode), below, folder->mode);
}

static int open_part(const struct folder *folder, const char *below)
{
    return open_below(folder, folder->mailbox, below);
}

static void close_all(int a, int b)
{
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int folder_list(const struct folder *folder, char (*names)[NAME_ROOM], size_t max, char why[WHY_ROOM])
{
    int fd = open_part(folder, "new");
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    size_t count = 0;
    struct dirent *entry;
    if (!dir) {
        failed(why, "read the mailbox", folder->mailbox);
        close_all(fd, -1);
        return -1;
    }
    while (count < max && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            snprintf(names[count++], NAME_ROOM, "%s", entry->d_name);
    closedir(dir);
    qsort(names, count, NAME_ROOM, by_name); /* names begin with the time of delivery */
    return (int)count;
}

/* ---- reading ---- */

enum mail_result mail_open(const struct folder *folder, struct mail *mail)
{
    struct stat st;
    int new = open_part(folder, "new");
    mail->fd = new < 0 ? -1 : openat(new, mail->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int number = errno;
    close_all(new, -1);
    errno = number;
    if (mail->fd < 0 && (number == ELOOP || number == ENXIO))
        return MAIL_STRANGE;
    if (mail->fd < 0)
        return number == ENOENT && new >= 0 ? MAIL_GONE : failed(mail->why, "open the mail", mail->name);
    if (fstat(mail->fd, &st) < 0)
        return failed(mail->why, "examine the mail", mail->name);
    mail->size = st.st_size;
    return S_ISREG(st.st_mode) ? MAIL_DONE : MAIL_STRANGE;
}

enum mail_result mail_read(struct mail *mail, int64_t offset, void *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = pread(mail->fd, (char *)to + got, size - got, offset + (int64_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(mail->why, "read the mail", mail->name);
        if (n == 0) {
            errno = ESTALE; /* mails do not change once they are in new/ */
            return failed(mail->why, "read the mail, which became shorter,", mail->name);
        }
        got += (size_t)n;
    }
    return MAIL_DONE;
}

/* Moves it under the first free name. */
static int move(int from, const char *name, int to, const char *ending, char got[NAME_ROOM])
{
    for (unsigned n = 0; n < TRIES; n++) {
        name_with(got, NAME_ROOM, name, n, ending);
        if (renameat2(from, name, to, got, RENAME_NOREPLACE) == 0)
            return fsync(to) < 0 || fsync(from) < 0 ? -1 : 0;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

enum mail_result mail_keep(const struct folder *folder, struct mail *mail)
{
    char got[NAME_ROOM];
    int new = open_part(folder, "new"), cur = open_part(folder, "cur");
    bool done = new >= 0 && cur >= 0 && move(new, mail->name, cur, ":2,S", got) == 0;
    enum mail_result result = done              ? MAIL_DONE
                              : errno == ENOENT ? MAIL_GONE
                                                : failed(mail->why, "move to cur/ the mail", mail->name);
    close_all(new, cur);
    return result;
}

enum mail_result mail_delete(const struct folder *folder, struct mail *mail)
{
    int new = open_part(folder, "new");
    bool done = new >= 0 && unlinkat(new, mail->name, 0) == 0;
    enum mail_result result = done              ? MAIL_DONE
                              : errno == ENOENT ? MAIL_GONE
                                                : failed(mail->why, "delete the mail", mail->name);
    close_all(new, -1);
    return result;
}

/* For a person: after a crash between this and the move it is written again. */
static void write_reason(const struct folder *folder, const char *name, const char *reason)
{
    char file[NAME_ROOM];
    int reasons = open_below(folder, REJECTED, "reasons");
    name_with(file, sizeof file, name, 0, ".txt");
    if (reasons >= 0)
        unlinkat(reasons, file, 0);
    int fd = reasons < 0 ? -1 : openat(reasons, file, NEW_FLAGS, folder->mode);
    if (fd >= 0 && write(fd, reason, strlen(reason)) > 0)
        fsync(fd);
    close_all(reasons, fd);
}

enum mail_result mail_reject(const struct folder *folder, struct mail *mail, const char *reason)
{
    char got[NAME_ROOM];
    int new = open_part(folder, "new"), to = open_below(folder, REJECTED, "new");
    close_all(open_below(folder, REJECTED, "tmp"),
              open_below(folder, REJECTED, "cur")); /* a Maildir has all three */
    write_reason(folder, mail->name, reason);
    bool done = new >= 0 && to >= 0 && move(new, mail->name, to, "", got) == 0;
    enum mail_result result = done ? MAIL_DONE
                              : errno == ENOENT
                                  ? MAIL_GONE
                                  : failed(mail->why, "move to " REJECTED " the mail", mail->name);
    close_all(new, to);
    return result;
}

void mail_close(struct mail *mail)
{
    close_all(mail->fd, -1);
    mail->fd = -1;
}

/* ---- writing ---- */

/* A crash between the rename and the settlement brings the same message again: it stands in new/, or a
 * reader has moved it to cur/ since. */
static bool is_there(const struct folder *folder, const char *name)
{
    static const char *const parts[] = {"new", "cur"};
    bool found = false;
    for (size_t i = 0; i < 2 && !found; i++) {
        int fd = open_part(folder, parts[i]);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        while (dir && !found && (entry = readdir(dir)))
            found = name_same(entry->d_name, name) && fsync(fd) == 0;
        if (dir)
            closedir(dir);
        else
            close_all(fd, -1);
    }
    return found;
}

enum mail_result draft_open(const struct folder *folder, struct draft *draft)
{
    draft->fd = -1;
    draft->was_there = draft->repeat && is_there(folder, draft->name);
    if (draft->was_there)
        return MAIL_DONE;
    int tmp = open_part(folder, "tmp");
    if (tmp >= 0)
        draft->fd = openat(tmp, draft->name, NEW_FLAGS, folder->mode);
    if (tmp >= 0 && draft->fd < 0 && errno == EEXIST &&
        unlinkat(tmp, draft->name, 0) == 0) /* an attempt that was cut */
        draft->fd = openat(tmp, draft->name, NEW_FLAGS, folder->mode);
    int number = errno;
    close_all(tmp, -1);
    errno = number;
    return draft->fd < 0 ? failed(draft->why, "write below tmp/ the mail", draft->name) : MAIL_DONE;
}

enum mail_result draft_write(struct draft *draft, const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        ssize_t n = write(draft->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(draft->why, "write the mail", draft->name);
        at += n;
        size -= (size_t)n;
        draft->size += n;
    }
    return MAIL_DONE;
}

enum mail_result draft_publish(const struct folder *folder, struct draft *draft)
{
    int tmp = open_part(folder, "tmp"), new = open_part(folder, "new");
    bool done = tmp >= 0 && new >= 0 && fsync(draft->fd) == 0 &&
                renameat2(tmp, draft->name, new, draft->name, RENAME_NOREPLACE) == 0;
    if (done) {
        close(draft->fd); /* nothing is left in tmp/ to be removed */
        draft->fd = -1;
    }
    done = done && fsync(new) == 0;
    enum mail_result result = done ? MAIL_DONE : failed(draft->why, "move to new/ the mail", draft->name);
    close_all(tmp, new);
    return result;
}

void draft_close(const struct folder *folder, struct draft *draft)
{
    if (draft->fd < 0)
        return;
    int tmp = open_part(folder, "tmp");
    if (tmp >= 0)
        unlinkat(tmp, draft->name, 0);
    close_all(tmp, draft->fd);
    draft->fd = -1;
}
