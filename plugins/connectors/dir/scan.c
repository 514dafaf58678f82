#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS      4096
#define CLOCK_MARGIN 60000 /* ms */

struct seen {
    struct seen *next;
    struct facts facts;
    nlink_t links;
    int64_t since;
    uint32_t pass;
    bool refused; /* and told */
    char name[];
};

/* ---- what was seen ---- */

static struct seen **place_of(struct scan *scan, const char *name)
{
    uint32_t hash = 2166136261u;
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    struct seen **at = &scan->seen[hash % BUCKETS];
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void forget(struct scan *scan, struct seen **at)
{
    struct seen *gone = *at;
    *at = gone->next;
    free(gone);
    scan->seen_count--;
}

static struct seen *remember(struct scan *scan, struct seen **at, const char *name)
{
    size_t size = strlen(name) + 1;
    struct seen *seen = scan->seen_count < SCAN_SEEN ? calloc(1, sizeof *seen + size) : NULL;
    if (!seen)
        return NULL;
    memcpy(seen->name, name, size);
    seen->since = -1;
    *at = seen;
    scan->seen_count++;
    return seen;
}

/* A step may take long on a slow file system: what it saw new is as it is since the step ended, not since it
 * began. */
static void date_fresh(struct scan *scan)
{
    for (size_t i = 0; i < scan->fresh_count; i++)
        scan->fresh[i]->since = scan->ended;
    scan->fresh_count = 0;
}

/* After a pass: forgets what is gone, and finds when the next file will have settled. */
static void sweep(struct scan *scan)
{
    scan->due = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct seen **at = &scan->seen[i]; *at;) {
            if ((*at)->pass != scan->pass) {
                forget(scan, at);
                continue;
            }
            int64_t due = (*at)->since + scan->settle;
            if (!(*at)->refused && (!scan->due || due < scan->due))
                scan->due = due;
            at = &(*at)->next;
        }
}

/* ---- one name ---- */

static const char *refusal(const struct stat *st)
{
    if (S_ISLNK(st->st_mode))
        return "it is a symbolic link, which is never followed: put the file itself there";
    if (!S_ISREG(st->st_mode))
        return "it is not a regular file";
    return "it has other names (hard links), under which it could still be changed: put a copy there";
}

static void refuse(struct scan *scan, struct seen *seen, const struct stat *st)
{
    if (seen->refused || scan->refused_count == SCAN_REFUSED)
        return;
    seen->refused = true;
    struct found *told = &scan->refused[scan->refused_count];
    snprintf(told->name, sizeof told->name, "%s", seen->name);
    scan->refused_why[scan->refused_count++] = refusal(st);
}

static void hand_out(struct scan *scan, const char *name, const struct facts *facts)
{
    struct found *ready = &scan->ready[scan->ready_count++];
    snprintf(ready->name, sizeof ready->name, "%s", name);
    ready->facts = *facts;
}

/* When SCAN_SEEN files that do not settle fill the memory, others must still get through: by the system's own
 * record of the last change, with a margin for a file server's clock. */
static bool long_settled(const struct scan *scan, const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
           (now.tv_sec - st->st_ctim.tv_sec) * 1000 > scan->settle + CLOCK_MARGIN;
}

static void look(struct scan *scan, const char *name)
{
    struct stat st;
    if (name[0] == '.' || fnmatch(scan->pattern, name, FNM_NOESCAPE) != 0 ||
        fstatat(scan->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
        return;
    struct facts facts = facts_of(&st);
    struct seen **at = place_of(scan, name);
    struct seen *seen = *at ? *at : remember(scan, at, name);
    if (!seen && long_settled(scan, &st))
        hand_out(scan, name, &facts);
    if (!seen)
        return;
    seen->pass = scan->pass;
    if (seen->since < 0 || !facts_equal(&seen->facts, &facts) || seen->links != st.st_nlink) {
        seen->facts = facts;
        seen->links = st.st_nlink;
        seen->since = scan->now;
        seen->refused = false;
        scan->fresh[scan->fresh_count++] = seen;
        return;
    }
    if (scan->now - seen->since < scan->settle)
        return;
    if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
        refuse(scan, seen, &st);
        return;
    }
    hand_out(scan, name, &facts);
    forget(scan, place_of(scan, name));
}

/* ---- passes ---- */

static void close_folders(struct scan *scan)
{
    if (scan->dir)
        closedir(scan->dir);
    if (scan->folder >= 0)
        close(scan->folder);
    if (scan->claimed >= 0)
        close(scan->claimed);
    scan->dir = NULL;
    scan->folder = scan->claimed = -1;
}

static void fail(struct scan *scan, const char *what)
{
    snprintf(scan->why, sizeof scan->why, "cannot %s %s/%s: %s", what, scan->root, scan->below,
             strerror(errno));
    scan->failed = scan->pass_over = true;
    scan->due = 0;
}

/* The folder may have been exchanged or mounted over since: then the one at the path counts. */
static bool same_folder(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool open_folders(struct scan *scan)
{
    char claimed[NAME_ROOM];
    int folder = place_open(scan->root, scan->below);
    if (folder < 0) {
        fail(scan, "open the folder");
        return false;
    }
    if (scan->folder >= 0 && same_folder(folder, scan->folder)) {
        close(folder);
        return true;
    }
    if (scan->folder >= 0 && !scan->may_reopen) {
        close(folder);
        errno = ESTALE;
        fail(scan, "go on in the folder");
        return false;
    }
    close_folders(scan);
    scan->folder = folder;
    scan->recover = scan->reopened = true;
    snprintf(claimed, sizeof claimed, ".accord/claimed/%s", scan->service);
    scan->claimed = place_make(folder, claimed, 0700);
    if (scan->claimed < 0) {
        fail(scan, "make the work folder .accord in");
        close_folders(scan);
        return false;
    }
    return true;
}

static DIR *open_names(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir && copy >= 0)
        close(copy);
    return dir;
}

/* What a former run claimed and did not finish. More than fit are found when these are done. */
static void recover(struct scan *scan)
{
    DIR *dir = open_names(scan->claimed);
    struct dirent *entry;
    struct stat st;
    if (!dir) {
        fail(scan, "read the work folder .accord in");
        return;
    }
    while (scan->ready_count < SCAN_READY && (entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            fstatat(scan->claimed, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        struct found *ready = &scan->ready[scan->ready_count++];
        snprintf(ready->name, sizeof ready->name, "%s", entry->d_name);
        ready->facts = facts_of(&st);
    }
    closedir(dir);
    scan->ready_claimed = true;
    scan->recover = scan->ready_count == SCAN_READY;
}

static bool begin_pass(struct scan *scan)
{
    if (!open_folders(scan))
        return false;
    if (scan->recover && scan->may_reopen) {
        recover(scan);
        if (scan->ready_count || scan->failed)
            return false;
    }
    scan->dir = open_names(scan->folder);
    if (!scan->dir)
        fail(scan, "read the folder");
    scan->pass++;
    return scan->dir != NULL;
}

void scan_step(struct scan *scan)
{
    date_fresh(scan);
    scan->ready_count = scan->refused_count = 0;
    scan->ready_claimed = scan->failed = scan->pass_over = scan->reopened = false;
    if (!scan->dir && !begin_pass(scan))
        return;
    for (size_t names = 0; names < SCAN_STEP && scan->ready_count < SCAN_READY; names++) {
        struct dirent *entry = readdir(scan->dir);
        if (entry) {
            look(scan, entry->d_name);
            continue;
        }
        closedir(scan->dir);
        scan->dir = NULL;
        scan->pass_over = true;
        sweep(scan);
        return;
    }
}

int scan_init(struct scan *scan)
{
    scan->folder = scan->claimed = -1;
    scan->recover = true;
    scan->seen = calloc(BUCKETS, sizeof *scan->seen);
    return scan->seen ? 0 : -1;
}

void scan_fini(struct scan *scan)
{
    close_folders(scan);
    for (size_t i = 0; scan->seen && i < BUCKETS; i++)
        while (scan->seen[i])
            forget(scan, &scan->seen[i]);
    free(scan->seen);
    scan->seen = NULL;
}
